"""Some of what `python -m tests.soak.lengths` does: four times as long takes no more memory."""

import pytest

from .lengths import dance, encode, measure, prepare

MOST_MORE = 8
"""Megabytes. Of the longer dance the latents alone take 10, and as much again each time that they are copied."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("model", ["ridge", "motion-field"])
def test_a_longer_dance_takes_no_more_memory(tmp_path, model):
    short, long = (measure(dance, tmp_path, model, frames).peak for frames in (5_000, 20_000))
    assert long - short < MOST_MORE


@pytest.mark.timeout(600)
@pytest.mark.parametrize("work", [prepare, encode])
def test_a_longer_video_takes_no_more_memory(tmp_path, work):
    peaks = []
    for seconds in (120, 480):
        place = tmp_path / str(seconds)
        place.mkdir()
        measured = measure(prepare, place, seconds)
        peaks.append(measured.peak if work is prepare else measure(encode, place, seconds).peak)
    assert peaks[1] - peaks[0] < MOST_MORE
