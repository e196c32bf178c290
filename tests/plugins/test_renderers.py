"""The renderers that write files: what is in them, and what is said when they cannot be written."""

import os
import re
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

import deepdance
from deepdance.errors import OptionError, RenderError
from deepdance.interfaces import UInt8
from deepdance_plugins._colours import CSS_COLOURS, find_rgb
from deepdance_plugins.renderers.gif import Gif, GifOptions, compute_delay
from deepdance_plugins.renderers.mp4 import Mp4, Mp4Options
from deepdance_plugins.renderers.sheet import Sheet, SheetOptions, pick_evenly
from deepdance_plugins.renderers.svg import trace

FILES = {"mp4": "mp4", "gif": "gif", "png": "sheet", "webm": "webm", "mov": "prores", "svg": "svg"}
RENDERERS = {suffix: deepdance.renderer(name) for suffix, name in FILES.items()}
each = pytest.mark.parametrize("suffix", RENDERERS)
WITH_ALPHA = {"a.webm": "webm", "p.mov": "prores", "h.mov": "hap", "pictures": "png"}
each_with_alpha = pytest.mark.parametrize("name", WITH_ALPHA)


def dance(count: int = 12, height: int = 120, width: int = 200) -> UInt8:
    """A black square that walks to the right, grey at its edge."""
    frames = np.full((count, height, width), 255, np.uint8)
    for number, frame in enumerate(frames):
        left = number * (width - 30) // max(1, count - 1)
        frame[height // 3 : height // 2, left : left + 30] = 0
        frame[height // 2, left : left + 30] = 128
    return frames


def decoded(path: Path) -> tuple[list[UInt8], list[Fraction], float, tuple[str, str]]:
    """Frames as grey, their times in seconds, frames a second, and the codec."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        shown = [frame.to_ndarray(format="rgb24")[..., 1] for frame in frames]
        times = [frame.pts * frame.time_base for frame in frames]
        return shown, times, float(stream.average_rate or 0), (stream.codec_context.name, stream.codec_context.pix_fmt)


def decoded_rgba(path: Path) -> UInt8:
    """All frames `(n, h, w, 4)` as ffmpeg sees them; its own VP9 decoder would pass over alpha."""
    import imageio_ffmpeg

    if path.is_dir():
        pictures = [cv2.imread(str(part), cv2.IMREAD_UNCHANGED) for part in sorted(path.iterdir())]
        return np.stack(pictures)[..., [2, 1, 0, 3]]
    decoder = ["-c:v", "libvpx-vp9"] if path.suffix == ".webm" else []
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *decoder, "-i", f"file:{path}"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgba", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    height, width = decoded(path)[0][0].shape
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 4)


@pytest.mark.parametrize("fps", [3, 30, 29.97, 12.5])
def test_mp4_is_h264_at_the_rate_and_of_the_size(tmp_path, fps):
    frames = dance()
    Mp4(Mp4Options()).render(iter(np.array_split(frames, 5)), fps, tmp_path / "a.tmp.mp4")
    shown, _, rate, codec = decoded(tmp_path / "a.tmp.mp4")
    assert codec == ("h264", "yuv420p")
    assert rate == pytest.approx(fps, rel=1e-3)
    assert [frame.shape for frame in shown] == [(120, 200)] * 12
    for frame, original in zip(shown, frames, strict=True):
        assert np.abs(frame.astype(int) - original).mean() < 1
    data = (tmp_path / "a.tmp.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_mp4_pads_odd_sizes_with_white(tmp_path):
    Mp4(Mp4Options(crf=1)).render([np.zeros((3, 5, 7), np.uint8)], 2.5, tmp_path / "a.mp4")
    frame = decoded(tmp_path / "a.mp4")[0][1]
    assert frame.shape == (6, 8)
    assert frame[:5, :7].max() < 16
    assert min(frame[5].min(), frame[:, 7].min()) > 235


@pytest.mark.parametrize(("fps", "hundredths"), [(3, 33), (10, 10), (25, 4), (30, 3), (60, 2), (0.5, 200)])
def test_gif_counts_in_hundredths(tmp_path, fps, hundredths):
    frames = dance(6)
    assert compute_delay(fps) == hundredths
    Gif(GifOptions()).render([frames], fps, tmp_path / "a.gif")
    assert b"NETSCAPE2.0\x03\x01\x00\x00" in (tmp_path / "a.gif").read_bytes()
    shown, times, _, _ = decoded(tmp_path / "a.gif")
    assert [100 * seconds for seconds in times] == [k * hundredths for k in range(6)]
    assert np.abs(np.array(shown, int) - frames).max() <= 9


@each_with_alpha
def test_what_can_be_laid_over_other_pictures_is_ink_with_alpha(tmp_path, name):
    frames, path = dance(), tmp_path / name
    renderer = deepdance.renderer(WITH_ALPHA[name], ink="#c04020")
    renderer.render(iter(np.array_split(frames, 5)), 12.5, path)
    shown = decoded_rgba(path).astype(int)
    assert shown.shape == (12, 120, 200, 4)
    assert np.abs(shown[..., 3] - (255 - frames)).mean() < 1
    assert np.median(np.abs(shown[..., 3] - (255 - frames))[frames == 128]) <= 6
    assert np.abs(shown[frames == 0][:, :3] - (192, 64, 32)).max() <= 12
    if path.is_dir():
        assert sorted(part.name for part in path.iterdir())[::11] == ["000001.png", "000012.png"]
    else:
        assert decoded(path)[2] == pytest.approx(12.5)


@pytest.mark.parametrize(
    ("name", "codec", "tag"),
    [
        ("a.webm", "vp9", b"\x53\xc0\x81\x01"),  # Matroska's AlphaMode, 1
        ("p.mov", "prores", b"ap4h"),
        ("h.mov", "hap", b"Hap5"),
    ],
)
def test_a_video_with_alpha_is_marked_as_programs_expect(tmp_path, name, codec, tag):
    deepdance.renderer(WITH_ALPHA[name]).render([dance(3)], 25, tmp_path / name)
    assert decoded(tmp_path / name)[3][0] == codec
    assert tag in (tmp_path / name).read_bytes()


@each_with_alpha
def test_sides_that_a_format_does_not_take_are_padded_with_ground(tmp_path, name):
    frames = np.zeros((2, 21, 35), np.uint8)
    deepdance.renderer(WITH_ALPHA[name]).render([frames], 10, tmp_path / name)
    shown = decoded_rgba(tmp_path / name)
    step = {"hap": 4, "png": 1}.get(WITH_ALPHA[name], 2)
    assert shown.shape[1:3] == (-21 // step * -step, -35 // step * -step)
    assert shown[:, :20, :34, 3].min() > 200
    assert shown[:, 22:, :, 3].max(initial=0) < 30
    assert shown[:, :, 37:, 3].max(initial=0) < 30


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", *WITH_ALPHA])
def test_ink_and_ground_are_as_asked_for(tmp_path, name):
    frames = dance(3, 48, 80)
    colours = {"ink": "Gold", "ground": "#123"}
    deepdance.renderer(WITH_ALPHA.get(name, name[2:]), **colours).render([frames], 10, tmp_path / name)
    shown = decoded_rgba(tmp_path / name).astype(int)
    assert np.median(np.abs(shown[frames == 0] - (255, 215, 0, 255))) <= 3
    assert np.median(np.abs(shown[frames == 255] - (17, 34, 51, 255))) <= 3


def test_a_gif_before_nothing_is_cut_out(tmp_path):
    frames = dance(8)
    deepdance.renderer("gif", ink="red", ground="transparent").render([frames], 10, tmp_path / "a.gif")
    shown = decoded_rgba(tmp_path / "a.gif")
    assert len(shown) == 8
    assert ((shown[..., 3] > 0) == (frames < 128))[frames != 128].all()
    assert (shown[frames == 0] == (255, 0, 0, 255)).all()


@pytest.mark.parametrize(
    ("colours", "expected"),
    [
        ({"ink": "teal", "ground": "white"}, [(0, 128, 128), (255, 255, 255)]),
        ({"ink": "white", "ground": "black"}, [255, 0]),
        ({"ink": "#0000ff", "ground": "transparent"}, [(0, 0, 255, 255), (0, 0, 255, 0)]),
    ],
)
def test_a_sheet_has_colours_too(tmp_path, colours, expected):
    Sheet(SheetOptions(columns=4, rows=2, **colours)).render([dance(8)], 10, tmp_path / "a.png")
    sheet = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    if sheet.ndim == 3:
        sheet = sheet[..., [2, 1, 0, 3][: sheet.shape[2]]]
    assert [sheet[50, 10].tolist(), sheet[10, 10].tolist()] == [np.array(value).tolist() for value in expected]


@pytest.mark.parametrize(
    ("name", "option", "value", "told"),
    [
        (
            "mp4",
            "ink",
            "blakc",
            "ink: expected a colour such as teal or #008080, got 'blakc'; did you mean 'black'?",
        ),
        ("gif", "ground", "#12345", "renderer.ground: expected a colour such as teal or #008080, got '#12345'"),
        ("mp4", "ground", "transparent", "for nothing is transparent here, got 'transparent'; webm, "),
        (
            "webm",
            "ink",
            "transparent",
            "renderer.ink: expected a colour, for the dancer is seen: what may be transparent ",
        ),
        ("svg", "ground", 7, "renderer.ground: expected a colour such as teal or #008080, got 7"),
    ],
)
def test_what_is_no_colour_is_told(name, option, value, told):
    with pytest.raises(OptionError, match=re.escape(told)):
        deepdance.renderer(name, **{option: value})


def test_colours_are_those_of_css():
    assert len(CSS_COLOURS) == 148
    assert (find_rgb("rebeccapurple"), find_rgb("#0f8"), find_rgb("#102030")) == (
        (102, 51, 153),
        (0, 255, 136),
        (16, 32, 48),
    )
    assert all(len(find_rgb(name)) == 3 for name in CSS_COLOURS)


def draw_path(data: str, size: tuple[int, int], finer: int = 8) -> UInt8:
    """The data of an SVG path with the commands M, q and z, drawn even-odd: `(height, width)`."""
    mask = np.zeros((size[0] * finer, size[1] * finer), np.uint8)
    for start, steps in re.findall(r"M([^q]*)q([^z]*)z", data):
        at = np.array(start.split(), float)
        points = []
        for control, end in np.array(steps.split(), float).reshape(-1, 2, 2):
            t = np.linspace(0, 1, 8)[:, None]
            points.append(at + 2 * t * (1 - t) * control + t**2 * end)
            at = at + end
        ring = np.zeros_like(mask)
        cv2.fillPoly(ring, [np.rint(np.concatenate(points) * finer * 16 - 8).astype(np.int32)], 1, shift=4)
        mask ^= ring
    covered = mask.reshape(size[0], finer, size[1], finer).mean(axis=(1, 3))
    return np.rint(255 * (1 - covered)).astype(np.uint8)


def ring(height: int, width: int) -> UInt8:
    """A ring with a hole, cut by the picture's left edge, grey where a pixel is covered in part."""
    y, x = np.mgrid[:height, :width] + 0.5
    radius = np.hypot(y - height / 2, x - height / 4)
    return np.rint(255 * np.clip(np.abs(radius - height / 3) - height / 10 + 0.5, 0, 1)).astype(np.uint8)


@pytest.mark.parametrize("size", [(48, 80), (240, 400), (1080, 600)])
def test_curves_follow_the_outline_and_leave_holes(size):
    picture = ring(*size)
    drawn = draw_path(trace(picture), size)
    assert np.abs(drawn.astype(int) - picture).mean() < 1.5
    hole = size[0] // 2, size[0] // 4
    assert (drawn[hole], drawn[0, 0]) == (255, 255)
    assert (drawn[:, 0] < 128).any()
    assert ((drawn[:, 0] < 128) == (picture[:, 0] < 128)).mean() > 0.95


def test_an_animated_svg_shows_each_frame_in_its_time(tmp_path):
    frames = np.concatenate([dance(6, 48, 80), np.full((1, 48, 80), 255, np.uint8)])
    deepdance.renderer("svg", ink="teal").render(iter(np.array_split(frames, 3)), 12.5, tmp_path / "a.svg")
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    ((path,), (animation,)) = list(root), list(root[0])
    outlines = animation.get("values").split(";")
    assert (root.get("viewBox"), path.get("fill"), path.get("fill-rule")) == ("0 0 80 48", "teal", "evenodd")
    assert (animation.get("attributeName"), animation.get("calcMode")) == ("d", "discrete")
    assert (animation.get("dur"), animation.get("repeatCount")) == ("0.56s", "indefinite")
    assert len(outlines) == 7
    assert outlines[0] == path.get("d")
    for frame, outline in zip(frames, outlines, strict=True):
        assert np.abs(draw_path(outline, (48, 80)).astype(int) - frame).mean() < 2


def test_a_name_without_an_ending_is_a_folder_of_svgs(tmp_path):
    frames = dance(3, 48, 80)
    deepdance.renderer("svg", ground="#eee").render([frames], 10, tmp_path / "dance")
    assert [part.name for part in sorted((tmp_path / "dance").iterdir())] == [f"00000{n}.svg" for n in (1, 2, 3)]
    ground, path = ElementTree.parse(tmp_path / "dance/000002.svg").getroot()
    assert ground.get("fill") == "#eee"
    assert np.abs(draw_path(path.get("d"), (48, 80)).astype(int) - frames[1]).mean() < 2


def test_pictures_lie_in_folders_of_odd_names(tmp_path):
    deepdance.renderer("png").render([dance(2)], 10, tmp_path / "50% %d двор'")
    assert [part.name for part in sorted((tmp_path / "50% %d двор'").iterdir())] == ["000001.png", "000002.png"]


def test_sheet_shows_first_and_last_in_a_grid(tmp_path):
    frames = dance(100, 10, 40)
    Sheet(SheetOptions(columns=4, rows=2)).render(iter(np.array_split(frames, 7)), 10, tmp_path / "a.png")
    sheet = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert sheet.shape == (2 * 11 + 1, 4 * 41 + 1)
    assert np.array_equal(sheet[1:11, 1:41], frames[0])
    assert np.array_equal(sheet[12:22, 124:164], frames[-1])


def test_sheet_of_a_short_dance_is_small(tmp_path):
    Sheet(SheetOptions(columns=3, rows=9)).render([dance(4, 10, 40)], 10, tmp_path / "a.png")
    sheet = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert sheet.shape == (2 * 11 + 1, 3 * 41 + 1)
    assert (sheet[12:22, 42:82] == 255).all()


@pytest.mark.parametrize("count", [1, 2, 9, 10, 11, 40, 41, 160, 1000, 12_345])
def test_frames_of_the_sheet_are_evenly_spaced(count):
    def chunks() -> Iterator[UInt8]:
        for start in range(0, count, 7):
            numbers = np.arange(start, min(count, start + 7))
            yield np.stack([numbers % 256, numbers // 256], axis=1).astype(np.uint8)[:, None]

    shown = [int(frame[0, 0]) + 256 * int(frame[0, 1]) for frame in pick_evenly(chunks(), 10)]
    assert len(shown) == min(10, count)
    assert (shown[0], shown[-1]) == (0, count - 1)
    even = np.linspace(0, count - 1, len(shown))
    assert np.abs(np.array(shown) - even).max() <= max(0.5, count / 20)


@each
@pytest.mark.parametrize("place", ["no/such/folder/", "taken/"])
def test_a_place_that_cannot_be_written_is_told_in_one_line(tmp_path, suffix, place, children):
    path = tmp_path / f"{place}a.{suffix}"
    if place == "taken/":
        path.mkdir(parents=True)
    with pytest.raises(RenderError, match="expected to write") as error:
        RENDERERS[suffix].render([dance(3)] * 50, 10, path)
    assert "\n" not in str(error.value)
    assert not children()


@each
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk_is_told(suffix, tmp_path):
    full = tmp_path / f"full.{suffix}"
    full.symlink_to("/dev/full")
    with pytest.raises(RenderError, match="No space left"):
        RENDERERS[suffix].render([dance(40)], 10, full)


@each
def test_one_frame_and_odd_names_are_fine(tmp_path, suffix, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (f"-y {{%d}}.{suffix}", f"50%:двор'.{suffix}"):
        RENDERERS[suffix].render([dance(1)], 10, Path(name))
        assert (tmp_path / name).stat().st_size > 100


@each
def test_an_error_of_the_frames_passes_and_leaves_no_child(tmp_path, suffix, children):
    def chunks() -> Iterator[UInt8]:
        yield dance(3)
        raise KeyError("the decoder broke")

    with pytest.raises(KeyError, match="the decoder broke"):
        RENDERERS[suffix].render(chunks(), 10, tmp_path / f"a.{suffix}")
    assert not children()
