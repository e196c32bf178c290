"""`dd recipe`: recipes to keep and to edit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepdance_cli.arguments import component

if TYPE_CHECKING:
    from deepdance.plugins import Registry
    from deepdance.recipe import Recipe

app = typer.Typer(help="Write down what a run does, to keep or to edit.", no_args_is_help=True)

HEADER = """\
# What a run does, every option written out. To use it: dd run my-video.mp4 --recipe THIS-FILE
# What is not set begins with # and its name, such as #fps: take the # away to set it.

"""
COMMENT_WIDTH = 100
BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
}
WORDS = {
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "string": "a text",
    "array": "a list",
    "object": "a table",
}


@app.command("new")
def new_recipe(
    codec: Annotated[str | None, component("codec", "--codec")] = None,
    seq: Annotated[str | None, component("sequence", "--seq")] = None,
    source: Annotated[str | None, component("source", "--source")] = None,
    remover: Annotated[str | None, component("remover", "--remover")] = None,
    renderer: Annotated[str | None, component("renderer", "--renderer")] = None,
    preset: Annotated[str | None, typer.Option(help="quick, standard or paper. Default: standard.")] = None,
    out: Annotated[Path | None, typer.Option(help="The file to write. Default: print it.")] = None,
) -> None:
    """Write a recipe in TOML: the chosen components with every option, explained.

    Example: dd recipe new --codec pca --seq gru --out recipe.toml
    """
    from deepdance.errors import OptionError
    from deepdance.plugins import discover
    from deepdance_cli.run import make_recipe

    components = {"source": source, "remover": remover, "codec": codec, "sequence": seq, "renderer": renderer}
    text = commented(make_recipe(None, {"preset": preset, **components}, []), discover())
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise OptionError(f"--out: expected a new file, got {out}, which exists; choose another name") from None
    typer.echo(f"recipe {out}")


def commented(recipe: Recipe, registry: Registry) -> str:
    """The recipe as TOML, every option of its components with its meaning, what it may be, and its default.

    Raises OptionError, PluginError.
    """
    from deepdance.plugins import KINDS

    values = recipe.model_dump(mode="json", exclude=set(KINDS))
    rate = registry.find("sequence", recipe.sequence.name).spec.frame_rate
    derived = {} if "fps" in recipe.model_fields_set else {"fps": (rate, "the sequence model's")}
    tables = [_table(recipe, registry, kind) for kind in KINDS]
    return "".join([HEADER, *_settings(type(recipe), values, derived), *tables]).rstrip() + "\n"


def _table(recipe: Recipe, registry: Registry, kind: str) -> str:
    from deepdance.recipe import AUTO

    choice = getattr(recipe, kind)
    head = f"[{kind}]\nname = {_toml(choice.name)}\n\n"
    if choice.name == AUTO:
        return _comment("the one that reads the file; name it, such as ffmpeg, to set its options") + head
    options = registry.options(kind, choice.name, recipe.preset, choice.options)
    values = options.model_dump(mode="json")
    derived = {"seed": (recipe.seed, "the recipe's")} if "seed" in values and "seed" not in choice.options else {}
    summary = registry.find(kind, choice.name).spec.summary
    return "".join([_comment(summary), head, *_settings(type(options), values, derived, recipe.preset)])


def _settings(
    model: Any, values: Mapping[str, Any], derived: Mapping[str, tuple[Any, str]], preset: str = ""
) -> Iterator[str]:
    """One entry an option. While unset, those in `derived` have the value of something else: shown, not written."""
    defaults = model().model_dump(mode="json")
    for name, schema in model.model_json_schema(by_alias=False)["properties"].items():
        if name not in values:
            continue
        value, default = values[name], defaults[name]
        usual = "unset" if default is None else _toml(default)
        if name in derived:
            value, usual = derived[name]
        elif value != default:
            usual = f"{usual}, with the preset {preset}: {_toml(value)}"
        yield _comment(schema.get("description", "")) + _comment(f"{allowed(schema)}; default: {usual}")
        mark = "#" if name in derived or value is None else ""
        yield f"{mark}{name} = {'' if value is None else _toml(value)}".rstrip() + "\n\n"


def allowed(schema: Mapping[str, Any]) -> str:
    """What a value may be, from its JSON schema: `an integer, at least 1`."""
    if "anyOf" in schema:
        return " or ".join(allowed(each) for each in schema["anyOf"] if each.get("type") != "null")
    if "enum" in schema or "const" in schema:
        return " or ".join(_toml(choice) for choice in schema.get("enum", [schema.get("const")]))
    if "prefixItems" in schema:
        return f"[{', '.join(each.get('type', 'anything') for each in schema['prefixItems'])}]"
    kind = schema.get("type", "anything")
    bounds = [text.format(schema[key]) for key, text in BOUNDS.items() if key in schema]
    return ", ".join([WORDS.get(kind, kind), *bounds])


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in wrap(text, COMMENT_WIDTH))


def _toml(value: Any) -> str:
    """A value on one line."""
    import tomli_w

    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_toml(key)} = {_toml(each)}' for key, each in value.items())} }}"
    return tomli_w.dumps({"value": value}).removeprefix("value = ").rstrip("\n")
