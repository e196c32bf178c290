"""The images source: order, size, transparency, depth, rotation, and what cannot be read."""

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from deepdance.errors import InputError
from deepdance.interfaces import Options, SourceInfo
from deepdance.testing.subject import measure_memory
from deepdance_plugins.sources import images
from deepdance_plugins.sources.exif import find_orientation
from deepdance_plugins.sources.images import ImagesSource

SHARED = Path(__file__).parents[2].parent / "shared/data"
BOX = (480, 800)


def source(folder: Path) -> ImagesSource:
    return ImagesSource(str(folder), Options())


def read(folder: Path, fps: float = 3, box: tuple[int, int] = BOX) -> np.ndarray:
    return np.concatenate(list(source(folder).frames(fps, box)))


def write(path: Path, image: np.ndarray) -> None:
    """Channels in OpenCV's order: BGR or BGRA."""
    _, data = cv2.imencode(path.suffix, image)
    path.write_bytes(data.tobytes())


def plain(value: int, height: int = 20, width: int = 30) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


def test_order_is_natural_and_every_image_is_one_sample(tmp_path):
    for number in (10, 2, 1):
        write(tmp_path / f"img{number}.png", plain(number))
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "._img1.png").write_bytes(b"what macOS leaves behind")
    (tmp_path / "folder.png").mkdir()
    for fps in (1, 30):
        assert read(tmp_path, fps)[:, 0, 0, 0].tolist() == [1, 2, 10]
    assert source(tmp_path).info() == SourceInfo(20, 30)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".bmp", ".webp", ".tif", ".tiff"])
def test_formats_come_back_as_rgb(tmp_path, suffix):
    image = plain(0)
    image[...] = (10, 100, 200)
    write(tmp_path / f"двор %d{suffix}", image)
    assert np.abs(read(tmp_path)[0].astype(int) - (200, 100, 10)).max() <= 4


def test_another_shape_is_fitted_inside_the_first_and_its_edge_continues(tmp_path):
    write(tmp_path / "1.png", plain(255, 40, 60))
    tall = plain(200, 80, 40)
    tall[20:60, 10:30] = 0
    write(tmp_path / "2.png", tall)
    frames = read(tmp_path)
    assert frames.shape == (2, 40, 60, 3)
    assert (frames[1][:, :20] == 200).all()
    assert (frames[1][10:30, 25:35] == 0).all()


def test_transparent_is_white(tmp_path):
    image = np.zeros((4, 4, 4), np.uint8)
    image[0, 0] = (0, 0, 255, 255)
    image[0, 1] = (0, 0, 0, 128)
    write(tmp_path / "a.png", image)
    write(tmp_path / "b.png", image.astype(np.uint16) * 257)
    for frame in read(tmp_path):
        assert frame[0, 0].tolist() == [255, 0, 0]
        assert frame[0, 1].tolist() == [127] * 3
        assert frame[3, 3].tolist() == [255] * 3


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bits_become_eight(tmp_path, suffix):
    write(tmp_path / f"colour{suffix}", np.full((4, 4, 3), 0x8000, np.uint16))
    write(tmp_path / f"grey{suffix}", np.full((4, 4), 0x8000, np.uint16))
    assert np.abs(read(tmp_path).astype(int) - 128).max() <= 1


def exif(orientation: int, order: str = "<") -> bytes:
    """A TIFF file of one tag."""
    header = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    return header + struct.pack(f"{order}HHHIHHI", 1, 274, 3, 1, orientation, 0, 0)


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(image: np.ndarray, orientation: int, order: str = "<") -> bytes:
    data = cv2.imencode(".png", image)[1].tobytes()
    return data[:33] + png_chunk(b"eXIf", exif(orientation, order)) + data[33:]


def jpeg(image: np.ndarray, orientation: int) -> bytes:
    data = cv2.imencode(".jpg", image)[1].tobytes()
    segment = b"Exif\0\0" + exif(orientation)
    return data[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + data[2:]


def webp(image: np.ndarray, orientation: int, *, prefix: bytes = b"") -> bytes:
    lossless = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()[12:]
    height, width = (side - 1 for side in image.shape[:2])
    extended = b"VP8X" + struct.pack("<I", 10) + bytes([0x18, 0, 0, 0])
    extended += width.to_bytes(3, "little") + height.to_bytes(3, "little")
    content = prefix + exif(orientation)
    noted = b"EXIF" + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
    body = b"WEBP" + extended + lossless + noted
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff(image: np.ndarray, orientation: int) -> bytes:
    """Uncompressed; the channels are the file's, RGB(A)."""
    height, width = image.shape[:2]
    channels = image.shape[2] if image.ndim == 3 else 1
    bits, pixels = 8 * image.dtype.itemsize, image.tobytes()
    tags = {256: [width], 257: [height], 258: [bits] * channels, 259: [1], 262: [2 if channels > 1 else 1]}
    tags |= {273: [8], 274: [orientation], 277: [channels], 278: [height], 279: [len(pixels)]}
    tags |= {338: [2]} if channels == 4 else {}
    tags |= {339: [3] * channels} if image.dtype.kind == "f" else {}
    directory, beyond = struct.pack("<H", len(tags)), b""
    after = 8 + len(pixels) + 2 + 12 * len(tags) + 4
    for tag, values in sorted(tags.items()):
        kind, packed = (4, struct.pack("<I", *values)) if tag == 279 else (3, struct.pack(f"<{len(values)}H", *values))
        if len(packed) > 4:
            packed, beyond = struct.pack("<I", after + len(beyond)), beyond + packed
        directory += struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + directory + bytes(4) + beyond


def corner(channels: int = 3, dtype: type = np.uint8, top: float = 255) -> np.ndarray:
    """Ground, with its upper left quarter black; of four channels, the ground is transparent black."""
    image = np.zeros((20, 40, channels), dtype)
    image[..., -1 if channels == 4 else slice(None)] = 0 if channels == 4 else top
    image[:10, :20] = 0
    if channels == 4:
        image[:10, :20, 3] = top
    return image


TURNED = {1: (0, 0), 2: (0, 1), 3: (1, 1), 4: (1, 0), 5: (0, 0), 6: (0, 1), 7: (1, 1), 8: (1, 0)}
"""Where the upper left corner of a stored picture is to be seen: down, across."""
FILES = {
    "RGB.png": lambda turn: png(corner(), turn),
    "RGBA.png": lambda turn: png(corner(4), turn),
    "big-endian.png": lambda turn: png(corner(4), turn, ">"),
    "RGBA of 16 bits.png": lambda turn: png(corner(4, np.uint16, 65535), turn),
    "grey of 16 bits.png": lambda turn: png(corner(3, np.uint16, 65535)[..., 0], turn),
    "RGB.jpg": lambda turn: jpeg(corner(), turn),
    "RGB.webp": lambda turn: webp(corner(), turn),
    "RGBA.webp": lambda turn: webp(corner(4), turn, prefix=b"Exif\0\0"),
    "RGB.tif": lambda turn: tiff(corner(), turn),
    "RGBA.tif": lambda turn: tiff(corner(4), turn),
    "RGBA of 16 bits.tif": lambda turn: tiff(corner(4, np.uint16, 65535), turn),
    "floats.tif": lambda turn: tiff(corner(3, np.float32, 1), turn),
    "float levels.tif": lambda turn: tiff(corner(3, np.float32, 255), turn),
    "transparent floats.tiff": lambda turn: tiff(corner(4, np.float32, 1), turn),
    "grey floats.tiff": lambda turn: tiff(corner(3, np.float32, 1)[..., 0].copy(), turn),
}


@pytest.mark.parametrize("turn", TURNED)
@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_picture_stands_upright(tmp_path, name, turn):
    (tmp_path / name).write_bytes(FILES[name](turn))
    frame = read(tmp_path)[0]
    assert frame.shape == ((20, 40, 3) if turn < 5 else (40, 20, 3))
    down, across = TURNED[turn]
    shown = frame[::-1] if down else frame
    shown = shown[:, ::-1] if across else shown
    height, width = frame.shape[0] // 2, frame.shape[1] // 2
    assert shown[: height - 3, : width - 3].max() < 30
    assert min(shown[height + 3 :].min(), shown[:, width + 3 :].min()) > 220
    assert source(tmp_path).info().alpha == ("RGBA" in name or "transparent" in name or name == "big-endian.png")


@pytest.mark.parametrize("cut", [30, 50, 90])
def test_an_orientation_that_is_cut_short_turns_nothing(cut):
    data = png(corner(4), 6)
    noted = data.index(b"eXIf") + 4
    assert find_orientation(data[: noted + cut - 30]) in (1, 6)
    assert find_orientation(webp(corner(), 6)[:-cut]) == 1


@pytest.mark.parametrize("kind", ["a palette", "grey"])
def test_transparency_of_a_palette_and_of_grey_is_white(tmp_path, kind):
    depth_and_type = bytes([8, 3]) if kind == "a palette" else bytes([8, 4])
    pixels = bytes([0, 1]) if kind == "a palette" else bytes([90, 255, 0, 0])
    parts = [png_chunk(b"IHDR", struct.pack(">II", 2, 1) + depth_and_type + bytes(3))]
    if kind == "a palette":
        parts += [png_chunk(b"PLTE", bytes([90, 90, 90, 0, 0, 0])), png_chunk(b"tRNS", bytes([255, 0]))]
    parts += [png_chunk(b"IDAT", zlib.compress(b"\0" + pixels)), png_chunk(b"IEND", b"")]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    assert read(tmp_path)[0].tolist() == [[[90] * 3, [255] * 3]]
    assert source(tmp_path).info().alpha


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_masks_that_number_their_dancers_are_black_and_white(tmp_path, kind):
    for number, labels in enumerate([(0, 1), (0, 1, 2)]):
        mask = np.zeros((60, 100), kind)
        for label in labels:
            mask[20:40, 20 * label : 20 * label + 10] = label
        cv2.imwrite(str(tmp_path / f"{number}.png"), mask)
    one, two = read(tmp_path)
    assert set(np.unique(one)) == set(np.unique(two)) == {0, 255}
    assert (one[25, 25] == 255).all()
    assert (two[25, 45] == 255).all()


def test_masks_of_0_and_1_are_black_and_white(tmp_path):
    write(tmp_path / "1.png", corner()[..., 0] // 255)
    write(tmp_path / "2.png", corner()[..., 0])
    first, second = read(tmp_path)
    assert np.array_equal(first, second)


def test_floats_out_of_range_are_named(tmp_path):
    (tmp_path / "a.tif").write_bytes(tiff(corner(3, np.float32, 1) * np.float32(9000), 1))
    with pytest.raises(InputError, match=r"a\.tif: expected an image, got numbers from 0 to 9000 where") as error:
        read(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs shared/data")
@pytest.mark.parametrize(("name", "shape"), [("png_exif_rgba", (240, 400)), ("tif_float_rgba", (60, 100))])
def test_the_pictures_of_others_stand_upright_on_white(name, shape):
    frames = read(SHARED / "inputs" / name)
    assert frames.shape[1:] == (*shape, 3)
    assert source(SHARED / "inputs" / name).info().alpha
    assert (frames[:, [0, -1]] == 255).all()
    figure = (frames < 128).all(axis=3)
    rows, columns = (np.ptp(np.flatnonzero(figure[0].any(axis=axis))) for axis in (1, 0))
    assert rows >= columns


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_an_unreadable_image_is_named(tmp_path, content, capfd):
    write(tmp_path / "1.png", plain(3))
    whole = (tmp_path / "1.png").read_bytes()
    (tmp_path / "2.png").write_bytes(whole[:60] if content is None else content)
    with pytest.raises(InputError, match=r"2\.png: expected an image") as error:
        read(tmp_path)
    assert "\n" not in str(error.value)
    assert not capfd.readouterr().err


def test_a_folder_without_images_and_no_folder(tmp_path):
    for folder, word in ((tmp_path, "an empty folder"), (tmp_path / "nowhere", "found none")):
        with pytest.raises(InputError, match=word):
            source(folder).info()


def test_what_is_left_out_is_told_and_other_folders_are_proposed(tmp_path, caplog):
    write(tmp_path / "1.png", plain(1))
    (tmp_path / "notes.txt").touch()
    (tmp_path / "more").mkdir()
    write(tmp_path / "more" / "2.png", plain(2))
    read(tmp_path)
    assert caplog.messages[0].endswith(": 1 of 3 files taken as images; left out: more (folder), notes.txt (no image)")
    (tmp_path / "1.png").unlink()
    with pytest.raises(InputError, match=r"got none of them but more \(folder\), notes.txt") as error:
        read(tmp_path)
    assert read(Path(str(error.value).rpartition("such as ")[2])).shape[0] == 1


def test_the_fingerprint_follows_the_order(tmp_path):
    write(tmp_path / "1.png", plain(1))
    write(tmp_path / "2.png", plain(2))
    before = source(tmp_path).fingerprint()
    (tmp_path / "1.png").rename(tmp_path / "3.png")
    assert source(tmp_path).fingerprint() != before


def patch_png(data: bytearray, width: int, height: int) -> None:
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")


def patch_bmp(data: bytearray, width: int, height: int) -> None:
    data[18:26] = struct.pack("<ii", width, height)


def patch_jpeg(data: bytearray, width: int, height: int) -> None:
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", height, width)


def patch_webp(data: bytearray, width: int, height: int) -> None:
    data[21:25] = struct.pack("<I", (width - 1) | (height - 1) << 14)


def patch_tiff(data: bytearray, width: int, height: int, tags: tuple[int, int] = (256, 257)) -> None:
    (directory,) = struct.unpack_from("<I", data, 4)
    for entry in range(directory + 2, len(data) - 12, 12):
        tag = struct.unpack_from("<H", data, entry)[0]
        if tag in tags:
            struct.pack_into("<HII", data, entry + 2, 4, 1, width if tag == tags[0] else height)


GIANTS = {".png": patch_png, ".bmp": patch_bmp, ".jpg": patch_jpeg, ".webp": patch_webp, ".tif": patch_tiff}


def write_giant(path: Path, width: int, height: int) -> None:
    """A small file whose header promises a large picture."""
    lossless = [cv2.IMWRITE_WEBP_QUALITY, 101] if path.suffix == ".webp" else []
    data = bytearray(cv2.imencode(path.suffix, plain(9), lossless)[1].tobytes())
    GIANTS[path.suffix](data, width, height)
    path.write_bytes(data)


@pytest.mark.parametrize("suffix", GIANTS)
def test_a_giant_is_refused_before_it_is_decoded(tmp_path, suffix, monkeypatch):
    write(tmp_path / "1.png", plain(9))
    write_giant(tmp_path / f"2{suffix}", 12000, 11999)
    opened = source(tmp_path)
    opened.info()
    decoded = []
    monkeypatch.setattr(cv2, "imdecode", lambda data, flags: decoded.append(data) or plain(9))
    told = r"2\.\w+: expected an image, got 12000×11999 of \d bytes a pixel, where at most 67,108,864 pixels"
    with pytest.raises(InputError, match=told):
        list(opened.frames(3, BOX))
    assert len(decoded) == 1


def test_a_chunk_that_promises_gigabytes_is_never_decoded(tmp_path, monkeypatch):
    write(tmp_path / "1.png", plain(9))
    data = bytearray((tmp_path / "1.png").read_bytes())
    start = data.index(b"IDAT") - 4
    data[start : start + 4] = b"\xff" * 4
    (tmp_path / "1.png").write_bytes(data)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("OpenCV allocates 4 GB"))
    with pytest.raises(InputError, match="got something that cannot be decoded"):
        source(tmp_path).info()


def test_more_pixels_than_pillow_opens_are_refused_too(tmp_path, recwarn):
    for size in (10000, 40000):
        write_giant(tmp_path / "1.png", size, size)
        with pytest.raises(InputError, match="pixels and 268,435,456 bytes are read; make it smaller"):
            source(tmp_path).info()
    assert not recwarn.list


def test_a_deep_picture_may_have_half_the_pixels(tmp_path):
    write(tmp_path / "1.png", np.zeros((16, 16, 3), np.uint16))
    data = bytearray((tmp_path / "1.png").read_bytes())
    patch_png(data, 8000, 8000)
    (tmp_path / "1.png").write_bytes(data)
    with pytest.raises(InputError, match="got 8000×8000 of 8 bytes a pixel"):
        source(tmp_path).info()


def test_a_file_too_large_for_its_picture_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "LARGEST_PICTURE", 4000)
    write(tmp_path / "1.png", plain(0))
    assert source(tmp_path).info() == SourceInfo(20, 30)
    (tmp_path / "1.png").write_bytes(bytes(4001))
    with pytest.raises(InputError, match="got a file of 4,001 bytes, where at most 4,000 are read; make it smaller"):
        source(tmp_path).info()


def test_the_first_of_several_pictures_in_a_file_is_taken_and_told(tmp_path, caplog):
    from PIL import Image

    frames = [Image.new("RGB", (30, 20), (shade,) * 3) for shade in (10, 20, 30)]
    for number, suffix in enumerate((".png", ".webp", ".tif"), 1):
        frames[0].save(tmp_path / f"{number}{suffix}", save_all=True, append_images=frames[1:], lossless=True)
    write(tmp_path / "4.png", plain(40))
    assert read(tmp_path)[:, 5, 5, 0].tolist() == [10, 10, 10, 40]
    assert "the first picture of each file is taken, of 1.png, 2.webp, 3.tif (an animation or pages) too" in caplog.text


def test_links_that_lead_in_a_circle_are_left_out(tmp_path, caplog):
    write(tmp_path / "1.png", plain(9))
    (tmp_path / "2.png").symlink_to(tmp_path / "2.png")
    (tmp_path / "3.png").symlink_to(tmp_path)
    assert len(read(tmp_path)) == 1
    assert "left out: 2.png (broken link), 3.png (folder)" in caplog.text


def test_an_image_that_is_cut_while_the_folder_is_read_is_named(tmp_path):
    for number in range(3):
        write(tmp_path / f"{number}.png", plain(9))
    opened = source(tmp_path)
    opened.info()
    os.truncate(tmp_path / "2.png", 40)
    with pytest.raises(InputError, match=r"2\.png: expected an image"):
        list(opened.frames(3, BOX))


def test_large_pictures_take_little_more_than_they_are(tmp_path):
    picture = np.zeros((2000, 2000, 4), np.uint16)
    write(tmp_path / "1.png", picture)
    peak, _ = measure_memory(lambda: read(tmp_path))
    assert peak < 2.5 * picture.nbytes


def test_many_images_come_in_chunks(tmp_path):
    for number in range(20):
        write(tmp_path / f"{number}.bmp", plain(number, 480, 800))
    chunks = list(source(tmp_path).frames(3, BOX))
    assert len(chunks) > 1
    assert max(chunk.nbytes for chunk in chunks) <= 16 << 20
    assert np.concatenate(chunks)[:, 0, 0, 0].tolist() == list(range(20))


@pytest.mark.parametrize(
    ("image", "size", "place"),
    [
        ((10, 20), (20, 20), (5, 15, 0, 20)),
        ((10, 20), (21, 20), (5, 15, 0, 20)),  # what is left of an odd edge is below
        ((20, 10), (20, 21), (0, 20, 5, 15)),
        ((40, 40), (20, 30), (0, 20, 5, 25)),
        ((20, 30), (20, 30), (0, 20, 0, 30)),
    ],
)
def test_a_picture_of_another_shape_stands_in_the_middle_and_its_edges_go_on(image, size, place):
    top, bottom, left, right = place
    picture = np.full((*image, 3), 90, np.uint8)
    picture[:, : image[1] // 2] = 30
    fitted = images._letterbox(picture, size)
    assert fitted.shape == (*size, 3)
    middle = (left + right) // 2
    assert (fitted[:, :middle] == 30).all()
    assert (fitted[:, middle:] == 90).all()
    picture[: image[0] // 2] += 100
    shown = images._letterbox(picture, size)[:, 0, 0]
    assert np.count_nonzero(shown == 130) == (top + bottom) // 2
    assert shown[-1] == 30


@pytest.mark.parametrize(
    ("values", "are_labels"),
    [([0, 1], True), ([0, 63], True), ([0, 64], False), (range(16), True), (range(17), False), ([0], False)],
)
def test_a_grey_picture_of_few_low_values_numbers_its_dancers(values, are_labels):
    picture = np.resize(np.array(list(values), np.uint8), (5, 8))
    shown = images._spread_labels(picture)
    assert np.array_equal(shown, np.where(picture > 0, 255, 0) if are_labels else picture)
    assert images._spread_labels(picture[..., None].repeat(3, 2)).max() == picture.max()  # colours are none


def test_of_sixteen_bits_the_nearest_eight_are_taken():
    levels = np.arange(0, 65536, 7, dtype=np.uint16).reshape(1, -1)
    shown = images._to_eight_bits(levels, Path("a.png"))
    assert np.abs(shown - levels / 257).max() <= 0.5
    floats = np.array([[0.0, 0.5, 1.0]])
    assert images._to_eight_bits(floats, Path("a.tif")).tolist() == [[0, 128, 255]]
    assert images._to_eight_bits(200 * floats, Path("a.tif")).tolist() == [[0, 100, 200]]
