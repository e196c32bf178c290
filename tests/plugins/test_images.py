"""The images source: order, size, transparency, depth, rotation, and what cannot be read."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from deepdance.errors import InputError
from deepdance.interfaces import Options, SourceInfo
from deepdance_plugins.sources.images import ImagesSource

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


def test_exif_rotation_is_applied(tmp_path):
    image = plain(255, 20, 40)
    image[:, :20] = 0
    _, jpeg = cv2.imencode(".jpg", image)
    turned_right = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    segment = b"Exif\0\0" + turned_right
    data = jpeg.tobytes()
    marker = b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big")
    (tmp_path / "a.jpg").write_bytes(data[:2] + marker + segment + data[2:])
    frame = read(tmp_path)[0]
    assert frame.shape == (40, 20, 3)
    assert frame[:15].max() < 30
    assert frame[25:].min() > 220


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
    for folder, word in ((tmp_path, "none of them"), (tmp_path / "nowhere", "found none")):
        with pytest.raises(InputError, match=word):
            source(folder).info()


def test_the_fingerprint_follows_the_order(tmp_path):
    write(tmp_path / "1.png", plain(1))
    write(tmp_path / "2.png", plain(2))
    before = source(tmp_path).fingerprint()
    (tmp_path / "1.png").rename(tmp_path / "3.png")
    assert source(tmp_path).fingerprint() != before


def test_many_images_come_in_chunks(tmp_path):
    for number in range(20):
        write(tmp_path / f"{number}.bmp", plain(number, 480, 800))
    chunks = list(source(tmp_path).frames(3, BOX))
    assert len(chunks) > 1
    assert max(chunk.nbytes for chunk in chunks) <= 16 << 20
    assert np.concatenate(chunks)[:, 0, 0, 0].tolist() == list(range(20))
