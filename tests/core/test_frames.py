import re
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import SHARED, needs_shared

from deepdance.errors import WorkspaceError
from deepdance.frames import (
    Clip,
    Silhouettes,
    SilhouetteWriter,
    blur_error,
    draw_distances,
    find_middle,
    fit_size,
    is_grey,
    measure_distances,
    redraw,
    shrink,
    spread_evenly,
)
from deepdance.testing.subject import measure_memory


def numbered(count: int, first: int = 0) -> np.ndarray:
    return np.arange(first, first + count, dtype=np.uint8)[:, None, None] * np.ones((1, 4, 6), np.uint8)


def write(folder, *chunks, **finish):
    folder.mkdir(exist_ok=True)
    with SilhouetteWriter(folder, (4, 6)) as writer:
        for chunk in chunks:
            writer.write(chunk)
        writer.finish(**finish)


def test_a_streamed_file_reads_back_as_one_array_with_its_clips(tmp_path):
    write(tmp_path, numbered(5), numbered(7, first=5), source="a.mp4", fps=3, shot_starts=[0, 4, 4, 12, 99])
    frames = Silhouettes.load([tmp_path])
    assert np.load(tmp_path / "silhouettes.npy").shape == (12, 4, 6)
    assert frames[:][:, 0, 0].tolist() == list(range(12))
    assert frames.clips == [Clip(0, 4, "a.mp4", 3), Clip(4, 12, "a.mp4", 3)]


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells what is mapped")
def test_what_was_read_does_not_stay_mapped(tmp_path):
    with SilhouetteWriter(tmp_path, (400, 500)) as writer:
        for _ in range(100):
            writer.write(np.zeros((5, 400, 500), np.uint8))
        writer.finish(source="long", fps=3)
    frames = Silhouettes.load([tmp_path])
    before = mapped_megabytes()
    assert sum(len(chunk) for chunk in frames.between(10, 490).chunks(20)) == 480
    assert mapped_megabytes() - before < 20


def test_more_files_than_a_process_may_have_open_are_read(tmp_path):
    resource = pytest.importorskip("resource")
    folders = [tmp_path / str(number) for number in range(80)]
    for number, folder in enumerate(folders):
        write(folder, numbered(2, first=number), source=str(number), fps=3)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len([*Path("/dev/fd").iterdir()]) + 40, limits[1]))
    try:
        frames = Silhouettes.load(folders).between(1, 159)
        assert frames[:][::2, 0, 0].tolist() == list(range(1, 80))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_file_that_is_gone_is_told(tmp_path):
    write(tmp_path, numbered(5), source="a", fps=3)
    frames = Silhouettes.load([tmp_path])
    (tmp_path / "silhouettes.npy").unlink()
    with pytest.raises(WorkspaceError, match="expected arrays as deepdance saves them, got No such file"):
        frames[:1]


def mapped_megabytes() -> float:
    """What this process holds of files."""
    return int(re.search(r"RssFile:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def test_several_files_are_one_sequence_and_clips_keep_their_borders(tmp_path):
    write(tmp_path / "a", numbered(5), source="a", fps=3)
    write(tmp_path / "b", numbered(3, first=5), source="b", fps=3)
    frames = Silhouettes.load([tmp_path / "a", tmp_path / "b"])
    assert len(frames) == 8
    assert [(c.start, c.stop, c.source) for c in frames.clips] == [(0, 5, "a"), (5, 8, "b")]
    assert frames[np.array([6, 0, 4, 5])][:, 0, 0].tolist() == [6, 0, 4, 5]
    assert np.concatenate(list(frames.chunks(3)))[:, 0, 0].tolist() == list(range(8))


def test_a_part_cuts_its_clips_to_fit():
    frames = Silhouettes([numbered(10)], [Clip(0, 4, "a", 3), Clip(4, 10, "b", 3)])
    part = frames.between(2, 6)
    assert part[:][:, 0, 0].tolist() == [2, 3, 4, 5]
    assert part.clips == [Clip(0, 2, "a", 3), Clip(2, 4, "b", 3)]
    assert [len(clip) for clip in frames.clips] == [4, 6]
    assert len(frames.between(10, 10)) == 0
    assert frames.between(10, 10).clips == []


@pytest.mark.parametrize(("start", "stop"), [(0, 12), (2, 4), (3, 9), (5, 8), (7, 12), (11, 12), (6, 6)])
def test_a_part_may_lie_in_any_of_several_arrays(start, stop):
    frames = Silhouettes([numbered(5), numbered(3, first=5), numbered(4, first=8)], [Clip(0, 12, "a", 3)])
    part = frames.between(start, stop)
    assert part[:][:, 0, 0].tolist() == list(range(start, stop))
    assert [len(clip) for clip in part.clips] == ([stop - start] if stop > start else [])
    assert [len(chunk) for chunk in frames.chunks(5)] == [5, 5, 2]
    assert frames[3:10:3][:, 0, 0].tolist() == [3, 6, 9]


def test_a_writer_refuses_frames_of_another_size(tmp_path):
    with SilhouetteWriter(tmp_path, (4, 6)) as writer, pytest.raises(ValueError, match=r"\(4, 6\)"):
        writer.write(np.zeros((1, 5, 6), np.uint8))


def test_quarters_of_any_greys_are_what_area_averaging_makes():
    import cv2

    greys = np.random.default_rng(0).integers(0, 256, (480, 800), np.uint8)
    halves = np.tile(np.kron([[0, 255], [255, 0]], np.ones((2, 2))), (120, 200)).astype(np.uint8)  # means of 127.5
    for frame in (greys, halves):
        small = cv2.resize(frame, (200, 120), interpolation=cv2.INTER_AREA)
        assert np.array_equal(shrink(frame[None], (120, 200))[0], small)


def test_shrinking_the_papers_frames_averages_blocks_of_four():
    rng = np.random.default_rng(0)
    frames = (rng.random((3, 480, 800)) > 0.5).astype(np.uint8) * 255
    expected = frames.reshape(3, 120, 4, 200, 4).mean(axis=(2, 4))
    assert np.abs(shrink(frames, (120, 200)) - expected).max() <= 0.5


def test_another_shape_is_kept_and_the_rest_is_background():
    portrait = np.zeros((1, 400, 200), np.uint8)
    small = shrink(portrait, (120, 200))
    columns = np.flatnonzero((small[0] == 0).all(axis=0))
    assert (columns[0], columns[-1]) == (70, 129)
    assert (small[0, :, :70] == 255).all()
    assert (small[0, :, 130:] == 255).all()


def test_silhouettes_of_the_right_size_pass_unchanged():
    frames = np.random.default_rng(0).integers(0, 256, (2, 120, 200), dtype=np.uint8)
    assert np.array_equal(shrink(frames, (120, 200)), frames)


def draw_disc(height, width, radius):
    """A disc in the middle, `radius` of the height, each pixel grey by the share of it that is covered."""
    finer = 8
    y, x = (np.arange(side * finer) + 0.5 - side * finer / 2 for side in (height, width))
    inside = np.hypot(y[:, None], x) < radius * height * finer
    return np.rint(255 - 255 * inside.reshape(height, finer, width, finer).mean(axis=(1, 3))).astype(np.uint8)[None]


def measure_grey(frame):
    """Grey pixels for each pixel of the outline's length."""
    dark = np.pad(frame < 128, 1)
    steps = np.hypot(*np.gradient(dark.astype(float))).sum() / np.hypot(0.5, 0.5) / 2
    return np.count_nonzero((frame > 25) & (frame < 230)) / max(steps, 1)


@pytest.mark.parametrize("blur", [0, 1.5])
def test_an_outline_enlarged_nine_times_is_smooth_and_sharp_however_soft_it_was(blur):
    small = draw_disc(120, 200, 0.3)
    if blur:
        small = cv2.GaussianBlur(small[0], (0, 0), blur)[None]
    large = redraw(small, (1080, 1800))[0]
    (outline,), _ = cv2.findContours((large < 128).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    radii = np.hypot(*(outline[:, 0] - [899.5, 539.5]).T)
    assert abs(radii.mean() - 324) < 3
    assert np.ptp(radii) < 3
    assert measure_grey(large) == pytest.approx(measure_grey(draw_disc(1080, 1800, 0.3)[0]), rel=0.15)
    assert measure_grey(cv2.resize(small[0], (1800, 1080), interpolation=cv2.INTER_CUBIC)) > 4


@needs_shared
@pytest.mark.parametrize("number", range(4))
def test_redrawn_silhouettes_of_real_dancers_are_those_of_the_large_masks(number):
    packed = np.load(SHARED / f"shadowdance/train_0{number}_masks_full_3fps.npz")
    height, width = packed["shape"]
    inside = np.unpackbits(packed["masks"][::60], axis=1)[:, : height * width].reshape(-1, height, width) > 0
    small = shrink(np.where(inside, np.uint8(0), np.uint8(255)), (120, 200))
    large = redraw(small, (480, 800))
    assert (inside & (large < 128)).sum() > 0.98 * (inside | (large < 128)).sum()
    assert np.mean((large > 25) & (large < 230)) < 0.005


def test_what_is_all_grey_is_enlarged_as_it_is():
    ramp = np.linspace(40, 210, 40).astype(np.uint8) * np.ones((1, 24, 1), np.uint8)
    large = redraw(ramp, (240, 400))
    assert np.abs(np.diff(large[0, 120].astype(int))).max() <= 2


@pytest.mark.parametrize("size", [(1080, 1920), (60, 100), (50, 200), (900, 300)])
def test_redrawn_frames_keep_their_shape_and_lie_in_the_middle(size):
    frame = redraw(draw_disc(120, 200, 0.3), size)[0]
    rows, columns = (np.flatnonzero((frame < 128).any(axis=axis)) for axis in (1, 0))
    scale = min(size[0] / 120, size[1] / 200)
    for found, side in ((rows, size[0]), (columns, size[1])):
        assert np.ptp(found) + 1 == pytest.approx(72 * scale, abs=2 + scale / 2)
        assert (found[0] + found[-1] + 1) / 2 == pytest.approx(side / 2, abs=1)


def test_frames_redrawn_at_their_own_size_are_untouched():
    frames = np.random.default_rng(0).integers(0, 256, (2, 24, 40), dtype=np.uint8)
    assert redraw(frames, (24, 40)) is frames
    assert redraw(frames[:0], (48, 80)).shape == (0, 48, 80)


@pytest.mark.parametrize(
    ("given", "box", "expected"),
    [
        ((1080, 1920), (480, 800), (450, 800)),
        ((1920, 1080), (480, 800), (480, 270)),
        ((10, 10), (480, 800), (480, 480)),
    ],
)
def test_fit_size(given, box, expected):
    assert fit_size(*given, box) == expected


@pytest.mark.parametrize("length", [1, 2, 5, 6, 11, 23, 1000])
def test_frames_are_kept_evenly_whatever_their_number(length):
    kept = [int(frame[0, 0]) for frame in spread_evenly((np.full((1, 1), k, np.int64) for k in range(length)), 5)]
    assert len(kept) == min(length, 5)
    spacings = np.diff([-1, *kept, length])
    assert spacings.max() <= 2 * length / len(kept)
    assert kept == sorted(set(kept))


def test_a_silhouette_is_drawn_again_from_its_distances():
    sharp = np.full((1, 60, 80), 255, np.uint8)
    cv2.ellipse(sharp[0], (40, 30), (20, 12), 0, 0, 360, 0, -1, cv2.LINE_AA)
    field = measure_distances(sharp[0])
    assert np.abs(draw_distances(field) - sharp[0]).mean() < 0.5
    assert field[30, 40] == pytest.approx(-60 / 15)
    assert field[0, 0] == pytest.approx(60 / 15)
    grown = draw_distances(field - 2) < 128
    assert np.count_nonzero(grown) == pytest.approx(np.pi * 22 * 14, rel=0.1)


def test_a_picture_is_grey_and_a_silhouette_is_not():
    assert is_grey(np.full((8, 8), 100, np.uint8))
    assert not is_grey(np.where(np.eye(8), 0, 255).astype(np.uint8))


def test_neighbours_are_of_one_clip():
    frames = Silhouettes([numbered(10)], [Clip(0, 4, "a", 3), Clip(4, 5, "b", 3), Clip(5, 10, "c", 3)])
    for length in (1, 3, 256):
        pairs = list(frames.neighbours(length))
        assert max(len(before) for before, _ in pairs) <= length
        before, after = (np.concatenate(part)[:, 0, 0].tolist() for part in zip(*pairs, strict=True))
        assert (before, after) == ([0, 1, 2, 5, 6, 7, 8], [1, 2, 3, 6, 7, 8, 9])
    assert list(frames.between(4, 5).neighbours()) == []


def test_frames_of_several_sizes_are_no_sequence():
    with pytest.raises(ValueError, match="one frame size"):
        Silhouettes([numbered(2), numbered(2)[:, :3]], [])
    with pytest.raises(ValueError, match="one frame size"):
        Silhouettes([], [])


def test_what_is_left_over_beside_the_middle_is_even_or_one_more_after_it():
    assert find_middle((10, 20), (13, 30)) == (slice(1, 11), slice(5, 25))
    assert fit_size(1, 1000, (50, 100)) == (1, 100)
    assert fit_size(1000, 1, (50, 100)) == (50, 1)


def test_an_array_is_shown_in_a_notebook_with_what_it_is():
    html = Silhouettes.of(numbered(40))._repr_html_()
    assert "silhouettes: 40 of 4×6 in 1 clip<" in html
    assert html.startswith("<img")
    two = Silhouettes([numbered(10)], [Clip(0, 4, "a", 3), Clip(4, 10, "b", 3)])
    assert repr(two) == "<Silhouettes: 10 of 4×6 in 2 clips>"
    assert Silhouettes.of(numbered(0))._repr_html_() == "no silhouettes"


def test_distances_are_measured_in_pixels_from_where_the_grey_says_the_outline_runs():
    frame = np.zeros((45, 60), np.uint8)
    frame[:, 20] = 64
    frame[:, 21:] = 255
    # Three quarters of the column 20 are covered: the outline is a quarter of a pixel right of its middle.
    exact = np.clip(np.arange(60) - 20.25, -3, 3)
    assert measure_distances(frame)[20, 20] == pytest.approx(-0.25, abs=0.01)
    assert measure_distances(frame)[20] == pytest.approx(exact, abs=0.5)
    frame[:, 20] = 0  # a hard edge lies halfway between two pixels
    assert measure_distances(frame)[20] == pytest.approx(np.clip(np.arange(60) - 20.5, -3, 3), abs=1e-5)
    assert draw_distances(np.array([[-0.5, 0, 0.25, 0.5]], np.float32)).tolist() == [[0, 127.5, 191.25, 255]]


def test_an_error_is_blurred_but_not_lessened():
    error = np.zeros((400, 400), np.float32)
    error[200, 200] = 1
    blurred = blur_error(error)
    from_middle = np.arange(400) - 200
    assert blurred.sum() == pytest.approx(1, abs=1e-3)
    assert np.sqrt((blurred * from_middle**2).sum()) == pytest.approx(400 / 200, rel=0.05)


@pytest.mark.parametrize(("share", "grey"), [(0.45, False), (0.55, True)])
def test_half_of_a_picture_is_grey(share, grey):
    frame = np.full((10, 100), 255, np.uint8)
    frame[:, : round(100 * share)] = 26
    assert is_grey(frame) == grey
    assert not is_grey(np.full((8, 8), 25, np.uint8))
    assert is_grey(np.full((8, 8), 229, np.uint8))
    assert not is_grey(np.full((8, 8), 230, np.uint8))


def test_an_index_means_what_it_means_for_an_array():
    frames = np.arange(7, dtype=np.uint8)[:, None, None]
    lazy = Silhouettes([frames[:3], frames[3:]], [Clip(0, 7, "a", 10)])
    for index in (
        slice(None), slice(-3, None), slice(5, 1, -2), slice(9, 20), np.array([-1, 0, 6]), np.array([], int),
        np.arange(7) > 4, [2, 3],
    ):  # fmt: skip
        assert np.array_equal(lazy[index], frames[index])
    for beyond in ([7], [-8], [0, 99]):
        with pytest.raises(IndexError, match="expected frames below 7, got"):
            lazy[np.array(beyond)]


def test_of_many_frames_no_list_is_made_to_read_a_few():
    many = Silhouettes.of(np.broadcast_to(np.zeros((1, 2, 2), np.uint8), (10**8, 2, 2)))
    peak, _ = measure_memory(lambda: (many[5:10], many[np.array([3, -1])], next(many.chunks())))
    assert peak < 1 << 20
