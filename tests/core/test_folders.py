import os

import pytest

from deepdance.folders import describe_kind, describe_names, list_folder, natural_order, show_path


def refuse(path):
    return "" if path.suffix == ".png" else "unknown ending"


def test_numbers_in_names_are_counted_and_not_spelled(tmp_path):
    names = ["img10.png", "img2.png", "b1.png", "Img1.png", "img2a10.png", "img2a9.png", "x.png"]
    ordered = sorted((tmp_path / name for name in names), key=natural_order)
    assert [path.name for path in ordered] == [
        "b1.png", "Img1.png", "img2.png", "img2a9.png", "img2a10.png", "img10.png", "x.png",
    ]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """Two pictures, a hidden file, a text, a folder and a link that leads nowhere."""
    for name in ("2.png", "10.png", ".hidden", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "sub.png").mkdir()
    (tmp_path / "gone.png").symlink_to("nowhere")
    return tmp_path


def test_what_is_left_out_is_listed_by_its_reason(folder):
    listing = list_folder(folder, refuse)
    assert [path.name for path in listing.taken] == ["2.png", "10.png"]
    assert listing.left_out == {
        "hidden": [".hidden"],
        "broken link": ["gone.png"],
        "unknown ending": ["notes.txt"],
        "folder": ["sub.png"],
    }


def test_how_many_were_taken_is_told_and_a_warning_where_more_than_hidden_files_were_left_out(folder, caplog):
    list_folder(folder, refuse).tell("frames")
    assert f"{folder.name}: 2 of 6 files taken as frames; left out: .hidden (hidden), gone.png (broken" in caplog.text
    caplog.clear()
    for name in ("notes.txt", "gone.png"):
        (folder / name).unlink()
    (folder / "sub.png").rmdir()
    list_folder(folder, refuse).tell("frames")
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_what_is_no_plain_file_is_named(folder):
    os.mkfifo(folder / "pipe")
    assert describe_kind(folder / "pipe") == "pipe"
    assert describe_kind(folder / "2.png") == ""


def test_of_many_names_three_are_shown():
    three = ["a", "b", "c"]
    assert describe_names({"hidden": three}) == "a, b, c (hidden)"
    assert describe_names({"hidden": [*three, "d"], "folder": ["e"]}) == "a, b, c and 1 more (hidden), e (folder)"


def test_a_name_is_one_printable_line():
    assert show_path("tänzer.mp4") == "tänzer.mp4"
    assert show_path("a\nb\x1b[31m.mp4") == "a\\nb\\x1b[31m.mp4"
