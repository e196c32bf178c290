"""What is warned of an input is kept with its silhouettes, and told by every command that uses them, once."""

import json
import shutil

import numpy as np
import pytest
from conftest import SMALL_RUN, demo_frames, write_video

QUICK = ("--codec", "pca", "--set", "codec.latent_dim=8", "--seq", "ridge", "--set", "sequence.context=2")
RUN = "half-pca-ridge"
USERS = {
    "run": ("run", "half.mkv", *SMALL_RUN, *QUICK),
    "run from it": ("run", "half.mkv", *SMALL_RUN, *QUICK, "--from", "half.mkv"),
    "prepare": ("prepare", "half.mkv", *SMALL_RUN[:6]),
    "generate": ("generate", RUN, "--out", "a.gif"),
    "generate from it": ("generate", RUN, "--out", "a.gif", "--from", "half.mkv"),
    "extend": ("extend", "half.mkv", "--run", RUN, "--out", "b.gif", "--seconds", "1"),
    "measure": ("measure", "half.mkv", "--run", RUN),
    "evaluate": ("evaluate", RUN, "--frames", "20", "--seeds", "1"),
    "compare": ("compare", RUN),
}


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    """Eight seconds of the demo dancer, cut off in the middle, with a run of it."""
    folder = tmp_path_factory.mktemp("half")
    whole = write_video(folder / "whole.mkv", demo_frames(8, 10, (48, 80)), 10).read_bytes()
    (folder / "half.mkv").write_bytes(whole[: len(whole) * 6 // 10])
    return folder


def test_every_command_tells_what_was_warned_once(dd, half, tmp_path):
    shutil.copy(half / "half.mkv", tmp_path)
    for name in ("run", *USERS):
        result = dd(*USERS[name])
        assert result.code == 0, result.err
        warnings = [line for line in result.err.splitlines() if line.startswith("warning: ")]
        assert [line.count("half.mkv: ") for line in warnings if "cut short" in line] == [1], (name, result.err)
        assert len(warnings) == len(set(warnings))


def test_a_copy_of_another_name_is_warned_of_under_its_own(dd, half, tmp_path):
    shutil.copy(half / "half.mkv", tmp_path)
    (tmp_path / "folder").mkdir()
    shutil.copy(half / "half.mkv", tmp_path / "folder" / "copy of half.mkv")
    assert "half.mkv: " in dd("prepare", "half.mkv").err
    result = dd("prepare", "folder/copy of half.mkv")
    assert f"warning: {tmp_path}/folder/copy of half.mkv: " in result.err
    assert len(list((tmp_path / "workspace/artifacts").glob("silhouettes-*"))) == 1


def test_json_lists_the_warnings_of_each_input(dd, half, tmp_path, video):
    for _ in range(2):
        broken, whole = json.loads(dd("prepare", half / "half.mkv", video, "--remover", "threshold", "--json").out)
        (warning,) = broken["warnings"]
        assert "half.mkv: " in warning
        assert whole["warnings"] == []


def test_settings_of_the_remover_that_silhouettes_leave_unused_are_told(dd, tmp_path):
    np.save(tmp_path / "a.npy", np.tile(np.uint8([255] * 30 + [0] * 10), (5, 24, 1)))
    unused = "a.npy: silhouettes already, so the remover and its settings are not used"
    assert unused not in dd("prepare", "a.npy").err
    for setting in (("--remover", "luma"), ("--set", "remover.invert=true")):
        assert dd("prepare", "a.npy", *setting).err.count(unused) == 1
