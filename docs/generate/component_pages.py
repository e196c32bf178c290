"""One page a kind, with its interface, and one a built-in component, with its options; the recipe's entries."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pieces import code, docstring, options_table, table, value_text

from deepdance.interfaces import BackgroundRemover, FrameCodec, FrameSource, Renderer, SequenceModel
from deepdance.plugins import KINDS, ComponentSpec
from deepdance.recipe import Recipe
from deepdance_plugins.catalog import COMPONENTS


@dataclass(frozen=True)
class Kind:
    """What a page says of a kind."""

    title: str
    interface: type
    flag: str
    how_to: str


ABOUT = {
    "source": Kind("Sources", FrameSource, "--source", "write-a-source"),
    "remover": Kind("Background removers", BackgroundRemover, "--remover", "write-a-remover"),
    "codec": Kind("Codecs", FrameCodec, "--codec", "write-a-codec"),
    "sequence": Kind("Sequence models", SequenceModel, "--seq", "write-a-sequence-model"),
    "renderer": Kind("Renderers", Renderer, "--renderer", "write-a-renderer"),
}
INDEX = """\
# Components

A dance goes through five boxes, and each is a plugin. These are built in; [others](../plugins.md) come with packages.

"""


def navigation() -> list[Any]:
    """The section of the navigation: the overview, then each kind with its components."""
    kinds = [{ABOUT[kind].title: [f"components/{kind}/index.md", *map(_path, _of(kind))]} for kind in KINDS]
    return ["components/index.md", *kinds]


def pages() -> dict[str, str]:
    """Path → Markdown of all pages of components."""
    overview = INDEX + table(("kind", "interface", "built in"), map(_overview_row, KINDS))
    kinds = {f"components/{kind}/index.md": _kind_page(kind) for kind in KINDS}
    return {"components/index.md": overview, **kinds, **{_path(spec): _component_page(spec) for spec in COMPONENTS}}


def recipe() -> str:
    """The recipe's own entries; those of components stand on their pages."""
    return options_table(Recipe, leave_out=KINDS)


def _of(kind: str) -> list[ComponentSpec]:
    return [spec for spec in COMPONENTS if spec.kind == kind]


def _path(spec: ComponentSpec) -> str:
    return f"components/{spec.kind}/{spec.name}.md"


def _overview_row(kind: str) -> tuple[str, str, str]:
    built_in = " ".join(f"[`{spec.name}`]({kind}/{spec.name}.md)" for spec in _of(kind))
    return f"[{kind}]({kind}/index.md)", code(ABOUT[kind].interface.__name__), built_in


def _kind_page(kind: str) -> str:
    about = ABOUT[kind]
    titles, rows = (kind, "what it is"), [(f"[`{spec.name}`]({spec.name}.md)", spec.summary) for spec in _of(kind)]
    if any(spec.suffixes for spec in _of(kind)):
        titles = (*titles, "files")
        rows = [(*row, _suffixes(spec)) for row, spec in zip(rows, _of(kind), strict=True)]
    return f"""\
# {about.title}

Chosen with `{about.flag} NAME`. {_auto(kind)}

{table(titles, rows)}
[Write your own](../../how-to/{about.how_to}.md) by implementing this interface:

::: {about.interface.__module__}.{about.interface.__name__}
    options:
      heading_level: 2
"""


def _auto(kind: str) -> str:
    default = Recipe.model_fields[kind].default.name
    if default == "auto":
        return "Without it, the ending of the file decides, and what no other source reads is given to `ffmpeg`."
    return f"The default is `{default}`" + ("; the ending of `--out` decides too." if kind == "renderer" else ".")


def _suffixes(spec: ComponentSpec) -> str:
    return " ".join("a folder" if suffix == "/" else code(suffix) for suffix in spec.suffixes)


def _component_page(spec: ComponentSpec) -> str:
    component, model = _load(spec.target), _load(spec.options)
    module = spec.target.partition(":")[0].replace(".", "/")
    files = f"Files: {_suffixes(spec)}\n\n" if spec.suffixes else ""
    return f"""\
# {spec.name}

A [{spec.kind}](index.md): {spec.summary}.

{docstring(component)}

{files}```console
$ {_example(spec, model)}
```

## Options

{_options(spec, model)}
The code: `plugins/{module}.py`
"""


def _load(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


def _options(spec: ComponentSpec, model: Any) -> str:
    if not model.model_fields:
        return "It has none.\n"
    text = f"{docstring(model)}\n\n{options_table(model, f'{spec.kind}.')}"
    return text + _presets(spec, model)


def _presets(spec: ComponentSpec, model: Any) -> str:
    if not model.presets:
        return ""
    changed = sorted({name for values in model.presets.values() for name in values}, key=list(model.model_fields).index)
    rows = []
    for name in changed:
        default = model.model_fields[name].default
        values = [model.presets.get(preset, {}).get(name, default) for preset in ("quick", "standard", "paper")]
        rows.append((code(f"{spec.kind}.{name}"), *(code(value_text(value)) for value in values)))
    return "\nPresets change:\n\n" + table(("option", "`--preset quick`", "`standard`", "`paper`"), rows)


def _example(spec: ComponentSpec, model: Any) -> str:
    """A command that selects the component, and sets its first option that has a value to show."""
    videos = {"demo": "", "images": " frames/", "array": " frames.npz"}.get(spec.name, " my-video.mp4")
    command = f"dd run{videos} {ABOUT[spec.kind].flag} {spec.name}"
    shown = [(name, field.default) for name, field in model.model_fields.items() if field.default is not None]
    return f"{command} --set {spec.kind}.{shown[0][0]}={value_text(shown[0][1])}" if shown else command
