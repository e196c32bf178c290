import logging

from deepdance.evaluation.report import LONG_SUMMARY, SUMMARY, Evaluation, comparison
from deepdance.evaluation.tables import Column, Measured, Table
from deepdance.metrics.bootstrap import Figure


def evaluation(run, iou, skill, frames="the same"):
    codec = [
        Measured("pca", "model", {"iou": Figure(iou, iou - 0.1, iou + 0.1)}),
        Measured("real, held out", "real", {"iou": None}),
        Measured("copy the last frame", "copy", {"iou": Figure(0.5)}),
    ]
    ahead = [Measured("gru", "model", {"skill": Figure(skill)}, 1), Measured("copy", "copy", {"skill": Figure(0)}, 1)]
    long = [
        Measured("pca × gru", "model", {"coverage": Figure(iou)}),
        Measured("real, held out", "real", {"coverage": Figure(1)}),
        Measured("copy the last frame", "copy", {}),
    ]
    tables = {
        "codec": Table("Codec", [Column("iou", "IoU")], codec),
        "next_frame": Table("Next frame", [Column("skill", "skill")], ahead),
        "long": Table("Long dances", [Column("coverage", "coverage")], long, upright=True),
    }
    return Evaluation(run, "pca", "gru", frames, [], tables)


def test_a_comparison_takes_each_runs_own_rows_and_the_first_ones_baselines(caplog):
    with caplog.at_level(logging.WARNING):
        both = comparison([evaluation("a", 0.8, 0.3), evaluation("b", 0.9, 0.2)])
    table = both["frames"]
    assert [row.name for row in table.rows] == ["a", "b", "real, held out", "copy the last frame"]
    assert [row.figures["codec.iou"] for row in table.rows] == [
        Figure(0.8, 0.8 - 0.1, 0.8 + 0.1),
        Figure(0.9, 0.9 - 0.1, 0.9 + 0.1),
        None,
        Figure(0.5),
    ]
    assert [row.figures["next_frame.skill.1"] for row in table.rows] == [Figure(0.3), Figure(0.2), None, Figure(0)]
    assert table.rows[0].figures["next_frame.skill.10"] is None  # its clips were too short for it
    assert len(table.columns) == len(SUMMARY)
    assert [row.figures["long.coverage"] for row in both["long"].rows] == [Figure(0.8), Figure(0.9), Figure(1), None]
    assert len(both["long"].columns) == len(LONG_SUMMARY)
    assert not caplog.records


def test_runs_with_other_frames_are_compared_with_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        comparison([evaluation("a", 0.8, 0.3), evaluation("b", 0.9, 0.2, frames="others")])
    assert "different frames" in caplog.text
