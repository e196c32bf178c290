"""Really installed plugins that are broken in every way, all beside one another: none harms another, none hides."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from wheels import CODEC, SPECS, codec_package, install, wheel, with_site

from deepdance.plugins import API_VERSION

DEEPDANCE = Path(sys.executable).with_name("deepdance")
LOADED = "from pathlib import Path\nPath(__file__).with_name('loaded').touch()\n"
STOP = "class Stop(BaseException): pass\nraise Stop('enough')\n"
WRITES = "import os, sys\nprint('hello')\nos.write(1, b'from below ')\nsys.stderr.write('and aside')\n"
SHADOW = (
    SPECS.replace("return [", "return [ComponentSpec('source', 'partly', 'm:M', 'm:O', 'all videos', ('.npy',)), ")
    + "def deepdance_component(): pass\n"
)

WORKS = {
    "dance-rows": codec_package("dance_rows", "rows"),
    "dance-twin-a": codec_package("dance_twin_a", "twin"),
    "dance-twin-b": codec_package("dance_twin_b", "twin"),
    "dance-writes": codec_package("dance_writes", "writes", specs=WRITES + SPECS, codec="print('late')\n" + CODEC),
    "dance-sleeps": codec_package("dance_sleeps", "sleeps", specs="import time\ntime.sleep(1)\n" + LOADED + SPECS),
    "dance-partly": codec_package("dance_partly", "partly", specs=SPECS.replace("return [", "return ['nonsense', ")),
    "dance-shadow": codec_package("dance_shadow", "pca", specs=SHADOW),
}
NEWER = API_VERSION + 1
TOLD_BY_LIST = {
    "raises": ("raise RuntimeError('no dancing today')\n", "RuntimeError: no dancing today"),
    "exits": ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
    "stops": (STOP, "Stop: enough"),
    "syntax": ("def (:\n", "SyntaxError"),
    "future": (SPECS.replace('row")', f'row", api_version={NEWER})'), f"needs plugin API {NEWER}"),
    "misspelt": (SPECS.replace("dance_components", "dance_component"), "no hook 'deepdance_component'; did you mean"),
    "unmarked": (SPECS.replace("@hookimpl", ""), "marked with @hookimpl, got none"),
    "arguments": (SPECS.replace("components()", "components(more)"), "can not be found in the hookspec"),
    "hook-raises": (SPECS.replace("return", "raise ValueError('hook')\n    return"), "ValueError: hook"),
    "no-list": (SPECS.replace("return [", "return 7 or ["), "'int' object is not iterable"),
}
BROKEN_SPECS = {
    **TOLD_BY_LIST,
    "missing": (SPECS.replace('{where}:Rows"', '{module}.nowhere:Rows"'), "No module named 'dance_missing.nowhere'"),
    "needy": (
        SPECS.replace('row")', "row\", requires=('dance-nowhere>=2', 'numpy>=1'))"),
        "needs dance-nowhere>=2 (not installed): pip install 'dance-nowhere>=2'",
    ),
}
BROKEN_CODECS = {
    "dictionary": (
        CODEC.replace("class Rows(", "RowsOptions = dict(scale=1)\n\nclass Rows("),
        "to be a subclass of deepdance.interfaces.Options, got a dict",
    ),
    "lacks": (CODEC.replace("def decode", "def decoed"), "lacks decode, which a FrameCodec must have"),
    "other": (CODEC.replace("(FrameCodec[RowsOptions])", ""), "subclass of deepdance.interfaces.FrameCodec, got Rows"),
    "late-exit": ("import sys\nsys.exit('too late')\n", "SystemExit: too late"),
}
BROKEN = {name: reason for name, (_, reason) in (BROKEN_SPECS | BROKEN_CODECS).items()}
RUN = ("--seq", "ridge", "--renderer", "gif", "--size", "24x40", "--fps", "10", "--frames", "20")
RUN_EACH = """
import json, os, sys, tempfile
from deepdance_cli.main import main
commands, ended, result = json.load(sys.stdin), {}, os.dup(1)
for name, arguments in commands.items():
    sys.argv = ["deepdance", *arguments]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        try:
            main()
        except SystemExit as stop:
            sys.stdout.flush()
            sys.stderr.flush()
            ended[name] = stop.code, *(file.seek(0) or file.read() for file in (out, err))
os.write(result, json.dumps(ended).encode())
"""


def broken_package(name, **files):
    return codec_package(f"dance_{name.replace('-', '_')}", name, **files)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with all of them installed."""
    folder = tmp_path_factory.mktemp("isolation")
    packages = dict(WORKS)
    packages |= {f"dance-{name}": broken_package(name, specs=specs) for name, (specs, _) in BROKEN_SPECS.items()}
    packages |= {f"dance-{name}": broken_package(name, codec=codec) for name, (codec, _) in BROKEN_CODECS.items()}
    install([wheel(folder, name, "1.5", files) for name, files in packages.items()], folder / "site")
    return folder / "site"


@pytest.fixture
def never_loaded(site):
    """The package that sleeps is not imported by this test."""
    (site / "dance_sleeps/loaded").unlink(missing_ok=True)
    yield
    assert not (site / "dance_sleeps/loaded").exists()


@pytest.fixture(scope="module")
def call(site, tmp_path_factory):
    """Run `deepdance` beside all of them; those that only take time are left out unless they are asked for."""
    folder = tmp_path_factory.mktemp("calls")

    def call(*arguments, **env):
        env = with_site(site, **{"DEEPDANCE_NO_PLUGINS": "sleeps", "COLUMNS": "200", **env})
        command = [DEEPDANCE, *map(str, arguments)]
        return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=200)

    call.folder = folder
    return call


@pytest.fixture(scope="module")
def listed(call):
    """What `dd plugins list --json` says of all of them."""
    result = call("plugins", "list", "--json", DEEPDANCE_NO_PLUGINS="")
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def array(silhouettes, tmp_path_factory):
    path = tmp_path_factory.mktemp("array") / "dance.npy"
    np.save(path, silhouettes)
    return path


def assert_one_line(result, *messages):
    assert (result.returncode, result.stdout) == (2, ""), result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert all(message in result.stderr for message in messages), result.stderr


@pytest.mark.usefixtures("never_loaded")
def test_help_is_as_ever_and_loads_none(call, site):
    for command in (["--help"], ["run", "--help"]):
        beside = call(*command, DEEPDANCE_NO_PLUGINS="")
        alone = subprocess.run([DEEPDANCE, *command], env=with_site(site.parent, COLUMNS="200"), capture_output=True)
        assert (beside.returncode, beside.stdout, beside.stderr) == (0, alone.stdout.decode(), "")


def test_a_run_with_other_components_is_as_ever(call, array):
    result = call("run", array, "--codec", "pca", *RUN, "--name", "ours", "--json")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert Path(call.folder, report["video"]).stat().st_size > 1000
    recipe = Path(call.folder, report["folder"], "recipe.toml").read_text()
    assert 'name = "array"' in recipe
    assert 'name = "pca"' in recipe
    assert "dance-" not in Path(call.folder, report["folder"], "run.json").read_text()


def test_what_works_is_ready_and_keeps_its_origin(listed):
    (row,) = [c for c in listed["components"] if c["name"] == "rows"]
    assert (row["state"], row["kind"], row["distribution"], row["version"]) == ("ready", "codec", "dance-rows", "1.5")
    ours = [c for c in listed["components"] if c["distribution"] == "deepdance"]
    assert listed["components"][: len(ours)] == ours
    assert {c["state"] for c in ours} == {"ready"}


@pytest.mark.parametrize("name", TOLD_BY_LIST)
def test_the_list_names_the_broken_one_and_why(listed, name):
    (problem,) = [p for p in listed["problems"] if p["plugin"] == name]
    assert (problem["distribution"], problem["version"]) == (f"dance-{name}", "1.5")
    assert TOLD_BY_LIST[name][1] in problem["reason"]
    assert "\n" not in problem["reason"]


@pytest.mark.parametrize(
    ("name", "state", "reason"),
    [
        ("source partly", "broken", "there is no m"),
        ("missing", "broken", "there is no dance_missing.nowhere"),
        ("needy", "needs", "needs dance-nowhere>=2 (not installed)"),
        ("twin", "shared", "choose dance-twin-a:twin or dance-twin-b:twin"),
        ("pca", "shared", "choose deepdance:pca or dance-shadow:pca"),
    ],
)
def test_the_list_tells_the_state_of_a_component(listed, name, state, reason):
    named = [c for c in listed["components"] if f"{c['kind']} {c['name']}".endswith(name)]
    rows = [c for c in named if c["distribution"] != "deepdance"]
    assert {row["state"] for row in rows} == {state}
    assert all(reason in row["reason"] for row in rows)


def test_the_list_notes_what_takes_time_and_what_writes(listed):
    notes = {note["plugin"]: note["text"] for note in listed["notes"]}
    assert notes.keys() >= {"sleeps", "writes"}
    assert float(notes["sleeps"].split()[1]) >= 1
    assert "every command waits for it" in notes["sleeps"]
    assert all(text in notes["writes"] for text in ("hello", "from below", "and aside"))


def test_the_list_says_it_all_to_people_too(call, listed):
    result = call("plugins", "list", DEEPDANCE_NO_PLUGINS="")
    assert (result.returncode, result.stderr) == (0, "")
    shown = " ".join(result.stdout.split())  # long lines are folded
    for problem in listed["problems"]:
        warning = f"warning: {problem['distribution']} {problem['version']} could not be used: {problem['reason']}"
        assert " ".join(warning.split()) in shown
    assert "note: dance-sleeps 1.5 takes 1" in result.stdout
    assert "needs: codec needy of dance-needy 1.5: needs dance-nowhere>=2" in result.stdout
    assert "hello" in result.stdout.partition("note: ")[2]


@pytest.fixture(scope="module")
def ended(site, array):
    """How commands ended that one process ran after one another: exit code, standard output and error."""
    recipe = site.parent / "recipe.toml"
    recipe.write_text('[codec]\nname = "dance-twin-b:twin"\n')
    commands = {name: ["run", str(array), "--codec", name, *RUN, "--json"] for name in (*BROKEN, "twin")}
    commands["twin-a"] = ["run", str(array), "--codec", "dance-twin-a:twin", *RUN, "--json"]
    commands["twin-b"] = ["run", str(array), "--recipe", str(recipe), *RUN, "--json"]
    commands["scal"] = ["run", str(array), "--codec", "rows", "--set", "codec.scal=2"]
    for name in ("writes", "pca", "dance-shadow:pca", "Dance_twin_b:twin", "partly", "dance-partly:partly"):
        commands[f"show {name}"] = ["plugins", "show", name, "--json"]
    commands["show lacks"] = ["plugins", "show", "lacks"]
    commands["show codec partly"] = ["plugins", "show", "partly", "--kind", "codec", "--json"]
    env = with_site(site, DEEPDANCE_NO_PLUGINS="sleeps", DEEPDANCE_WORKSPACE=str(site.parent / "workspace"))
    process = [sys.executable, "-c", RUN_EACH]
    result = subprocess.run(process, input=json.dumps(commands), env=env, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return {name: subprocess.CompletedProcess([], *how) for name, how in json.loads(result.stdout).items()}


@pytest.mark.parametrize("name", BROKEN)
def test_selecting_the_broken_one_is_a_one_line_error(ended, name):
    assert_one_line(ended[name], f"dance-{name} 1.5", BROKEN[name])


def test_showing_what_lacks_a_method_is_a_one_line_error(ended):
    assert_one_line(ended["show lacks"], "dance-lacks 1.5", BROKEN["lacks"])


def test_a_wrong_option_of_a_plugin_is_a_one_line_error(ended):
    assert_one_line(ended["scal"], "codec.scal: rows has no such option; did you mean 'scale'?")


def test_what_a_component_prints_goes_to_standard_error(ended):
    assert ended["show writes"].stderr == "late\n"
    assert json.loads(ended["show writes"].stdout)["distribution"] == "dance-writes"


def test_the_good_half_of_a_plugin_stays(listed):
    assert [c["state"] for c in listed["components"] if c["name"] == "partly"] == ["ready", "broken"]
    (problem,) = [p for p in listed["problems"] if p["plugin"] == "partly"]
    assert problem["reason"] == "expected a ComponentSpec, got str"


def test_debug_shows_where_a_plugin_failed(call):
    result = call("plugins", "show", "dance-raises:raises", "--debug")
    assert "dance_raises/__init__.py" in result.stderr
    assert "RuntimeError: no dancing today" in result.stderr


def test_two_of_one_name_are_told_apart(ended, site):
    assert_one_line(ended["twin"], "two plugins offer", "dance-twin-a:twin or dance-twin-b:twin")
    for name in ("twin-a", "twin-b"):
        assert ended[name].returncode == 0, ended[name].stderr
        assert json.loads(ended[name].stdout)["paper_table"][0]["component"] == f"dance-{name}:twin"
    made = list((site.parent / "workspace/artifacts").glob("codec-*/manifest.json"))
    origins = [json.loads(path.read_text())["inputs"]["codec"]["distribution"] for path in made]
    assert sorted(origins) == ["dance-twin-a 1.5", "dance-twin-b 1.5"]
    shown = json.loads(ended["show Dance_twin_b:twin"].stdout)
    assert shown["distribution"] == "dance-twin-b"
    assert shown["file"].endswith("dance_twin_b/codec.py")
    assert "--codec dance-twin-b:twin" in shown["example"]


def test_a_built_in_keeps_its_name(ended):
    assert json.loads(ended["show pca"].stdout)["distribution"] == "deepdance"
    assert json.loads(ended["show dance-shadow:pca"].stdout)["distribution"] == "dance-shadow"


def test_a_name_of_two_kinds_needs_one_of_them(ended):
    assert_one_line(ended["show partly"], "there is a source and a codec called 'partly': choose with --kind source")
    assert json.loads(ended["show dance-partly:partly"].stdout)["kind"] == "codec"
    assert json.loads(ended["show codec partly"].stdout)["distribution"] == "dance-partly"


def names(result):
    assert result.returncode == 0, result.stderr
    return {c["distribution"] for c in json.loads(result.stdout)["components"]}


@pytest.mark.parametrize(
    ("arguments", "env", "expected"),
    [
        (["--no-plugins"], {}, set()),
        ([], {"DEEPDANCE_PLUGINS": ""}, set()),
        ([], {"DEEPDANCE_PLUGINS": "rows,dance_twin-A"}, {"dance-rows", "dance-twin-a"}),
        (["--no-plugins=rows"], {"DEEPDANCE_PLUGINS": "rows,twin-a"}, {"dance-twin-a"}),
    ],
)
@pytest.mark.usefixtures("never_loaded")
def test_only_what_is_wanted_is_loaded(call, arguments, env, expected):
    result = call("plugins", "list", *arguments, "--json", DEEPDANCE_NO_PLUGINS="", **env)
    assert names(result) == {"deepdance"} | expected
    assert json.loads(result.stdout)["notes"] == []


@pytest.mark.usefixtures("never_loaded")
def test_those_named_are_never_loaded(call):
    start = ["--no-plugins=sleeps,dance-raises", "plugins", "list", "--no-plugins=writes", "--json"]
    result = call(*start, DEEPDANCE_NO_PLUGINS="rows")
    assert not names(result) & {"dance-rows", "dance-sleeps", "dance-writes"}
    assert "raises" not in [p["plugin"] for p in json.loads(result.stdout)["problems"]]


def test_an_unknown_name_among_the_wanted_is_told(call):
    told = ": expected the name of an installed plugin"
    assert_one_line(call("plugins", "list", "--no-plugins=rows,rosw"), f"--no-plugins{told}", "got 'rosw'")
    assert_one_line(call("plugins", "list", DEEPDANCE_PLUGINS="rosw"), f"DEEPDANCE_PLUGINS{told}", "got 'rosw'")


def test_ctrl_c_while_a_plugin_loads_names_it(tmp_path):
    place, hangs = tmp_path / "site", {"dance_hangs.py": f"{LOADED}import time\ntime.sleep(100)\n"}
    install([wheel(tmp_path, "dance-hangs", "1.5", hangs)], place)
    command = [DEEPDANCE, "plugins", "list"]
    with subprocess.Popen(command, env=with_site(place), stderr=subprocess.PIPE, text=True) as process:
        while not (place / "loaded").exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(2)
        told = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert told == "dd: stopped while loading hangs of dance-hangs 1.5; leave it out with --no-plugins=hangs\n"
