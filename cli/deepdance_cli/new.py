"""`dd plugins new`: a package with components in it, to begin from.

`templates/` holds a component of each kind, in working order and with its tests; `keras/` has those that are Keras
networks, `bare/` the smallest that hold the contract, and `common/` what a package needs besides. What is written is a
copy with other names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import distributions
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from deepdance_cli.arguments import FLAGS, Json
from deepdance_cli.output import echo, print_json

TEMPLATES = Path(__file__).with_name("templates")
KERAS, BARE = "keras", "bare"
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
PREFIX = "deepdance-"
"""What the packages of plugins are best called; their components need it not."""
SPECS = re.compile(r"(?<=^COMPONENTS = \(\n).*?\n(?=\)$)", re.DOTALL | re.MULTILINE)
"""The specs in the `__init__.py` of a package."""
REQUIREMENTS = {"numpy": "numpy>=2.0", "cv2": "opencv-python-headless>=4.11", "pydantic": "pydantic>=2.10"}
"""What installs a module that a component imports."""


@dataclass(frozen=True)
class Part:
    """A component of the package: its names, and the files of its template."""

    kind: str
    name: str
    files: Mapping[str, str]

    @property
    def cls(self) -> str:
        """Its class."""
        return "".join(part.capitalize() for part in self.name.split("-"))


def _kinds(incomplete: str) -> list[str]:
    """Shell completion."""
    return [kind for kind in FLAGS if kind.startswith(incomplete)]


def new_plugin(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The package's name, such as my-codec.")],
    kind: Annotated[
        list[str], typer.Option(help=f"One of {', '.join(FLAGS)}; again for one more component.", autocompletion=_kinds)
    ],
    template: Annotated[
        str | None, typer.Option(help="keras: a small network with the project's own training loop.")
    ] = None,
    bare: Annotated[bool, typer.Option("--bare", help="The smallest component that holds the contract.")] = False,
    out: Annotated[Path | None, typer.Option(help="The folder to write. Default: NAME.")] = None,
    json: Json = False,
) -> None:
    """Write a package with a working plugin, its tests and a README, to make your own.

    With one --kind the component is called as the package, without "deepdance-" before it; with several, NAME-KIND.

    Example: dd plugins new my-codec --kind codec
    """
    from deepdance.errors import OptionError

    if bare and template:
        raise OptionError(f"expected --template or --bare, got both; leave out --template {template}")
    folder = out or Path(name)
    written = [str(path) for path in write_plugin(name, kind, folder, BARE if bare else template)]
    if json:
        print_json({"name": name, "kinds": kind, "folder": str(folder), "files": written})
        return
    echo("\n".join(written))
    echo(f"next: cd {quote(str(folder))}; pip install -e '.[test]'; pytest")


def write_plugin(name: str, kinds: Sequence[str], folder: Path, template: str | None = None) -> list[Path]:
    """Write a package with a component of each kind into a new folder; the paths of its files.

    Raises OptionError for a kind, a template, a name or a folder that cannot be used.
    """
    from deepdance.errors import OptionError

    _check_kinds(kinds, template)
    short = _shorten(name)
    parts = [
        Part(kind, short if len(kinds) == 1 else f"{short}-{kind}", dict(_read(TEMPLATES / (template or "") / kind)))
        for kind in kinds
    ]
    _check_names(name, parts)
    files = _fill_common(name, parts) | _fill_components(name, parts)
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise OptionError(f"--out: expected a new folder, got {folder}, which exists; choose another") from None
    for place, text in files.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [folder / place for place in files]


def _shorten(name: str) -> str:
    """The package's name as users type it after a flag: `deepdance-tiles` → `tiles`."""
    short = name.removeprefix(PREFIX)
    return short if NAME.fullmatch(short) else name


def _read(root: Path) -> Iterator[tuple[str, str]]:
    """Each file of a template: its path in the package, and its text. `dot_` stands for a dot, which would hide it."""
    for path in sorted(root.rglob("*")):
        place = path.relative_to(root)
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in place.parts):
            yield re.sub(r"^dot_", ".", place.as_posix()), path.read_text(encoding="utf-8")


def _fill_common(name: str, parts: Sequence[Part]) -> dict[str, str]:
    """What the package needs besides its components."""
    words = {
        "package": name,
        "module": _module(name),
        "kinds": ", ".join(part.kind for part in parts),
        "flags": " ".join(f"{FLAGS[part.kind]} {part.name}" for part in parts),
        "dependencies": ", ".join(f'"{requirement}"' for requirement in _list_requirements(parts)),
        "year": str(date.today().year),
    }
    return {
        place: re.sub(r"@(\w+)@", lambda found: words[found[1]], text) for place, text in _read(TEMPLATES / "common")
    }


def _list_requirements(parts: Sequence[Part]) -> list[str]:
    code = "".join(text for part in parts for text in part.files.values())
    imported = re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE)
    return ["deepdance>=0.1", *(needed for module, needed in REQUIREMENTS.items() if module in imported)]


def _fill_components(name: str, parts: Sequence[Part]) -> dict[str, str]:
    """The code and the tests of all components; they share one `__init__.py`, which has the specs of all."""
    init = f"src/{_module(name)}/__init__.py"
    files: dict[str, str] = {}
    specs = ""
    for number, part in enumerate(parts):
        filled = _rename(part, _module(name), number)
        specs += SPECS.findall(filled[init])[0]
        files |= filled
    return files | {init: SPECS.sub(lambda _: specs, files[init])}


def _rename(part: Part, module: str, number: int) -> dict[str, str]:
    """The files of a component with its own names, which is the package's `number`th."""
    kind = part.kind
    names = {
        f"my-{kind}": part.name,
        f"my_{kind}": module,
        _sample_class(kind): part.cls,
        "COMPONENTS[0]": f"COMPONENTS[{number}]",
    }
    pattern = re.compile("|".join(map(re.escape, names)))

    def rename(text: str) -> str:
        return pattern.sub(lambda found: names[found[0]], text)

    return {rename(place): rename(text) for place, text in part.files.items()}


def _module(name: str) -> str:
    return name.replace("-", "_")


def _sample_class(kind: str) -> str:
    return f"My{kind.capitalize()}"


def _check_kinds(kinds: Sequence[str], template: str | None) -> None:
    """Raise OptionError for a kind that is none or comes twice, and where there is no such template of it."""
    from deepdance.errors import OptionError
    from deepdance.validation import nearest

    for number, kind in enumerate(kinds):
        if kind not in FLAGS:
            raise OptionError(f"--kind: expected one of {', '.join(FLAGS)}, got {kind!r}{nearest(kind, FLAGS)}")
        if kind in kinds[:number]:
            raise OptionError(f"--kind: expected each kind once, got {kind} twice; write a package for each {kind}")
    if template not in (None, KERAS, BARE):
        raise OptionError(f"--template: expected {KERAS}, got {template!r}; without it, a sample is written")
    for kind in kinds:
        if template and not (TEMPLATES / template / kind).is_dir():
            made = " or ".join(sorted(path.name for path in (TEMPLATES / template).iterdir()))
            raise OptionError(f"--template {template}: expected {made} as --kind, got {kind!r}; leave --template out")


def _check_names(name: str, parts: Sequence[Part]) -> None:
    """Raise OptionError for a name that is none, that something else has, or that a class of the template has."""
    from deepdance.errors import OptionError

    if not NAME.fullmatch(name):
        raise OptionError(f"expected a name of lower-case letters, digits and hyphens such as my-codec, got {name!r}")
    taken = next(_find_namesakes(name, parts), None)
    if taken:
        raise OptionError(f"expected a name of its own, got {taken}; choose another")


def _find_namesakes(name: str, parts: Sequence[Part]) -> Iterator[str]:
    """The package's name, or one that follows from it, and what else has it."""
    from deepdance.plugins import discover

    names, module = {name, *(part.name for part in parts)}, _module(name)
    for entry in discover().entries:
        if entry.spec.name in names:
            yield f"{entry.spec.name!r}, the name of a {entry.spec.kind} of {entry.distribution}"
    yield from (f"{name!r}, the name of an installed package" for _ in distributions(name=name))
    if iskeyword(module):
        yield f"{name!r}, the name of a keyword of Python"
    elif find_spec(module):
        yield f"{name!r}, the name of the Python module {module}"
    for part in parts:
        texts = [text.replace(_sample_class(part.kind), "") for text in part.files.values()]
        if iskeyword(part.cls) or any(re.search(rf"\b{part.cls}\b", text) for text in texts):
            yield f"{name!r}, the name of the class {part.cls}, which the plugin uses"
