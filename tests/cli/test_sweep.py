"""`dd sweep`: what it prints, its exit codes, and how it is interrupted and goes on."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from conftest import demo_frames, write_video
from wheels import CODEC, codec_package, install, wheel, with_site

from deepdance.delegation import ATTEMPTS

FILE = """
videos = ["anna.mp4"{more}]
[recipe]
size = [24, 40]
fps = 10
remover = "threshold"
codec = "pca"
frames = 30
[vary]
sequence = ["ridge", "texture"]
[evaluate]
frames = 20
seeds = 1
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A dancer, what is no video, a sweep of the one, and one of both."""
    folder = tmp_path_factory.mktemp("sweep")
    write_video(folder / "anna.mp4", demo_frames(8.0, 10.0, (48, 80)), 10.0)
    (folder / "broken.mp4").write_bytes(b"no video" * 100)
    (folder / "models.toml").write_text(FILE.format(more=""))
    (folder / "both.toml").write_text(FILE.format(more=', "broken.mp4"'))
    return folder


def test_runs_are_listed_made_and_kept(dd, folder, tmp_path):
    planned = dd("sweep", folder / "models.toml", "--dry-run")
    assert planned.out == "models-ridge  begins with silhouettes\nmodels-texture  begins with silhouettes\n"
    assert not (tmp_path / "workspace/runs").exists()

    done = dd("sweep", folder / "models.toml", "--out", "tables.md")
    assert done.code == 0, done.err
    assert "models-texture" in done.out
    assert done.out.endswith("tables tables.md\nreport workspace/sweeps/models/report.html\n")
    assert "## Long dances" in (tmp_path / "tables.md").read_text()
    states = json.loads(dd("sweep", folder / "models.toml", "--dry-run", "--json").out)
    assert [each["state"] for each in states] == ["is finished", "is finished"]


def test_a_failed_run_is_told_twice_and_ends_with_1(dd, folder):
    planned = dd("sweep", folder / "both.toml", "--dry-run")
    assert "both-broken-ridge  would fail: " in planned.out

    done = dd("sweep", folder / "both.toml", "--jobs", "1")
    assert done.code == 1
    assert done.err.count("both-broken-ridge failed: ") == 2
    assert "2 of 4 runs failed; the same command tries them again" in done.err
    assert "both-anna-texture" in done.out


def test_json_has_runs_tables_and_paths(dd, folder):
    done = dd("sweep", folder / "both.toml", "--json", "--out", "tables.csv", "--jobs", "1")
    told = json.loads(done.out)
    assert [run["status"] for run in told["runs"]] == ["finished", "finished", "failed", "failed"]
    assert told["runs"][2]["error"].startswith(str(folder / "broken.mp4"))
    assert told["runs"][0]["video"] == "workspace/runs/both-anna-ridge/dance.mp4"
    assert (told["report"], told["tables_file"]) == ("workspace/sweeps/both/report.html", "tables.csv")
    assert {"frames", "long", "paper"} == told["tables"].keys()


def test_videos_of_the_command_line_take_the_place_of_the_files(dd, folder, tmp_path):
    write_video(tmp_path / "own.mp4", demo_frames(8.0, 10.0, (48, 80)), 10.0)
    planned = dd("sweep", folder / "both.toml", "own.mp4", folder / "anna.mp4", "--dry-run").out
    assert [line.split()[0] for line in planned.splitlines()] == [
        f"both-{video}-{model}" for video in ("own", "anna") for model in ("ridge", "texture")
    ]


def test_a_mistake_in_the_file_ends_with_2(dd, tmp_path):
    (tmp_path / "wrong.toml").write_text("[vary]\ncodecs = ['pca']\n")
    done = dd("sweep", "wrong.toml")
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "did you mean 'codec'" in done.err
    assert "expected a sweep file, got nowhere.toml, which does not exist" in dd("sweep", "nowhere.toml").err


def test_tables_that_could_not_be_written_are_told_before_the_first_run(dd, folder, tmp_path):
    (tmp_path / "tables.md").mkdir()
    done = dd("sweep", folder / "models.toml", "--out", "tables.md")
    assert (done.code, done.err) == (2, "dd: --out: expected a file, got the folder 'tables.md'; choose another name\n")
    assert not (tmp_path / "workspace").exists()


STOPPED = "dd: stopped; finished stages are kept, the same command goes on from there\n"


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(("by", "code", "told"), [("SIGINT", 130, STOPPED), ("SIGKILL", -9, "")])
def test_what_ends_a_sweep_ends_all_its_processes_and_the_same_command_goes_on(folder, tmp_path, by, code, told):
    command = [sys.executable, "-m", "deepdance", "sweep", str(folder / "models.toml"), "--jobs", "2"]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    set_up = {"cwd": tmp_path, "env": {**os.environ, "TMPDIR": str(temporary)}, "text": True}
    first = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, **set_up)
    wait_until(lambda: list(tmp_path.glob("workspace/artifacts/silhouettes-*")))
    workers = psutil.Process(first.pid).children(recursive=True)
    first.send_signal(signal.Signals[by])
    assert first.communicate(timeout=60)[1].endswith(told)
    assert first.returncode == code
    assert workers
    assert not psutil.wait_procs(workers, timeout=20)[1]
    assert not list(temporary.glob("deepdance-*"))

    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("workspace/artifacts/*-*")}
    second = subprocess.run(command, capture_output=True, timeout=240, **set_up)
    assert second.returncode == 0, second.stderr
    assert kept.items() <= {p.name: p.stat().st_mtime_ns for p in tmp_path.glob("workspace/artifacts/*-*")}.items()
    assert not list(tmp_path.glob("workspace/**/*-part*"))


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_run_whose_processes_are_killed_fails_alone(folder, tmp_path):
    dies = CODEC.replace("import numpy as np", "import os\nimport numpy as np").replace(
        "        self.size = train.size\n",
        f'        open("{tmp_path}/begun", "a").write("x")\n        os.kill(os.getpid(), 9)\n',
    )
    install([wheel(tmp_path, "dance-dies", "1.5", codec_package("dance_dies", "dies", codec=dies))], tmp_path / "site")
    text = (folder / "models.toml").read_text().replace('codec = "pca"\n', "")
    (folder / "codecs.toml").write_text(text.replace('["ridge", "texture"]', '["ridge"]\ncodec = ["dies", "pca"]'))
    command = [sys.executable, "-m", "deepdance", "sweep", str(folder / "codecs.toml"), "--jobs", "2"]
    done = subprocess.run(
        command, cwd=tmp_path, env=with_site(tmp_path / "site"), capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 1, done.stderr
    assert "codecs-dies failed: expected worker processes that last as long as their work" in done.stderr
    assert (tmp_path / "begun").read_text() == "x" * ATTEMPTS
    assert (tmp_path / "workspace/runs/codecs-pca/dance.mp4").exists()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_ends_what_waits_for_another_process(folder, tmp_path):
    recipe = ["--size", "24x40", "--fps", "10", "--remover", "threshold", "--codec", "pca", "--frames", "30"]
    options = [*recipe, "--seq", "ridge", "--name", "models-ridge"]
    program = [sys.executable, "-m", "deepdance"]
    other = subprocess.Popen([*program, "run", str(folder / "anna.mp4"), *options], cwd=tmp_path)
    try:
        wait_until((tmp_path / "workspace/runs/models-ridge/run.json").exists)
        other.send_signal(signal.SIGSTOP)
        command = [*program, "sweep", str(folder / "models.toml"), "--jobs", "2"]
        with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as waiting:
            assert "models-ridge: another process is making this run; waiting for it" in waiting.stderr.readline()
            start = time.monotonic()
            waiting.send_signal(signal.SIGINT)
            assert waiting.communicate(timeout=30)[1].startswith("dd: stopped")
            assert (waiting.returncode, time.monotonic() - start < 10) == (130, True)
    finally:
        other.kill()
        other.wait()


def wait_until(condition):
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
