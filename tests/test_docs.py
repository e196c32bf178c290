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
from types import ModuleType
from typing import get_args

import pytest
import typer
import yaml
from markdown import Markdown
from pydantic import ValidationError
from tracks import make_track, write_track

import deepdance
from deepdance import events
from deepdance.inputs import resolve
from deepdance.metrics.paper_table import PAPER
from deepdance.plugins import KINDS, Hooks, discover
from deepdance.recipe import Recipe
from deepdance.sweeps import Sweep
from deepdance_cli.arguments import make_recipe, parse_size
from deepdance_cli.main import app
from deepdance_cli.new import TEMPLATES
from deepdance_plugins.catalog import COMPONENTS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
THIRD_PARTY = re.compile(r"(?<![\w/])(my-(source|remover|codec|model|renderer|logger)|my-dist)\b")
"""Names in the documentation that stand for somebody's plugin."""
QUICK = {"codec": "pca", "sequence": "ridge", "size": (24, 40), "frames": 30}
"""In place of the trainings of the README."""
SNIPPETS = Markdown(
    extensions=["pymdownx.snippets"],
    extension_configs={"pymdownx.snippets": {"base_path": [ROOT], "check_paths": True}},
).preprocessors["snippet"]
CHEAP = re.compile(r"dd (plugins list|plugins show|recipe list|runs)\b")


@cache
def generator(name):
    """A module of `docs/generate`."""
    sys.path.insert(0, str(ROOT / "docs/generate"))
    try:
        return import_module(name)
    finally:
        sys.path.remove(str(ROOT / "docs/generate"))


@pytest.fixture(scope="module")
def site_folder(tmp_path_factory):
    """The site, built."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


@pytest.fixture(scope="module")
def site(site_folder):
    """The text of every page, by its path without `.html`."""
    texts = {}
    for page in site_folder.rglob("*.html"):
        body = page.read_text(encoding="utf-8").partition("<article")[2].partition("</article>")[0]
        texts[page.relative_to(site_folder).with_suffix("").as_posix()] = html.unescape(re.sub(r"<[^>]+>", "", body))
    return texts


def read(name):
    """A file of the repository as text, or as data where it is TOML or YAML."""
    text = (ROOT / name).read_text()
    if name.endswith(".toml"):
        return tomllib.loads(text)
    return yaml.safe_load(text) if name.endswith((".yml", ".yaml", ".cff")) else text


def blocks(language, text):
    """The code blocks of one language in a page."""
    return list(re.finditer(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


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


def test_a_site_on_the_disk_can_be_searched(site_folder):
    assert (site_folder / "search/search_index.js").is_file()
    scripts = re.findall(r'<script src="([^"]+)"', (site_folder / "index.html").read_text())
    assert "iframe-worker.js" in scripts
    assert all((site_folder / script).is_file() for script in scripts), "expected no script from elsewhere"


def test_the_first_page_holds_an_endless_dance(site_folder):
    assert "href='dance.html'" in (site_folder / "index.html").read_text()
    assert (site_folder / "dance.html").read_text().startswith("<!doctype html>")


def test_a_cell_tells_what_its_column_is(site_folder):
    page = (site_folder / "components/codec/pca.html").read_text()
    assert '<td data-title="meaning">' in page
    assert "<td>" not in page


def test_every_entry_of_a_recipe_is_explained(site):
    for name, field in Recipe.model_fields.items():
        assert name in KINDS or f"\n{name}\n" in site["recipes"]
        assert plain(field.description) in site["recipes"]


def test_every_hook_and_event_is_explained(site):
    for hook in (name for name in vars(Hooks) if not name.startswith("_")):
        assert f"\n{hook}" in site["hooks"]
        assert f"def {hook}(" in python_of(ROOT / "docs/hooks.md"), f"no example of {hook}"
    for event in get_args(events.Event):
        assert event.__name__ in site["hooks"]
        assert all(field.name in site["hooks"] for field in fields(event))


def test_every_command_and_flag_is_explained(site):
    sections = dict(re.findall(r"^dd ([\w ]+)¶\n(.*?)(?=^dd [\w ]+¶|\Z)", site["commands"], re.MULTILINE | re.DOTALL))
    assert sections.keys() == dict(commands()).keys() | groups()
    for path, command in commands():
        flags = {option.opts[-1] for option in command.params if option.param_type_name == "option"}
        assert flags <= set(re.findall(r"--[\w-]+", sections[path])), path


def test_messages_are_quoted_as_they_are():
    files = [path for root in ("core", "plugins", "cli") for path in (ROOT / root).rglob("*.py")]
    code = "".join(path.read_text() for path in files if "templates" not in path.parts)
    messages = re.findall(r"^### `(.+)`$", read("docs/troubleshooting.md"), re.MULTILINE)
    assert len(messages) >= 15
    for message in messages:
        assert all(part in code for part in message.split("…")), message


def commands(group=None, path=""):
    """Every command with its name, such as `plugins list`."""
    for name, command in (group or typer.main.get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        elif not command.hidden:
            yield f"{path}{name}", command


def groups():
    """The names of groups of commands."""
    return {name.rpartition(" ")[0] for name, _ in commands()} - {""}


def documented_commands():
    """`(page, command)` of every `$ dd …` line of the documentation, and of every example in a command's help."""
    texts = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}
    texts |= {page.path_of(spec): page.page(spec) for page in [generator("components")] for spec in COMPONENTS}
    yield from ((name, line) for name, command in commands() for line in re.findall("Example: (.+)", command.help))
    for page, text in texts.items():
        for block in blocks("console", text):
            for line in re.findall(r"^\$ (?:\w+=\S+ )?((?:dd|deepdance) .+)$", block[1], re.MULTILINE):
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
    if values.get("source") != "images":
        inputs = ["my-video.mp4" if video.endswith("/") else video for video in inputs]
    assert resolve(make_recipe(None, flags, values["settings"] or [], demo=not inputs), discover(), inputs)


@pytest.mark.parametrize("line", sorted({line for _, line in LINES if CHEAP.match(line)}))
def test_a_cheap_documented_command_runs(line, dd):
    if THIRD_PARTY.search(line):
        pytest.skip("stands for somebody's plugin")  # which is not here to run; that it parses is tested above
    result = dd(*shlex.split(line, comments=True)[1:])
    assert result.code == 0, result.err


@cache
def python_of(page):
    """The Python of a page as one script, each block on the lines where it stands, what it includes among them."""
    text = "\n".join(SNIPPETS.run(page.read_text().splitlines()))
    script = [""] * (text.count("\n") + 1)
    for block in blocks("python", text):
        start = text.count("\n", 0, block.start(1))
        code = block[1].replace("from __future__ import annotations\n", "\n").splitlines()
        script[start : start + len(code)] = code
    return "\n".join(script)


@pytest.fixture
def templates(monkeypatch):
    """What `dd plugins new` writes can be imported."""
    for folder in sorted(TEMPLATES.glob("*/src")):
        monkeypatch.syspath_prepend(folder)


@pytest.mark.usefixtures("templates")
@pytest.mark.parametrize("page", [page for page in PAGES if python_of(page).strip()], ids=lambda page: page.stem)
def test_the_python_of_a_page_runs(page, monkeypatch, tmp_path, video):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-video.mp4").symlink_to(video)
    write_track(tmp_path / "track.mp3", make_track(120, 4)[0])
    if page.name == "README.md":
        run = deepdance.run
        monkeypatch.setattr(deepdance, "run", lambda videos, **given: run(videos, **given | QUICK))
    module = ModuleType("example")
    monkeypatch.setitem(sys.modules, "example", module)  # where the annotations of its classes are looked up
    exec(compile(python_of(page), str(page), "exec"), vars(module))


@pytest.mark.parametrize("page", sorted((ROOT / "docs/how-to").glob("write-a-*.md")), ids=lambda page: page.stem)
@pytest.mark.usefixtures("templates")
def test_what_a_page_tries_runs_as_it_is_printed(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for block in blocks("python", page.read_text()):
        if "--8<--" not in block[1]:
            exec(compile(block[1], str(page), "exec"), {})


def test_every_toml_block_is_toml():
    found = [block[1] for page in PAGES for block in blocks("toml", page.read_text())]
    assert len(found) >= 2
    assert all(map(tomllib.loads, found))


def test_the_recipe_of_the_page_is_one(tmp_path):
    (block,) = blocks("toml", read("docs/recipes.md"))
    (tmp_path / "recipe.toml").write_text(block[1])
    recipe = resolve(Recipe.read(tmp_path / "recipe.toml"), discover(), ["my-video.mp4"])
    assert (recipe.seed, recipe.codec.options["steps"]) == (7, 4000)


def test_the_sweep_of_the_page_has_as_many_runs_as_it_says(tmp_path, video):
    (block,) = blocks("toml", read("docs/how-to/sweep.md"))
    (tmp_path / "models.toml").write_text(block[1])
    for name in ("anna.mp4", "ben.mp4"):
        (tmp_path / name).symlink_to(video)
    planned = Sweep.read(tmp_path / "models.toml").plan(discover())
    assert f"= {len(planned)} runs" in read("docs/how-to/sweep.md")
    assert f"`{planned[0].name}`" in read("docs/how-to/sweep.md")


def test_known_plugins_are_as_the_page_says(site):
    known = generator("known_plugins")
    for plugin in known.read((ROOT / "docs/known-plugins.toml").read_text()):
        assert plugin.name in site["known-plugins"]
    (example,) = blocks("toml", read("docs/known-plugins.md"))
    (tiles,) = known.read(example[1])
    assert f"[`{tiles.name}`]({tiles.url}) | codec | {tiles.summary} |" in known.show([tiles])
    for wrong in ('kinds = ["codek"]', 'url = "somewhere"', 'summary = ""', "stars = 5"):
        key = wrong.partition(" ")[0]
        entry = re.sub(rf"^{key} = .*$", "", example[1], flags=re.MULTILINE)
        with pytest.raises(ValidationError, match=key):
            known.read(f"{entry}{wrong}")


def test_pictures_are_small():
    pictures = [path for path in (ROOT / "docs/pictures").iterdir() if path.suffix != ".svg"]
    assert {"dances.gif", "start.gif", "silhouettes.png", "codecs.png"} <= {path.name for path in pictures}
    assert max(path.stat().st_size for path in pictures) <= 300_000


def test_make_run_names_the_videos_that_it_makes():
    target = read("Makefile").partition("\nrun:")[2].partition("\n\n")[0]
    named = [f"demo-{name}" for name in re.findall(r"\$\(call newest,(\S+)\)", target)]
    made = []
    for line in re.findall(r"\$\(BIN\)/(dd run.*)", target):
        values = parsed(line)[1]
        recipe = make_recipe(None, {"codec": values["codec"], "sequence": values["seq"]}, [], demo=True)
        chosen = resolve(recipe, discover(), [])
        made.append(f"demo-{chosen.codec.name}-{chosen.sequence.name}")
    assert named == made == ["demo-conv-ae-lstm4", "demo-sdf-ae-motion-field"]
    assert all(f"workspace/runs/{name}/dance.mp4" in read("README.md") for name in named)


def test_the_citation_names_the_paper_and_this_version():
    citation = read("CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["version"] == read("pyproject.toml")["project"]["version"]
    assert "Deep Dance" in [reference["title"] for reference in citation["references"]]


def test_every_python_is_checked_as_the_makefile_does():
    workflow = read(".github/workflows/checks.yml")
    versions = re.findall(r"Python :: (3\.\d+)", "\n".join(read("pyproject.toml")["project"]["classifiers"]))
    (job,) = workflow["jobs"].values()
    assert job["strategy"]["matrix"]["python"] == versions == ["3.11", "3.12", "3.13"]
    (targets,) = [step["run"].removeprefix("make ").split() for step in job["steps"] if "run" in step]
    assert targets == ["lint", "test", "docs"]
    assert set(targets) <= set(re.findall(r"^(\w+):", read("Makefile"), re.MULTILINE))
    assert workflow["permissions"] == {"contents": "read"}
    assert job["timeout-minutes"] <= 60


def test_the_changelog_says_what_was_added_changed_and_fixed():
    kinds = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
    releases = re.split(r"^## ", read("CHANGELOG.md"), flags=re.MULTILINE)[1:]
    for release in releases:
        headings = re.findall(r"^### (.+)$", release, re.MULTILINE)
        assert headings, "expected what was Added, Changed, Fixed"
        assert headings == [kind for kind in kinds if kind in headings]
    assert any(release.startswith(read("pyproject.toml")["project"]["version"]) for release in releases)


def test_contributing_names_at_most_five_files_of_a_new_component():
    section = read("CONTRIBUTING.md").partition("## Add a component")[2].partition("\n## ")[0]
    files = re.findall(r"^\d\. [^`]*`([^`]+)`", section, re.MULTILINE)
    assert len(files) == len(re.findall(r"^\d\. ", section, re.MULTILINE)) <= 5
    assert all((ROOT / file).exists() for file in files if "<" not in file)


def test_the_hooks_before_a_commit_are_what_make_lint_runs():
    (repository,) = read(".pre-commit-config.yaml")["repos"]
    tools = {hook["entry"].split()[0].removeprefix(".venv/bin/") for hook in repository["hooks"]}
    assert tools == set(re.findall(r"\$\(BIN\)/(\S+)", read("Makefile").partition("lint:")[2].partition("\n\n")[0]))


def test_the_issue_forms_ask_something():
    assert read(".github/ISSUE_TEMPLATE/config.yml")
    for name in ("bug", "idea"):
        form = read(f".github/ISSUE_TEMPLATE/{name}.yml")
        assert {"name", "description", "body"} <= form.keys()
        assert all(field["attributes"]["label"] for field in form["body"])


def test_each_promise_of_security_names_a_test_that_is_there():
    text = (ROOT / "SECURITY.md").read_text()
    promises = text.partition("## What is promised")[2].partition("## What is not")[0].split("\n- ")[1:]
    named = [re.findall(r"`(tests/[\w/.]+)`", promise) for promise in promises]
    assert len(named) > 10
    assert all(named)
    assert all((ROOT / path).exists() for paths in named for path in paths)


def test_the_papers_results_are_those_that_its_page_shows():
    row = re.compile(r"^\| (autoencoder|sequence model) \| (\d+) \|((?: \.\d+ \|){4})$", re.MULTILINE)
    shown = {
        name: [float(epochs), *map(float, re.findall(r"\.\d+", figures))]
        for name, epochs, figures in row.findall(read("docs/paper.md"))
    }
    keys = ("epochs", "acc", "loss", "val_acc", "val_loss")
    assert [shown["autoencoder"], shown["sequence model"]] == [
        [PAPER[kind][key] for key in keys] for kind in ("codec", "sequence")
    ]
