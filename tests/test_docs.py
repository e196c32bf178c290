"""The site builds without a warning, says everything that there is, and what it says runs."""

import html
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import fields
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest
import typer
import yaml

import deepdance
from deepdance import events
from deepdance.inputs import resolve
from deepdance.plugins import KINDS, Hooks, discover
from deepdance.recipe import Recipe
from deepdance_cli.main import app
from deepdance_cli.run import make_recipe, parse_size
from deepdance_plugins.catalog import COMPONENTS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
THIRD_PARTY = re.compile(r"(?<![\w/])(my-(source|remover|codec|model|renderer)|my-dist)\b")
"""Names in the documentation that stand for somebody's plugin."""
QUICK = {"codec": "pca", "sequence": "ridge", "size": (24, 40), "frames": 30}
"""In place of the trainings of the README."""
CHEAP = re.compile(r"dd (plugins list|plugins show|runs)\b")


@cache
def generator(name):
    """A module of `docs/generate`."""
    sys.path.insert(0, str(ROOT / "docs/generate"))
    try:
        return import_module(name)
    finally:
        sys.path.remove(str(ROOT / "docs/generate"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The text of every page, by its path without `.html`."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stdout + result.stderr
    texts = {}
    for page in folder.rglob("*.html"):
        body = page.read_text(encoding="utf-8").partition("<article")[2].partition("</article>")[0]
        texts[page.relative_to(folder).with_suffix("").as_posix()] = html.unescape(re.sub(r"<[^>]+>", "", body))
    return texts


def plain(markdown):
    return (markdown or "").replace("`", "")


@pytest.mark.parametrize("spec", COMPONENTS, ids=lambda spec: spec.name)
def test_every_component_and_option_has_its_place(site, spec):
    text = site[f"components/{spec.kind}/{spec.name}"]
    assert spec.summary in text
    module, _, name = spec.options.partition(":")
    for option, field in getattr(import_module(module), name).model_fields.items():
        assert f"{spec.kind}.{option}" in text
        assert plain(field.description) in text


def test_every_entry_of_a_recipe_is_explained(site):
    for name, field in Recipe.model_fields.items():
        assert name in KINDS or f"\n{name}\n" in site["recipes"]
        assert plain(field.description) in site["recipes"]


def test_every_hook_and_event_is_explained(site):
    for hook in (name for name in vars(Hooks) if not name.startswith("_")):
        assert f"\n{hook}" in site["hooks"]
        assert f"def {hook}(" in (ROOT / "docs/hooks.md").read_text(), f"no example of {hook}"
    for event in get_args(events.Event):
        assert event.__name__ in site["hooks"]
        assert all(field.name in site["hooks"] for field in fields(event))


def test_every_command_and_flag_is_explained(site):
    sections = dict(re.findall(r"^dd ([\w ]+)¶\n(.*?)(?=^dd [\w ]+¶|\Z)", site["commands"], re.MULTILINE | re.DOTALL))
    assert sections.keys() == dict(commands()).keys()
    for path, command in commands():
        flags = {option.opts[-1] for option in command.params if option.param_type_name == "option"}
        assert flags <= set(re.findall(r"--[\w-]+", sections[path])), path


def test_every_message_is_explained():
    page = generator("error_page")
    found = page.messages()
    assert len(found) > 60
    unexplained = [f"{message.place}: {message.text}" for message in found if not page.explaining(message)]
    assert not unexplained, "docs/generate/messages.toml says nothing of these"
    used = {page.explaining(message) for message in found}
    assert not [entry.has for entry in page.explanations() if entry not in used], "no message has these parts any more"


def commands(group=None, path=""):
    """Every command with its name, such as `plugins list`."""
    for name, command in (group or typer.main.get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        elif not command.hidden:
            yield f"{path}{name}", command


def documented_commands():
    """`(page, command)` of every `$ dd …` line of the documentation, what is made from the code included."""
    texts = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}
    texts |= {**generator("component_pages").pages(), "commands": generator("command_page").commands()}
    for page, text in texts.items():
        for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            for line in re.findall(r"^\$ (?:\w+=\S+ )?((?:dd|deepdance) .+)$", block, re.MULTILINE):
                yield page, line


def parsed(line):
    """The command of a line, by its name, and its parameters; a usage error is raised."""
    words = [word for word in shlex.split(line, comments=True)[1:] if not word.startswith("--no-plugins")]
    group, names = typer.main.get_command(app), []
    while hasattr(group, "commands"):
        names.append(words[0])
        assert words[0] in group.commands, f"there is no command {' '.join(names)}"
        group, words = group.commands[words[0]], words[1:]
    return " ".join(names), group.make_context(names[-1], words).params


LINES = sorted(set(documented_commands()))


@pytest.mark.parametrize(("page", "line"), LINES, ids=[f"{page}:{line}" for page, line in LINES])
def test_a_documented_command_is_understood(page, line, monkeypatch):
    monkeypatch.chdir("/")
    name, values = parsed(line)
    if name not in ("run", "prepare") or THIRD_PARTY.search(line) or values["recipe"]:
        return
    flags = {"sequence" if flag == "seq" else flag: value for flag, value in values.items()}
    flags = {flag: flags[flag] for flag in flags.keys() & Recipe.model_fields.keys()}
    flags["size"] = parse_size(values["size"])
    inputs = values["videos"] or []
    recipe = make_recipe(None, flags, values["settings"] or [], demo=not inputs)
    assert resolve(
        recipe,
        discover(),
        ["my-video.mp4" if video.endswith("/") and values["source"] != "images" else video for video in inputs],
    )


@pytest.mark.parametrize("line", sorted({line for _, line in LINES if CHEAP.match(line)}))
def test_a_cheap_documented_command_runs(line, dd):
    if THIRD_PARTY.search(line):
        pytest.skip("stands for somebody's plugin")  # which is not here to run; that it parses is tested above
    result = dd(*shlex.split(line, comments=True)[1:])
    assert result.code == 0, result.err


@cache
def python_of(page):
    """The Python of a page as one script, each block on the lines where it stands."""
    text = page.read_text()
    script = [""] * (text.count("\n") + 1)
    for block in re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        start = text.count("\n", 0, block.start(1))
        code = block[1].splitlines()
        script[start : start + len(code)] = code
    return "\n".join(script)


@pytest.mark.parametrize("page", [page for page in PAGES if python_of(page).strip()], ids=lambda page: page.stem)
def test_the_python_of_a_page_runs(page, monkeypatch, tmp_path, video):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-video.mp4").symlink_to(video)
    if page.name == "README.md":
        run = deepdance.run
        monkeypatch.setattr(deepdance, "run", lambda videos, **given: run(videos, **given | QUICK))
    exec(compile(python_of(page), str(page), "exec"), {"__name__": "example"})


def test_every_toml_block_is_toml():
    blocks = [block for page in PAGES for block in re.findall(r"^```toml\n(.*?)^```", page.read_text(), re.M | re.S)]
    assert len(blocks) >= 2
    for block in blocks:
        assert tomllib.loads(block)


def test_the_recipe_of_the_page_is_one(tmp_path):
    (block,) = re.findall(r"^```toml\n(.*?)^```", (ROOT / "docs/recipes.md").read_text(), re.M | re.S)
    (tmp_path / "recipe.toml").write_text(block)
    recipe = resolve(Recipe.read(tmp_path / "recipe.toml"), discover(), ["my-video.mp4"])
    assert (recipe.seed, recipe.codec.options["steps"]) == (7, 4000)


def test_pictures_are_small():
    pictures = [path for path in (ROOT / "docs/pictures").iterdir() if path.suffix != ".svg"]
    assert {"start.gif", "silhouettes.png", "codecs.png"} <= {path.name for path in pictures}
    assert max(path.stat().st_size for path in pictures) <= 300_000


HABITS = [
    ".pre-commit-config.yaml",
    "CITATION.cff",
    ".github/ISSUE_TEMPLATE/bug.yml",
    ".github/ISSUE_TEMPLATE/idea.yml",
    ".github/ISSUE_TEMPLATE/config.yml",
]


@pytest.mark.parametrize("name", HABITS)
def test_the_yaml_of_the_repository_is_yaml(name):
    assert yaml.safe_load((ROOT / name).read_text())


def test_the_citation_names_the_paper_and_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["version"] == version
    assert "Deep Dance" in [reference["title"] for reference in citation["references"]]


def test_the_hooks_before_a_commit_are_what_make_lint_runs():
    makefile = (ROOT / "Makefile").read_text()
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    tools = {hook["entry"].split()[0].removeprefix(".venv/bin/") for hook in repository["hooks"]}
    assert tools == set(re.findall(r"\$\(BIN\)/(\S+)", makefile.partition("lint:")[2].partition("\n\n")[0]))


def test_the_issue_forms_ask_something():
    for name in HABITS[2:4]:
        form = yaml.safe_load((ROOT / name).read_text())
        assert {"name", "description", "body"} <= form.keys()
        assert all(field["attributes"]["label"] for field in form["body"])
