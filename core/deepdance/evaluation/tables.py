"""Tables of measured figures, as data: what is in a cell, and how it goes to JSON and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from deepdance.metrics.bootstrap import Estimate

Role = Literal["model", "real", "copy", "ceiling"]
Figures = dict[str, Estimate | None]
"""By the key of their column; `None` where one means nothing."""
Curves = Mapping[str, Sequence[Sequence[float | None]]]
"""Per figure and stream, one mean per 1,000 frames."""
REAL = "real, held out"
COPY = "copy the last frame"
CEILING = "the codec alone"


@dataclass(frozen=True)
class Column:
    """A measure: its key in JSON, its heading, and the decimals that it is shown with."""

    key: str
    title: str
    decimals: int = 3
    slope: bool = False
    """A change, which is flat if its interval holds 0."""


@dataclass(frozen=True)
class Row:
    """What was measured of one thing. `horizon` is how many frames ahead, where that differs."""

    name: str
    role: Role
    figures: Figures
    horizon: int | None = None


@dataclass(frozen=True)
class Table:
    """What was measured, with a legend that says how. `upright`: shown with one line a figure, for there are many."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    legend: str = ""
    upright: bool = False
    curves: Mapping[str, Curves] = field(default_factory=dict)
    """By row: figures that develop over time."""

    def figure(self, role: Role, key: str, horizon: int | None = None) -> Estimate | None:
        """The figure in the first row of this role and horizon, if there is one."""
        rows = [row for row in self.rows if row.role == role and row.horizon == horizon]
        return rows[0].figures.get(key) if rows else None

    def as_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The table that `as_json` gave."""
        rows = []
        for row in value["rows"]:
            figures = {key: None if cell is None else Estimate(**cell) for key, cell in row["figures"].items()}
            rows.append(Row(row["name"], row["role"], figures, row["horizon"]))
        return cls(**{**value, "columns": [Column(**column) for column in value["columns"]], "rows": rows})
