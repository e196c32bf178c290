"""A terminal as a screen: pictures in half blocks, keys that come singly, and all as before in the end."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from select import select
from tempfile import TemporaryFile
from time import sleep

import numpy as np

from deepdance.arrays import Int64, UInt8
from deepdance.plugins.redirection import redirect

ENTER = "\x1b[?1049h\x1b[?25l"
LEAVE = "\x1b[?2026l\x1b[0m\x1b[?25h\x1b[?1049l"
"""To the alternate screen without a cursor, and back."""
CLEAR = "\x1b[0m\x1b[2J"
BEGIN_FRAME, END_FRAME = "\x1b[?2026h", "\x1b[?2026l"
"""Synchronized output: a terminal that knows it shows a frame when it is whole; others pass it over."""
GREYS = (16, *range(232, 256), 231)
"""Black, greys and white of the 256 colours: unlike the first 16, no theme changes them."""
PLAIN = (16, 239)
"""What is darker is black, and what is lighter white: a codec's faint noise would be written anew with every frame."""
UNKNOWN = -1
KEY = re.compile(r"\x1b[\[O][A-Z]|.", re.DOTALL)

Write = Callable[[str], None]
"""To the terminal, at once."""
ReadKeys = Callable[[float], list[str]]
"""Waits so many seconds, or until a key is pressed, and gives those that were."""


class Painter:
    """Writes pictures as half blocks, each cell two pixels, one above the other: only cells that change.

    Without `colours` a pixel has the terminal's own ink, or none.
    """

    def __init__(self, *, colours: bool = True) -> None:
        self._tones = len(GREYS) if colours else 2
        self._tone_of = np.rint(np.interp(np.arange(256), PLAIN, (0, self._tones - 1))).astype(np.int64)
        describe = _describe_greys if colours else _describe_blocks
        self._cells = [describe(top, bottom) for top in range(self._tones) for bottom in range(self._tones)]
        self._shown: Int64 = np.empty((0, 0), np.int64)

    def paint(self, picture: UInt8) -> str:
        """What turns the last picture on the screen into this one, `(2 · rows, columns)`, 255 being white."""
        tones = self._tone_of[picture]
        cells: Int64 = tones[::2] * self._tones + tones[1::2]
        start = ""
        if cells.shape != self._shown.shape:
            start, self._shown = CLEAR, np.full_like(cells, UNKNOWN)
        changed = np.flatnonzero(cells != self._shown)
        self._shown = cells
        return start + self._paint_cells(changed, cells.ravel()[changed], cells.shape[1])

    def _paint_cells(self, places: Int64, cells: Int64, columns: int) -> str:
        """Cells in the order of their places, those alike side by side at once."""
        rows, lefts = np.divmod(places, columns)
        apart = (np.diff(places, prepend=UNKNOWN - 1) != 1) | (lefts == 0)
        starts = np.flatnonzero(apart | (np.diff(cells, prepend=UNKNOWN) != 0))
        lengths = np.diff(starts, append=len(cells))
        runs = np.stack([apart[starts], rows[starts], lefts[starts], cells[starts], lengths], axis=1)
        return "".join(self._paint_run(*run) for run in runs.tolist())

    def _paint_run(self, apart: int, row: int, left: int, cell: int, length: int) -> str:
        style, glyph = self._cells[cell]
        place = f"\x1b[{row + 1};{left + 1}H" if apart else ""
        return place + style + glyph * length


def _describe_greys(top: int, bottom: int) -> tuple[str, str]:
    """What sets the colours of a cell, and its glyph."""
    ground = f"\x1b[48;5;{GREYS[bottom]}m"
    return (ground, " ") if top == bottom else (f"\x1b[38;5;{GREYS[top]}m{ground}", "▀")


def _describe_blocks(top: int, bottom: int) -> tuple[str, str]:
    return "", " ▄▀█"[2 * top + bottom]


@contextmanager
def full_screen() -> Iterator[Write]:
    """Meanwhile the terminal is on its alternate screen; how it was comes back, however the block ends."""
    screen = sys.stdout

    def write(text: str) -> None:
        screen.write(text)
        screen.flush()

    if not screen.isatty():
        yield write
        return
    with _hold_back_words():
        try:
            write(ENTER)
            yield write
        finally:
            write(LEAVE)


@contextmanager
def _hold_back_words() -> Iterator[None]:
    """What is printed or warned of meanwhile is told at the end: in the picture it would stay where it fell."""
    with TemporaryFile(buffering=0) as file:
        try:
            with redirect(2, to=file.fileno()), redirect_stdout(sys.stderr):
                yield
        finally:
            file.seek(0)
            sys.stderr.write(file.read().decode(errors="replace"))


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
