import os
import re
import subprocess
import sys

import pytest

from deepdance import storage
from deepdance.errors import WorkspaceError
from deepdance.storage import (
    digest,
    find_leftovers,
    hash_file,
    measure_bytes,
    read_json,
    read_text,
    remove_leftovers,
    write_atomically,
    write_json,
)


@pytest.fixture
def dead() -> int:
    """The number of a process that has ended."""
    return int(subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True).stdout)


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    target = tmp_path / "deep" / "dance.mp4"
    with pytest.raises(OSError, match="full"), write_atomically(target) as temporary:
        temporary.write_text("half")
        assert temporary.suffix == ".mp4"
        raise OSError("full")
    assert list(target.parent.iterdir()) == []
    with write_atomically(target) as temporary:
        temporary.write_text("whole")
    assert [path.name for path in target.parent.iterdir()] == ["dance.mp4"]


def test_a_folder_appears_only_when_it_is_whole_and_replaces_the_one_before(tmp_path):
    target = tmp_path / "dance"

    def write(*names):
        with write_atomically(target) as temporary:
            temporary.mkdir()
            for name in names:
                (temporary / name).touch()
            if not names:
                raise OSError("full")

    for _ in range(2):
        with pytest.raises(OSError, match="full"):
            write()
        write("1.png", "2.png")
        write("1.png")
        assert [path.name for path in tmp_path.rglob("*")] == ["dance", "1.png"]


@pytest.fixture
def living():
    """A process that is at work."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_what_a_dead_process_left_goes_when_the_same_file_is_written_again(tmp_path, dead, living):
    for name in (f".dance-{dead}-part.mp4", f".dance-{living.pid}-part.mp4", f".other-{dead}-part.mp4"):
        (tmp_path / name).touch()
    with write_atomically(tmp_path / "dance.mp4") as temporary:
        temporary.touch()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"dance.mp4", f".dance-{living.pid}-part.mp4", f".other-{dead}-part.mp4"}


def test_to_ask_whether_a_process_lives_does_it_no_harm(tmp_path, living):
    (tmp_path / f".dance-{living.pid}-part.mp4").touch()
    assert find_leftovers(tmp_path) == []
    living.communicate(b"\n")
    assert living.returncode == 0


def test_what_our_own_number_left_before_is_not_written_into(tmp_path):
    left = tmp_path / f".frames-{os.getpid()}-part"
    left.mkdir()
    (left / "1.png").touch()
    with write_atomically(tmp_path / "frames") as temporary:
        temporary.mkdir()
        (temporary / "2.png").touch()
    assert [path.name for path in (tmp_path / "frames").iterdir()] == ["2.png"]


def test_a_folder_that_was_put_aside_by_who_died_comes_back(tmp_path, dead):
    aside = tmp_path / f".frames-{dead}-old"
    aside.mkdir()
    (aside / "1.png").touch()
    assert find_leftovers(tmp_path) == [aside]
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["frames", "1.png"]


@pytest.mark.parametrize(
    "name", [".frames", ".frames-5", ".unfinished-codec-0123456789abcdef", ".a-5-part.b.c", "a-5-part"]
)
def test_no_other_hidden_file_is_taken_for_a_leftover(tmp_path, name):
    (tmp_path / name).touch()
    assert find_leftovers(tmp_path) == []


def test_bytes_are_those_of_all_files_and_not_of_what_a_link_leads_to(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"123")
    (tmp_path / "c").write_bytes(b"45")
    (tmp_path / "a" / "d").symlink_to(tmp_path / "c")
    assert measure_bytes(tmp_path) == 5


def test_a_hash_tells_contents_apart(tmp_path):
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).write_bytes(content)
    assert hash_file(tmp_path / "a") == hash_file(tmp_path / "b") != hash_file(tmp_path / "c")


def test_json_of_more_bytes_than_any_record_is_not_read(tmp_path):
    with (tmp_path / "a.json").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(WorkspaceError, match="a file of 1073741824 bytes"):
        read_json(tmp_path / "a.json")


def test_text_of_just_as_many_bytes_as_are_allowed_is_read(tmp_path):
    (tmp_path / "a").write_text("dance")
    assert read_text(tmp_path / "a", 5) == "dance"
    with pytest.raises(ValueError, match="a file of 5 bytes, more than 4"):
        read_text(tmp_path / "a", 4)


def test_json_is_read_back_and_ends_its_last_line(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, None, "é"]})
    assert read_json(tmp_path / "a.json") == {"b": [1, None, "é"]}
    assert (tmp_path / "a.json").read_text().endswith("}\n")


def test_a_key_is_16_digits_whatever_the_order():
    assert re.fullmatch("[0-9a-f]{16}", digest({"a": 1, "b": [2]}))
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})


def test_a_hash_is_what_other_programs_tell_of_the_file(tmp_path):
    (tmp_path / "a").touch()
    assert hash_file(tmp_path / "a") == "cae66941d9efbd404e4d88758ea67670"  # b2sum -l 128 /dev/null


def test_only_a_plain_file_is_read(tmp_path):
    (tmp_path / "file").write_text("dance")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nothing")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "dangling", "folder", "pipe"):
        with pytest.raises(ValueError, match="what is no plain file"):
            read_text(tmp_path / name, 100)
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "nothing", 100)


def test_half_a_file_of_who_died_never_takes_the_files_place(tmp_path, dead):
    (tmp_path / f".dance-{dead}-part.mp4").write_text("half")
    (tmp_path / f".frames-{dead}-part").mkdir()
    remove_leftovers(tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_was_put_aside_goes_where_another_is_in_its_place(tmp_path, dead):
    (tmp_path / "frames").mkdir()
    (tmp_path / f".frames-{dead}-old").mkdir()
    (tmp_path / f".frames-{dead}-old" / "1.png").touch()
    remove_leftovers(tmp_path)
    assert list(tmp_path.rglob("*")) == [tmp_path / "frames"]


@pytest.mark.skipif(os.name == "nt", reason="Windows writes names to the disk by itself")
def test_content_is_on_the_disk_before_its_name_and_the_name_then(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(storage, "_synchronize", lambda path, flags: told.append((path, (tmp_path / "a").exists())))
    with write_atomically(tmp_path / "a") as temporary:
        temporary.touch()
    assert told == [(temporary, False), (tmp_path, True)]
