"""A terminal as a screen: pictures in half blocks, keys that come singly, and all as before in the end."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from select import select
from time import sleep

import numpy as np

from deepdance.arrays import Int64, UInt8

ENTER = "\x1b[?1049h\x1b[?25l"
LEAVE = "\x1b[?2026l\x1b[0m\x1b[?25h\x1b[?1049l"
"""To the alternate screen without a cursor, and back."""
CLEAR = "\x1b[0m\x1b[2J"
BEGIN_FRAME, END_FRAME = "\x1b[?2026h", "\x1b[?2026l"
"""Synchronized output: a terminal that knows it shows a frame when it is whole; others pass it over."""
GREYS = (16, *range(232, 256), 231)
"""Black, greys and white of the 256 colours: unlike the first 16, no theme changes them."""
UNKNOWN = -1
KEY = re.compile(r"\x1b[\[O][A-Z]|.", re.DOTALL)

ReadKeys = Callable[[float], list[str]]
"""Waits so many seconds, or until a key is pressed, and gives those that were."""


class Painter:
    """Writes pictures as half blocks, each cell two pixels, one above the other: of the rows, what has changed.

    Without `colours` a pixel has the terminal's own ink, or none.
    """

    def __init__(self, *, colours: bool = True) -> None:
        self._tones = len(GREYS) if colours else 2
        describe = _describe_greys if colours else _describe_blocks
        self._cells = [describe(top, bottom) for top in range(self._tones) for bottom in range(self._tones)]
        self._shown: Int64 = np.empty((0, 0), np.int64)

    def paint(self, picture: UInt8) -> str:
        """What turns the last picture on the screen into this one, `(2 · rows, columns)`, 255 being white."""
        tones = picture.astype(np.int64) * self._tones >> 8
        cells: Int64 = tones[::2] * self._tones + tones[1::2]
        start = ""
        if cells.shape != self._shown.shape:
            start, self._shown = CLEAR, np.full_like(cells, UNKNOWN)
        rows = np.flatnonzero((cells != self._shown).any(axis=1)).tolist()
        text = "".join(self._paint_row(row, cells[row], self._shown[row]) for row in rows)
        self._shown = cells
        return start + text

    def _paint_row(self, row: int, new: Int64, shown: Int64) -> str:
        changed = np.flatnonzero(new != shown)
        first, stop = int(changed[0]), int(changed[-1]) + 1
        span = new[first:stop]
        starts = np.flatnonzero(np.diff(span, prepend=UNKNOWN))
        lengths = np.diff(starts, append=len(span)).tolist()
        cells = [self._cells[cell] for cell in span[starts].tolist()]
        runs = (style + glyph * length for (style, glyph), length in zip(cells, lengths, strict=True))
        return f"\x1b[{row + 1};{first + 1}H{''.join(runs)}"


def _describe_greys(top: int, bottom: int) -> tuple[str, str]:
    """What sets the colours of a cell, and its glyph."""
    ground = f"\x1b[48;5;{GREYS[bottom]}m"
    return (ground, " ") if top == bottom else (f"\x1b[38;5;{GREYS[top]}m{ground}", "▀")


def _describe_blocks(top: int, bottom: int) -> tuple[str, str]:
    return "", " ▄▀█"[2 * top + bottom]


def write(text: str) -> None:
    """To the terminal, at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


@contextmanager
def full_screen() -> Iterator[None]:
    """Meanwhile the terminal is on its alternate screen; how it was comes back, however the block ends."""
    if not sys.stdout.isatty():
        yield
        return
    try:
        write(ENTER)
        yield
    finally:
        write(LEAVE)


@contextmanager
def single_keys() -> Iterator[ReadKeys]:
    """Meanwhile keys come as they are pressed and are not echoed, where there are any. On Windows there are none."""
    if sys.platform == "win32" or not sys.stdin.isatty():
        yield _wait
        return
    import termios
    import tty

    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    try:
        tty.setcbreak(keyboard)
        _ignore_suspend(keyboard)
        yield lambda seconds: _read_keys(keyboard, seconds)
    finally:
        with suppress(termios.error):  # the terminal is gone
            termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _ignore_suspend(keyboard: int) -> None:
    """Ctrl-Z would leave the shell on this screen."""
    if sys.platform != "win32":
        import termios

        mode = termios.tcgetattr(keyboard)
        mode[6][termios.VSUSP] = os.fpathconf(keyboard, "PC_VDISABLE").to_bytes(1, "little")
        termios.tcsetattr(keyboard, termios.TCSANOW, mode)


def _read_keys(keyboard: int, seconds: float) -> list[str]:
    if not select([keyboard], [], [], seconds)[0]:
        return []
    return KEY.findall(os.read(keyboard, 1024).decode(errors="replace"))


def _wait(seconds: float) -> list[str]:
    sleep(seconds)
    return []
