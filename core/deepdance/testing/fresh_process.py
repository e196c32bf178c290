"""`python -m deepdance.testing.fresh_process REQUEST FOLDER`: what a saved component gives in a new process."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from deepdance.plugins import ComponentSpec
from deepdance.testing.kit import make_subject
from deepdance.testing.learners import LearnerSubject


def write_outputs(request: Path, saved: Path) -> None:
    """Write the outputs beside the request, as an .npz."""
    asked = json.loads(request.read_text())
    subject = make_subject(ComponentSpec(**asked["spec"]), asked["options"])
    if not isinstance(subject, LearnerSubject):
        raise TypeError(f"expected a component that learns, got a {subject.spec.kind}")
    outputs = subject.apply(subject.cls.load(saved, subject.options), subject.sample_data())
    np.savez(request.with_suffix(".npz"), **outputs)  # type: ignore[arg-type]


if __name__ == "__main__":
    write_outputs(Path(sys.argv[1]), Path(sys.argv[2]))
