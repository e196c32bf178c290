import logging

from deepdance.evaluation.report import LONG_SUMMARY, SUMMARY, Evaluation, compare
from deepdance.evaluation.tables import Column, Row, Table
from deepdance.metrics.bootstrap import Estimate


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


def test_runs_with_other_frames_are_compared_with_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        compare([evaluation("a", 0.8, 0.3), evaluation("b", 0.9, 0.2, frames="others")])
    assert "different frames" in caplog.text
