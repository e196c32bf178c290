"""`make soak`: `dd run` is killed again and again, at any moment, and what comes out at last is what would have come.

python -m tests.soak.kills --seed 1 --count 200; each chain of kills ends when a run is not killed any more.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from tests.conftest import demo_frames, write_video

ROOT = Path(__file__).parents[2]
SMALL = ("--frames", "30", "--size", "24x40", "--name", "x", "--remover", "threshold")
KERAS = ("--set", "codec.epochs=2", "--set", "sequence.epochs=2", "--set", "sequence.units=8")
MODELS = {
    "pca-ridge": ("--codec", "pca", "--seq", "ridge", "--set", "codec.latent_dim=8"),
    "conv-ae-gru": ("--codec", "conv-ae", "--seq", "gru", *KERAS),
}
ONCE, LATER, LATEST = 0.7, 0.9, 400
"""Of the kills this share comes at once; the others up to so many milliseconds later."""
NEVER = 10**9
WITHOUT = ("created", "seconds", "digest")
"""What in a manifest is of its hour."""


@dataclass
class Tally:
    """What came of the kills."""

    kills: int = 0
    chains: int = 0
    stages: dict[str, int] = field(default_factory=dict)
    """Kills by the last thing that was finished."""


class Chain:
    """A folder with a dance, in which one command is called until it is not killed any more."""

    def __init__(self, folder: Path, models: str) -> None:
        self.folder = folder
        self.models = models
        folder.mkdir(parents=True)
        write_video(folder / "dance.mp4", demo_frames(8, 10, (48, 80)), 10)

    def run(self, moment: int = NEVER, delay: float = 0.0) -> bool:
        """Whether the command ended well; False if it was killed. Anything else is an AssertionError."""
        words = ["-m", "tests.soak.killed", str(moment), str(delay), str(self.folder / "moments"), "--"]
        command = [sys.executable, *words, "run", "dance.mp4", *MODELS[self.models], *SMALL]
        before = self.read_manifests()
        ended = subprocess.run(
            command, cwd=self.folder, env=make_environment(), capture_output=True, text=True, timeout=300
        )
        assert ended.returncode in (0, -9), f"ended with {ended.returncode}: {ended.stderr}"
        assert "Traceback" not in ended.stderr, ended.stderr
        assert "damaged" not in ended.stderr, ended.stderr
        assert_alone(self.folder)
        after = self.read_manifests()
        redone = [name for name, manifest in before.items() if after.get(name) != manifest]
        assert not redone, f"made again: {redone}"
        return ended.returncode == 0

    def read_manifests(self) -> dict[str, dict[str, Any]]:
        """Those of all finished artifacts."""
        paths = (self.folder / "workspace/artifacts").glob("[a-z]*/manifest.json")
        return {path.parent.name: json.loads(path.read_text()) for path in paths}

    def describe(self) -> dict[str, Any]:
        """All that there is: files of any name, and what is in them but for what is of their hour."""
        place = self.folder / "workspace"
        names = sorted(str(path.relative_to(place)) for path in place.rglob("*") if ".locks" not in path.parts)
        manifests = {name: strip(manifest) for name, manifest in self.read_manifests().items()}
        return {"names": names, "manifests": manifests, "video": (place / "runs/x/dance.mp4").read_bytes()}


def strip(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What must be the same each time; Keras' files have the time in them."""
    kept = {key: value for key, value in manifest.items() if key not in WITHOUT}
    files = {name: None if name.endswith(".keras") else noted for name, noted in kept["files"].items()}
    return {**kept, "files": files}


def make_environment() -> dict[str, str]:
    """That of this process, with the project's folders, wherever the command is called."""
    paths = [str(ROOT), *(str(ROOT / part) for part in ("core", "plugins", "cli")), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "TF_CPP_MIN_LOG_LEVEL": "3"}


def assert_alone(folder: Path) -> None:
    """No process works in the folder any more; what was killed with its parent may need a moment."""
    for _ in range(20):
        left = list_processes(folder)
        if not left:
            return
        time.sleep(0.1)
    raise AssertionError(f"still at work: {left}")


def list_processes(folder: Path) -> list[str]:
    """What works in the folder, but for who waits to be buried."""
    found = []
    for process in psutil.process_iter(["cwd", "status", "cmdline"]):
        if process.info["cwd"] == str(folder) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(" ".join(process.info["cmdline"] or []))
    return found


def kill_often(place: Path, models: str, kills: int, seed: int) -> Tally:
    """Chains of kills until there were so many; each must end as a run ends that nobody kills."""
    rng = np.random.default_rng([seed, *models.encode()])
    whole = Chain(place / "home", models)
    assert whole.run()
    expected, moments = whole.describe(), int((whole.folder / "moments").read_text())
    shutil.rmtree(whole.folder)
    tally = Tally()
    while tally.kills < kills:
        chain = Chain(place / "home", models)
        tally.chains += 1
        while not chain.run(*choose_moment(rng, moments)):
            tally.kills += 1
            last = max(chain.read_manifests().values(), key=lambda each: each["created"], default={"stage": "nothing"})
            tally.stages[last["stage"]] = tally.stages.get(last["stage"], 0) + 1
        assert chain.describe() == expected, describe_difference(chain.describe(), expected)
        shutil.rmtree(chain.folder)
        print(f"\r{models}: {tally.kills} kills in {tally.chains} chains", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return tally


def choose_moment(rng: np.random.Generator, moments: int) -> tuple[int, float]:
    """When to kill: at a moment, or some time after it."""
    return int(rng.integers(1, moments + 1)), 0.0 if rng.random() < ONCE else float(rng.uniform(0, LATEST))


def describe_difference(got: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
    """Which names are too many or too few, and which artifacts are others."""
    names = set(got["names"]) ^ set(expected["names"])
    others = [name for name in expected["manifests"] if got["manifests"].get(name) != expected["manifests"][name]]
    return f"names {sorted(names)}, artifacts {others}, video {got['video'] == expected['video']}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Kill as often as asked, and print what was survived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=200)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        for models in MODELS:
            tally = kill_often(Path(place).resolve() / models, models, given.count // len(MODELS), given.seed)
            after = ", ".join(f"{count} after {stage}" for stage, count in sorted(tally.stages.items()))
            print(f"{models}: {tally.kills} of {tally.kills} kills survived, in {tally.chains} chains ({after})")


if __name__ == "__main__":
    main()
