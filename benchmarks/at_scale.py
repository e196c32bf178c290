"""What hours of video cost: `dd` measured once on one machine, reckoned for more video than that machine can hold.

    python benchmarks/at_scale.py                           # the tables of docs/scale.md
    python benchmarks/at_scale.py --measure VIDEO           # measure, and write benchmarks/at_scale.toml

`at_scale.toml` has what was measured, of the processors' time, with its date and machine, what `workers.py` measured
of two workers, and the prices that are assumed. Everything else is multiplication, and is in this file.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_suffix(".toml")
HOURS = (10, 10_000, 1_000_000)
STAGES = {"read": "reading, `threshold`", "person": "reading, `person`", "encode": "latents, `sdf-ae`"}
"""Work on each video alone, which any number of machines share."""
ALONE = {"sequence": "fitting `motion-field`", "driver": "the driver, writing the workspace"}
"""Work of one process."""
KEPT = {"silhouettes": "silhouettes", "latents": "latents"}
YEAR = 365.25 * 24 * 3600
TOLERABLE = 24 * 3600.0
"""Seconds after which a stage is what has to change first."""


@dataclass(frozen=True)
class Rates:
    """What an hour of video costs: seconds of one processor, and bytes."""

    measured: dict[str, Any]
    seconds: dict[str, float]
    bytes: dict[str, float]
    prices: dict[str, Any]
    workers: dict[str, Any]

    @classmethod
    def load(cls, path: Path = FILE) -> Rates:
        """Those of `at_scale.toml`."""
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        return cls(
            table["measured"], table["seconds_an_hour"], table["bytes_an_hour"], table["prices"], table["workers"]
        )


def format_seconds(seconds: float) -> str:
    """In the largest unit of which there is one."""
    units = ((YEAR, "years"), (24 * 3600, "days"), (3600, "h"), (60, "min"))
    size, unit = next(((size, unit) for size, unit in units if seconds >= size), (1, "s"))
    return f"{seconds / size:,.3g} {unit}" if seconds / size < 1000 else f"{seconds / size:,.0f} {unit}"


def format_bytes(count: float) -> str:
    size, unit = next((each for each in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB")) if count >= each[0]), (1e6, "MB"))
    return f"{count / size:,.3g} {unit}"


def format_price(price: float) -> str:
    return f"{price:,.2f} $" if price < 10 else f"{price:,.0f} $"


def make_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def list_hours() -> list[str]:
    return [f"{hours:,} h".replace(",", " ") for hours in HOURS]


def write_times(rates: Rates) -> str:
    """Time of each stage on one processor; for stages that can be shared, on a thousand too."""
    rows = [
        [name, *(format_seconds(rates.seconds[stage] * hours) for hours in HOURS)]
        for stage, name in (STAGES | ALONE).items()
    ]
    shared = sum(rates.seconds[stage] for stage in ("person", "encode"))
    rows.append(["`person` and latents on 1 000 processors", *(format_seconds(shared * h / 1000) for h in HOURS)])
    return make_table(["stage", *list_hours()], rows)


def write_room(rates: Rates) -> str:
    """What is kept, and what has to be in memory."""
    names = {"videos": "the videos, at 2 Mbit/s"} | KEPT | {"memory": "memory of `motion-field`"}
    rows = [[name, *(format_bytes(rates.bytes[key] * hours) for hours in HOURS)] for key, name in names.items()]
    return make_table(["what", *list_hours()], rows)


def write_prices(rates: Rates) -> str:
    """What it costs by the prices that are assumed."""
    prices = rates.prices
    computing = {"read": ["read", "encode"], "person": ["person", "encode"]}
    rows = [
        [f"{STAGES[stage]}, and latents", *(format_price(_price_computing(rates, parts, hours)) for hours in HOURS)]
        for stage, parts in computing.items()
    ]
    kept = (
        (rates.bytes["videos"] + rates.bytes["silhouettes"] + rates.bytes["latents"]) / 1e9 * prices["store_gb_month"]
    )
    rows.append(["keeping all of it, a month", *(format_price(kept * hours) for hours in HOURS)])
    leaving = rates.bytes["videos"] / 1e9 * prices["transfer_gb"]
    rows.append(["fetching the videos from another cloud", *(format_price(leaving * hours) for hours in HOURS)])
    return make_table(["what", *list_hours()], rows)


def _price_computing(rates: Rates, stages: Sequence[str], hours: float) -> float:
    return sum(rates.seconds[stage] for stage in stages) * hours / 3600 * float(rates.prices["processor_hour"])


def write_limits(rates: Rates) -> str:
    """The hours of video from which each part takes more than a day on one machine, or more than its memory."""
    processors, memory = rates.prices["machine_processors"], rates.prices["machine_memory_gb"]
    limits = {
        STAGES["person"]: TOLERABLE * processors / rates.seconds["person"],
        STAGES["read"]: TOLERABLE * processors / rates.seconds["read"],
        STAGES["encode"]: TOLERABLE * processors / rates.seconds["encode"],
        "memory of `motion-field`": memory * 1e9 / rates.bytes["memory"],
    } | {name: TOLERABLE / rates.seconds[stage] for stage, name in ALONE.items()}
    ordered = sorted(limits.items(), key=lambda each: each[1])
    rows = [[name, f"{float(f'{hours:.2g}'):,.0f} h".replace(",", " ")] for name, hours in ordered]
    return make_table(["what", "one machine is enough up to"], rows)


def write_workers(rates: Rates) -> str:
    """What two workers bring, what a task costs, and where the one process that writes ends."""
    workers, seconds = rates.workers, rates.seconds
    kept_busy = (seconds["person"] + seconds["encode"]) / seconds["driver"]
    rows = [
        ["two against one: reading, `person`", f"{workers['person']} ×"],
        ["two against one: latents", f"{workers['encode']} ×"],
        ["two against one: `dd evaluate`", f"{workers['evaluate']} ×"],
        ["a task that does nothing", f"{workers['task_ms']} ms; by Ray {workers['ray_task_ms']} ms"],
        ["memory of the driver, 100 clips", f"{workers['driver_mb_100_clips']} MB"],
        ["memory of the driver, 1 000 clips", f"{workers['driver_mb_1000_clips']} MB"],
        ["processors that one driver has time for, long videos", f"{float(f'{kept_busy:.1g}'):,.0f}"],
    ]
    told = f"Measured on {workers['date']} on {workers['machine']}: {workers['origin']}."
    return f"{make_table(['what', 'measured'], rows)}\n\n{told}"


def write_assumptions(rates: Rates) -> str:
    measured, prices = rates.measured, rates.prices
    return (
        f"Measured on {measured['date']} on {measured['machine']}: {measured['video']}; `dd evaluate` took "
        f"{measured['evaluate_seconds']} s of a processor. Assumed, as of "
        f"{prices['date']}: {prices['processor_hour']} $ for an hour of a processor, {prices['store_gb_month']} $ for "
        f"a GB kept a month, {prices['transfer_gb']} $ for a GB that leaves a cloud; a machine has "
        f"{prices['machine_processors']} processors and {prices['machine_memory_gb']} GB."
    )


TABLES = {
    "assumptions": write_assumptions,
    "limits": write_limits,
    "times": write_times,
    "workers": write_workers,
    "room": write_room,
    "prices": write_prices,
}


def write_table(name: str) -> str:
    """One of the tables, for the page of the documentation that has it."""
    return TABLES[name](Rates.load())


@dataclass
class StageTimer:
    """A listener that adds up the processors' time from the start to the end of each stage, children included."""

    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _began: dict[str, float] = field(default_factory=dict)

    def __call__(self, event: Any) -> None:
        from deepdance.events import StageFinished, StageStarted

        if isinstance(event, StageStarted):
            self._began[event.stage] = sum(os.times()[:4])
        elif isinstance(event, StageFinished) and event.stage in self._began:
            self.seconds[event.stage] += sum(os.times()[:4]) - self._began.pop(event.stage)


def measure(video: Path) -> dict[str, Any]:
    """Seconds of a processor and bytes for an hour of video, from a run of one video with each remover."""
    import deepdance
    from deepdance.workers import count_cores

    timers = {name: StageTimer() for name in ("threshold", "person")}
    with tempfile.TemporaryDirectory() as folder:
        for name, timer in timers.items():
            made = deepdance.run(
                video, remover=name, name=name, workspace=Path(folder) / name, listen=[timer], progress=False
            )
        began = sum(os.times()[:4])
        deepdance.open_run(made.folder).evaluate()
        evaluated = sum(os.times()[:4]) - began
        frames, latents = made.silhouettes, made.latents
        hours = len(frames) / made.recipe.fps / 3600
        growth = measure_growth()
        seconds = {
            "read": timers["threshold"].seconds["silhouettes"] / hours,
            "person": timers["person"].seconds["silhouettes"] / hours,
            "encode": timers["person"].seconds["latents"] / hours,
            "sequence": growth["seconds"] * len(latents) / hours,
            "driver": time_writing(Path(folder), frames[:]) / hours,
        }
        size = {"videos": 2e6 / 8 * 3600, "silhouettes": frames[:].nbytes / hours, "latents": latents.nbytes / hours}
    size["memory"] = growth["bytes"] * len(latents) / hours
    shape = f"{made.recipe.fps:g} frames a second of {frames.size[0]}×{frames.size[1]}"
    shown = f"{3600 * hours:.0f} s of `{video.name}`, {shape}"
    machine = f"{count_cores()} cores, {platform.machine()}"
    measured = {
        "date": date.today().isoformat(),
        "machine": machine,
        "video": shown,
        "evaluate_seconds": round(evaluated),
    }
    return {"measured": measured, "seconds_an_hour": _round(seconds), "bytes_an_hour": _round(size)}


def time_writing(folder: Path, frames: Any) -> float:
    """Seconds by the clock in which a workspace takes silhouettes in: written, flushed to the disk, hashed, checked."""
    from time import monotonic

    from deepdance.frames import SilhouetteWriter
    from deepdance.session import Session

    def work(place: Path) -> dict[str, Any]:
        with SilhouetteWriter(place, frames.shape[1:]) as writer:
            writer.write(frames)
            writer.finish(source="again", fps=10.0, shot_starts=())
        return {}

    began = monotonic()
    Session.open(folder / "again").make("silhouettes", {"of": "at_scale"}, work)
    return monotonic() - began


def measure_growth() -> dict[str, float]:
    """What one more latent costs `motion-field`, from the two longest that `growth.py` has measured."""
    import json

    found = json.loads(FILE.with_name("growth.json").read_text(encoding="utf-8"))["fit_sequence"]
    (few, before), (many, after) = sorted(((int(count), each) for count, each in found.items()))[-2:]
    added = many - few
    return {
        "seconds": (after["seconds"] - before["seconds"]) / added,
        "bytes": (after["megabytes"] - before["megabytes"]) * 1e6 / added,
    }


def _round(values: dict[str, float]) -> dict[str, float]:
    return {key: float(f"{value:.3g}") for key, value in values.items()}


def main() -> None:
    """Measure, or show the tables."""
    import tomli_w

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--measure", type=Path, metavar="VIDEO")
    video = parser.parse_args().measure
    if video:
        before = tomllib.loads(FILE.read_text(encoding="utf-8"))
        kept = {name: before[name] for name in ("prices", "workers")}
        FILE.write_text(tomli_w.dumps(measure(video) | kept), encoding="utf-8")
    for write in TABLES.values():
        print(write(Rates.load()), end="\n\n")


if __name__ == "__main__":
    main()
