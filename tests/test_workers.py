"""The figures of workers can be taken again by anybody."""

import json
import subprocess
import sys

import pytest
from benchmarks import workers


@pytest.mark.parametrize(
    ("arguments", "columns"),
    [
        (["prepare", "--clips", "1", "2"], ["clips", "jobs", "cold s", "warm s", "driver s", "speed-up"]),
        (["tasks"], ["jobs", "open s", "run_task ms", "map_blocks ms"]),
    ],
)
def test_the_script_measures_by_workers_of_its_own(arguments, columns):
    small = ["--jobs", "1", "--seconds", "1", "--picture", "60", "100", "--json"]
    command = [sys.executable, workers.__file__, *arguments, *small]
    rows = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert [list(row) for row in rows] == [columns] * len(rows)
    assert all(value > 0 for row in rows for value in row.values())


def test_a_table_is_markdown(capsys):
    workers._print_table(iter([{"jobs": 1, "s": 1.23456}, {"jobs": 2, "s": 0.5}]))
    assert capsys.readouterr().out.splitlines() == ["| jobs | s |", "| --- | --- |", "| 1 | 1.235 |", "| 2 | 0.5 |"]
