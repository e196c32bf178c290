"""Writes `docs/how-good.md`: tables, curves and GIFs of the runs of `dd sweep benchmarks/how_good.toml`.

    python benchmarks/how_good.py WORKSPACE [how_good] [--videos FILE.json]

The sweep's first run is shown in pictures and in full. `--videos` is what `dd measure … --run RUN --json` printed.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from deepdance import runs
from deepdance.evaluation.tables import Column, Figures, Row, Table, format_cell
from deepdance.plugins import discover
from deepdance.recipe import Choice
from deepdance.session import Session
from deepdance.storage import read_as
from deepdance.sweeps import list_results
from deepdance.workspace import Workspace

DOCS = Path(__file__).parents[1] / "docs"
PICTURES = DOCS / "pictures"
Evaluations = Mapping[str, Mapping[str, Table]]
"""By run and name."""
CURVES = {"motion": "motion", "area": "area", "bodies": "bodies", "grey": "grey per outline"}
GIF_FRAMES = 140
MAIN = (
    "motion_ratio",
    "freeze_seconds",
    "several_bodies",
    "area_outside",
    "grey_ratio",
    "frechet_frames",
    "frechet_motion",
    "told",
    "coverage",
    "nearest_ratio",
    "replay_seconds",
    "loop",
)
HORIZONS = (1, 10)
SKILLS = {"skill": "latents", "energy_skill": "energy", "iou_skill": "IoU"}
HEADLINE = ("told", "motion_ratio", "freeze_seconds", "frechet_frames", "replay_seconds")
PAPER = "conv-ae × lstm4"
SHOWN_FIRST = ("sdf-ae × texture", "sdf-ae × mdn", PAPER)
"""Beside the first run."""
WIDTH = 6
"""Columns of figures that a page has room for."""
METHOD = """\
## How it was measured

Written by `benchmarks/how_good.py` from runs that anybody can repeat: `dd sweep benchmarks/how_good.toml VIDEO`. [What
is measured](measures.md) has the formulas. Everything is measured on the last tenth of the frames, which nothing was
trained on; *real* is those frames in place of a dance, the floor; *copy* is the last frame held. `lstm4` and `gru` are
made for 3 frames a second; here all learn from the same 10. The [options](#options) are at the end. `sdf-ae` is
trained on the video alone, `codec.prior=none`: the [body prior](body-prior.md), the default, has seen this corpus, and
what it reaches on dancers that it has not seen stands there.
"""


def main() -> None:
    """Read the evaluations, write the page and its pictures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workspace", type=Path)
    parser.add_argument("sweep", nargs="?", default="how_good")
    parser.add_argument("--videos", type=Path)
    arguments = parser.parse_args()
    session = Session(Workspace(arguments.workspace), discover())
    PICTURES.mkdir(exist_ok=True)
    names = [result.run for result in list_results(arguments.workspace, arguments.sweep) if result.status == "finished"]
    evaluations = {name: _read_tables(arguments.workspace, name) for name in names}
    first = names[0]
    runs.generate(
        session, first, PICTURES / "dance.gif", {"frames": GIF_FRAMES, "render_fps": 20.0, "start": "random", "seed": 1}
    )
    _plot(evaluations[first]["long"], PICTURES / "curves.svg")
    videos = read_as(arguments.videos, Table).rows[0] if arguments.videos else None
    page = write_page(evaluations, videos, _date_figures(session, names), _list_options(session, names))
    (DOCS / "how-good.md").write_text(page, encoding="utf-8")


def write_page(evaluations: Evaluations, videos: Row | None, origin: str, options: list[str]) -> str:
    """The page in Markdown; `evaluations` are the tables of each run, the one in full first."""
    first = next(iter(evaluations.values()))["long"]
    page = [
        *_show_verdict(evaluations, videos, origin),
        METHOD,
        *_show_codecs(evaluations),
        *_show_every_dance(evaluations, videos),
        *_show_next_frames(evaluations),
        *_show_one_dance(first, videos),
        _show_curves(first),
        *options,
    ]
    return "\n".join(page)


def _date_figures(session: Session, names: list[str]) -> str:
    """`deepdance 0.1.0, runs of 2026-11-23`: by which program, and when, what is told here was made."""
    records = [session.workspace.open_run(name)[0] for name in names]
    versions = sorted({record.version for record in records})
    days = sorted({record.created[:10] for record in records})
    return f"deepdance {', '.join(versions)}, runs of {' to '.join(dict.fromkeys((days[0], days[-1])))}"


def _show_verdict(evaluations: Evaluations, videos: Row | None, origin: str) -> list[str]:
    tables = [tables["long"] for tables in evaluations.values()]
    dances = [table.rows[0] for table in tables]
    rows = [dances[0], *(row for row in dances[1:] if row.name in SHOWN_FIRST), *_list_baselines(tables[0], videos)]
    columns = [c for c in tables[0].columns if c.key in HEADLINE and any(row.figures.get(c.key) for row in dances)]
    return [
        "# How good is it?\n",
        f"**{_judge(dances)}**\n",
        _tabulate(columns, rows, "dance"),
        "",
        f"Figures of {origin}. For motion and Fréchet 1 is as real; a freeze is the longest stretch without a move, a "
        "replay the longest that repeats the video.\n",
        f"![Silhouettes of a dance of {dances[0].name}](pictures/dance.gif)\n",
    ]


def _judge(dances: Sequence[Row]) -> str:
    """The verdict in a sentence, of the first dance and the paper's."""
    motion, freeze, replay = (_read(dances[0], key) for key in ("motion_ratio", "freeze_seconds", "replay_seconds"))
    sentence = (
        f"`{dances[0].name}` moves {100 * motion:.0f} % as much as the real dancers, stands still for "
        f"{freeze:.1f} s at most and repeats {replay:.1f} s of the video at most"
    )
    paper = next((row for row in dances if row.name == PAPER), None)
    if paper:
        sentence += f"; the paper's `{PAPER}` stands still for {_read(paper, 'freeze_seconds'):.1f} s"
    return f"{sentence}."


def _read(row: Row, key: str) -> float:
    figure = row.figures[key]
    return figure.value if figure else float("nan")


def _list_options(session: Session, names: list[str]) -> list[str]:
    """Every codec and sequence model that took part, with its options, and the codecs a sequence model danced on."""
    codecs: dict[str, None] = {}
    sequences: dict[tuple[str, str], list[str]] = {}
    for name in names:
        _, recipe = session.workspace.open_run(name)
        codecs[f"- `{recipe.codec.name}`: {_format_options(recipe.codec)}"] = None
        sequences.setdefault((recipe.sequence.name, _format_options(recipe.sequence)), []).append(recipe.codec.name)
    lines = [f"- `{name}` on {', '.join(on)}: {values}" for (name, values), on in sequences.items()]
    return ["## Options\n", *codecs, *lines, ""]


def _format_options(choice: Choice) -> str:
    return ", ".join(f"{key} {value}" for key, value in choice.options.items())


def _read_tables(workspace: Path, name: str) -> dict[str, Table]:
    return read_as(workspace / "runs" / name / "evaluation.json", dict[str, Table])


def _show_codecs(evaluations: Evaluations) -> list[str]:
    rows = {row.name: row for tables in evaluations.values() for row in tables["codec"].rows}
    columns = next(iter(evaluations.values()))["codec"].columns
    return ["## Codecs\n", *_tabulate_in_parts(columns, list(rows.values()), "codec")]


def _show_every_dance(evaluations: Evaluations, videos: Row | None) -> list[str]:
    tables = [tables["long"] for tables in evaluations.values()]
    columns = [column for column in tables[0].columns if column.key in MAIN]
    rows = [*(table.rows[0] for table in tables), *_list_baselines(tables[0], videos)]
    lengths = "; ".join(dict.fromkeys(table.legend.splitlines()[0].rstrip(".") for table in tables))
    return [
        "## Every codec with every sequence model\n",
        f"{lengths}.\n",
        *_tabulate_in_parts(columns, rows, "dance"),
    ]


def _show_one_dance(table: Table, videos: Row | None) -> list[str]:
    rows = [table.rows[0], *_list_videos(videos), *table.rows[1:]]
    head = ["figure", *(row.name for row in rows)]
    lines = [[column.title, *(format_cell(row, column) for row in rows)] for column in table.columns]
    return ["## The first in full\n", _join_cells([head, *lines]), "", table.legend.replace("\n", " "), ""]


def _list_baselines(table: Table, videos: Row | None) -> list[Row]:
    """What dances are compared with, but for what is of one codec."""
    return [row for row in (*_list_videos(videos), *table.rows[1:]) if row.role != "ceiling"]


def _list_videos(videos: Row | None) -> list[Row]:
    return [replace(videos, name="the paper's videos")] if videos else []


def _show_next_frames(evaluations: Evaluations) -> list[str]:
    columns = [
        Column(f"{key} {horizon}", f"{title}, {horizon} on", 2) for key, title in SKILLS.items() for horizon in HORIZONS
    ]
    rows, ceilings = [], {}
    for tables in evaluations.values():
        name = tables["long"].rows[0].name
        rows.append(Row(name, "model", _collect_skills(tables["next_frame"], "model")))
        ceiling = f"{name.split(' × ')[0]} alone, the most there can be"
        ceilings[ceiling] = Row(ceiling, "ceiling", _collect_skills(tables["next_frame"], "ceiling"))
    text = (
        f"Skill against copying the last frame, {' and '.join(map(str, HORIZONS))} frames ahead: 1 is perfect, 0 is as "
        "good as the copy. Latents: squared error of the mean of 8 draws. Energy: of the 8 draws. IoU: decoded.\n"
    )
    return ["## The next frame\n", text, _tabulate(columns, [*rows, *ceilings.values()], "model"), ""]


def _collect_skills(table: Table, role: str) -> Figures:
    return {f"{key} {row.horizon}": row.figures.get(key) for row in table.rows if row.role == role for key in SKILLS}


def _tabulate(columns: Sequence[Column], rows: Sequence[Row], corner: str) -> str:
    head = [corner, *(column.title for column in columns)]
    return _join_cells([head, *([row.name, *(format_cell(row, column) for column in columns)] for row in rows)])


def _tabulate_in_parts(columns: Sequence[Column], rows: Sequence[Row], corner: str) -> list[str]:
    """Tables beneath one another, none wider than the page."""
    count = -(-len(columns) // WIDTH)
    size = -(-len(columns) // count)
    parts = [columns[start : start + size] for start in range(0, len(columns), size)]
    return [line for part in parts for line in (_tabulate(part, rows, corner), "")]


def _join_cells(cells: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (cells[0], ["---"] * len(cells[0]), *cells[1:]))


def _plot(table: Table, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "deepdance"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(CURVES), figsize=(12, 2.6), layout="constrained")
    for axis, (key, title) in zip(axes, CURVES.items(), strict=True):
        for row, curves in table.curves.items():
            for curve in curves[key]:
                axis.plot(curve, color="0.6" if row.startswith("real") else "C0", linewidth=1)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("thousand frames", fontsize=8)
        axis.set_ylim(bottom=0)
    figure.savefig(path, metadata={"Date": None})


def _show_curves(table: Table) -> str:
    name = table.rows[0].name
    return (
        f"## Over time\n\nMeans of every 1,000 frames of `{name}` (blue, a line a dance) and of real ones (grey).\n\n"
        "![Motion, area, bodies and grey per outline, as they go on](pictures/curves.svg)\n"
    )


if __name__ == "__main__":
    main()
