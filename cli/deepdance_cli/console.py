"""The two places where a command writes: results go to standard output, all else to standard error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from deepdance.controls import escape_controls


class SafeConsole(Console):
    """A console that only Rich steers: what else would is escaped, wherever the text comes from."""

    def render_str(self, text: str, **how: Any) -> Text:
        """Text of a string, escaped before its width is measured."""
        return super().render_str(escape_controls(text), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of anything."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=escape_controls(segment.text))


out = SafeConsole(highlight=False, soft_wrap=True, markup=False, emoji=False)
err = SafeConsole(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
