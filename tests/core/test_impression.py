"""How a dance looks, in a sentence: of dances that are as the video, frozen, in pieces, wild, or a copy."""

import numpy as np
import pytest

import deepdance.impression
from deepdance.frames import Clip, Silhouettes
from deepdance.impression import Impression, Watch

FPS, RENDER_FPS = 10, 30
SIZE = (48, 80)
HELD_OUT = 200


def draw_path(count, seed):
    """Places `(n, 2)` of a square that wanders smoothly and never the same way."""
    steps = np.random.default_rng(seed).normal(size=(count + 20, 2))
    smooth = np.stack([np.convolve(axis, np.hanning(20), "valid")[:count] for axis in steps.T], axis=1)
    return np.clip(np.array([24, 40]) + 3 * smooth, 12, (36, 68))


def draw(path):
    frames = np.full((len(path), *SIZE), 255, np.uint8)
    for frame, (y, x) in zip(frames, path.astype(int), strict=True):
        frame[y - 10 : y + 10, x - 5 : x + 5] = 0
    return frames


VIDEO = draw_path(400, 0)
REAL = Silhouettes([draw(VIDEO)], [Clip(0, len(VIDEO), "array", FPS)])


def watch(path, change=lambda frames: frames, evaluated_from=HELD_OUT):
    """The impression of a dance at 10 places a second, written at 30 frames a second and at twice the size."""
    shown = np.repeat(change(draw(path)), RENDER_FPS // FPS, axis=0).repeat(2, axis=1).repeat(2, axis=2)
    seen = Watch(FPS, RENDER_FPS, SIZE)
    written = list(seen.follow(np.array_split(shown, 7)))
    assert np.array_equal(np.concatenate(written), shown)
    latents = np.repeat(path, RENDER_FPS // FPS, axis=0).astype(np.float32)
    return seen.compare(latents, REAL, VIDEO.astype(np.float32), evaluated_from)


def test_a_dance_like_the_video_is_praised_and_nothing_advised():
    impression = watch(draw_path(300, 2))
    assert impression.whole == 1
    assert impression.motion == pytest.approx(1, abs=0.3)
    assert impression.sentence.startswith(
        "It shows whole bodies, moves as much as the video, never freezes, and repeats"
    )
    assert "try" not in impression.sentence


@pytest.mark.parametrize("margins", [(0, 60), (40, 0)])
def test_a_wider_or_higher_picture_makes_nobody_small(margins):
    shown = draw(draw_path(300, 2)).repeat(2, axis=1).repeat(2, axis=2)
    seen = Watch(FPS, FPS, SIZE)
    list(seen.follow([np.pad(shown, ((0, 0), *((side, side) for side in margins)), constant_values=255)]))
    assert seen.compare(VIDEO[:300].astype(np.float32), REAL, VIDEO.astype(np.float32), 0).complete == 1


def test_a_dance_that_stops_is_called_frozen_for_as_long():
    path = draw_path(120, 1)
    path[40:] = path[40]
    impression = watch(path)
    assert impression.freeze_seconds == pytest.approx(8.0)
    assert "stands still for 8.0 s" in impression.sentence
    assert "try --temperature 1.5" in impression.sentence


def test_loose_parts_are_counted_in_frames():
    def break_up(frames):
        frames[:30, :6, :6] = 0
        return frames

    impression = watch(draw_path(120, 1), break_up)
    assert impression.whole == pytest.approx(0.75)
    assert "has loose or lost parts in 25% of the frames" in impression.sentence
    assert "try --temperature 0.5 or another --seed" in impression.sentence


def test_a_dancer_who_is_gone_is_not_whole():
    def hide(frames):
        frames[60:] = 255
        return frames

    impression = watch(draw_path(120, 1), hide)
    assert (impression.whole, impression.complete) == (pytest.approx(0.5), pytest.approx(0.5))


def test_lost_legs_are_counted_in_frames_and_not_called_whole():
    def cut_off_legs(frames):
        for frame in frames[:24]:
            frame[np.flatnonzero((frame == 0).any(axis=1))[-6:]] = 255
        return frames

    impression = watch(draw_path(120, 1), cut_off_legs)
    assert impression.complete == pytest.approx(0.8)
    assert impression.sentence.startswith("It lacks limbs or a dancer in 20% of the frames, moves")
    assert impression.sentence.endswith("try --from random, another --seed, or a new run with --seq texture.")


def test_one_of_two_dancers_who_is_gone_is_missed():
    apart = np.concatenate([draw(VIDEO), draw(VIDEO)[:, :, ::-1]], axis=2)
    alone = apart[:60].copy()
    alone[:30, :, SIZE[1] :] = 255
    seen = Watch(FPS, FPS, apart.shape[1:])
    list(seen.follow([alone]))
    impression = seen.compare(VIDEO[:60].astype(np.float32), Silhouettes([apart], REAL.clips), VIDEO[:0], 0)
    assert impression.whole == 1
    assert impression.complete == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(3, 6))
def test_a_dancer_who_crouches_as_in_the_video_lacks_nothing(seed):
    def crouch(frames, share):
        for frame in frames[: int(share * len(frames))]:
            frame[np.flatnonzero((frame == 0).any(axis=1))[:8]] = 255
        return frames

    seen = Watch(FPS, FPS, SIZE)
    list(seen.follow([crouch(draw(draw_path(120, seed)), 0.4)]))
    real = Silhouettes([crouch(draw(VIDEO), 0.1)], REAL.clips)
    assert seen.compare(VIDEO[:120].astype(np.float32), real, VIDEO.astype(np.float32), HELD_OUT).complete == 1


def test_several_people_in_the_video_are_no_loose_parts():
    twice = np.minimum(draw(VIDEO), draw(VIDEO)[:, :, ::-1])
    seen = Watch(FPS, FPS, SIZE)
    list(seen.follow([twice[:60]]))
    real = Silhouettes([twice], REAL.clips)
    assert seen.compare(VIDEO[:60].astype(np.float32), real, VIDEO.astype(np.float32), HELD_OUT).whole == 1


def test_a_copy_is_told_with_its_length():
    impression = watch(VIDEO[20:120])
    assert impression.replay_seconds == pytest.approx(9.9, abs=0.2)
    assert "of the video in one go; to change that, try --temperature 1.5 or a longer video." in impression.sentence
    new = watch(draw_path(100, 7)).replay_seconds
    assert new is not None
    assert new < 2


def test_where_nothing_is_held_out_no_copy_is_told():
    impression = watch(VIDEO[20:120], evaluated_from=0)
    assert impression.replay_seconds is None
    assert impression.sentence == "It shows whole bodies, moves as much as the video, and never freezes."


def test_how_much_it_moves_is_told_where_it_is_not_as_the_video():
    assert "moves 40% as much as the video" in Impression(1, 1, 0.4, 0, 0, 0.0).sentence
    assert "try --temperature 0.5" in Impression(1, 1, 2.0, 0, 0, 0.0).sentence


def test_the_last_five_minutes_of_a_video_say_how_much_it_moves(monkeypatch):
    monkeypatch.setattr(deepdance.impression, "REAL_FRAMES", 100)
    frames = np.concatenate([draw(VIDEO[:1]).repeat(300, axis=0), draw(VIDEO)])
    calm_first = Silhouettes([frames], [Clip(0, len(frames), "array", FPS)])
    seen = Watch(FPS, FPS, SIZE)
    list(seen.follow([draw(VIDEO[-100:])]))
    assert seen.compare(VIDEO[-100:], calm_first, VIDEO[:0], 0).motion == pytest.approx(1)


def test_two_frames_are_enough_to_tell_how_much_a_video_moves():
    two = Silhouettes([draw(VIDEO[:40:39])], [Clip(0, 2, "array", FPS)])
    seen = Watch(FPS, FPS, SIZE)
    list(seen.follow([draw(VIDEO[:40:39])]))
    assert seen.compare(VIDEO[:2], two, VIDEO[:0], 0).motion == pytest.approx(1)


def test_beside_a_single_frame_a_dance_that_moves_does_not_freeze():
    seen = Watch(FPS, FPS, SIZE)
    list(seen.follow([draw(VIDEO[:100:10])]))
    told = seen.compare(VIDEO[:100:10], REAL.between(0, 1), VIDEO[:0], 0)
    assert told.freeze_seconds < 0.5
    assert told.motion is None


def impression(**changed):
    """A dance as the video, but for what is changed."""
    usual = {"whole": 1, "complete": 1, "motion": 1, "freeze_seconds": 0, "rest_seconds": 0, "replay_seconds": 0}
    return Impression(**usual | changed)


@pytest.mark.parametrize(
    ("fine", "off", "told", "advice"),
    [
        ({"whole": 0.95}, {"whole": 0.94}, "has loose or lost parts in 6%", "--temperature 0.5"),
        ({"complete": 0.95}, {"complete": 0.9}, "lacks limbs or a dancer in 10%", "--from random"),
        ({"motion": 0.75}, {"motion": 0.74}, "moves 74% as much", "--temperature 1.5 or another"),
        ({"motion": 1.35}, {"motion": 1.36}, "moves 136% as much", "--temperature 0.5 or another"),
        ({"freeze_seconds": 1}, {"freeze_seconds": 1.1}, "stands still for 1.1 s", "--temperature 1.5 or another"),
        (
            {"freeze_seconds": 3, "rest_seconds": 3},
            {"freeze_seconds": 3, "rest_seconds": 2},
            "3.0 s",
            "--temperature 1.5",
        ),
        ({"replay_seconds": 4}, {"replay_seconds": 4.1}, "repeats at most 4.1 s", "--temperature 1.5 or a longer"),
    ],
)
def test_what_an_artist_would_notice_is_told_with_what_to_try(fine, off, told, advice):
    assert "try" not in impression(**fine).sentence
    assert told in impression(**off).sentence
    assert f"to change that, try {advice}" in impression(**off).sentence


def test_less_than_half_a_second_is_no_repetition():
    assert "repeats nothing of the video" in impression(replay_seconds=0.4).sentence
    assert "repeats at most 0.5 s of the video" in impression(replay_seconds=0.5).sentence
    assert impression(motion=None, replay_seconds=None).sentence == "It shows whole bodies, and never freezes."


def test_what_is_worst_is_advised_upon():
    assert "--from random" in impression(complete=0.5, whole=0.5, motion=2, replay_seconds=9).sentence
    assert "--temperature 0.5" in impression(whole=0.5, motion=0.1, freeze_seconds=9, replay_seconds=9).sentence
    assert "--temperature 1.5 or another" in impression(freeze_seconds=9, replay_seconds=9).sentence


@pytest.mark.parametrize(("fps", "render_fps", "count"), [(10, 30, 100), (10, 25, 101), (3, 30, 64), (10, 10, 50)])
def test_the_frames_nearest_to_the_keys_are_kept_whatever_the_chunks(fps, render_fps, count):
    frames = np.arange(count, dtype=np.uint8)[:, None, None].repeat(2, axis=1).repeat(2, axis=2)
    kept = []
    for size in (1, 7, count):
        seen = Watch(fps, render_fps, (2, 2))
        list(seen.follow(np.split(frames, range(size, count, size))))
        kept.append(np.concatenate(seen._kept)[:, 0, 0].tolist())
    keys = [round(number * render_fps / fps) for number in range(count)]
    assert kept == [[key for key in keys if key < count]] * 3


def test_a_long_dance_is_looked_at_for_a_minute():
    seen = Watch(FPS, RENDER_FPS, SIZE)
    for chunk in seen.follow(np.full((300, *SIZE), 255, np.uint8) for _ in range(12)):
        assert len(chunk) == 300
    assert sum(map(len, seen._kept)) == 600
