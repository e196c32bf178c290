"""The array source: what it reads, how it samples, where the cuts go, and what it refuses."""

import os
import zipfile
from fractions import Fraction
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deepdance.errors import InputError
from deepdance.interfaces import SourceInfo
from deepdance.testing.subject import measure_memory
from deepdance_plugins import _files
from deepdance_plugins.sources import array
from deepdance_plugins.sources.array import ArrayOptions, ArraySource

SHARED = Path(__file__).parents[2].parent / "shared/data"
CORPUS = SHARED / "corpus/corpus_3fps_gray.npz"
BOX = (480, 800)


def source(path: Path, fps: float | None = None, **options: Any) -> ArraySource:
    return ArraySource(str(path), ArrayOptions(fps=fps, **options))


def read(
    path: Path, fps: float = 3, own: float | None = None, box: tuple[int, int] = BOX, **options: Any
) -> np.ndarray:
    return np.concatenate(list(source(path, own, **options).frames(fps, box)))


def numbered(count: int, *shape: int) -> np.ndarray:
    return np.broadcast_to(np.arange(count, dtype=np.uint8).reshape(-1, *[1] * len(shape)), (count, *shape)).copy()


def save(path: Path, frames: np.ndarray, **others: Any) -> Path:
    if path.suffix == ".npz":
        np.savez_compressed(path, frames=frames, **others)
    else:
        np.save(path, frames)
    return path


def promise(shape: str, descr: str = "|u1") -> bytes:
    """An array's header with nothing behind it."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return np.lib.format.magic(1, 0) + len(text).to_bytes(2, "little") + text


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


def test_a_file_is_hashed_once_until_it_changes(tmp_path, monkeypatch):
    begun = []
    monkeypatch.setattr(_files, "blake2b", lambda **size: begun.append(size) or blake2b(**size))
    path = tmp_path / "dance.npy"
    np.save(path, np.zeros((4, 6, 8), np.uint8))
    first = {source(path).fingerprint() for _ in range(3)}
    np.save(path, np.ones((4, 6, 8), np.uint8))
    os.utime(path, (1, 1))
    changed = {source(path).fingerprint() for _ in range(3)}
    assert (len(first), len(changed), len(first | changed), len(begun)) == (1, 1, 2, 2)


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
    message = r"got: no array 'frames', but dance \(4, 2, 2\), another \(4, 2, 2\); choose one, such as"
    with pytest.raises(InputError, match=f"{message} --set source.array=dance$"):
        read(tmp_path / "b.npz")
    assert len(read(tmp_path / "b.npz", array="dance")) == 4
    np.savez(tmp_path / "c.npz", other=np.zeros(3), another=np.zeros(3))
    with pytest.raises(InputError, match=r"no array 'frames', but other \(3,\), another \(3,\); save frames"):
        read(tmp_path / "c.npz")


def dancing(count: int = 20, height: int = 24, width: int = 40) -> np.ndarray:
    """Whether the dancer is there, `(n, h, w)`: a figure that walks to and fro and touches no border."""
    there = np.zeros((count, height, width), bool)
    for k, frame in enumerate(there):
        left = 5 + abs(k % 40 - 20)
        frame[4:20, left : left + 6] = True
        frame[8:11, left - 2 : left + 9] = True
    return there


def soften(there: np.ndarray) -> np.ndarray:
    """Anti-aliased silhouettes, as deepdance writes them."""
    large = np.where(there, np.uint8(0), np.uint8(255)).repeat(4, axis=1).repeat(4, axis=2)
    return np.roll(large, (2, 1), axis=(1, 2)).reshape(len(there), 24, 4, 40, 4).mean(axis=(2, 4)).astype(np.uint8)


MASKS = {
    "0 and 1": lambda there: there.astype(np.uint8),
    "1 is the ground": lambda there: 1 - there.astype(np.uint8),
    "0 and 255": lambda there: there * np.uint8(255),
    "0 and 128": lambda there: there * np.uint8(128),
    "two dancers": lambda there: there * (1 + (np.arange(40) > 15)).astype(np.uint8),
    "int64": lambda there: there.astype(int),
    "float shares": lambda there: there.astype(np.float32),
    "float levels": lambda there: there * 255.0,
    "False is the dancer": lambda there: ~there,
    "an axis of one channel": lambda there: there[..., None] * np.uint8(255),
    "channels first": lambda there: there[:, None] * np.uint8(255),
    "soft": lambda there: 255 - soften(there),
}


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("kind", MASKS)
def test_masks_are_recognized_either_way_round_and_told(tmp_path, caplog, kind, suffix):
    there = dancing()
    path = save(tmp_path / f"a{suffix}", MASKS[kind](there))
    assert source(path).info().silhouettes
    frames = read(path)[..., 0]
    wanted = soften(there) if kind == "soft" else np.where(there, 0, 255)
    assert np.abs(frames.astype(int) - wanted).max() <= 1
    (told,) = caplog.messages
    assert "read as masks in which" in told
    assert "\n" not in told
    option = told.rpartition("--set source.dancer=")[2]
    caplog.clear()
    assert ((read(path, dancer=option)[..., 0] < 128) == ~(wanted < 128)).all(), "the advice is followed"
    assert not caplog.messages


@pytest.mark.parametrize(
    "silhouettes",
    [
        soften(dancing()),
        np.where(dancing(), np.uint8(0), np.uint8(255)),
        np.where(np.roll(dancing(), 8, axis=1) | (np.arange(40) < 25), np.uint8(0), np.uint8(255)),
        np.tile(np.arange(0, 240, 6, dtype=np.uint8), (20, 24, 1)),
        np.zeros((5, 24, 40), np.uint8),
        np.full((5, 24, 40), 255, np.uint8),
    ],
    ids=["soft", "hard", "a close-up", "grey levels", "all black", "all white"],
)
def test_silhouettes_stay_as_they_are(tmp_path, caplog, silhouettes):
    assert np.array_equal(read(save(tmp_path / "a.npy", silhouettes))[..., 0], silhouettes)
    assert not caplog.messages


@pytest.mark.parametrize("there", [dancing(), np.zeros((3, 24, 40), bool), np.ones((3, 24, 40), bool)])
def test_bool_masks_need_no_word(tmp_path, caplog, there):
    frames = read(save(tmp_path / "a.npy", there))[..., 0]
    assert (frames.astype(bool) == ~there).all()
    assert not caplog.messages


def test_masks_that_begin_blank_are_recognized(tmp_path, caplog):
    there = np.concatenate([np.zeros((8000, 24, 40), bool), dancing()])
    assert (read(save(tmp_path / "a.npz", there.astype(np.uint8)))[..., 0] == np.where(there, 0, 255)).all()
    assert len(caplog.messages) == 1


COLOUR = np.random.default_rng(0).integers(0, 256, (5, 12, 16, 3), np.uint8)
PLAIN = {
    "shares": COLOUR / np.float32(255),
    "levels": COLOUR.astype(np.float64),
    "int32": COLOUR.astype(np.int32),
    "channels first": np.moveaxis(COLOUR, -1, 1),
    "overshooting": COLOUR / 255 * 1.02 - 0.01,
}


@pytest.mark.parametrize("kind", PLAIN)
def test_colour_in_other_numbers_is_read(tmp_path, kind):
    path = save(tmp_path / "a.npz", PLAIN[kind])
    assert source(path).info() == SourceInfo(12, 16)
    assert np.abs(read(path).astype(int) - COLOUR).max() <= 3


@pytest.mark.parametrize("scale", [1, np.float32(1 / 255)])
def test_transparent_frames_are_laid_on_white(tmp_path, scale):
    alpha = np.full((5, 12, 16, 1), 255, np.uint8)
    opaque = save(tmp_path / "opaque.npy", np.concatenate([COLOUR, alpha], axis=3) * scale)
    assert np.array_equal(read(opaque), COLOUR)
    assert not source(opaque).info().alpha
    alpha[:, :6] = 0
    path = save(tmp_path / "a.npy", np.concatenate([COLOUR, alpha], axis=3) * scale)
    assert source(path).info() == SourceInfo(12, 16, alpha=True)
    assert (read(path)[:, :6] == 255).all()
    assert np.array_equal(read(path)[:, 6:], COLOUR[:, 6:])


@pytest.mark.parametrize("shape", [(24, 40), (24, 40, 3), (24, 40, 4), (24, 40, 1)])
def test_a_single_picture_is_told_what_to_do(tmp_path, shape):
    picture = np.zeros(shape, np.uint8)
    with pytest.raises(InputError, match=r"got: one picture of shape .*; a dance is many: save np.stack\(pictures\)$"):
        source(save(tmp_path / "a.npy", picture)).info()
    assert len(read(save(tmp_path / "b.npy", np.stack([picture] * 12)))) == 12


def test_frames_along_the_last_axis_are_told_what_to_do(tmp_path, caplog):
    there = dancing()
    wrong = save(tmp_path / "a.npy", np.moveaxis(there, 0, -1))
    read(wrong)
    assert any("save np.moveaxis(frames, -1, 0)" in message for message in caplog.messages)
    caplog.clear()
    read(save(tmp_path / "b.npy", np.moveaxis(np.load(wrong), -1, 0)))
    assert not caplog.messages


@pytest.mark.parametrize("bad", [-9, 300, np.nan, np.inf])
def test_numbers_out_of_range_are_told_and_scaling_them_helps(tmp_path, bad):
    frames = np.linspace(0, 200, 5 * 12 * 16).reshape(5, 12, 16)
    frames[3, 2, 1] = bad
    with pytest.raises(InputError, match="where 0 to 1, or 0 to 255, is wanted; scale them and save it again"):
        read(save(tmp_path / "a.npy", frames))
    scaled = np.clip(np.nan_to_num(frames), 0, 255) / 255
    assert len(read(save(tmp_path / "b.npy", scaled))) == 5


REFUSED: dict[str, tuple[Any, str]] = {
    "floats of one value": (np.zeros((2, 3, 4), np.float32), "float32 numbers that are all 0"),
    "text": (np.array(["a", "b", "c"]), "where numbers are wanted"),
    "objects": (np.array([{}, {}, {}], dtype=object), "object"),
    "two channels": (np.zeros((2, 3, 4, 2), np.uint8), "shape"),
    "five axes": (np.zeros((2, 3, 4, 4, 3), np.uint8), "shape"),
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


SMALL_FRAMES = numbered(6, 8, 10)
HOSTILE: dict[str, tuple[dict[str, Any], str]] = {
    "giant frames": ({"frames": promise("(1000000, 60, 60)")}, "promises 3,600,000,000 bytes"),
    "wide frames": ({"frames": promise("(1, 8192, 8192, 4)", "<f8")}, "promises 2,147,483,648 bytes"),
    "giant fps": ({"frames": SMALL_FRAMES, "fps": promise("(2000000000,)")}, "promises 2,000,000,000 bytes"),
    "giant cuts": (
        {"frames": SMALL_FRAMES, "shot_starts": np.zeros(2 << 20, np.int64)},
        "at most 8,388,608 are wanted",
    ),
    "infinite cut": ({"frames": SMALL_FRAMES, "shot_starts": np.array([np.inf])}, "infinity"),
    "many arrays": ({str(k): b"" for k in range(4097)}, "at most 4,096"),
    "control characters": ({"\x1b[31m": SMALL_FRAMES, "b": SMALL_FRAMES}, r"\\x1b\[31m"),
    "pickled": ({"frames": promise("(2, 8, 8)", "|O") + bytes(500)}, "where numbers are wanted"),
}


@pytest.mark.parametrize(("members", "told"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_archive_is_told_before_anything_is_allocated(tmp_path, members, told):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            with archive.open(f"{name}.npy", "w") as file:
                file.write(member) if isinstance(member, bytes) else np.lib.format.write_array(file, member)

    def load():
        with pytest.raises(InputError, match=told) as caught:
            read(tmp_path / "a.npz")
        assert str(caught.value).isprintable()

    assert measure_memory(load)[0] < 16 << 20


def test_large_frames_take_little_more_than_they_are(tmp_path):
    """Of 16 bits and four channels; as floats they would take twice as much again."""
    frames = np.zeros((1, 3000, 3000, 4), np.uint16)
    path = save(tmp_path / "a.npy", frames)
    peak, _ = measure_memory(lambda: read(path, box=(120, 200)))
    assert peak < 3.2 * frames.nbytes


def test_frames_of_more_bytes_than_a_frame_may_have_are_refused(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        file.write(promise("(1, 6000, 6000, 4)", "<f4"))
        file.truncate(file.tell() + 4 * 4 * 6000**2)
    with pytest.raises(
        InputError, match="frames of 576,000,000 bytes where at most 268,435,456 are wanted; save them as"
    ):
        source(tmp_path / "a.npy").info()


def test_an_archive_in_fortran_order_has_a_budget(tmp_path, monkeypatch):
    monkeypatch.setattr(array, "LARGEST_WHOLE", 400)
    with pytest.raises(InputError, match="frames of 480 bytes, where at most 400 are wanted"):
        read(save(tmp_path / "a.npz", np.asfortranarray(SMALL_FRAMES)))
    assert len(read(save(tmp_path / "a.npz", SMALL_FRAMES))) == 6


@pytest.mark.parametrize("fps", [1e-300, 0.0, -1, np.nan, np.inf, 1e9])
def test_a_rate_that_cannot_be_is_told_and_not_used(tmp_path, caplog, fps):
    assert len(read(save(tmp_path / "a.npz", SMALL_FRAMES, fps=fps))) == 6
    assert "is not used; --set source.fps gives another" in caplog.text


def test_more_samples_than_anybody_dances_are_refused(tmp_path):
    path = save(tmp_path / "a.npz", np.zeros((100_000, 1, 1), np.uint8), fps=0.1)
    with pytest.raises(InputError, match="more than 16,777,216 samples at 30; .* or give --set source.fps"):
        read(path, fps=30)
    assert len(read(path, fps=30, own=30)) == 100_000


def test_a_file_that_is_cut_while_it_is_read_is_told(tmp_path):
    path = save(tmp_path / "a.npy", np.zeros((900, 120, 200), np.uint8))
    chunks = source(path).frames(3, BOX)
    next(chunks)
    os.truncate(path, 10_000)
    with pytest.raises(InputError, match="of 900 frames"):
        list(chunks)


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


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs shared/data")
@pytest.mark.parametrize("name", ["mask01.npz", "mask255.npz"])
def test_the_masks_of_others_become_silhouettes(caplog, name):
    frames = read(SHARED / "inputs" / name)
    assert 0.01 < (frames == 0).mean() < 0.3
    assert (frames[:, 0] == 255).all()
    assert set(np.unique(frames)) == {0, 255}
    assert len(caplog.messages) == 1


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.npy")
    with pytest.raises(InputError, match=r"a\.npy: expected a \.npy or \.npz file of frames, got a pipe; save it as"):
        source(tmp_path / "a.npy").info()
