"""What holds for every component of a kind, whoever wrote it: applied here, once, to all that the toolkit hands out.

A component is mathematics alone. `guard` derives a class from it that looks at what goes in and what comes out. The
docstrings of `deepdance.interfaces` say, as "guarded", what an author can leave to this module.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from inspect import isabstract
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from deepdance.arrays import Bools, Float32, UInt8, sample_evenly
from deepdance.divergence import check_loss
from deepdance.errors import InputError, PluginError, RenderError, TrainingError
from deepdance.frames import BACKGROUND, Silhouettes
from deepdance.interfaces import (
    BackgroundRemover,
    FrameCodec,
    FrameSource,
    History,
    LatentStream,
    Metrics,
    Renderer,
    SequenceModel,
    Training,
)

TRIED = 16
"""Frames that are shown to a trained codec, to see that it has learned to tell them apart."""
LEAST_CHANGE = 0.01
"""Share of the picture by which frames differ that no codec may show alike."""


@cache
def guard(component: type) -> type:
    """The class with the guards of its interface before its own methods; itself where its interface has none."""
    if isabstract(component):  # the guards would pass for the methods that it lacks
        return component
    for interface, guards in GUARDS.items():
        if issubclass(component, interface) and not issubclass(component, guards):
            names = {name: getattr(component, name) for name in ("__module__", "__qualname__", "__doc__")}
            return type(component.__name__, (guards, component), names)
    return component


def unguard(component: type) -> type:
    """The class as its author wrote it."""
    return component.__bases__[1] if component.__bases__[0] in GUARDS.values() else component


class SourceGuards(FrameSource[Any]):
    """Chunks are RGB frames of one size, and none is empty."""

    def frames(self, fps: float, size: tuple[int, int]) -> Iterator[UInt8]:
        shape: tuple[int, ...] = ()
        for chunk in super().frames(fps, size):
            if len(chunk):
                shape = shape or np.shape(chunk)[1:3]
                yield _check(self, "RGB frames", chunk, (len(chunk), *shape, 3), np.uint8)


class RemoverGuards(BackgroundRemover[Any]):
    """A frame in is a silhouette out; an empty chunk does not reach the remover."""

    def remove(self, frames: UInt8) -> UInt8:
        if not len(frames):
            return np.empty(frames.shape[:3], np.uint8)
        return _check(self, "silhouettes", super().remove(frames), frames.shape[:3], np.uint8)


class CodecGuards(FrameCodec[Any]):
    """No codec learns from nothing, or shows all alike; a latent that is not finite is background; empty stays so."""

    def fit(self, train: Silhouettes, validation: Silhouettes, training: Training) -> History:
        if not len(train):
            raise InputError("expected at least one frame to learn from, got none; give a longer video")
        with _explain_divergence(self, "codec"):
            history = _check_history(self, super().fit(train, validation, _watch_loss(training)))
            _check_count(self, "latent_dim", self.latent_dim)
            self._check_collapse(train[sample_evenly(len(train), TRIED)])
        return history

    def _check_collapse(self, frames: UInt8) -> None:
        """Raise TrainingError where frames that differ come out as one picture."""
        apart = np.abs(frames - frames[:1].astype(np.float32)).mean(axis=(1, 2))
        if apart.max() < LEAST_CHANGE * BACKGROUND:
            return
        pictures = self.decode(self.encode(frames))
        if (pictures == pictures[:1]).all():
            raise TrainingError(f"expected a picture for each of {len(frames)} frames, got the same one for all")

    def encode(self, frames: UInt8) -> Float32:
        if not len(frames):
            return np.empty((0, self.latent_dim), np.float32)
        return _check(self, "latents", super().encode(frames), (len(frames), self.latent_dim), np.float32)

    def decode(self, latents: Float32) -> UInt8:
        return self._decode_finite(latents, super().decode, None)

    def decode_at(self, latents: Float32, size: tuple[int, int]) -> UInt8:
        return self._decode_finite(latents, lambda asked: super(CodecGuards, self).decode_at(asked, size), size)

    def _decode_finite(
        self, latents: Float32, decode: Callable[[Float32], UInt8], size: tuple[int, int] | None
    ) -> UInt8:
        finite = np.asarray(np.isfinite(latents).all(axis=1))
        # where no latent is finite, any other must be decoded: only the codec knows the size of its frames
        asked = latents[finite] if finite.any() else np.zeros((1, self.latent_dim), np.float32)
        shown = decode(asked)
        shown = _check(self, "frames", shown, (len(asked), *(size or np.shape(shown)[1:3])), np.uint8)
        if finite.all() and len(finite):
            return shown
        frames = np.full((len(latents), *shown.shape[1:]), BACKGROUND, np.uint8)
        frames[finite] = shown[: finite.sum()]
        return frames


class SequenceGuards(SequenceModel[Any]):
    """A model learns from, and goes on from, finite latents alone, and from a clip that is longer than its context."""

    def fit(self, train: Sequence[Float32], validation: Sequence[Float32], training: Training) -> History:
        _check_count(self, "context", self.context)
        longest = max((len(clip) for clip in train), default=0)
        if longest <= self.context:
            raise InputError(
                f"expected a clip of more than {self.context} latents to learn from (the model's context), "
                f"got at most {longest}; give a longer video or clip"
            )
        broken = sum(int((~np.isfinite(clip).all(axis=1)).sum()) for clip in train)
        if broken:
            raise InputError(
                f"expected finite latents to learn from, got NaN or infinity in {broken}; the codec's training has "
                "diverged: try a smaller --set codec.learning_rate"
            )
        with _explain_divergence(self, "sequence"):
            return _check_history(self, super().fit(train, validation, _watch_loss(training)))

    def generate(self, seed: Float32, steps: int, *, temperature: float = 1.0, rng: int = 0) -> Float32:
        seed, shape = _check_seed(seed, steps)
        if not steps:
            return np.empty(shape, np.float32)
        return _check_dance(self, super().generate(seed, steps, temperature=temperature, rng=rng), shape)

    def generate_shots(
        self, seed: Float32, steps: int, *, temperature: float = 1.0, rng: int = 0
    ) -> tuple[Float32, Bools]:
        seed, shape = _check_seed(seed, steps)
        if not steps:
            return np.empty(shape, np.float32), np.empty(shape[:2], bool)
        latents, cuts = super().generate_shots(seed, steps, temperature=temperature, rng=rng)
        return _check_dance(self, latents, shape), _check(self, "cuts", cuts, shape[:2], bool)

    def stream(self, seed: Float32, *, temperature: float = 1.0, rng: int = 0) -> LatentStream:
        seed, _ = _check_seed(seed, 0)
        return _GuardedStream(self, super().stream(seed, temperature=temperature, rng=rng), seed)


class _GuardedStream(LatentStream):
    """A model's stream, each part of which is looked at."""

    def __init__(self, model: SequenceModel[Any], stream: LatentStream, seed: Float32) -> None:
        super().__init__(stream.temperature)
        self._model, self._stream, self._seed, self._done = model, stream, seed, 0

    def advance(self, steps: int) -> tuple[Float32, Bools]:
        self._stream.temperature = self.temperature
        latents, cuts = self._stream.take(steps)
        shape = len(self._seed), steps, self._seed.shape[-1]
        checked = _check_dance(self._model, latents, shape, self._done)
        self._done += steps
        return checked, _check(self._model, "cuts", cuts, shape[:2], bool)


def _check_seed(seed: Float32, steps: int) -> tuple[Float32, tuple[int, int, int]]:
    """The seeds `(b, context, d)` as float32, and the shape of what follows them. Raises InputError."""
    if not np.isfinite(seed).all():
        raise InputError("expected finite latents to start from, got NaN or infinity; start from other frames")
    return np.asarray(seed, np.float32), (len(seed), steps, seed.shape[-1])


def _check_dance(component: object, latents: Any, shape: tuple[int, ...], done: int = 0) -> Float32:
    """New latents `(b, steps, d)`, if they are as promised; `done` came before them. Raises PluginError."""
    checked = _check(component, "latents", latents, shape, np.float32)
    broken = ~np.isfinite(checked).all(axis=(0, 2))
    if broken.any():
        raise PluginError(
            f"{type(component).__name__}: expected finite latents, got NaN or infinity from step "
            f"{1 + done + broken.argmax()} of {done + len(broken)}; train it longer or at a smaller learning rate, or "
            "choose another component"
        )
    return checked


class RendererGuards(Renderer[Any]):
    """A renderer is given frames, and at least one; a file that cannot be written is a RenderError."""

    def render(self, frames: Iterable[UInt8], fps: float, path: Path) -> None:
        raised: list[OSError] = []

        def filled() -> Iterator[UInt8]:
            try:
                yield from (chunk for chunk in frames if len(chunk))
            except OSError as error:
                raised.append(error)
                raise

        chunks = filled()
        first = next(chunks, None)
        if first is None:
            raise RenderError(f"{path.name}: expected at least one frame to write, got none; ask for a longer dance")
        try:
            super().render(chain([first], chunks), fps, path)
        except OSError as error:
            if error in raised:  # the frames' error, and not the file's
                raise
            why = error.strerror or error
            raise RenderError(f"{path.name}: expected to write it, but: {why}; choose another") from error


GUARDS: dict[type, type] = {
    FrameSource: SourceGuards,
    BackgroundRemover: RemoverGuards,
    FrameCodec: CodecGuards,
    SequenceModel: SequenceGuards,
    Renderer: RendererGuards,
}


def _check(component: object, what: str, array: Any, shape: tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
    """The array, if a component gave what its interface promises; floats are made float32. Raises PluginError."""
    if isinstance(array, np.ndarray) and array.shape == shape:
        if array.dtype.kind == "f" and dtype is np.float32:
            return array.astype(np.float32, copy=False)
        if array.dtype == dtype:
            return array
    given = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
    cls = type(component)
    raise PluginError(
        f"{cls.__name__} of {cls.__module__.partition('.')[0]}: expected {what} as {np.dtype(dtype)} {shape}, "
        f"got {given}; update it, or choose another component"
    )


def _check_history(component: object, history: Any) -> History:
    """What a fit noted, with plain floats. Raises PluginError, and TrainingError where it ended with no number."""
    try:
        checked = [{str(name): float(value) for name, value in epoch.items()} for epoch in history]
    except (TypeError, ValueError, AttributeError):
        checked = []
    if not checked or not all("loss" in epoch for epoch in checked):
        raise PluginError(
            f"{type(component).__name__}: expected fit to return a list with numbers of each epoch, such as "
            f'[{{"loss": 0.5}}], got {reprlib.repr(history)}; mend its fit, or choose another component'
        )
    for epoch, metrics in enumerate(checked, 1):
        check_loss(metrics["loss"], 0.0, epoch, len(checked))  # the last entry may be measured in other units
    return checked


def _watch_loss(training: Training) -> Training:
    """The training, which ends with a TrainingError where the loss that its epochs tell has left all bounds."""
    losses: list[float] = []

    def on_epoch(epoch: int, epochs: int, metrics: Metrics) -> None:
        loss = metrics.get("loss")
        if isinstance(loss, float | int | np.number):
            losses.append(float(loss))
            check_loss(losses[-1], losses[0], epoch, epochs)
        training.on_epoch(epoch, epochs, metrics)

    return replace(training, on_epoch=on_epoch)


@contextmanager
def _explain_divergence(component: object, kind: str) -> Iterator[None]:
    """Say of a TrainingError whose it is, and what to try."""
    try:
        yield
    except TrainingError as error:
        advice = _advise_training(getattr(component, "options", None), kind)
        raise TrainingError(f"{type(component).__name__}: {error}; {advice}") from error


def _advise_training(options: Any, kind: str) -> str:
    rate, usual = (getattr(each, "learning_rate", None) for each in (options, type(options)()))
    if rate is None or usual is None:
        return "train it longer or more carefully, or choose another component"
    if rate > usual:
        return f"its learning rate of {rate:g} is too high: try --set {kind}.learning_rate={usual:g}"
    return f"try --set {kind}.learning_rate={rate / 10:g}, or a longer training"


def _check_count(component: object, name: str, count: Any) -> None:
    """Raise PluginError where a component's `latent_dim` or `context` is no number of latents."""
    if not isinstance(count, int | np.integer) or count < 1:
        raise PluginError(
            f"{type(component).__name__}: expected {name} to be a whole number from 1, got {count!r}; "
            "mend it, or choose another component"
        )
