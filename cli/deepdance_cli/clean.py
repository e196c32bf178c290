"""`dd clean`: what a workspace could do without, and what that would free."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deepdance_cli.arguments import Json, Workspace
from deepdance_cli.output import print_json

if TYPE_CHECKING:
    from deepdance.cleaning import Finding, Waste

SMALL, NAMED = 4096, 5
"""Bytes up to which a thing is small, and how many small ones of a kind are named each."""


def clean(
    workspace: Workspace = Path("workspace"),
    yes: Annotated[bool, typer.Option("--yes", help="Remove it without asking.")] = False,
    json: Json = False,
) -> None:
    """List what no run needs any more and what dead processes left, with sizes, and remove it if you say so.

    What a run is made of, what an interrupted one goes on from, and every video stay. What is removed and asked for
    again is made anew.

    Example: dd clean
    """
    from deepdance.cleaning import find_waste, remove_waste
    from deepdance.workspace import Workspace as Folder
    from deepdance_cli.console import err

    place = Folder(workspace)
    found = find_waste(place)
    for line in found.left:
        err.print(line, style="dim")
    if json:
        removed = [*remove_waste(place, found.waste)] if yes else []
        listed = [_describe(each, each in removed) for each in found.waste]
        print_json({"waste": listed, "size": found.size, "left": found.left})
        return
    _print_waste(found, workspace)
    if found.waste and (yes or _ask(found.size)):
        _print_removed(found, list(remove_waste(place, found.waste)))


def _describe(waste: Waste, removed: bool) -> dict[str, Any]:
    return {"path": str(waste.path), "reason": waste.reason, "size": waste.size, "removed": removed}


def _ask(size: int) -> bool:
    """Whether somebody at a terminal says so; a script is told how to."""
    from deepdance_cli.console import out

    if sys.stdin.isatty():
        return typer.confirm(f"remove these {format_bytes(size)}?")
    out.print("nothing is removed yet; to remove it: dd clean --yes")
    return False


def _print_waste(found: Finding, workspace: Path) -> None:
    from deepdance_cli.console import out
    from deepdance_cli.grid import Grid, print_grid

    if not found.waste:
        out.print(f"nothing to remove in {workspace}")
        return
    rows = [[name, reason, format_bytes(size)] for name, reason, size in _list_rows(found.waste, workspace)]
    print_grid(Grid(("what", "why", "size"), [*rows, ["in all", "", format_bytes(found.size)]]))


def _list_rows(waste: Iterable[Waste], workspace: Path) -> Iterator[tuple[str, str, int]]:
    """The largest first; many small ones of a kind, such as locks, share a row."""
    small: dict[str, list[Waste]] = {}
    for each in sorted(waste, key=lambda each: -each.size):
        if each.size > SMALL:
            yield str(each.path.relative_to(workspace)), each.reason, each.size
        else:
            small.setdefault(each.reason, []).append(each)
    for reason, those in small.items():
        if len(those) > NAMED:
            yield f"{len(those)} small ones", reason, sum(each.size for each in those)
        else:
            yield from ((str(each.path.relative_to(workspace)), reason, each.size) for each in those)


def _print_removed(found: Finding, removed: Sequence[Waste]) -> None:
    from deepdance_cli.console import out

    stayed = len(found.waste) - len(removed)
    note = f"; {stayed} that somebody uses are left" if stayed else ""
    out.print(f"removed {format_bytes(sum(each.size for each in removed))}{note}")


def format_bytes(size: int) -> str:
    """As disks are sold: `1.2 GB`."""
    for unit, power in (("GB", 9), ("MB", 6), ("kB", 3)):
        if size >= 10**power:
            return f"{size / 10**power:.1f} {unit}"
    return f"{size} B"
