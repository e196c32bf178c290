"""`dd plugins new`: a package with a plugin in it, to begin from.

`templates/` holds a component of each kind, in working order and with its tests, and in `common/` what a package needs
besides; what is written is a copy of both with other names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib.metadata import distributions
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from deepdance_cli.arguments import FLAGS, Json
from deepdance_cli.output import print_json

TEMPLATES = Path(__file__).with_name("templates")
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def _kinds(incomplete: str) -> list[str]:
    """Shell completion."""
    return [kind for kind in FLAGS if kind.startswith(incomplete)]


def new_plugin(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The plugin's name, such as my-codec.")],
    kind: Annotated[str, typer.Option(help=f"One of {', '.join(FLAGS)}.", autocompletion=_kinds)],
    out: Annotated[Path | None, typer.Option(help="The folder to write. Default: NAME.")] = None,
    json: Json = False,
) -> None:
    """Write a package with a working plugin, its tests and a README, to make your own.

    Example: dd plugins new my-codec --kind codec
    """
    folder = out or Path(name)
    written = [str(path) for path in write_plugin(name, kind, folder)]
    if json:
        print_json({"name": name, "kind": kind, "folder": str(folder), "files": written})
        return
    typer.echo("\n".join(written))
    typer.echo(f"next: cd {quote(str(folder))}; pip install -e '.[test]'; pytest")


def write_plugin(name: str, kind: str, folder: Path) -> list[Path]:
    """Write the package of a plugin into a new folder; the paths of its files.

    Raises OptionError for a kind, a name or a folder that cannot be used.
    """
    from deepdance.errors import OptionError
    from deepdance.validation import nearest

    if kind not in FLAGS:
        raise OptionError(f"--kind: expected one of {', '.join(FLAGS)}, got {kind!r}{nearest(kind, FLAGS)}")
    module, cls = name.replace("-", "_"), "".join(part.capitalize() for part in name.split("-"))
    texts = dict(_template(kind))
    renamed = f"My{kind.capitalize()}"
    _check_name(name, module, cls, [text.replace(renamed, "") for text in texts.values()])
    names = {f"my-{kind}": name, f"my_{kind}": module, renamed: cls}
    pattern = re.compile("|".join(map(re.escape, names)))
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise OptionError(f"--out: expected a new folder, got {folder}, which exists; choose another") from None
    written = []
    for place, text in texts.items():
        path = folder / pattern.sub(lambda found: names[found[0]], place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pattern.sub(lambda found: names[found[0]], text), encoding="utf-8")
        written.append(path)
    return written


def _template(kind: str) -> Iterator[tuple[str, str]]:
    """Each file of a kind's template: its path in the package, and its text."""
    words = {"KIND": kind, "FLAG": FLAGS[kind]}
    for root in (TEMPLATES / "common", TEMPLATES / kind):
        for path in sorted(root.rglob("*")):
            place = path.relative_to(root)
            if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in place.parts):
                text = path.read_text(encoding="utf-8")
                yield place.as_posix(), re.sub("|".join(words), lambda found: words[found[0]], text)


def _check_name(name: str, module: str, cls: str, texts: Sequence[str]) -> None:
    """Raise OptionError for a name that is none, that something else has, or that a class of the template has."""
    from deepdance.errors import OptionError
    from deepdance.plugins import discover

    if not NAME.fullmatch(name):
        raise OptionError(f"expected a name of lower-case letters, digits and hyphens such as my-codec, got {name!r}")
    taken = [f"a {e.spec.kind} of {e.distribution}" for e in discover().entries if e.spec.name == name]
    if not taken and next(iter(distributions(name=name)), None):
        taken = ["an installed package"]
    if not taken and (iskeyword(module) or find_spec(module)):
        taken = ["a keyword of Python" if iskeyword(module) else f"the Python module {module}"]
    if not taken and (iskeyword(cls) or any(re.search(rf"\b{cls}\b", text) for text in texts)):
        taken = [f"the class {cls}, which the plugin uses"]
    if taken:
        raise OptionError(f"expected a name of its own, got {name!r}, the name of {taken[0]}; choose another")
