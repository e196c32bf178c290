"""Some of what `python -m tests.soak.lengths` does: four times as long takes no more memory."""

import pytest

from .lengths import dance, measure, prepare

MOST_MORE = 8
"""Megabytes. Of the longer dance the latents alone take 8, and as much again each time that they are copied."""


@pytest.mark.timeout(600)
def test_a_longer_dance_takes_no_more_memory(tmp_path):
    short, long = (measure(dance, tmp_path, "motion-field", frames).peak for frames in (4_000, 16_000))
    assert long - short < MOST_MORE


@pytest.mark.timeout(600)
def test_a_longer_video_takes_no_more_memory(tmp_path):
    peaks = []
    for seconds in (60, 240):
        (tmp_path / str(seconds)).mkdir()
        peaks.append(measure(prepare, tmp_path / str(seconds), seconds).peak)
    assert peaks[1] - peaks[0] < MOST_MORE
