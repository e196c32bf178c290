"""The page of what hours of video cost is reckoned from figures that are there."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks import at_scale
from benchmarks.at_scale import TABLES, Rates, StageTimer, format_bytes, format_price, format_seconds

from deepdance.events import StageFinished, StageStarted


@pytest.fixture
def rates():
    return Rates.load()


def test_the_script_prints_every_table_and_the_page_has_each():
    printed = subprocess.run([sys.executable, at_scale.__file__], capture_output=True, text=True, check=True).stdout
    page = (Path(at_scale.__file__).parents[1] / "docs/scale.md").read_text()
    for name in TABLES:
        assert at_scale.write_table(name) in printed
        assert f"<!-- generated: scale {name} -->" in page


def test_every_figure_is_above_nothing_and_dated(rates):
    assert all(value > 0 for value in (*rates.seconds.values(), *rates.bytes.values()))
    assert rates.measured["date"] and rates.prices["date"] and rates.workers["date"]


def test_twice_the_rate_is_twice_the_time_and_half_the_hours(rates):
    whole = replace(rates, seconds=dict.fromkeys(rates.seconds, 3600.0))
    assert "| reading, `person` | 10 h | 1.14 years | 114 years |" in at_scale.write_times(whole)
    many = replace(whole, prices=whole.prices | {"machine_processors": 32})
    assert "| reading, `person` | 770 h |" in at_scale.write_limits(many)
    twice = replace(many, seconds=dict.fromkeys(rates.seconds, 7200.0))
    assert "| reading, `person` | 380 h |" in at_scale.write_limits(twice)


def test_a_driver_has_time_for_as_many_processors_as_work_longer_than_it(rates):
    alike = replace(rates, seconds={"person": 60.0, "encode": 30.0, "driver": 0.3})
    assert "| processors that one driver has time for, long videos | 300 |" in at_scale.write_workers(alike)


def test_prices_are_those_of_the_file(rates):
    free = replace(rates, prices=rates.prices | {"processor_hour": 0.0, "store_gb_month": 0.0})
    assert at_scale.write_prices(free).count("0.00 $") == 9


def test_units_are_the_largest_of_which_there_is_one():
    assert [format_seconds(s) for s in (0.5, 90, 7200, 1e9)] == ["0.5 s", "1.5 min", "2 h", "31.7 years"]
    assert [format_bytes(b) for b in (5e5, 2.5e9, 4e12, 1.5e15)] == ["0.5 MB", "2.5 GB", "4 TB", "1.5 PB"]
    assert [format_price(p) for p in (0.5, 1234.5)] == ["0.50 $", "1,234 $"]


def test_a_stage_is_timed_from_its_start_to_its_end(monkeypatch):
    times = iter([(1, 1, 0, 0), (2, 2, 1, 0)])
    monkeypatch.setattr(at_scale.os, "times", lambda: next(times))
    timer = StageTimer()
    for event in (StageStarted("latents"), StageFinished("latents", False), StageFinished("codec", True)):
        timer(event)
    assert dict(timer.seconds) == {"latents": 3}
