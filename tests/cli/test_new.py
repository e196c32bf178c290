"""`dd plugins new`: what it writes is installed, passes its own tests and is used, all without an edit."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import cv2
import pytest
import yaml
from conftest import demo_frames
from wheels import with_site

from deepdance.plugins import API_VERSION, ComponentSpec
from deepdance.testing import make_checks
from deepdance_cli.arguments import FLAGS
from deepdance_cli.new import TEMPLATES, write_plugin

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[2]
STREAMS = "a_stream_needs_no_more_memory_the_longer_it_is"
CANNOT_BE_CHECKED = {
    "codec": {"a_stopped_training_goes_on"},
    "sequence": {"a_stopped_training_goes_on", STREAMS},
}
"""One epoch is never stopped."""
PACKS = {"acme-keras": (["codec", "sequence"], "keras"), "acme-bare": (list(FLAGS), "bare")}
"""Packages of several components: their kinds and their template."""
SMALL = ("--remover", "threshold", "--size", "24x40", "--fps", "10", "--frames", "40")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a package of each kind and those of several, and `site`, where all are installed from it."""
    folder = tmp_path_factory.mktemp("made")
    packages = [folder / f"acme-{kind}" for kind in FLAGS]
    for kind, package in zip(FLAGS, packages, strict=True):
        write_plugin(package.name, [kind], package)
    for name, (kinds, template) in PACKS.items():
        packages.append(folder / name)
        write_plugin(name, kinds, packages[-1], template)
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*install, "--target", folder / "site", *packages], check=True, capture_output=True, timeout=120)
    return folder


@pytest.fixture(scope="module")
def outside(made):
    """Run a program with the installed packages beside deepdance."""
    env = with_site(made / "site", DEEPDANCE_WORKSPACE=str(made / "workspace"))

    def call(*command: object, cwd: Path = made) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*map(str, command)], env=env, cwd=cwd, capture_output=True, text=True, timeout=280)

    return call


def test_there_is_a_template_of_each_kind():
    assert {folder.name for folder in TEMPLATES.iterdir() if not folder.name.startswith(".")} == {
        "common",
        "keras",
        "bare",
        *FLAGS,
    }
    assert {folder.name for folder in (TEMPLATES / "bare").iterdir()} == set(FLAGS)


@pytest.mark.parametrize("kind", FLAGS)
def test_nothing_of_the_template_is_left(made, kind):
    files = [path for path in (made / f"acme-{kind}").rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"LICENSE", ".gitignore", "publish.yml", "README.md", "CHANGELOG.md", "pyproject.toml"} <= names
    for path in files:
        assert not re.search(rf"my[-_]?{kind}|@\w+@|dot_", path.read_text() + path.name)
        assert not re.search(f"My{kind}", path.read_text(), re.IGNORECASE)


def test_what_is_written_can_be_published(made):
    for name in [*(f"acme-{kind}" for kind in FLAGS), *PACKS]:
        project = tomllib.loads((made / name / "pyproject.toml").read_text())["project"]
        assert (project["name"], project["keywords"], project["license"]) == (name, ["deepdance-plugin"], "MIT")
        assert "Environment :: Plugins" in project["classifiers"]
        assert project["urls"]["Repository"].endswith(f"/{name}")
        workflow = yaml.safe_load((made / name / ".github/workflows/publish.yml").read_text())
        assert workflow["jobs"]["publish"]["permissions"] == {"id-token": "write"}
        assert workflow["jobs"]["publish"]["if"] == "github.event_name == 'release'"
    needed = tomllib.loads((made / "acme-logger/pyproject.toml").read_text())["project"]["dependencies"]
    assert needed == ["deepdance>=0.1"]


def test_only_what_stays_as_it_is_is_imported_and_its_number_given():
    promised = (
        (ROOT / "docs/plugins.md").read_text().partition("## What stays as it is")[2].partition(" offer under")[0]
    )
    stable = re.findall(r"`(deepdance[\w.]+)`", promised)
    assert len(stable) >= 8
    for path in TEMPLATES.rglob("*.py"):
        modules = re.findall(r"^(?:from|import) (deepdance[\w.]*)", path.read_text(), re.MULTILINE)
        assert [module for module in modules if not f"{module}.".startswith(tuple(f"{name}." for name in stable))] == []
        if path.name == "__init__.py":
            assert re.findall(r"api_version=(\d+)", path.read_text()) == [str(API_VERSION)]


@pytest.mark.parametrize("kind", FLAGS)
def test_it_passes_its_own_tests(made, outside, kind):
    tests = outside(sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", cwd=made / f"acme-{kind}")
    assert tests.returncode == 0, tests.stdout + tests.stderr
    outcomes = dict(re.findall(r"::test_contract\[(\w+)\] (\w+)", tests.stdout))
    spec = ComponentSpec(kind, f"acme-{kind}", "", "", "")
    assert set(outcomes) == {check.name for check in make_checks(spec)}
    skipped = {check for check, outcome in outcomes.items() if outcome != "PASSED"}
    assert skipped == CANNOT_BE_CHECKED.get(kind, set())


@pytest.mark.parametrize(
    ("name", "skipped"),
    [
        ("acme-keras", [STREAMS]),
        ("acme-bare", ["a_stopped_training_goes_on", "a_stopped_training_goes_on", STREAMS, "samples_by_time"]),
    ],
)
def test_several_components_pass_their_tests(made, outside, name, skipped):
    tests = outside(sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", cwd=made / name)
    assert tests.returncode == 0, tests.stdout + tests.stderr
    assert sorted(re.findall(r"::test_contract\[(\w+)\] SKIPPED", tests.stdout)) == skipped
    checks = [
        check.name
        for kind in PACKS[name][0]
        for check in make_checks(ComponentSpec(kind, f"{name}-{kind}", "", "", ""))
    ]
    assert sorted(re.findall(r"::test_contract\[(\w+)\]", tests.stdout)) == sorted(checks)


def test_keras_is_not_loaded_to_list_networks(outside):
    show = "registry.options_model('codec', 'acme-keras-codec')"
    code = f"import sys; from deepdance.plugins import discover; registry = discover(); {show}"
    loaded = outside(sys.executable, "-c", f"{code}; print('acme_keras' in sys.modules, 'keras' in sys.modules)")
    assert loaded.stdout == "True False\n"


@pytest.mark.parametrize("command", ["check", "format --check"])
def test_ruff_finds_nothing_in_what_is_written(made, command):
    packages = [made / name for name in [*(f"acme-{kind}" for kind in FLAGS), *PACKS]]
    result = subprocess.run([BIN / "ruff", *command.split(), "--no-cache", *packages], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_they_are_listed_and_their_options_shown(outside):
    listed = json.loads(outside(BIN / "deepdance", "plugins", "list", "--json").stdout)
    rows = {(row["kind"], row["name"], row["distribution"], row["version"]) for row in listed["components"]}
    assert {(kind, f"acme-{kind}", f"acme-{kind}", "0.1.0") for kind in FLAGS} <= rows
    for name, (kinds, _) in PACKS.items():
        assert {(kind, f"{name}-{kind}", name, "0.1.0") for kind in kinds} <= rows
    assert listed["problems"] == []
    shown = json.loads(outside(BIN / "deepdance", "plugins", "show", "acme-codec", "--json").stdout)
    assert [row["name"] for row in shown["options_table"]] == ["rows", "columns"]


def test_a_run_uses_all_but_the_source(outside, video):
    chosen = [part for kind, flag in FLAGS.items() if kind != "source" for part in (flag, f"acme-{kind}")]
    ran = outside(BIN / "deepdance", "run", video, *chosen, *SMALL, "--set", "codec.rows=8", "--json")
    assert ran.returncode == 0, ran.stderr
    report = json.loads(ran.stdout)
    assert [row["component"] for row in report["paper_table"]] == ["acme-codec", "acme-sequence"]
    assert Path(report["video"]).suffix == ".svg"
    assert Path(report["video"]).read_text().count("<path") == 3
    assert (Path(report["folder"]) / "losses.csv").read_text().count("\n") == 3


def test_the_readme_says_how_it_is_used(made):
    for kind in FLAGS:
        (line,) = re.findall(r"^\$ dd (run .*)$", (made / f"acme-{kind}/README.md").read_text(), re.MULTILINE)
        assert line == f"run INPUT {FLAGS[kind]} acme-{kind}"
    assert (
        "dd run INPUT --codec acme-keras-codec --seq acme-keras-sequence\n"
        in (made / "acme-keras/README.md").read_text()
    )


def test_a_run_uses_the_source_for_its_files(made, outside):
    book = made / "dance.cbz"
    with ZipFile(book, "w") as file:
        for number, frame in enumerate(demo_frames(8, 10, (48, 80))):
            file.writestr(f"{number:03}.png", cv2.imencode(".png", frame[..., ::-1])[1].tobytes())
    ran = outside(BIN / "deepdance", "run", book, "--codec", "pca", "--seq", "ridge", *SMALL, "--json")
    assert ran.returncode == 0, ran.stderr
    recipe = tomllib.loads((Path(json.loads(ran.stdout)["folder"]) / "recipe.toml").read_text())
    assert recipe["source"] == {"name": "acme-source", "fps": 10.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pca", "--kind", "codec"], "got 'pca', the name of a codec of deepdance; choose another"),
        (["numpy", "--kind", "codec"], "got 'numpy', the name of an installed package; choose another"),
        (["json", "--kind", "codec"], "got 'json', the name of the Python module json; choose another"),
        (["class", "--kind", "codec"], "got 'class', the name of a keyword of Python; choose another"),
        (["frame-codec", "--kind", "codec"], "the name of the class FrameCodec, which the plugin uses; choose another"),
        (["My_Codec", "--kind", "codec"], "expected a name of lower-case letters, digits and hyphens"),
        (["my--codec", "--kind", "codec"], "expected a name of lower-case letters, digits and hyphens"),
        (["../codec", "--kind", "codec"], "expected a name of lower-case letters, digits and hyphens"),
        (
            ["mine", "--kind", "codek"],
            "--kind: expected one of source, remover, codec, sequence, renderer, logger, got 'codek'",
        ),
        (["deepdance-pca", "--kind", "codec"], "got 'pca', the name of a codec of deepdance; choose another"),
        (["mine"], "Missing option '--kind'; see "),
        (["mine", "--kind", "codec", "--kind", "codec"], "--kind: expected each kind once, got codec twice"),
        (["mine", "--kind", "codec", "--template", "torch"], "--template: expected keras, got 'torch'"),
        (["mine", "--kind", "logger", "--template", "keras"], "expected codec or sequence as --kind, got 'logger'"),
        (["mine", "--kind", "codec", "--template", "keras", "--bare"], "expected --template or --bare, got both"),
        (["mine", "--kind", "codec", "--out", "."], "--out: expected a new folder, got ., which exists"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(dd, tmp_path, arguments, message):
    result = dd("plugins", "new", *arguments)
    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert message in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "component"), [("deepdance-tiles", "tiles"), ("deepdance-3d", "deepdance-3d"), ("tiles", "tiles")]
)
def test_a_component_is_called_as_its_package_without_deepdance(tmp_path, name, component):
    write_plugin(name, ["codec"], tmp_path / name)
    package = tmp_path / name / "src" / name.replace("-", "_")
    assert f'name="{component}"' in (package / "__init__.py").read_text()
    assert f"dd run INPUT --codec {component}\n" in (tmp_path / name / "README.md").read_text()
    assert f'{name} = "{package.name}"' in (tmp_path / name / "pyproject.toml").read_text()


@pytest.mark.parametrize("kind", FLAGS)
def test_the_name_that_the_help_gives_can_be_used(dd, tmp_path, kind, monkeypatch):
    monkeypatch.setattr(sys, "path", [place for place in sys.path if not place.startswith(str(TEMPLATES))])
    monkeypatch.delitem(sys.modules, f"my_{kind}", raising=False)  # other tests import the templates
    assert dd("plugins", "new", f"my-{kind}", "--kind", kind).code == 0
    for path in (TEMPLATES / kind).rglob("*.py"):
        assert (tmp_path / f"my-{kind}" / path.relative_to(TEMPLATES / kind)).read_text() == path.read_text()


def test_it_says_what_it_has_written(dd, tmp_path):
    result = dd("plugins", "new", "swirl", "--kind", "sequence", "--out", "a/b")
    assert result.out.endswith("next: cd a/b; pip install -e '.[test]'; pytest\n")
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*.py"))] == sorted(
        line for line in result.out.splitlines() if line.endswith(".py")
    )
    again = dd("plugins", "new", "swirl", "--kind", "sequence", "--json")
    assert set(json.loads(again.out)) == {"name", "kinds", "folder", "files"}
