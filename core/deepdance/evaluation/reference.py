"""What a real dance is like, as a reference for generated ones: everything is measured against the training frames.

The held-out frames are measured in the same way, as if they had been generated, and are the floor of every figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from deepdance.arrays import Float32, Float64, UInt8, sample_evenly
from deepdance.errors import InputError
from deepdance.evaluation.judge import Judge, RealParts
from deepdance.evaluation.streams import ProgressMeter, Stream, StreamMeasures, measure_streams
from deepdance.frames import Silhouettes
from deepdance.metrics.distributions import NEIGHBOURS
from deepdance.metrics.features import (
    COORDINATES,
    FEATURES,
    SAMPLE,
    PrincipalComponents,
    compute_signed_distances,
    stack_motions,
)
from deepdance.metrics.memorization import TrainingIndex
from deepdance.tasks import Tools

REPLAY_PERCENTILE = 10
"""Closer to a training frame than this percentile of the held-out frames is close enough to be a copy."""


@dataclass(frozen=True)
class Comparison:
    """A stream beside the training frames: its motions `(m, 64)`, and for each frame the distance to the nearest."""

    stream: StreamMeasures
    motions: Float32
    distances: Float64
    replay: int
    """The most training frames that are replayed in one go."""


@dataclass(frozen=True)
class Reference:
    """The training frames' measures and the features fitted to them: `fit` once, then `compare` any streams."""

    fps: float
    size: tuple[int, int]
    frame_components: PrincipalComponents
    motion_components: PrincipalComponents | None
    """`None` where no clip is long enough for one motion."""
    training: StreamMeasures
    training_motions: Float32
    index: TrainingIndex
    threshold: float
    held_out: Comparison
    judge: Judge
    last_frame: UInt8

    @classmethod
    def fit(cls, train: Silhouettes, held_out: Silhouettes, meter: ProgressMeter | None = None) -> Self:
        """Learn features from training frames and measure both parts. Streams to compare share their rate and size.

        Where nothing is held out both are the same object. Raises InputError where a part is empty.
        """
        if len(train) <= NEIGHBOURS or not len(held_out):
            raise InputError(
                f"expected training and held-out frames to compare with, got {len(train)} and {len(held_out)}; "
                "give a longer video"
            )
        components = _fit_frame_components(train)
        parts = [train] if held_out is train else [train, held_out]
        measured = measure_streams(list(map(Stream.of, parts)), components, train.size, meter or ProgressMeter())
        training, real = measured[0], measured[-1]
        motion_components = _fit_motion_components(training)
        index = TrainingIndex.build(training.features, training.starts)
        # How near a frame must be to count as a copy is known only from how near real new frames come.
        distances, _ = index.find_copies(real.features, 0.0)
        threshold = float(np.percentile(distances, REPLAY_PERCENTILE))
        return cls(
            train.clips[0].fps,
            train.size,
            components,
            motion_components,
            training,
            _project_motions(training, motion_components),
            index,
            threshold,
            _compare(real, motion_components, index, threshold),
            Judge.build(RealParts.choose(train, held_out), measured, train.clips[0].fps),
            train[len(train) - 1 :],
        )

    def compare(self, streams: Sequence[Stream], meter: ProgressMeter | None = None) -> list[Comparison]:
        """Dances, a stream each, beside the training frames. Raises InputError for another size or none at all."""
        meter = meter or ProgressMeter()
        measured = self.measure(streams, meter)
        blocks = ((stream, self.motion_components, self.index, self.threshold) for stream in measured)
        return list(meter.map(_compare_elsewhere, blocks, [0] * len(measured)))

    def measure(self, streams: Sequence[Stream], meter: ProgressMeter | None = None) -> list[StreamMeasures]:
        """What `measure_streams` says of them."""
        return measure_streams(streams, self.frame_components, self.size, meter or ProgressMeter())

    def place(self, stream: StreamMeasures) -> Comparison:
        """A dance that was measured, beside the training frames."""
        return _compare(stream, self.motion_components, self.index, self.threshold)


def _fit_frame_components(frames: Silhouettes) -> PrincipalComponents:
    """128 components of the distance field of at most 5,000 evenly chosen frames."""
    chosen = sample_evenly(len(frames), SAMPLE)
    chunks = np.array_split(chosen, range(256, len(chosen), 256))
    fields = np.concatenate([compute_signed_distances(frames[chunk]) for chunk in chunks])
    return PrincipalComponents.fit(fields, COORDINATES)


def _fit_motion_components(training: StreamMeasures) -> PrincipalComponents | None:
    motions = stack_motions(training.coordinates, training.starts)
    if not len(motions):
        return None
    return PrincipalComponents.fit(motions[sample_evenly(len(motions), SAMPLE)], FEATURES)


def _project_motions(stream: StreamMeasures, components: PrincipalComponents | None) -> Float32:
    if components is None:
        return np.empty((0, 1), np.float32)
    return components.project(stack_motions(stream.coordinates, stream.starts))


def _compare_elsewhere(tools: Tools, *measured: Any) -> Comparison:
    return _compare(*measured)


def _compare(
    stream: StreamMeasures, components: PrincipalComponents | None, index: TrainingIndex, threshold: float
) -> Comparison:
    distances, replay = index.find_copies(stream.features, threshold)
    return Comparison(stream, _project_motions(stream, components), distances, replay)
