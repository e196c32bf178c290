"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from deepdance.plugins import Entry, Registry
    from deepdance.recipe import Recipe
    from deepdance.session import Session
    from deepdance.workspace import Workspace as Folder

FLAGS = {
    "source": "--source",
    "remover": "--remover",
    "codec": "--codec",
    "sequence": "--seq",
    "renderer": "--renderer",
    "logger": "--log",
}
"""The flag that chooses a component of each kind."""
RESPELT = {"render_size": "--render-size", "render_fps": "--fps"}
"""The flags of a recipe's fields that are called otherwise."""


def complete_names(kind: str) -> Callable[[str], list[str]]:
    """Shell completion with the names of a kind's components."""

    def complete(incomplete: str) -> list[str]:
        from deepdance.errors import PluginError
        from deepdance.plugins import discover

        try:
            registry = discover()
        except PluginError:
            return []
        names = [registry.reference(entry) for entry in registry.entries if entry.spec.kind == kind]
        return sorted(name for name in names if name.startswith(incomplete))

    return complete


def complete_recipes(incomplete: str) -> list[str]:
    """Shell completion with the names of recipes."""
    from deepdance.recipe import find_recipes

    return [name for name in find_recipes() if name.startswith(incomplete)]


def choose_component(kind: str) -> Any:
    """The option by which a component of `kind` is chosen."""
    shown = f"The {kind} to use; dd plugins list shows all."
    return typer.Option(FLAGS[kind], help=shown, autocompletion=complete_names(kind))


Source = Annotated[str | None, choose_component("source")]
Remover = Annotated[str | None, choose_component("remover")]
Codec = Annotated[str | None, choose_component("codec")]
Sequence = Annotated[str | None, choose_component("sequence")]
Renderer = Annotated[str | None, choose_component("renderer")]
RecipeName = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        metavar="NAME|FILE",
        help="A recipe by its name, such as paper, or a file in TOML; other flags change it. dd recipe list shows all.",
        autocompletion=complete_recipes,
    ),
]
Loop = Annotated[
    float | None,
    typer.Option(help="Seconds of a loop that joins without a jump, in place of --seconds. Default: 0, no loop."),
]
Music = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="A track, or a video with sound: the dance falls on its beats, is as long if no other length is given, "
        "and the video carries it.",
    ),
]
Beats = Annotated[
    str | None,
    typer.Option(metavar="SECONDS", help="The beats in seconds, such as 0.5,1.0,1.5, in place of those of --music."),
]
Size = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="HEIGHTxWIDTH",
        help="Size of the silhouettes. Default: the first video's shape, with as many pixels as 120x200.",
    ),
]
RenderSize = Annotated[
    str | None,
    typer.Option(
        "--render-size",
        metavar="WIDTHxHEIGHT",
        help="Size of the finished dance, such as 1920x1080. Default: the video's, at most 1080 lines.",
    ),
]
Workspace = Annotated[
    Path, typer.Option("--workspace", envvar="DEEPDANCE_WORKSPACE", help="Folder for artifacts and runs.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Jobs = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Processes that read the videos, encode and measure their frames, each one at a time. Default: this "
        "process, which reads as many videos at once as there are processors; where encoding or measuring takes long, "
        "as many as there are processors and memory for. 1 is this process alone, one thing after the other.",
        show_default=False,
    ),
]
Executor = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        help="What does the work in place of this machine: ray (a cluster that runs here, else one of this machine), "
        "ray://HOST:PORT, dask://HOST:PORT, or what a plugin offers.",
        show_default=False,
    ),
]
Log = Annotated[
    list[str] | None,
    typer.Option(
        "--log",
        metavar="LOGGER",
        help="Log into the run's folder too, with a logger such as jsonl or tensorboard.",
        autocompletion=complete_names("logger"),
    ),
]
Fresh = Annotated[
    str | None,
    typer.Option(
        "--fresh",
        metavar="STAGE",
        help="Make this stage and all after it anew, though they are there: remover, silhouettes, codec, latents, "
        "sequence or evaluation.",
    ),
]
FreshPreparation = Annotated[
    str | None,
    typer.Option(
        "--fresh", metavar="STAGE", help="Make this and all after it anew, though they are there: remover, silhouettes."
    ),
]
FreshTable = Annotated[
    str | None,
    typer.Option(
        "--fresh",
        metavar="TABLE",
        help="Measure this table and all after it anew, though they are there: evaluation (the paper's), codec_table, "
        "next_frame_table or long_table.",
    ),
]
TablesFile = Annotated[
    Path | None,
    typer.Option("--out", help="Write the tables too: .csv (a line a figure), .json, .md, or .tex for a report."),
]
Length = Annotated[int, typer.Option("--frames", min=1, help="Keyframes of each long dance that is measured.")]
Seeds = Annotated[int, typer.Option(min=1, help="Long dances that are measured.")]
ComponentName = Annotated[
    str, typer.Argument(metavar="NAME", help="A component's name, or DISTRIBUTION:NAME where two share it.")
]
ComponentKind = Annotated[
    str | None, typer.Option("--kind", help="Its kind, where two kinds have a component of this name.")
]
Videos = Annotated[list[str], typer.Argument(metavar="VIDEO...", help="Videos, folders or arrays.")]
AllowRemote = Annotated[
    bool,
    typer.Option(
        "--allow-remote",
        help="Fetch addresses into a cache first: s3://bucket/clips/, https://example.org/dance.mp4 and such.",
    ),
]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="An option, such as remover.people=all.")
]
RunName = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="A run's name, or its folder. Default: the latest finished run.")
]
Seconds = Annotated[float | None, typer.Option(help="Seconds of the finished dance, in place of --frames.")]


def find_component(registry: Registry, name: str, kind: str | None) -> Entry:
    """The component of this name, of whatever kind if none is given. Raises OptionError, PluginError."""
    from deepdance.errors import OptionError

    if kind not in (None, *FLAGS):
        raise OptionError(f"--kind: expected one of {', '.join(FLAGS)}, got {kind!r}")
    return registry.find(kind or registry.kind_of(name), name)


def make_recipe(name: str | None, flags: dict[str, Any], settings: list[str], *, demo: bool = False) -> Recipe:
    """The recipe of a name or file, or the default one, changed by the flags that were given, then by `--set`."""
    from deepdance.plugins import discover
    from deepdance.recipe import DEMO_RECIPE, LENGTHS, Recipe, apply_settings, check_entries
    from deepdance.validation import validate

    default = DEMO_RECIPE if demo else Recipe()
    base = Recipe.find(name) if name else default
    given = {name: value for name, value in flags.items() if value is not None}
    # The length comes last: seconds are counted in frames of the rate that a setting may change.
    set_alone = apply_settings({}, settings)
    typed = given | set_alone
    length = {name: typed[name] for name in LENGTHS if name in typed}
    with name_flags():
        changed = base.changed({name: value for name, value in given.items() if name not in LENGTHS})
    if set_alone.keys() - Recipe.model_fields.keys():
        check_entries(changed, discover(), set_alone)
    table = apply_settings(changed.table(only_set=True), settings)
    table.pop("seconds", None)
    return validate(Recipe, table).changed(length)


def fetch_allowed(session: Session, typed: list[str], allow_remote: bool) -> list[str]:
    """What was typed, with copies of what is an address where that is allowed. Raises InputError."""
    if not allow_remote:
        return typed
    from deepdance.remote import fetch_inputs

    return fetch_inputs(session.registry, typed, session.listen)


@contextmanager
def name_flags() -> Iterator[None]:
    """A problem with the value of a flag is told by the flag's name where a recipe spells it otherwise."""
    from deepdance.errors import OptionError

    try:
        yield
    except OptionError as error:
        field, colon, told = str(error).partition(": ")
        if field not in RESPELT:
            raise
        raise OptionError(f"{RESPELT[field]}{colon}{told}") from None


def find_run(run: str | None, workspace: Path) -> tuple[Folder, str]:
    """The run that is given by name or folder, else the latest, which is told. Raises WorkspaceError."""
    from deepdance.workspace import Workspace as Folder
    from deepdance.workspace import locate_run
    from deepdance_cli.console import err

    if run is not None:
        return locate_run(run, workspace)
    latest = Folder(workspace).find_latest()
    err.print(f"the latest run: {latest}", style="dim")
    return Folder(workspace), latest


def parse_size(text: str | None) -> tuple[int, int] | None:
    """`"120x200"` → `(120, 200)`, height first."""
    from deepdance.errors import OptionError

    if text is None:
        return None
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) != 2 or not all(part.isdigit() for part in parts):
        raise OptionError(f"--size: expected HEIGHTxWIDTH such as 120x200, got {text!r}")
    return int(parts[0]), int(parts[1])
