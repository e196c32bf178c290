"""What commands write: into pipes, full disks and nowhere, and what they show of a stranger's files."""

import io
import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import asdict

import pytest
from conftest import SMALL_RUN

from deepdance.controls import CONTROLS, escape_controls
from deepdance.events import Progress, StageStarted
from deepdance.html import write_html_table
from deepdance.progress import ProgressLine
from deepdance.workspace import RunRecord
from deepdance_cli.output import print_json

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes and terminals")

PROGRAM = [sys.executable, "-m", "deepdance"]
SHOW = ["--help", "runs", "runs --json", "plugins list", "plugins list --json", "doctor", "doctor --json"]
SHOW += ["recipe show paper", "recipe new"]
WORK = [f"prepare DEMO {' '.join(SMALL_RUN[:4])}", f"prepare DEMO {' '.join(SMALL_RUN[:4])} --json"]
EVIL = "a\x1b]0;x\x07b\x9b2Jc\u202ed\re\x7ff\udc9bg"
SAFE = r"a\x1b]0;x\x07b\x9b2Jc\u202ed\re\x7ff\udc9bg"
RICH = re.compile(r"\x1b\[(\?25[hl]|[0-9;]*m|2K|1A)|\r(?=\x1b\[2K)")
"""Colours, and what hides the cursor and draws bars anew."""


def run_in_shell(folder, command, redirections):
    """The exit code and what came to a standard error of its own."""
    words = " ".join([*PROGRAM, *command.split()])
    script = f"({words} {redirections}) 2>err; echo $? >&2"
    return subprocess.run(["bash", "-c", f"set -o pipefail; {script}"], cwd=folder, capture_output=True, text=True)


def end_of(folder, command, redirections):
    result = run_in_shell(folder, command, redirections)
    return int(result.stderr), (folder / "err").read_text()


@pytest.fixture
def place(tmp_path, silhouettes):
    import numpy as np

    np.save(tmp_path / "DEMO.npy", silhouettes)
    return tmp_path


@pytest.mark.parametrize("command", [*SHOW, *WORK])
@pytest.mark.parametrize("redirections", ["| true", ">&-", ">&- <&-"])
def test_nobody_reads_the_output(place, command, redirections):
    code, err = end_of(place, command.replace("DEMO", "DEMO.npy"), redirections)
    assert code == 0
    assert "Traceback" not in err
    assert "xception" not in err


@pytest.mark.parametrize("command", ["--help", "runs --json", "plugins list", "recipe show paper", WORK[0]])
def test_a_full_disk_for_the_output_is_told_in_one_line(place, command):
    code, err = end_of(place, command.replace("DEMO", "DEMO.npy"), ">/dev/full")
    assert code == 2
    assert err.splitlines()[-1].startswith("dd: could not write to standard output: No space left on device; ")
    assert err.count("dd: ") == 1


@pytest.mark.parametrize("redirections", ["2>&-", "2>/dev/full", "2>&- >&- <&-"])
def test_a_standard_error_that_is_lost_changes_no_exit_code(place, redirections):
    assert end_of(place, "runs", redirections) == (0, "")
    assert end_of(place, "nonsense", redirections) == (2, "")


def test_a_file_never_becomes_standard_output(place):
    command = WORK[0].replace("DEMO", "DEMO.npy")
    assert end_of(place, command, ">&- 2>&- <&-")[0] == 0
    (closed,) = place.rglob("silhouettes.npy")
    content = closed.read_bytes()
    assert end_of(place, f"{command} --workspace other", "")[0] == 0
    assert (next((place / "other").rglob("silhouettes.npy"))).read_bytes() == content


def test_a_reader_that_leaves_late(tmp_path):
    """The pipe is full, and the program waits for it, when its other end is closed."""
    process = subprocess.Popen(
        [*PROGRAM, "plugins", "list", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        pipesize=4096,
    )
    process.stdout.read(100)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 0


def test_a_terminal_that_goes_away_does_not_end_the_work(place):
    """As after `disown`: no signal, and every write fails with EIO."""
    leader, follower = pty.openpty()
    command = [*PROGRAM, "prepare", str(place / "DEMO.npy"), *SMALL_RUN[:4]]
    process = subprocess.Popen(command, stdout=follower, stderr=follower, cwd=place)
    os.close(follower)
    os.close(leader)
    assert process.wait(timeout=120) == 0
    assert list(place.rglob("silhouettes.npy"))


@pytest.mark.parametrize("error", [EOFError("cut short"), BrokenPipeError(32, "Broken pipe")], ids=["end", "pipe"])
def test_the_end_of_a_file_is_a_mistake_and_not_ctrl_c(dd, monkeypatch, error):
    def read(self):
        raise error

    monkeypatch.setattr("deepdance.workspace.Workspace.runs", read)
    result = dd("runs")
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("dd: ")
    assert result.err.count("\n") == 1
    with pytest.raises(type(error)):
        dd("runs", "--debug")


@pytest.fixture
def strangers(tmp_path):
    """A workspace with a run from somewhere else."""
    run = RunRecord(EVIL, [EVIL], status=EVIL, created=EVIL, video=f"{EVIL}.mp4")
    folder = tmp_path / "workspace/runs" / os.fsdecode(b"x\x1b]0;x\x07\xc2\x9b2J\xe2\x80\xae\x9b")
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(asdict(run)))
    (folder / "recipe.toml").write_text(f'fps = "{EVIL}"\n', encoding="utf-8", errors="surrogateescape")
    damaged = folder.with_name("\x1b]0;y\x07")
    damaged.mkdir()
    (damaged / "run.json").write_text("{")
    return folder


def show_on_terminal(folder, arguments):
    """What a terminal gets of a command."""
    leader, follower = pty.openpty()
    process = subprocess.Popen([*PROGRAM, *arguments], stdout=follower, stderr=follower, stdin=follower, cwd=folder)
    os.close(follower)
    shown = b""
    try:
        while part := os.read(leader, 65536):
            shown += part
    except OSError:
        pass
    os.close(leader)
    process.wait(timeout=60)
    return shown.decode().replace("\r\n", "\n")


def show_in_pipe(folder, arguments):
    result = subprocess.run([*PROGRAM, *arguments], capture_output=True, cwd=folder)
    return (result.stdout + result.stderr).decode()


@pytest.mark.parametrize("show", [show_on_terminal, show_in_pipe])
@pytest.mark.parametrize(
    "command", ["runs", "runs --json", "generate RUN", "evaluate RUN", "compare RUN", "curves RUN", "generate EVIL"]
)
def test_a_strangers_names_do_not_steer_the_terminal(strangers, tmp_path, show, command):
    words = {"RUN": str(strangers), "EVIL": EVIL.replace("\0", "")}
    shown = show(tmp_path, [words.get(word, word) for word in command.split()])
    assert CONTROLS.search(RICH.sub("", shown)) is None, shown
    assert r"\x1b]0;" in shown or r"\u001b]0;" in shown, shown


def test_json_is_the_same_value_whatever_is_escaped(dd, strangers):
    (run,) = json.loads(dd("runs", "--json").out)
    assert run["status"] == EVIL


def test_debug_shows_no_control_characters(tmp_path):
    shown = show_in_pipe(tmp_path, ["--debug", "run", f"{EVIL}.mp4"])
    assert "Traceback" in shown
    assert CONTROLS.search(shown) is None


def test_messages_and_notes_are_escaped(dd, monkeypatch, tmp_path):
    import logging

    def warn(self):
        logging.getLogger("deepdance").warning("%s", EVIL)
        return []

    monkeypatch.setattr("deepdance.workspace.Workspace.runs", warn)
    assert f"warning: {SAFE}\n" == dd("runs").err


def test_bars_and_the_line_of_notebooks_are_escaped():
    import io

    from rich.console import Console

    from deepdance_cli.progress import make_bars

    console = Console(file=io.StringIO(), width=200, force_terminal=True, color_system=None)
    bars = make_bars(console)
    bars.add_task("codec", total=None, note=EVIL, rest="")
    with console.capture() as captured:
        console.print(bars.get_renderable())
    assert SAFE in captured.get()
    line = io.StringIO()
    listen = ProgressLine(line)
    listen(StageStarted("codec", EVIL))
    listen(Progress("codec", 0, None, EVIL))
    assert line.getvalue().count(SAFE) == 2
    assert CONTROLS.search(line.getvalue().replace("\r", "")) is None


def test_tables_in_notebooks_are_escaped():
    assert f"<td>{SAFE}</td>" in write_html_table("runs", ["", ""], [["a", EVIL]])


def test_what_is_printable_stays():
    text = "Tänzerin\t東京 🕺 عربي\nnext"
    assert escape_controls(text) == text


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", "é\\u009b"), ("ascii", "\\u00e9\\u009b")])
def test_json_has_letters_as_they_are_where_the_output_has_them_and_no_sign_that_steers(monkeypatch, encoding, shown):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    print_json({"a": "é\x9b"})
    text = written.getvalue().decode(encoding)
    assert f'"{shown}"' in text
    assert json.loads(text) == {"a": "é\x9b"}
