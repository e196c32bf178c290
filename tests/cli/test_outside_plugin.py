"""A package that is not part of deepdance adds a codec, and the command line uses it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import FAST
from wheels import codec_package, install, wheel, with_site


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """Run `deepdance` with the package installed beside it."""
    folder = tmp_path_factory.mktemp("outside")
    install([wheel(folder, "dance-rows", "1.5", codec_package("dance_rows", "rows"))], folder / "site")
    env = with_site(folder / "site", DEEPDANCE_WORKSPACE=str(folder / "workspace"))

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [Path(sys.executable).with_name("deepdance"), *map(str, arguments)]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=200)

    return call


def test_it_is_listed_with_its_distribution(outside):
    listed = json.loads(outside("plugins", "list", "--json").stdout)
    (row,) = [component for component in listed["components"] if component["name"] == "rows"]
    assert (row["kind"], row["distribution"], row["version"]) == ("codec", "dance-rows", "1.5")
    assert "conv-ae" in [component["name"] for component in listed["components"]]


def test_it_is_shown_with_its_options(outside):
    assert "codec.scale" in outside("plugins", "show", "rows").stdout


def test_it_is_used(outside, video):
    result = outside("run", video, "--codec", "rows", "--seq", "gru", *FAST, "--set", "codec.scale=2", "--json")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["paper_table"][0]["component"] == "rows"
    assert Path(report["video"]).stat().st_size > 1000


def test_its_options_are_checked(outside, video):
    result = outside("run", video, "--codec", "rows", "--set", "codec.scal=2")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "codec.scal: rows has no such option; did you mean 'scale'?" in result.stderr
