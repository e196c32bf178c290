"""Charts as the places of their lines and letters; the page's template writes them as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, isfinite, log10
from typing import Literal

import numpy as np

from deepdance.arrays import Float32, Float64, sample_evenly
from deepdance.interfaces import History
from deepdance.metrics.paper_table import PAPER, PAPER_MODELS

WIDTH, HEIGHT = 400, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 100, 12, 32
"""Room beside the lines: for the ticks, and for the labels at the lines' ends."""
LABEL_GAP = 14
"""Between two labels, one below the other."""
MOST_POINTS = 400
"""Of a line: a screen shows no more."""
MOST_REAL = 1500
"""Real latents that are drawn as a path; more are sampled, and drawn as dots."""
PATH_SIDE, PATH_MARGIN = 400, 14
"""The longer side, and the room around what is drawn."""
MOST_FITTED = 5000
"""Latents that directions are fitted to."""

Place = tuple[float, float]
Kind = Literal["learned", "held-out", "paper"]


@dataclass(frozen=True)
class Line:
    """Values `(x, y)` with the label at their end."""

    label: str
    kind: Kind
    values: Sequence[Place]


@dataclass(frozen=True)
class DrawnLine:
    """A line as SVG has it, and where its label stands."""

    label: str
    kind: Kind
    points: str
    label_y: float


@dataclass(frozen=True)
class Chart:
    """Lines with their ticks, each a place and its text."""

    title: str
    lines: Sequence[DrawnLine]
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class PathPlot:
    """Latents in two dimensions: real ones as SVG paths, a dance as points, and the places of some of its frames."""

    real: str
    is_sampled: bool
    dance: str
    marks: Sequence[Place]
    height: float


def draw_curves(stage: str, component: str, history: History) -> list[Chart]:
    """Loss and accuracy against epochs; the paper's results beside those of its own models. None of one epoch."""
    if len(history) < 2:
        return []
    is_papers = component == PAPER_MODELS[stage]
    charts = []
    for name, title in (("loss", "loss"), ("acc", "accuracy")):
        lines = [*_list_lines(name, history)]
        if lines and is_papers:
            value = PAPER[stage][name]
            lines.append(Line(f"paper {value:g}", "paper", [(1, value), (len(history), value)]))
        if lines:
            charts.append(draw_chart(title, lines, log=name == "loss"))
    return charts


def _list_lines(name: str, history: History) -> Iterable[Line]:
    for key, label, kind in ((name, "learned", "learned"), (f"val_{name}", "held out", "held-out")):
        values = [(number, epoch[key]) for number, epoch in enumerate(history, 1) if isfinite(epoch.get(key, np.nan))]
        if len(values) > 1:
            yield Line(f"{label} {values[-1][1]:.3g}", kind, values)  # type: ignore[arg-type]


def draw_chart(title: str, lines: Sequence[Line], *, log: bool = False) -> Chart:
    """Lines of at least two values each, in one frame; `log` where all of them are above 0."""
    x, y = (np.array([value[axis] for line in lines for value in line.values]) for axis in (0, 1))
    log = bool(log and y.min() > 0)
    x_scale, y_scale = _Scale.of(x, LEFT, WIDTH - RIGHT), _Scale.of(y, HEIGHT - BOTTOM, TOP, log=log)
    ends = [y_scale.place(line.values[-1][1]) for line in lines]
    labels = spread_labels(ends, TOP, HEIGHT - BOTTOM)
    drawn = [
        DrawnLine(line.label, line.kind, _write_points(_thin(line.values), x_scale, y_scale), label)
        for line, label in zip(lines, labels, strict=True)
    ]
    x_ticks = [tick for tick in choose_ticks(x_scale.low, x_scale.high) if tick == int(tick)]
    return Chart(title, drawn, x_scale.label(x_ticks), y_scale.label(y_scale.ticks))


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @classmethod
    def of(cls, values: Float64, start: float, end: float, *, log: bool = False) -> _Scale:
        low, high = float(values.min()), float(values.max())
        if low == high:
            low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
        return cls(low, high, start, end, log)

    def place(self, value: float) -> float:
        low, high, value = (log10(each) if self.log else each for each in (self.low, self.high, value))
        return round(self.start + (value - low) / (high - low) * (self.end - self.start), 1)

    @property
    def ticks(self) -> list[float]:
        return (choose_log_ticks if self.log else choose_ticks)(self.low, self.high)

    def label(self, ticks: Iterable[float]) -> list[tuple[float, str]]:
        return [(self.place(tick), f"{tick:g}") for tick in ticks]


def choose_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers from `low` to `high`, about `count`: a step is 1, 2 or 5 times a power of ten."""
    least = (high - low) / count
    power = 10.0 ** floor(log10(least))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-9))
    return [round(number * step, 12) for number in range(ceil(low / step), floor(high / step) + 1)]


def choose_log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten, and where those are few their doubles and fives; round numbers of a narrow range."""
    for factors in ((1,), (1, 2, 5)):
        powers = range(floor(log10(low)), floor(log10(high)) + 1)
        ticks = [factor * 10.0**power for power in powers for factor in factors]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) > 2:
            return inside
    return choose_ticks(low, high)


def spread_labels(places: Sequence[float], top: float, bottom: float) -> list[float]:
    """Places at which labels do not touch, near those given: pushed down in their order, then up from the bottom."""
    order = np.argsort(places, kind="stable")
    spread = np.array(places, float)
    for above, below in pairwise(order):
        spread[below] = max(spread[below], spread[above] + LABEL_GAP)
    spread[order[-1]] = min(spread[order[-1]], bottom)
    for below, above in pairwise(order[::-1]):
        spread[above] = min(spread[above], spread[below] - LABEL_GAP)
    return [round(max(float(each), top), 1) for each in spread]


def _thin(values: Sequence[Place]) -> list[Place]:
    return [values[number] for number in sample_evenly(len(values), MOST_POINTS)]


def _write_points(values: Iterable[Place], x_scale: _Scale, y_scale: _Scale) -> str:
    return " ".join(f"{x_scale.place(x)},{y_scale.place(y)}" for x, y in values)


def draw_paths(real: Float32, starts: Sequence[int], dance: Float32, marks: Sequence[int]) -> PathPlot:
    """Real latents `(n, d)`, whose clips begin at `starts`, and those of a dance `(m, d)`, along two directions.

    They are those in which the real ones vary most. `marks` are frames of the dance.
    """
    flat = _project(real, dance)
    everything = np.concatenate(flat)
    low, reach = everything.min(axis=0), np.ptp(everything, axis=0)
    scale = (PATH_SIDE - 2 * PATH_MARGIN) / (reach.max() or 1.0)
    learned, danced = (PATH_MARGIN + (each - low) * scale for each in flat)
    shown = sample_evenly(len(dance), 2 * MOST_POINTS)
    is_sampled = len(real) > MOST_REAL
    drawn = _write_dots(learned[sample_evenly(len(real), MOST_REAL)]) if is_sampled else _write_path(learned, starts)
    height = round(2 * PATH_MARGIN + float(reach[1] * scale), 1)
    places = [(round(float(x), 1), round(float(y), 1)) for x, y in danced[list(marks)]]
    return PathPlot(drawn, is_sampled, " ".join(f"{x:.1f},{y:.1f}" for x, y in danced[shown]), places, height)


def _project(real: Float32, dance: Float32) -> list[Float64]:
    """Both as `(n, 2)`; where a codec has one number a frame, the second is 0."""
    # NumPy does: SciPy, which `PrincipalComponents` needs, is slow to import, and a run may be without it.
    fitted = real[sample_evenly(len(real), MOST_FITTED)].astype(np.float64)
    mean = fitted.mean(axis=0)
    _, vectors = np.linalg.eigh((fitted - mean).T @ (fitted - mean))
    flat = [(latents - mean) @ vectors[:, :-3:-1] for latents in (real, dance)]
    return [np.pad(each, ((0, 0), (0, 2 - each.shape[1]))) for each in flat]


def _write_dots(places: Float64) -> str:
    return "".join(f"M{x:.1f} {y:.1f}h0" for x, y in places)


def _write_path(places: Float64, starts: Sequence[int]) -> str:
    first = set(starts)
    return "".join(f"{'M' if number in first else 'L'}{x:.1f} {y:.1f}" for number, (x, y) in enumerate(places))


def list_curves(components: Mapping[str, str], histories: Mapping[str, History]) -> dict[str, list[Chart]]:
    """The charts of each training, by stage."""
    return {stage: draw_curves(stage, components[stage], history) for stage, history in histories.items()}
