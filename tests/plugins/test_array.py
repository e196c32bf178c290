"""The array source: what it reads, how it samples, where the cuts go, and what it refuses."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepdance.errors import InputError
from deepdance.interfaces import SourceInfo
from deepdance.testing.subject import measure_memory
from deepdance_plugins.sources.array import ArrayOptions, ArraySource

SHARED = Path(__file__).parents[2].parent / "shared/data"
CORPUS = SHARED / "corpus/corpus_3fps_gray.npz"
BOX = (480, 800)


def source(path: Path, fps: float | None = None) -> ArraySource:
    return ArraySource(str(path), ArrayOptions(fps=fps))


def read(path: Path, fps: float = 3, own: float | None = None, box: tuple[int, int] = BOX) -> np.ndarray:
    return np.concatenate(list(source(path, own).frames(fps, box)))


def numbered(count: int, *shape: int) -> np.ndarray:
    return np.broadcast_to(np.arange(count, dtype=np.uint8).reshape(-1, *[1] * len(shape)), (count, *shape)).copy()


def save(path: Path, frames: np.ndarray, **others: Any) -> Path:
    if path.suffix == ".npz":
        np.savez_compressed(path, frames=frames, **others)
    else:
        np.save(path, frames)
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_frames_and_silhouettes_come_back(tmp_path, suffix, order):
    colour = np.random.default_rng(0).integers(0, 256, (5, 8, 10, 3), np.uint8)
    path = save(tmp_path / f"a{suffix}", np.asarray(colour, order=order))
    assert np.array_equal(read(path), colour)
    assert source(path).info() == SourceInfo(8, 10)
    grey = colour[..., 0]
    path = save(tmp_path / f"b{suffix}", np.asarray(grey, order=order))
    assert np.array_equal(read(path), np.repeat(grey[..., None], 3, axis=3))
    assert source(path).info() == SourceInfo(8, 10, silhouettes=True)


def test_true_is_the_dancer(tmp_path):
    mask = np.zeros((2, 4, 4), bool)
    mask[0, 1, 1] = True
    frames = read(save(tmp_path / "a.npy", mask))
    assert frames[0, 1, 1].tolist() == [0, 0, 0]
    assert (frames == 255).sum() == frames.size - 3


def test_frames_are_scaled_to_fit(tmp_path):
    path = save(tmp_path / "a.npy", numbered(3, 100, 300))
    frames = read(path, box=(120, 200))
    assert frames.shape == (3, 67, 200, 3)
    assert frames[:, 5, 5, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize("own", [30, 29.97, 25, 10, 3, 1, 0.4])
@pytest.mark.parametrize("fps", [3, 10, 29.97, 30])
def test_sample_k_is_the_first_frame_that_has_reached_k(tmp_path, own, fps):
    picked: list[int] = []
    for number in range(50):
        while Fraction(number) / Fraction(str(own)) * Fraction(str(fps)) >= len(picked):
            picked.append(number)
    path = save(tmp_path / "a.npz", numbered(50, 2, 2), fps=own)
    assert read(path, fps)[:, 0, 0, 0].tolist() == picked
    assert read(path, fps, own=fps)[:, 0, 0, 0].tolist() == list(range(50))


def test_cuts_become_samples(tmp_path):
    path = save(tmp_path / "a.npz", numbered(50, 2, 2), fps=30.0, shot_starts=np.array([0, 10, 11, 35, 36, 49]))
    opened = source(path)
    samples = np.concatenate(list(opened.frames(3, BOX)))[:, 0, 0, 0]
    assert samples.tolist() == [0, 10, 20, 30, 40]
    assert list(opened.shot_starts()) == [1, 2, 4]
    np.concatenate(list(opened.frames(60, BOX)))
    assert list(opened.shot_starts()) == [19, 21, 69, 71, 97]


def test_an_npz_is_read_by_its_only_stack_of_frames(tmp_path):
    np.savez(tmp_path / "a.npz", dance=numbered(4, 2, 2), other=np.zeros(3))
    assert len(read(tmp_path / "a.npz")) == 4
    np.savez(tmp_path / "b.npz", dance=numbered(4, 2, 2), another=numbered(4, 2, 2))
    with pytest.raises(InputError, match="2 others"):
        read(tmp_path / "b.npz")


REFUSED: dict[str, tuple[Any, str]] = {
    "floats": (np.zeros((2, 3, 4), np.float32), "float32"),
    "objects": (np.array([{}, {}, {}], dtype=object), "object"),
    "flat": (np.zeros((2, 3), np.uint8), r"shape \(2, 3\)|no array"),
    "four channels": (np.zeros((2, 3, 4, 4), np.uint8), "shape"),
    "no frame": (np.zeros((0, 3, 4), np.uint8), "at least one frame"),
}


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("kind", REFUSED)
def test_what_are_no_frames_is_told_in_one_line(tmp_path, kind, suffix):
    array, word = REFUSED[kind]
    with pytest.raises(InputError, match=word) as error:
        source(save(tmp_path / f"a{suffix}", array)).info()
    assert "\n" not in str(error.value)


DAMAGES = [
    *(lambda data, part=part: data[: int(len(data) * part)] for part in (0, 0.001, 0.5, 0.999)),
    *(lambda _, text=text: text for text in (b"text", b"PK\x03\x04 no archive", b"\x93NUMPY\x01\x00\xff\xff{")),
]
CASES = [(suffix, damage) for suffix in (".npy", ".npz") for damage in DAMAGES]


@pytest.mark.parametrize(("suffix", "damage"), [*CASES, (".npz", lambda data: data[:2000] + bytes(20) + data[2020:])])
def test_a_damaged_file_is_told_in_one_line(tmp_path, suffix, damage):
    path = save(tmp_path / f"a{suffix}", np.random.default_rng(0).integers(0, 256, (9, 30, 30), np.uint8))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match="expected") as error:
        read(path)
    assert "\n" not in str(error.value)


def test_memory_does_not_grow_with_the_length(tmp_path):
    opened = source(save(tmp_path / "a.npz", np.zeros((3000, 120, 200), np.uint8)))
    lengths: list[int] = []
    peak, _ = measure_memory(lambda: lengths.extend(len(chunk) for chunk in opened.frames(3, BOX)))
    assert sum(lengths) == 3000
    assert peak < 64 << 20


@pytest.mark.skipif(not CORPUS.is_file(), reason="needs shared/data")
def test_the_corpus_is_read():
    opened = source(CORPUS)
    assert opened.info() == SourceInfo(120, 200, 3, 5040, silhouettes=True)
    count, ink = 0, 0
    for chunk in opened.frames(3, BOX):
        assert chunk.shape[1:] == (120, 200, 3)
        count += len(chunk)
        ink += int((chunk[..., 0] < 128).sum())
    assert count == 15120
    assert 0.05 < ink / count / 24000 < 0.15
    with np.load(CORPUS) as corpus:
        assert list(opened.shot_starts()) == [start for start in corpus["shot_starts"].tolist() if start]
