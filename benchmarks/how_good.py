"""Writes `docs/how-good.md`: tables, curves and GIFs of runs that `dd evaluate` has measured.

    python benchmarks/how_good.py WORKSPACE RUN [RUN…] [--videos FILE.json]

The first run is shown in pictures and in full. `--videos` is what `dd measure … --run RUN --json` printed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from deepdance import runs
from deepdance.plugins import discover
from deepdance.recipe import Choice
from deepdance.session import Session
from deepdance.workspace import Workspace

DOCS = Path(__file__).parents[1] / "docs"
PICTURES = DOCS / "pictures"
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

Written by `benchmarks/how_good.py` from runs that anybody can repeat: `dd run VIDEO --codec … --seq …`, then
`dd evaluate RUN --frames N`. [What is measured](measures.md) has the formulas. Everything is measured on the last
tenth of the frames, which nothing was trained on; *real* is those frames in place of a dance, the floor; *copy* is the
last frame held. `lstm4` and `gru` are made for 3 frames a second; here all learn from the same 10. The
[options](#options) are at the end. `sdf-ae` is trained on the video alone, `codec.prior=none`: the
[body prior](body-prior.md), the default, has seen this corpus, and what it reaches on dancers that it has not seen
stands there.
"""


def main() -> None:
    """Read the evaluations, write the page and its pictures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workspace", type=Path)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--videos", type=Path)
    arguments = parser.parse_args()
    session = Session(Workspace(arguments.workspace), discover())
    PICTURES.mkdir(exist_ok=True)
    evaluations = {name: _read_tables(arguments.workspace, name) for name in arguments.runs}
    first = arguments.runs[0]
    runs.generate(
        session, first, PICTURES / "dance.gif", {"frames": GIF_FRAMES, "render_fps": 20.0, "start": "random", "seed": 1}
    )
    _plot(evaluations[first]["long"], PICTURES / "curves.svg")
    videos = json.loads(arguments.videos.read_text())["rows"][0] if arguments.videos else None
    options = _list_options(session, arguments.runs)
    page = write_page(evaluations, videos, _date_figures(session, arguments.runs), options)
    (DOCS / "how-good.md").write_text(page, encoding="utf-8")


def write_page(evaluations: dict[str, Any], videos: Any, origin: str, options: list[str]) -> str:
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


def _show_verdict(evaluations: dict[str, Any], videos: Any, origin: str) -> list[str]:
    tables = [tables["long"] for tables in evaluations.values()]
    dances = [table["rows"][0] for table in tables]
    baselines = [row for row in _list_baselines(tables[0], videos) if row["role"] != "ceiling"]
    rows = [dances[0], *(row for row in dances[1:] if row["name"] in SHOWN_FIRST), *baselines]
    columns = [column for column in tables[0]["columns"] if column["key"] in HEADLINE and _is_measured(column, dances)]
    return [
        "# How good is it?\n",
        f"**{_judge(dances)}**\n",
        _tabulate(columns, rows, "dance"),
        "",
        f"Figures of {origin}. For motion and Fréchet 1 is as real; a freeze is the longest stretch without a move, a "
        "replay the longest that repeats the video.\n",
        f"![Silhouettes of a dance of {dances[0]['name']}](pictures/dance.gif)\n",
    ]


def _is_measured(column: Any, rows: list[Any]) -> bool:
    return any(row["figures"].get(column["key"]) for row in rows)


def _judge(dances: list[Any]) -> str:
    """The verdict in a sentence, of the first dance and the paper's."""
    motion, freeze, replay = (
        dances[0]["figures"][key]["value"] for key in ("motion_ratio", "freeze_seconds", "replay_seconds")
    )
    sentence = (
        f"`{dances[0]['name']}` moves {100 * motion:.0f} % as much as the real dancers, stands still for "
        f"{freeze:.1f} s at most and repeats {replay:.1f} s of the video at most"
    )
    paper = next((row for row in dances if row["name"] == PAPER), None)
    if paper:
        sentence += f"; the paper's `{PAPER}` stands still for {paper['figures']['freeze_seconds']['value']:.1f} s"
    return f"{sentence}."


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


def _read_tables(workspace: Path, name: str) -> dict[str, Any]:
    tables: dict[str, Any] = json.loads((workspace / "runs" / name / "evaluation.json").read_text())
    return tables


def _show_codecs(evaluations: dict[str, Any]) -> list[str]:
    rows: dict[str, Any] = {}
    for tables in evaluations.values():
        rows |= {row["name"]: row for row in tables["codec"]["rows"]}
    return [
        "## Codecs\n",
        *_tabulate_in_parts(next(iter(evaluations.values()))["codec"]["columns"], list(rows.values()), "codec"),
    ]


def _show_every_dance(evaluations: dict[str, Any], videos: Any) -> list[str]:
    tables = [tables["long"] for tables in evaluations.values()]
    columns = [column for column in tables[0]["columns"] if column["key"] in MAIN]
    baselines = [row for row in _list_baselines(tables[0], videos) if row["role"] != "ceiling"]  # of one codec
    rows = [table["rows"][0] for table in tables] + baselines
    lengths = "; ".join(dict.fromkeys(_read_length(table) for table in tables))
    return [
        "## Every codec with every sequence model\n",
        f"{lengths}.\n",
        *_tabulate_in_parts(columns, rows, "dance"),
    ]


def _read_length(table: Any) -> str:
    """`5 dances, 50,000 frames in all, 10 a second`: the legend's first line."""
    legend: str = table["legend"]
    return legend.splitlines()[0].rstrip(".")


def _show_one_dance(table: Any, videos: Any) -> list[str]:
    rows = [table["rows"][0], *_list_baselines(table, videos)]
    legend = table["legend"].replace("\n", " ")
    return ["## The first in full\n", _tabulate_upright(table["columns"], rows), "", legend, ""]


def _list_baselines(table: Any, videos: Any) -> list[Any]:
    return [*([{**videos, "name": "the paper's videos"}] if videos else []), *table["rows"][1:]]


def _show_next_frames(evaluations: dict[str, Any]) -> list[str]:
    columns = [
        {"key": f"{key} {horizon}", "title": f"{title}, {horizon} on", "decimals": 2, "slope": False}
        for key, title in SKILLS.items()
        for horizon in HORIZONS
    ]
    rows, ceilings = [], {}
    for tables in evaluations.values():
        name = tables["long"]["rows"][0]["name"]
        rows.append({"name": name, "figures": _collect_skills(tables["next_frame"], "model")})
        ceiling = f"{name.split(' × ')[0]} alone, the most there can be"
        ceilings[ceiling] = {"name": ceiling, "figures": _collect_skills(tables["next_frame"], "ceiling")}
    text = (
        f"Skill against copying the last frame, {' and '.join(map(str, HORIZONS))} frames ahead: 1 is perfect, 0 is as "
        "good as the copy. Latents: squared error of the mean of 8 draws. Energy: of the 8 draws. IoU: decoded.\n"
    )
    return ["## The next frame\n", text, _tabulate(columns, [*rows, *ceilings.values()], "model"), ""]


def _collect_skills(table: Any, role: str) -> dict[str, Any]:
    return {
        f"{key} {row['horizon']}": row["figures"].get(key)
        for row in table["rows"]
        if row["role"] == role
        for key in SKILLS
    }


def _tabulate(columns: list[Any], rows: list[Any], corner: str) -> str:
    head = [corner, *(column["title"] for column in columns)]
    body = [[row["name"], *(_format_cell(row, column) for column in columns)] for row in rows]
    return _join_cells([head, ["---"] * len(head), *body])


def _tabulate_in_parts(columns: list[Any], rows: list[Any], corner: str) -> list[str]:
    """Tables beneath one another, none wider than the page."""
    count = -(-len(columns) // WIDTH)
    size = -(-len(columns) // count)
    parts = [columns[start : start + size] for start in range(0, len(columns), size)]
    return [line for part in parts for line in (_tabulate(part, rows, corner), "")]


def _tabulate_upright(columns: list[Any], rows: list[Any]) -> str:
    head = ["figure", *(row["name"] for row in rows)]
    body = [[column["title"], *(_format_cell(row, column) for row in rows)] for column in columns]
    return _join_cells([head, ["---"] * len(head), *body])


def _join_cells(cells: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _format_cell(row: Any, column: Any) -> str:
    figure = row["figures"].get(column["key"])
    if figure is None:
        return "–"
    text = f"{figure['value']:.{column['decimals']}f}"
    if figure["low"] is None:
        return text
    half = f"{(figure['high'] - figure['low']) / 2:.{column['decimals']}f}"
    flat = column["slope"] and figure["low"] <= 0 <= figure["high"]
    return f"{text} ±{half}{' flat' if flat else ''}"


def _plot(table: Any, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "deepdance"
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(CURVES), figsize=(12, 2.6), layout="constrained")
    for axis, (key, title) in zip(axes, CURVES.items(), strict=True):
        for row, curves in table["curves"].items():
            for curve in curves[key]:
                axis.plot(curve, color="0.6" if row.startswith("real") else "C0", linewidth=1)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("thousand frames", fontsize=8)
        axis.set_ylim(bottom=0)
    figure.savefig(path, metadata={"Date": None})


def _show_curves(table: Any) -> str:
    name = table["rows"][0]["name"]
    return (
        f"## Over time\n\nMeans of every 1,000 frames of `{name}` (blue, a line a dance) and of real ones (grey).\n\n"
        "![Motion, area, bodies and grey per outline, as they go on](pictures/curves.svg)\n"
    )


if __name__ == "__main__":
    main()
