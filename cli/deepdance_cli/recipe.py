"""`dd recipe`: recipes to keep and to edit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepdance_cli.arguments import Codec, Remover, Renderer, Sequence, Source, make_recipe
from deepdance_cli.options import describe_options
from deepdance_cli.output import echo

if TYPE_CHECKING:
    from deepdance.plugins import Registry
    from deepdance.recipe import Recipe

app = typer.Typer(help="What a run does, written down: to keep, to edit, or to use by name.", no_args_is_help=True)

HEADER = """\
# What a run does, every option written out. To use it: dd run my-video.mp4 --recipe THIS-FILE
# What is not set begins with # and its name, such as #fps: take the # away to set it.

"""
COMMENT_WIDTH = 100


@app.command("new")
def new_recipe(
    codec: Codec = None,
    seq: Sequence = None,
    source: Source = None,
    remover: Remover = None,
    renderer: Renderer = None,
    preset: Annotated[str | None, typer.Option(help="quick, standard or paper. Default: standard.")] = None,
    out: Annotated[Path | None, typer.Option(help="The file to write. Default: print it.")] = None,
) -> None:
    """Write a recipe in TOML: the chosen components with every option, explained.

    Example: dd recipe new --codec pca --seq gru --out recipe.toml
    """
    from deepdance.errors import OptionError
    from deepdance.plugins import discover

    components = {"source": source, "remover": remover, "codec": codec, "sequence": seq, "renderer": renderer}
    text = write_commented(make_recipe(None, {"preset": preset, **components}, []), discover())
    if out is None:
        echo(text.rstrip("\n"))
        return
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise OptionError(f"--out: expected a new file, got {out}, which exists; choose another name") from None
    echo(f"recipe {out}")


@app.command("list")
def list_recipes() -> None:
    """List the recipes that --recipe takes by name.

    Example: dd recipe list
    """
    from deepdance.recipe import find_recipes

    for name, path in find_recipes().items():
        summary = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        echo(f"{name}  {summary}")


@app.command("show")
def show_recipe(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A recipe's name; dd recipe list shows all.")],
) -> None:
    """Print a recipe, to read or to keep and edit.

    Example: dd recipe show paper
    """
    from deepdance.errors import OptionError
    from deepdance.recipe import find_recipes
    from deepdance.validation import nearest

    ours = find_recipes()
    if name not in ours:
        raise OptionError(f"expected one of {', '.join(ours)}, got {name!r}{nearest(name, ours)}; see dd recipe list")
    echo(ours[name].read_text(encoding="utf-8").rstrip("\n"))


def write_commented(recipe: Recipe, registry: Registry) -> str:
    """The recipe as TOML, every option of its components with its meaning, what it may be, and its default.

    Raises OptionError, PluginError.
    """
    from deepdance.inputs import find_frame_size
    from deepdance.plugins import KINDS

    values = recipe.model_dump(mode="json", exclude=set(KINDS))
    rate, size = registry.find("sequence", recipe.sequence.name).spec.frame_rate, find_frame_size(recipe, registry)
    shape = (
        (list(size), "what the codec or the preset is made for")
        if size
        else (values["size"], "the first video's shape")
    )
    unset = {"fps": (rate, "the sequence model's"), "size": shape}
    unset["render_size"] = ("1920x1080", "the first video's, at most 1080 lines")
    derived = {name: value for name, value in unset.items() if name not in recipe.model_fields_set}
    tables = [_write_table(recipe, registry, kind) for kind in KINDS]
    return "".join([HEADER, *_write_settings(type(recipe), values, derived), *tables]).rstrip() + "\n"


def _write_table(recipe: Recipe, registry: Registry, kind: str) -> str:
    from deepdance.recipe import AUTO

    choice = getattr(recipe, kind)
    head = f"[{kind}]\nname = {_write_toml(choice.name)}\n\n"
    if choice.name == AUTO:
        return _write_comment("the one that reads the file; name it, such as ffmpeg, to set its options") + head
    options = registry.options(kind, choice.name, recipe.preset, choice.options)
    values = options.model_dump(mode="json")
    derived = {"seed": (recipe.seed, "the recipe's")} if "seed" in values and "seed" not in choice.options else {}
    summary = registry.find(kind, choice.name).spec.summary
    return "".join([_write_comment(summary), head, *_write_settings(type(options), values, derived, recipe.preset)])


def _write_settings(
    model: Any, values: Mapping[str, Any], derived: Mapping[str, tuple[Any, str]], preset: str = ""
) -> Iterator[str]:
    """One entry an option. While unset, those in `derived` have the value of something else: shown, not written."""
    defaults = model().model_dump(mode="json")
    for row in describe_options(model):
        name = row["name"]
        if name not in values:
            continue
        value, default = values[name], defaults[name]
        usual = "unset" if default is None else _write_toml(default)
        if name in derived:
            value, usual = derived[name]
        elif value != default:
            usual = f"{usual}, with the preset {preset}: {_write_toml(value)}"
        allowed = ", ".join(filter(None, [row["type"], row["bounds"]]))
        yield _write_comment(row["meaning"]) + _write_comment(f"{allowed}; default: {usual}")
        mark = "#" if name in derived or value is None else ""
        yield f"{mark}{name} = {'' if value is None else _write_toml(value)}".rstrip() + "\n\n"


def _write_comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in wrap(text, COMMENT_WIDTH))


def _write_toml(value: Any) -> str:
    """A value on one line."""
    import tomli_w

    if isinstance(value, list):
        return f"[{', '.join(map(_write_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_write_toml(key)} = {_write_toml(each)}' for key, each in value.items())} }}"
    return tomli_w.dumps({"value": value}).removeprefix("value = ").rstrip("\n")
