"""What code makes an artifact: a distribution's version where that says it all, else a hash of its files too."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution, version
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

from deepdance.plugins.code_digest import CodeDigest, UnknowableError
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


def fingerprint_class(component: type) -> str:
    """A hash of what a class does that no plugin offers, as it is now.

    Where that cannot be told, it is another each time, which is warned of: then nothing is taken for the same.
    """
    try:
        own = CodeDigest().digest(component)
    except UnknowableError as error:
        _warn_once(component.__name__, str(error))
        own = uuid4().hex
    ours = describe_code(BUILT_IN, version(BUILT_IN))  # it may be derived from one of ours
    return hashlib.sha256(f"{own} {ours}".encode()).hexdigest()[:16]


@cache
def _warn_once(component: str, unknowable: str) -> None:
    log.warning(
        "%s: it uses a %s, which cannot be compared with that of another time, so what it makes is made anew each time",
        component,
        unknowable,
    )


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
    code = fingerprint_distribution(name, _take_top(target))  # all targets of a package share what is read once
    return {"distribution": f"{name} {number}", **({"code": code} if code else {})}
