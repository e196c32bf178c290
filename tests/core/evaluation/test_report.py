import json
import logging
from dataclasses import replace

import pytest
from pydantic import TypeAdapter

import deepdance
from deepdance.evaluation import codec, long_dances, next_frame, report
from deepdance.evaluation.report import LONG_SUMMARY, SUMMARY, Evaluation, compare, evaluate
from deepdance.evaluation.tables import Column, Row, Table
from deepdance.metrics.bootstrap import Estimate
from deepdance.session import Session


def evaluation(run, iou, skill, frames="the same"):
    codec = [
        Row("pca", "model", {"iou": Estimate(iou, iou - 0.1, iou + 0.1)}),
        Row("real, held out", "real", {"iou": None}),
        Row("copy the last frame", "copy", {"iou": Estimate(0.5)}),
    ]
    ahead = [Row("gru", "model", {"skill": Estimate(skill)}, 1), Row("copy", "copy", {"skill": Estimate(0)}, 1)]
    long = [
        Row("pca × gru", "model", {"coverage": Estimate(iou)}),
        Row("real, held out", "real", {"coverage": Estimate(1)}),
        Row("copy the last frame", "copy", {}),
    ]
    tables = {
        "codec": Table("Codec", [Column("iou", "IoU")], codec),
        "next_frame": Table("Next frame", [Column("skill", "skill")], ahead),
        "long": Table("Long dances", [Column("coverage", "coverage")], long, upright=True),
    }
    return Evaluation(run, "pca", "gru", frames, [], tables)


def column(table, key):
    return [row.figures[key] for row in table.rows]


def test_a_comparison_takes_each_runs_own_rows_and_the_first_ones_baselines(caplog):
    with caplog.at_level(logging.WARNING):
        both = compare([evaluation("a", 0.8, 0.3), evaluation("b", 0.9, 0.2)])
    table = both["frames"]
    assert [row.name for row in table.rows] == ["a", "b", "real, held out", "copy the last frame"]
    model_iou = [Estimate(iou, iou - 0.1, iou + 0.1) for iou in (0.8, 0.9)]
    assert column(table, "codec.iou") == [*model_iou, None, Estimate(0.5)]
    assert column(table, "next_frame.skill.1") == [Estimate(0.3), Estimate(0.2), None, Estimate(0)]
    assert table.rows[0].figures["next_frame.skill.10"] is None  # its clips were too short for it
    assert len(table.columns) == len(SUMMARY)
    assert column(both["long"], "long.coverage") == [Estimate(0.8), Estimate(0.9), Estimate(1), None]
    assert len(both["long"].columns) == len(LONG_SUMMARY)
    assert not caplog.records


def with_ceiling(evaluation, skill):
    """The same evaluation, with what its codec alone reaches one frame ahead."""
    ahead = evaluation.tables["next_frame"]
    rows = [*ahead.rows, Row("the codec alone", "ceiling", {"iou_skill": Estimate(skill)}, 1)]
    tables = {**evaluation.tables, "next_frame": replace(ahead, rows=rows)}
    return replace(evaluation, tables=tables)


def test_a_comparison_has_the_ceiling_of_each_codec():
    shared = [with_ceiling(evaluation(run, 0.8, 0.3), 0.7) for run in ("a", "b")]
    other = with_ceiling(evaluation("c", 0.9, 0.3), 0.8)
    last = "the codec alone, "
    for third, names in (
        (replace(other, codec="sdf-ae"), [f"{last}pca", f"{last}sdf-ae"]),
        (other, [f"{last}pca of a", f"{last}pca of c"]),
    ):
        both = compare([*shared, third])
        ceilings = [row for row in both["frames"].rows if row.role == "ceiling"]
        assert [row.name for row in ceilings] == names
        assert [row.figures["next_frame.iou_skill.1"] for row in ceilings] == [Estimate(0.7), Estimate(0.8)]
        assert not [row for row in both["long"].rows if row.role == "ceiling"]


def test_runs_with_other_frames_are_compared_with_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        compare([evaluation("a", 0.8, 0.3), evaluation("b", 0.9, 0.2, frames="others")])
    assert "different frames" in caplog.text


def test_a_comparison_shows_a_figure_as_its_own_table_does():
    """With as many decimals, and for want of the same."""
    own = {"codec": codec.COLUMNS, "next_frame": next_frame.COLUMNS}
    own["long"] = (*long_dances.WHOLE, *long_dances.TOLD)
    columns = {f"{table}.{column.key}": column for table, columns in own.items() for column in columns}
    for shown in (*SUMMARY, *LONG_SUMMARY):
        same = columns[".".join(shown.key.split(".")[:2])]
        assert (shown.decimals, shown.digits, shown.slope) == (same.decimals, same.digits, same.slope)
        assert shown.needs == same.needs


@pytest.fixture
def measured(monkeypatch):
    """What was measured, and how: each table a single figure."""
    asked = []

    def measure(name):
        def made(*_, **settings):
            asked.append((name, settings))
            return Table(name, [Column("x", "x")], [Row("a", "model", {"x": Estimate(0.5)})])

        return made

    for name in ("measure_codec", "measure_next_frame", "measure_long_dances"):
        monkeypatch.setattr(report, name, measure(name))
    return asked


def test_what_an_evaluation_measured_lies_in_the_runs_folder_and_is_measured_once(silhouettes, tmp_path, measured):
    made = deepdance.run(
        silhouettes,
        codec={"name": "pca", "latent_dim": 4},
        sequence="ridge",
        size=(24, 40),
        frames=5,
        workspace=tmp_path,
    )
    session = Session.open(tmp_path)
    first = evaluate(session, made.folder.name)
    assert [name for name, _ in measured] == ["measure_codec", "measure_next_frame", "measure_long_dances"]
    assert {name: measured[-1][1][name] for name in ("length", "seeds")} == {"length": 1000, "seeds": 5}
    kept = json.loads((made.folder / "evaluation.json").read_text())
    assert {name: TypeAdapter(Table).validate_python(table) for name, table in kept.items()} == first.tables
    assert list(first.all_tables) == ["paper", "codec", "next_frame", "long"]
    assert evaluate(session, made.folder.name).tables == first.tables
    assert len(measured) == 3
    evaluate(session, made.folder.name, length=7)
    assert [name for name, _ in measured[3:]] == ["measure_long_dances"]
