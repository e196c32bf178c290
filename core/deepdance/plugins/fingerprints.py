"""What code makes an artifact: a distribution's version where that says it all, else a hash of its files too."""

from __future__ import annotations

import hashlib
import linecache
import logging
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution, version
from importlib.util import find_spec
from inspect import isfunction, unwrap
from pathlib import Path
from uuid import uuid4

from deepdance.plugins.isolation import BUILT_IN
from deepdance.plugins.spec import ENTRY_POINT_GROUP

log = logging.getLogger("deepdance")

BESIDE_CODE = frozenset({".md", ".rst", ".pyc", ".pyo"})
"""Endings of a package's files that change nothing of what it does."""


@cache
def fingerprint_distribution(name: str, target: str = "") -> str:
    """A hash of a distribution's import packages, and of the one that holds `target`; nothing is imported.

    Empty where the distribution came from an index (PEP 610): its version says what is in it. Read once a process, as
    Python does with the code itself.
    """
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return hash_files(find_package(_take_top(target)))
    if found.read_text("direct_url.json") is None:
        return ""
    packages = _list_packages(found, name) | ({_take_top(target)} if target else set())
    return hash_files(path for package in sorted(packages) for path in find_package(package))


@cache
def fingerprint_class(component: type) -> str:
    """A hash of the modules of a class and its bases that no plugin offers; of a notebook, of the cells.

    Where there is no source, as after `python -c`, it is another in every process, which is warned of: then nothing is
    taken for the same.
    """
    ours = ("builtins", "abc", "typing", BUILT_IN)
    sources = [_read_source(base) for base in component.__mro__ if _take_top(base.__module__) not in ours]
    if not all(sources):
        log.warning("%s: there is no source to know it by, so what it makes is made anew each time", component.__name__)
        return uuid4().hex[:16]
    sources.append(str(describe_code(BUILT_IN, version(BUILT_IN))))  # it may be derived from one of ours
    return hashlib.sha256("\0".join(sources).encode(errors="surrogateescape")).hexdigest()[:16]


def _read_source(component: type) -> str:
    """The text of a class's module or, of one that was typed in a notebook, of its cell."""
    file = getattr(sys.modules.get(component.__module__), "__file__", None)
    functions = [unwrap(getattr(each, "__func__", getattr(each, "fget", each))) for each in vars(component).values()]
    cells = {each.__code__.co_filename for each in functions if isfunction(each)}
    return "".join("".join(linecache.getlines(name)) for name in ([file] if file else sorted(cells)))


def find_package(name: str) -> list[Path]:
    """Where a top-level package or module lies: its folders, or its one file; nowhere if it is not there."""
    try:
        spec = find_spec(name) if name else None
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [Path(place) for place in spec.submodule_search_locations]
    return [Path(spec.origin)] if spec.has_location and spec.origin else []


def hash_files(places: Iterable[Path]) -> str:
    """A hash of files and of all that lies in folders, by their names within and their contents."""
    total = hashlib.sha256()
    for place in places:
        for path in _list_files(place):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            total.update(f"{path.relative_to(place.parent).as_posix()} {content}\n".encode(errors="surrogateescape"))
    return total.hexdigest()[:16]


def _list_files(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        yield from [place] if place.is_file() else []
        return
    for path in sorted(place.iterdir()):
        if path.name != "__pycache__" and not path.name.startswith(".") and path.suffix not in BESIDE_CODE:
            yield from _list_files(path)


def _list_packages(found: Distribution, name: str) -> set[str]:
    """The top-level packages that a distribution's metadata names; of ours, not the command line's: it makes nothing.

    An editable one's list of files has none, so those of its plugins' entry points count too.
    """
    points = {_take_top(point.module) for point in found.entry_points if point.group == ENTRY_POINT_GROUP}
    if name == BUILT_IN:
        return points | {_take_top(__name__)}
    listed = (found.read_text("top_level.txt") or "").split()
    sources = [path.parts[0] for path in found.files or () if path.suffix == ".py"]
    return {top for top in {*points, *listed, *(Path(part).stem for part in sources)} if top.isidentifier()}


def _take_top(target: str) -> str:
    return target.partition(":")[0].partition(".")[0]


def describe_code(name: str, number: str, target: str = "") -> dict[str, str]:
    """What a key holds of a distribution's code: name and version and, where it may change under them, a hash."""
    code = fingerprint_distribution(name, target)
    return {"distribution": f"{name} {number}", **({"code": code} if code else {})}
