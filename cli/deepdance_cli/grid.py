"""Cells beneath headings on a terminal of any width: nothing is cut, and lines are folded between words alone."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.cells import cell_len
from rich.text import Text

from deepdance.controls import escape_controls
from deepdance_cli.console import out

GAP = 2
"""Blanks between columns; one where cells are folded."""
LINE = 80
"""Columns that a paragraph takes at most: a file and a wide terminal have more than an eye follows."""
PROSE = 24
"""Columns of a cell from which it is prose, which is not folded into less."""

NO_BREAK = "\u00a0"
WORD = re.compile(r"[^ \t\n]+")
"""What no line ends within. It may hold blanks that do not break, as `[-7.156, -1.205]` does."""

Cell = tuple[str, str]
"""A text and its style."""


@dataclass(frozen=True)
class Grid:
    """What a table shows. The first cell of a row is its name.

    Columns of `figures` are aligned on the right, and may change places with the rows; `upright` says that they do
    wherever there is room. `styles` are those of the rows.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    styles: Sequence[str] = ()
    figures: bool = False
    upright: bool = False


def find_width() -> int:
    """The columns of the terminal, or COLUMNS; a file has as many as it takes."""
    return shutil.get_terminal_size((sys.maxsize, 24)).columns


def print_grid(grid: Grid) -> None:
    """Print a grid in the first of its layouts that fits the terminal."""
    for line in lay_out(grid, find_width()):
        out.print(line)


def print_text(text: str, style: str = "", at_most: int = sys.maxsize) -> None:
    """Print lines as they are, or folded where the terminal ends, or after `at_most` columns.

    What is folded off is indented as its line.
    """
    width = min(find_width(), at_most)
    for line in escape_controls(text).split("\n"):
        indent = " " * (len(line) - len(line.lstrip()))
        folded = [line] if cell_len(line) <= width else [indent + part for part in fold(line, width - len(indent))]
        for part in folded:
            out.print(part, style=style)


def fits(grid: Grid, width: int) -> bool:
    """Whether nothing has to be folded or turned."""
    return _measure_line(_list_cells(grid)) <= width


def lay_out(grid: Grid, width: int) -> Iterator[Text]:
    """The lines of a grid, at most `width` wide unless a single word is wider.

    As it is, turned, or either with folded cells, whichever fits first; else in blocks.
    """
    cells = _list_cells(grid)
    orders = [cells, _turn(cells)] if grid.figures else [cells]
    if grid.upright:
        orders.reverse()
    for ordered in orders:
        if _measure_line(ordered) <= width:
            return _draw(ordered, _measure_columns(ordered), GAP, grid.figures)
    for ordered in orders:
        folded = _fold_columns(ordered, width, grid.figures)
        if folded:
            return _draw(ordered, folded, 1, grid.figures)
    return _draw_blocks(_choose_blocks(cells, width) if grid.figures else cells, width)


def fold(text: str, width: int) -> list[str]:
    """Lines of at most `width`, of whole words: one that is wider stands alone."""
    lines: list[str] = []
    for word in WORD.findall(text):
        if lines and cell_len(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return [line.replace(NO_BREAK, " ") for line in lines] or [""]


def _list_cells(grid: Grid) -> list[Sequence[Cell]]:
    lines = [(grid.headings, "bold"), *zip(grid.rows, grid.styles or [""] * len(grid.rows), strict=True)]
    return [[(escape_controls(cell), style) for cell in line] for line, style in lines]


def _turn(cells: Sequence[Sequence[Cell]]) -> list[Sequence[Cell]]:
    return list(zip(*cells, strict=True))


def _measure_columns(cells: Sequence[Sequence[Cell]]) -> list[int]:
    return [max(cell_len(text) for text, _ in column) for column in zip(*cells, strict=True)]


def _measure_line(cells: Sequence[Sequence[Cell]]) -> int:
    widths = _measure_columns(cells)
    return sum(widths) + GAP * (len(widths) - 1)


def _measure_least(column: Sequence[Cell]) -> int:
    """The longest word, and of prose enough to be read."""
    words = max(cell_len(word) for text, _ in column for word in WORD.findall(text) or [""])
    prose = any(cell_len(text) > PROSE and " " in text for text, _ in column)
    return max(words, PROSE) if prose else words


def _fold_columns(cells: Sequence[Sequence[Cell]], width: int, figures: bool) -> list[int]:
    """How wide the columns are where cells are folded; none if that is not enough.

    Of figures the names alone, if that does. Else the figures are folded all or none, so that what stands beneath one
    stands beneath every one.
    """
    columns, natural = list(zip(*cells, strict=True)), _measure_columns(cells)
    least, widths = [_measure_least(column) for column in columns], natural
    room = width - (len(columns) - 1)
    if figures:
        whole = [least[0], *map(max, least[1:], _measure_columns(cells[1:])[1:])]
        least, widths = (whole, natural) if sum(whole) <= room else (least, [natural[0], *least[1:]])
    return [] if sum(least) > room else _narrow(widths, least, room)


def _narrow(widths: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    narrowed = list(widths)
    while sum(narrowed) > room:
        widest = max((n for n, wide in enumerate(narrowed) if wide > least[n]), key=narrowed.__getitem__)
        narrowed[widest] -= 1
    return narrowed


def _draw(cells: Sequence[Sequence[Cell]], widths: Sequence[int], gap: int, figures: bool) -> Iterator[Text]:
    for row in cells:
        folded = [fold(text, width) for (text, _), width in zip(row, widths, strict=True)]
        for texts in zip_longest(*folded, fillvalue=""):
            line = Text()
            for number, (text, (_, style), width) in enumerate(zip(texts, row, widths, strict=True)):
                blanks = " " * (width - cell_len(text))
                line.append(" " * (gap if number else 0))
                line.append(blanks + text if figures and number else text + blanks, style)
            line.rstrip()
            if line:
                yield line


def _choose_blocks(cells: Sequence[Sequence[Cell]], width: int) -> Sequence[Sequence[Cell]]:
    """A block a figure, where names can be compared line by line, if those fit beside it; else a block a name."""
    turned = _turn(cells)
    name = max(cell_len(text) for text, _ in turned[0])
    figure = max(cell_len(text) for row in turned[1:] for text, _ in row[1:])
    return turned if name + 1 + figure <= width else cells


def _draw_blocks(cells: Sequence[Sequence[Cell]], width: int) -> Iterator[Text]:
    """Each row's name, then beneath it a line a column, or two where they are long."""
    headings, *rows = cells
    for (name, style), *row in rows:
        yield from (Text(line, f"bold {style}") for line in fold(name, width))
        pairs = [(heading, cell) for heading, cell in zip(headings[1:], row, strict=True) if cell[0]]
        widths = _fold_columns(pairs, width, False) if any(heading for (heading, _), _ in pairs) else []
        if widths:
            yield from _draw(pairs, widths, 1, False)
        else:
            texts = (cell for pair in pairs for cell in pair if cell[0])
            yield from (Text(line, each) for text, each in texts for line in fold(text, width))
        yield Text()
