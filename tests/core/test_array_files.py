"""Arrays of files that somebody else wrote: what they promise is looked at before anything is allocated."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from deepdance.array_files import load_array, load_arrays, open_archive, read_member
from deepdance.errors import WorkspaceError
from deepdance.testing.subject import measure_memory

NUMBERS = np.arange(24, dtype=np.float32).reshape(4, 6)


def write_header(shape: str = "(4, 6)", descr: str = "'<f4'", length: int | None = None, version: int = 1) -> bytes:
    """An array's header, whatever it promises."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", length or len(text)) + text


def save_npz(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def encode(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("array", [NUMBERS, np.asfortranarray(NUMBERS), NUMBERS[:0], np.array("text"), np.array(3)])
def test_what_was_saved_comes_back(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "a.npz", array=array, other=array)
    assert np.array_equal(load_array(tmp_path / "a.npy"), array)
    assert np.array_equal(load_arrays(tmp_path / "a.npz")["other"], array)
    assert list(load_arrays(tmp_path / "a.npz")) == ["array", "other"]


def test_a_mapped_array_is_the_same(tmp_path):
    np.save(tmp_path / "a.npy", NUMBERS)
    mapped = load_array(tmp_path / "a.npy", mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    assert np.array_equal(mapped, NUMBERS)


HOSTILE = {
    "giant": (write_header("(1000000, 60, 60)"), "promises 14,400,000,000 bytes"),
    "overflowing": (write_header("(4294967296, 4294967296, 4)"), "promises"),
    "wide text": (write_header("()", "'<U500000000'"), "promises 2,000,000,000 bytes"),
    "negative": (write_header("(-4, -6)") + bytes(96), "a damaged header"),
    "no numbers": (write_header("('4', 6)") + bytes(96), "a damaged header"),
    "empty in all directions": (write_header("(4, 6)", "'|V0'"), "where numbers are wanted"),
    "objects": (write_header(descr="'|O'") + bytes(200), "where numbers are wanted"),
    "records": (write_header(descr="[('x', '<f4')]") + bytes(96), "where numbers are wanted"),
    "long header": (write_header(length=4_000_000_000, version=2), "a header of 4,000,000,000 bytes"),
    "nested": (write_header("(" * 3000 + ")" * 3000), "a damaged header"),
    "control characters": (write_header("(4, 6)\x1b[31m'"), "a damaged header"),
    "cut": (encode(NUMBERS)[:-1], "promises 96 bytes, and 95 of them"),
    "cut in its header": (encode(NUMBERS)[:40], "a damaged header"),
    "cut in its magic": (encode(NUMBERS)[:9], "unpack requires a buffer"),
    "empty": (b"", "no NumPy array"),
    "zeroed": (bytes(1000), "no NumPy array"),
}


@pytest.mark.parametrize(("content", "told"), HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_a_hostile_array_is_refused_in_one_line_before_anything_is_allocated(tmp_path, content, told, ending):
    path = tmp_path / f"a{ending}"
    if ending == ".npy":
        path.write_bytes(content)
    else:
        save_npz(path, {"good": encode(NUMBERS), "a": content})

    def load():
        with pytest.raises(WorkspaceError, match=told) as caught:
            load_array(path) if ending == ".npy" else load_arrays(path)
        assert str(caught.value).isprintable()

    assert measure_memory(load)[0] < 4 << 20


def overlap(path: Path) -> None:
    """Two names for one member."""
    content = save_npz(path, {"a": encode(NUMBERS), "b": encode(NUMBERS)}, zipfile.ZIP_STORED).read_bytes()
    with zipfile.ZipFile(path) as archive:
        second = archive.getinfo("b.npy").header_offset
    start = archive.start_dir
    path.write_bytes(content[:second] + content[start:-6] + struct.pack("<I", second) + content[-2:])


HOSTILE_ARCHIVES = {
    "bomb": (lambda path: save_npz(path, {"a": encode(np.zeros(30 << 20, np.uint8))}), "that inflate to 31,457,280"),
    "many": (lambda path: save_npz(path, {str(k): b"" for k in range(5000)}), "5,000 arrays"),
    "directory": (lambda path: save_npz(path, {f"{k:0200}": b"" for k in range(5000)}), "a directory of"),
    "lzma": (lambda path: save_npz(path, {"a": encode(NUMBERS)}, zipfile.ZIP_LZMA), "a compression"),
    "overlapping": (overlap, "one over the other|[Oo]verlap|Bad magic|bad"),
    "no archive": (lambda path: path.write_bytes(b"PK and so on"), "not a zip file"),
    "cut": (lambda path: path.write_bytes(save_npz(path, {"a": encode(NUMBERS)}).read_bytes()[:-9]), "not a zip file"),
    "missing": (lambda path: None, "No such file"),
}


@pytest.mark.parametrize(("write", "told"), HOSTILE_ARCHIVES.values(), ids=HOSTILE_ARCHIVES.keys())
def test_a_hostile_archive_is_refused(tmp_path, write, told):
    write(tmp_path / "a.npz")

    def load():
        with pytest.raises(WorkspaceError, match=told):
            load_arrays(tmp_path / "a.npz")

    assert measure_memory(load)[0] < 16 << 20


def test_a_damaged_member_is_told(tmp_path):
    content = bytearray(save_npz(tmp_path / "a.npz", {"a": encode(NUMBERS)}, zipfile.ZIP_STORED).read_bytes())
    content[200] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(WorkspaceError, match="Bad CRC-32"):
        load_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize(("length", "is_read"), [(10_000, True), (10_001, False)])
def test_a_header_may_be_as_long_as_numpy_takes_it(tmp_path, length, is_read):
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 6), }"
    header = b"\x93NUMPY\x01\x00" + struct.pack("<H", length) + f"{text:<{length - 1}}\n".encode()
    path = tmp_path / "a.npy"
    path.write_bytes(header + NUMBERS.tobytes())
    for load in (load_array, np.load):
        if is_read:
            assert np.array_equal(load(path), NUMBERS)
        else:
            with pytest.raises((WorkspaceError, ValueError), match="10001|10,001|Header info length"):
                load(path)


def test_an_archive_may_inflate_a_hundredfold(tmp_path):
    path = save_npz(tmp_path / "a.npz", {"a": encode(np.zeros(100_000, np.uint8))})
    packed = path.stat().st_size
    for size, is_read in ((1000, True), (999, False)):
        with zipfile.ZipFile(path, "a") as archive:
            archive.comment = b" " * (size - packed)
        assert path.stat().st_size == size
        if is_read:
            assert len(load_arrays(path)["a"]) == 100_000
        else:
            with pytest.raises(WorkspaceError, match="999 bytes that inflate to 100,000, where at most 99,900"):
                load_arrays(path)


def test_an_array_may_be_as_large_as_is_asked_for(tmp_path):
    path = save_npz(tmp_path / "a.npz", {"a": encode(NUMBERS)})
    with open_archive(path) as archive:
        assert np.array_equal(read_member(archive, "a", 96), NUMBERS)
        with pytest.raises(ValueError, match="a of 96 bytes, where at most 95 are wanted"):
            read_member(archive, "a", 95)


def test_an_archive_holds_at_most_4096_arrays(tmp_path):
    members = {f"{number}": encode(NUMBERS[:0]) for number in range(4097)}
    with pytest.raises(WorkspaceError, match=r"4,097 arrays, where at most 4,096"):
        load_arrays(save_npz(tmp_path / "a.npz", members))
    members.popitem()
    with open_archive(save_npz(tmp_path / "b.npz", members)) as archive:
        assert len(archive.infolist()) == 4096
