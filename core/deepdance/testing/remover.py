"""The contract of a background remover."""

from __future__ import annotations

from typing import Any

import numpy as np

from deepdance.arrays import UInt8, sample_evenly
from deepdance.interfaces import BackgroundRemover
from deepdance.testing import common
from deepdance.testing.sample_data import SIZE, make_pictures, make_silhouettes
from deepdance.testing.subject import (
    Subject,
    collect_checks,
    expect,
    expect_array,
    expect_same,
    expect_unchanged,
    measure_memory,
)

CHUNKS, LENGTH = 16, 16
"""As few as tell: a remover with a network takes a while for each."""
KEPT = 0.25
"""Of the bytes of all frames: what a remover may still hold of them."""


class RemoverSubject(Subject):
    """A remover, made anew for every clip."""

    interface = BackgroundRemover

    def remove(self, *chunks: UInt8, surveyed: bool = False) -> UInt8:
        """The silhouettes of the chunks of one clip, which the remover may be shown before."""
        remover: Any = self.cls(self.options)
        if surveyed:
            clip = np.concatenate(chunks)
            remover.survey(lambda count: clip[sample_evenly(len(clip), count)])
        return np.concatenate([remover.remove(chunk) for chunk in chunks])


def fetches_what_it_needs(subject: RemoverSubject) -> None:
    """What it needs and does not bring is got by `fetch`; where all is there, nothing is told."""
    told: list[tuple[str, int, int | None]] = []

    def tell(what: str, done: int, total: int | None) -> None:
        told.append((what, done, total))

    subject.cls.fetch(tell)
    readable = all(what and what.isprintable() and 0 <= done <= (total or done) for what, done, total in told)
    expect(readable, "a line that says what is fetched, and no more bytes than the whole", told)
    told.clear()
    subject.cls.fetch(tell)
    expect(not told, "nothing fetched where it has just been", told)


def makes_silhouettes(subject: RemoverSubject) -> None:
    """RGB frames `(n, h, w, 3)` become uint8 `(n, h, w)`, whatever their size."""
    for size in (SIZE, (17, 9)):
        expect_array(subject.remove(make_pictures(5, size)), (5, *size), np.uint8, "silhouettes")


def makes_the_dancer_dark(subject: RemoverSubject) -> None:
    """0 is the dancer, 255 the background: a dark figure before a light ground is never the brighter of the two."""
    figure = make_silhouettes(5) < 128
    removed = subject.remove(make_pictures(5))
    dancer, ground = float(removed[figure].mean()), float(removed[~figure].mean())
    expect(dancer <= ground, f"a dancer as dark as the background's {ground:.0f} or darker", f"{dancer:.0f}")


def the_frames_decide(subject: RemoverSubject) -> None:
    """A new remover gives the same silhouettes for the same clip, whatever clips others have seen."""
    first = subject.remove(*np.split(make_pictures(12), [5]))
    subject.remove(255 - make_pictures(7))
    again = subject.remove(*np.split(make_pictures(12), [5]))
    expect_same({"silhouettes": first}, {"silhouettes": again}, "from a new remover")


def takes_a_survey(subject: RemoverSubject) -> None:
    """A look at the clip before is no condition; it may be of a frame alone, and the same look gives the same."""
    clip = make_pictures(12)
    first, again = (subject.remove(clip, surveyed=True) for _ in range(2))
    expect_array(first, (12, *SIZE), np.uint8, "silhouettes after a survey")
    expect_same({"silhouettes": first}, {"silhouettes": again}, "after the same survey")
    expect_array(subject.remove(clip[:1], surveyed=True), (1, *SIZE), np.uint8, "silhouettes of a frame")


def takes_chunks_of_any_length(subject: RemoverSubject) -> None:
    """A clip may come in chunks of any length, of one frame and of none too, to a remover that keeps state."""
    remover = subject.cls(subject.options)
    for length in (0, 1, 6, 0, 2):
        expect_array(
            remover.remove(make_pictures(length)), (length, *SIZE), np.uint8, f"silhouettes of {length} frames"
        )


def takes_plain_frames(subject: RemoverSubject) -> None:
    """A black, a grey and a white frame are no hindrance."""
    plain = np.stack([np.full((*SIZE, 3), grey, np.uint8) for grey in (0, 128, 255)])
    expect_array(subject.remove(plain), (3, *SIZE), np.uint8, "silhouettes of plain frames")


def leaves_what_it_is_given(subject: RemoverSubject) -> None:
    """It does not write into the frames that it is given."""
    frames = make_pictures(5)
    with expect_unchanged({"frames": frames}):
        subject.remove(frames)


def streams(subject: RemoverSubject) -> None:
    """What it keeps does not grow with the clip."""
    remover, chunk = subject.cls(subject.options), make_pictures(LENGTH)
    remover.remove(chunk)

    def remove_all() -> None:
        for _ in range(CHUNKS):
            remover.remove(chunk.copy())

    _, kept = measure_memory(remove_all)
    limit = int(KEPT * CHUNKS * chunk.nbytes)
    expect(kept <= limit, f"at most {limit:,} bytes kept of {CHUNKS * chunk.nbytes:,}", f"{kept:,}")


CHECKS = (*common.CHECKS, *collect_checks(__name__))
