"""How trainings went: losses and accuracies against epochs, as SVG, PDF or PNG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from deepdance.errors import InputError, OptionError
from deepdance.interfaces import History
from deepdance.metrics.paper_table import PAPER
from deepdance.storage import write_atomically

FORMATS: dict[str, dict[str, None] | None] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": None}
"""With the metadata that each is written without, so that the same curves give the same file."""
TITLES = {"codec": "codec", "sequence": "sequence model"}
FIGURES = {"loss": "loss", "acc": "accuracy"}
WIDTH, ROW = 5.2, 2.4
"""Inches: as wide as a phone shows without its letters getting too small, and the height of a model's row."""


def check_curves(path: Path) -> None:
    """Raise OptionError if no picture can be written under this name."""
    if path.suffix.lower() not in FORMATS:
        *others, last = FORMATS
        raise OptionError(f"--out: expected a name that ends in {', '.join(others)} or {last}, got {str(path)!r}")


def find_untrained(histories: Mapping[str, Mapping[str, History]]) -> list[str]:
    """The stages of runs that have no curve, such as `"codec of my-run"`: fewer than two epochs were noted."""
    return [f"{TITLES[stage]} of {run}" for run, of in histories.items() for stage in of if len(of[stage]) < 2]


def draw_curves(histories: Mapping[str, Mapping[str, History]], path: Path) -> None:
    """The trainings of runs, by run and stage, over one another, with the paper's figures as lines.

    A row for each model, its loss beside its accuracy. Raises OptionError, InputError if nothing was trained by epochs.
    """
    check_curves(path)
    stages = [stage for stage in TITLES if any(len(of.get(stage, ())) > 1 for of in histories.values())]
    if not stages:
        raise InputError(
            f"expected a model that was trained by epochs, got none in {', '.join(histories)}; "
            "conv-ae and lstm4 are, as in dd run my-video.mp4 --recipe paper"
        )
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Letters stay letters, so that a reader can search them; the salt makes the same file each time.
    with mpl.rc_context({"font.size": 9, "svg.fonttype": "none", "svg.hashsalt": "deepdance"}):
        figure = Figure(figsize=(WIDTH, ROW * len(stages) + 0.3 + 0.2 * len(histories)), layout="constrained")
        axes = figure.subplots(len(stages), len(FIGURES), squeeze=False)
        for row, stage in zip(axes, stages, strict=True):
            for axis, name in zip(row, FIGURES, strict=True):
                _draw_panel(axis, stage, name, {run: of.get(stage, []) for run, of in histories.items()})
        handles = [*_draw_key(histories), *_draw_styles()]
        figure.legend(handles=handles, loc="outside lower left", frameon=False, ncols=1 if len(histories) > 2 else 2)
        with write_atomically(path) as temporary:
            figure.savefig(temporary, dpi=200, metadata=FORMATS[path.suffix.lower()])


def _draw_panel(axis: Any, stage: str, name: str, histories: Mapping[str, History]) -> None:
    from matplotlib.ticker import MaxNLocator

    drawn: list[float] = [PAPER[stage][name]]
    for number, history in enumerate(histories.values()):
        for key, style in ((name, "-"), (f"val_{name}", "--")):
            points = _list_points(history, key)
            axis.plot([epoch for epoch, _ in points], [value for _, value in points], style, color=_color(number), lw=1)
            drawn += [value for _, value in points]
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.axhline(PAPER[stage][name], color="0.5", lw=1, ls=":")
    if name == "loss" and min(drawn) > 0:
        _scale_log(axis)
    axis.set(title=f"{TITLES[stage]}: {FIGURES[name]}", xlabel="epoch")
    axis.title.set_fontsize(9)
    axis.grid(alpha=0.3)


def _scale_log(axis: Any) -> None:
    """With ticks as they are read aloud: .02, .05, .1."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter(NullFormatter())


def _list_points(history: History, key: str) -> list[tuple[int, float]]:
    """Epochs from 1 with their values, where the model measured them; one epoch is no curve."""
    points = [(number, epoch[key]) for number, epoch in enumerate(history, start=1) if key in epoch]
    return points if len(points) > 1 else []


def _draw_key(runs: Iterable[str]) -> Iterator[Any]:
    from matplotlib.lines import Line2D

    for number, run in enumerate(runs):
        # A name with $ in it is no formula.
        yield Line2D([], [], color=_color(number), label=run.replace("$", r"\$"))


def _draw_styles() -> Iterator[Any]:
    from matplotlib.lines import Line2D

    for label, style in (("learned from", "-"), ("held out", "--"), ("the paper's result", ":")):
        yield Line2D([], [], color="0.5", ls=style, lw=1, label=label)


def _color(number: int) -> str:
    return f"C{number % 10}"
