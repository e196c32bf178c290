"""Files that somebody names: which of a folder are wanted, in which order, and what of it is left out and why."""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

log = logging.getLogger("deepdance")

SHOWN = 3
"""Names that a message shows of one kind."""


HIDDEN, FOLDER, UNREADABLE = "hidden", "folder", "not allowed to be read"


@dataclass(frozen=True)
class Listing:
    """The files of a folder that are taken, in natural order, and the names of those left out, by the reason."""

    folder: Path
    taken: list[Path] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def tell(self, noun: str) -> None:
        """Log in one line how many were taken; a warning where more than hidden files were left out."""
        total = len(self.taken) + sum(map(len, self.left_out.values()))
        told = f"{show_path(self.folder.name)}: {len(self.taken)} of {total} files taken as {noun}"
        if self.left_out:
            told += f"; left out: {describe_names(self.left_out)}"
        log.log(logging.WARNING if self.left_out.keys() - {HIDDEN} else logging.INFO, "%s", told)


def list_folder(folder: Path, refuse: Callable[[Path], str]) -> Listing:
    """The files of a folder; `refuse` says why one is not wanted, or nothing. Raises OSError."""
    listing = Listing(folder.absolute())
    for path in sorted(folder.absolute().iterdir(), key=natural_order):
        reason = _refuse_unreadable(path, refuse)
        if reason:
            listing.left_out.setdefault(reason, []).append(path.name)
        else:
            listing.taken.append(path)
    return listing


def _refuse_unreadable(path: Path, refuse: Callable[[Path], str]) -> str:
    if path.name.startswith("."):
        return HIDDEN
    return describe_kind(path) or refuse(path) or ("" if os.access(path, os.R_OK) else UNREADABLE)


def describe_kind(path: Path) -> str:
    """What is there if it is no plain file: a folder, a pipe, a socket, a device, or a link that leads nowhere."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return "broken link"
    kinds = {stat.S_ISDIR: FOLDER, stat.S_ISFIFO: "pipe", stat.S_ISSOCK: "socket", stat.S_ISREG: ""}
    return next((kind for is_kind, kind in kinds.items() if is_kind(mode)), "device")


def describe_names(names: Mapping[str, Sequence[str]]) -> str:
    """`a.txt, b.txt, c.txt and 4 more (unknown ending), sub (folder)`."""
    return ", ".join(f"{_shorten_list(some)} ({reason})" for reason, some in names.items())


def _shorten_list(names: Sequence[str]) -> str:
    shown = ", ".join(show_path(name) for name in names[:SHOWN])
    return f"{shown} and {len(names) - SHOWN} more" if len(names) > SHOWN else shown


def show_path(location: str | Path) -> str:
    """A location as one printable line, whatever its name holds; an address without its secrets."""
    text = str(location)
    return show_url(text) if "://" in text else _escape(text)


def _escape(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]


def show_url(url: str) -> str:
    """An address as messages and records have it: user, password and query are left out, for each may be a secret."""
    scheme, _, rest = url.partition("://")
    address, query, _ = re.sub("#.*", "", rest, flags=re.DOTALL).partition("?")
    host, slash, path = address.partition("/")
    shown = f"{host.rpartition('@')[2]}{slash}{path}"
    shown = re.sub(r"^[^@/:]*:(?!\d*/)[^@]*@", "", shown)  # a password with a slash in it
    return _escape(f"{scheme}://{shown}{'?…' if query else ''}")


def natural_order(path: Path) -> list[tuple[int, str]]:
    """A sorting key for files of frames that puts `img2` before `img10`."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return [(int(part), part) if part.isdecimal() else (-1, part) for part in parts]
