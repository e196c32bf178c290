"""JSON that any reader takes, and what comes back of it."""

import json
import math

import numpy as np
import pytest
from pydantic import TypeAdapter

from deepdance.evaluation.tables import Column, Row, Table
from deepdance.metrics.bootstrap import Estimate
from deepdance.strict_json import dump_json, restore_metrics
from deepdance.workspace import write_json

HISTORY = [{"loss": 0.5, "val_loss": math.nan}, {"loss": math.inf, "val_loss": np.float32("nan")}]


def read_strictly(text):
    return json.loads(text, parse_constant=pytest.fail)


def test_what_is_not_finite_is_null_at_any_depth():
    value = {"a": [math.nan, (-math.inf, 1.5)], 2: {"b": np.float64("inf"), "c": np.int64(3), "d": np.bool_(True)}}
    assert read_strictly(dump_json(value)) == {"a": [None, [None, 1.5]], "2": {"b": None, "c": 3, "d": True}}


def test_a_file_of_a_workspace_holds_no_nan(tmp_path):
    write_json(tmp_path / "a.json", {"history": HISTORY})
    (first, last) = read_strictly((tmp_path / "a.json").read_text())["history"]
    assert (first, last) == ({"loss": 0.5, "val_loss": None}, {"loss": None, "val_loss": None})


def test_null_in_a_history_is_nan_again():
    (first, last) = restore_metrics(json.loads(dump_json(HISTORY)))
    assert first["loss"] == 0.5
    assert all(map(math.isnan, (first["val_loss"], *last.values())))


def test_a_table_with_nan_in_it_is_read_back():
    rows = [Row("mine", "model", {"a": Estimate(math.nan, 1.0, math.inf), "b": None})]
    table = Table("T", [Column("a", "a"), Column("b", "b")], rows)
    again = TypeAdapter(Table).validate_python(read_strictly(dump_json(table.as_json())))
    figures = again.rows[0].figures
    assert math.isnan(figures["a"].value)
    assert (figures["a"].low, figures["a"].high, figures["b"]) == (1.0, None, None)
    assert "nan" in str(again)


def test_whatever_is_printed_for_scripts_is_json(capsys):
    from deepdance_cli.output import print_json

    print_json({"a": math.nan, "b": "é"})
    assert read_strictly(capsys.readouterr().out) == {"a": None, "b": "é"}
