"""`python -m deepdance.testing.fresh_process REQUEST FOLDER`: what a saved component answers in a new process."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from deepdance.plugins import ComponentSpec
from deepdance.testing.kit import subject_of
from deepdance.testing.learners import Trained


def answer(request: Path, saved: Path) -> None:
    """Write the answers beside the request, as an .npz."""
    asked = json.loads(request.read_text())
    subject = subject_of(ComponentSpec(**asked["spec"]), asked["options"])
    if not isinstance(subject, Trained):
        raise TypeError(f"expected a component that learns, got a {subject.spec.kind}")
    answers = subject.answers(subject.cls.load(saved, subject.options), subject.material())
    np.savez(request.with_suffix(".npz"), **answers)  # type: ignore[arg-type]


if __name__ == "__main__":
    answer(Path(sys.argv[1]), Path(sys.argv[2]))
