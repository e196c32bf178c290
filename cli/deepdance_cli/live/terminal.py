"""The live dance in a terminal, at thirty frames a second."""

from __future__ import annotations

import math
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from shutil import get_terminal_size
from time import monotonic, process_time

from deepdance.errors import OptionError
from deepdance.opened_runs import OpenedRun
from deepdance_cli.live.dance import LiveDance
from deepdance_cli.live.screen import BEGIN_FRAME, END_FRAME, Painter, ReadKeys, Write, full_screen, single_keys

FPS = 30
WARMER, FASTER = 0.1, 2**0.25
"""What a key adds to the temperature, and multiplies the tempo by."""
LEAST_TEMPO, LARGEST_TEMPO = 0.25, 4.0


def check_terminal(seconds: float | None) -> None:
    """Raise OptionError where no dance can be shown."""
    terminal = os.environ.get("TERM", "")
    if not sys.stdout.isatty() and seconds is None:
        raise OptionError(
            "--terminal: expected a terminal to dance in, got none; give --seconds 10 to write as much all the same, "
            "or --browser"
        )
    if sys.stdout.isatty() and terminal in ("dumb", "unknown"):
        raise OptionError(
            f"--terminal: expected a terminal that can place its cursor, got TERM={terminal}; give --browser, or set "
            "TERM=xterm-256color if it can"
        )
    try:
        "▀".encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        raise OptionError(
            f"--terminal: expected a terminal that takes UTF-8, got {sys.stdout.encoding}; give --browser, or set "
            "PYTHONIOENCODING=utf-8 if it does"
        ) from None


def show_dance(run: OpenedRun, seconds: float | None) -> str:
    """Dance until a key ends it, or for so many seconds. The rate that it was shown at, told in a line."""
    seed, end = secrets.randbits(32), math.inf if seconds is None else seconds
    with LiveDance(run, _find_size(), seed) as dance, single_keys() as read_keys, full_screen() as write:
        stage = _Stage(dance, Controls(run.recipe.temperature, fixed=run.model.is_deterministic))
        while not stage.controls.ended and stage.rate.seconds < end:
            stage.show_frame(write, read_keys)
    return stage.rate.describe()


def _find_size() -> tuple[int, int]:
    """Height and width of a picture in the terminal as it is now: two pixels a row, of which the last is for words.

    COLUMNS and LINES know nothing of a resize: they count where there is no terminal alone.
    """
    try:
        columns, rows = os.get_terminal_size()
    except OSError:
        columns, rows = get_terminal_size()
    return 2 * max(rows - 1, 1), columns


@dataclass
class Controls:
    """What keys change."""

    temperature: float
    fixed: bool = False
    """The model knows no temperature."""
    tempo: float = 1.0
    paused: bool = False
    dark_ink: bool = False
    ended: bool = False

    def describe(self) -> str:
        """All keys, and what they have set."""
        temperature = "" if self.fixed else f" · → ← temperature {self.temperature:.1f}"
        pause = "go on" if self.paused else "pause"
        return f" q quit · space {pause}{temperature} · ↑ ↓ tempo {self.tempo:.2f} · x swap"

    def press(self, key: str) -> None:
        """Do what a key says, if anything."""
        ACTIONS.get(key, Controls.pass_over)(self)

    def pass_over(self) -> None:
        """Nothing."""

    def end(self) -> None:
        """Dance no more."""
        self.ended = True

    def pause(self) -> None:
        """Stand still, or go on."""
        self.paused = not self.paused

    def swap(self) -> None:
        """A light dancer on a dark ground, or the other way round."""
        self.dark_ink = not self.dark_ink

    def warm(self) -> None:
        """A wilder dance."""
        self.temperature = round(self.temperature + WARMER, 1)

    def cool(self) -> None:
        """A calmer dance."""
        self.temperature = max(round(self.temperature - WARMER, 1), 0.0)

    def hurry(self) -> None:
        """A faster dance."""
        self.tempo = min(self.tempo * FASTER, LARGEST_TEMPO)

    def slow(self) -> None:
        """A slower dance."""
        self.tempo = max(self.tempo / FASTER, LEAST_TEMPO)


UP, DOWN, RIGHT, LEFT = ((f"\x1b[{sign}", f"\x1bO{sign}") for sign in "ABCD")
"""Arrows, as they are sent in either mode of a terminal."""
ACTIONS: dict[str, Callable[[Controls], None]] = {
    "q": Controls.end,
    " ": Controls.pause,
    "x": Controls.swap,
    **dict.fromkeys([*RIGHT, "+", "="], Controls.warm),  # = is + without Shift
    **dict.fromkeys([*LEFT, "-"], Controls.cool),
    **dict.fromkeys(UP, Controls.hurry),
    **dict.fromkeys(DOWN, Controls.slow),
}
"""The keys of the page, where it has them."""


class _Rate:
    """Counts what is shown, and what that costs."""

    def __init__(self) -> None:
        self._start, self._spent = monotonic(), process_time()
        self._ticks = self._shown = 0

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return monotonic() - self._start

    def tick(self) -> int:
        """Frames that are due since the last: where several are, all but the latest are dropped."""
        due = int(self.seconds * FPS) - self._ticks
        self._ticks += due
        self._shown += 1
        return due

    @property
    def left(self) -> float:
        """Seconds until the next frame is due."""
        return max((self._ticks + 1) / FPS - self.seconds, 0.0)

    def describe(self) -> str:
        """Frames a second, and the share of a core."""
        seconds = self.seconds
        share = (process_time() - self._spent) / seconds
        return f"{self._shown} frames, {self._shown / seconds:.1f} a second, {share:.0%} of a core"


class _Stage:
    """A dance on a terminal."""

    def __init__(self, dance: LiveDance, controls: Controls) -> None:
        self._dance, self.controls, self.rate = dance, controls, _Rate()
        self._painter = Painter(colours=not os.environ.get("NO_COLOR"))
        self._told: tuple[int, int, str] | None = None

    def show_frame(self, write: Write, read_keys: ReadKeys) -> None:
        """Show the picture that is due, and wait for the next."""
        height, width = _find_size()
        self._dance.resize((height, width))
        self._dance.stream.temperature = self.controls.temperature
        frames = self.rate.tick() * (not self.controls.paused)
        picture = self._dance.advance(frames * self.controls.tempo / FPS)
        shown = self._painter.paint(picture if self.controls.dark_ink else 255 - picture)
        shown += self._describe(height, width)
        if shown:
            write(f"{BEGIN_FRAME}{shown}{END_FRAME}")
        self._wait(read_keys)

    def _describe(self, height: int, width: int) -> str:
        """The line below the picture, where it has changed."""
        line = height // 2 + 1, width, self.controls.describe()
        if line == self._told:
            return ""
        self._told = line
        return f"\x1b[{line[0]};1H\x1b[0;2m{line[2][: width - 1]}\x1b[0m\x1b[K"

    def _wait(self, read_keys: ReadKeys) -> None:
        while self.rate.left and not self.controls.ended:
            for key in read_keys(self.rate.left):
                self.controls.press(key)
