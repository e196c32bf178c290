"""How well `person` does on dancers whose true outline is known."""

import numpy as np
import pytest
from conftest import SHARED, needs_shared
from people import measure_iou
from videos import BOX, source

from deepdance_plugins.removers.person.model import Person
from deepdance_plugins.removers.person.options import PersonOptions


def read_masks(path, name):
    """The true dancer `(n, 480, 800)`."""
    packed = np.load(path)[name]
    return np.unpackbits(packed, axis=1)[:, : BOX[0] * BOX[1]].reshape(-1, *BOX).astype(bool)


def remove(path, count):
    """The silhouettes of a video's first frames, found as a run finds them."""
    video, person = source(path), Person(PersonOptions())
    person.survey(lambda number: video.sample(number, BOX))
    found = []
    for chunk in video.frames(3, BOX):
        found.extend(person.remove(chunk[: count - len(found)]))
        if len(found) == count:
            break
    return np.stack(found)


@needs_shared
@pytest.mark.parametrize(
    ("video", "masks", "least", "most_lost"),
    [
        ("dressed/dressed_0", "dressed/dressed_0_masks", 0.94, 0.02),
        ("dressed/dressed_1", "dressed/dressed_1_masks", 0.82, 0.02),
        ("dressed/dressed_hard", "dressed/dressed_hard_masks", 0.5, 0.04),
        ("shadowdance/train_00", "shadowdance/train_00_masks_full_3fps", 0.94, 0.02),
        ("shadowdance/train_03", "shadowdance/train_03_masks_full_3fps", 0.94, 0.02),
    ],
)
def test_the_dancers_outline_is_found(person_weights, video, masks, least, most_lost):
    truth = read_masks(SHARED / f"{masks}.npz", "masks")[: 60 if "shadow" in video else None]
    found = remove(SHARED / f"{video}.mp4", len(truth)) == 0
    overlaps = [measure_iou(one, other) for one, other in zip(found, truth, strict=True)]
    lost = [not shown.any() for shown, body in zip(found, truth, strict=True) if body.any()]
    assert np.mean(overlaps) >= least
    assert np.mean(lost) <= most_lost
