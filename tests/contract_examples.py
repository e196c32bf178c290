# ruff: noqa: N801 (the broken classes are known by what they break, not by a name)
"""A component of each kind that holds its contract, in plain NumPy, and what breaks each check of it.

The tests of the kit import this module by name, also in a fresh process.
"""

import json
import pickle
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import ConfigDict, Field

from deepdance.errors import InputError, RenderError
from deepdance.frames import fit_size
from deepdance.interfaces import (
    BackgroundRemover,
    FrameCodec,
    FrameSource,
    Options,
    Renderer,
    SequenceModel,
    SourceInfo,
)
from deepdance.plugins import ComponentSpec


class ExampleOptions(Options):
    """Enough for every kind."""

    epochs: int = Field(3, ge=1, description="passes over the data")
    fps: float = Field(20.0, gt=0, description="frames a second of an array")


# --- the good ones


class Learner:
    """Goes half of the way to the best value in each epoch, from a random one; leaves a checkpoint."""

    def __init__(self, options):
        super().__init__(options)
        self.value = 0.0

    def train(self, best, loss, training):
        self.value, history = float(best + 1 + np.random.default_rng(training.seed).random()), []
        checkpoint = training.folder / "checkpoint.json" if training.folder else None
        if checkpoint and checkpoint.exists():
            self.value, history = json.loads(checkpoint.read_text())
        for epoch in range(len(history), self.options.epochs):
            self.value += (best - self.value) / 2
            history.append({"loss": loss()})
            if checkpoint:
                checkpoint.write_text(json.dumps([self.value, history]))
            training.on_epoch(epoch + 1, self.options.epochs, history[-1])
        return history

    def state(self):
        return {"value": self.value}

    def save(self, folder):
        np.savez(folder / "state.npz", **self.state())

    @classmethod
    def load(cls, folder, options):
        made = cls(options)
        with np.load(folder / "state.npz", allow_pickle=False) as saved:
            vars(made).update({name: saved[name] for name in saved.files})
        return made


class Codec(Learner, FrameCodec):
    """Latents are means of blocks of 4×4 pixels; a contrast is learned."""

    mean = np.zeros((0, 0))

    @property
    def latent_dim(self):
        return self.mean.size // 16

    def fit(self, train, validation, training):
        if not len(train):
            raise InputError("expected frames, got none")
        frames = train[:]
        self.mean = frames.mean(axis=0)
        return self.train(1.0, lambda: float(np.square(frames - self.grey(self.encode(frames))).mean()), training)

    def state(self):
        return {"value": self.value, "mean": self.mean}

    def encode(self, frames):
        away = frames - self.mean
        height, width = self.mean.shape
        blocks = away.reshape(len(frames), height // 4, 4, width // 4, 4).mean(axis=(2, 4))
        return (blocks.reshape(len(frames), self.latent_dim) / 128).astype(np.float32)

    def grey(self, latents):
        height, width = self.mean.shape
        blocks = latents.reshape(len(latents), height // 4, width // 4) * 128 * self.value
        return self.mean + blocks.repeat(4, axis=1).repeat(4, axis=2)

    def decode(self, latents):
        finite = np.isfinite(latents).all(axis=1)
        frames = np.clip(np.rint(self.grey(np.where(finite[:, None], latents, 0))), 0, 255).astype(np.uint8)
        frames[~finite] = 255
        return frames


class Sequence(Learner, SequenceModel):
    """Goes on as from the last latent but one to the last, times a number that is learned."""

    context = 2

    def fit(self, train, validation, training):
        train = [clip for clip in train if len(clip) > self.context]
        if not train or not all(np.isfinite(clip).all() for clip in train):
            raise InputError("expected longer clips of finite latents, got others")
        before = np.concatenate([np.diff(clip, axis=0)[:-1] for clip in train])
        after = np.concatenate([np.diff(clip, axis=0)[1:] for clip in train])
        best = float((before * after).sum() / np.square(before).sum())
        return self.train(best, lambda: float(np.square(after - self.value * before).mean()), training)

    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        if not np.isfinite(seed).all():
            raise InputError("expected a finite seed, got another")
        draws = [np.random.default_rng([rng, number]) for number in range(len(seed))]
        last, change, out = seed[:, -1], seed[:, -1] - seed[:, -2], np.empty((len(seed), steps, seed.shape[2]))
        for step in range(steps):
            noise = np.stack([draw.standard_normal(seed.shape[2]) for draw in draws])
            change = self.value * change + 0.01 * temperature * noise
            out[:, step] = last = last + change
        return out.astype(np.float32)


class Remover(BackgroundRemover):
    """Darker than half is the dancer. It counts the frames that it has seen."""

    seen = 0

    def remove(self, frames):
        self.seen += len(frames)
        return np.where(frames.mean(axis=3) < 128, 0, 255).astype(np.uint8)


class File(Renderer):
    """An .npy of all frames, whose length is filled in at the end."""

    def render(self, frames, fps, path):
        count, size = 0, ()
        try:
            with path.open("wb") as file:
                for chunk in frames:
                    if len(chunk) and not count:
                        size = chunk.shape[1:]
                        self.header(file, (0, *size))
                    file.write(chunk.tobytes())
                    count += len(chunk)
                file.seek(0)
                self.header(file, (count, *size))
        except OSError as error:
            raise RenderError(f"expected to write {path}, but: {error.strerror}") from None
        if not count:
            raise RenderError("expected frames, got none")

    def header(self, file, shape):
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})


class Array(FrameSource):
    """An .npy of RGB frames, a frame at a time, scaled by leaving out rows and columns."""

    def open(self):
        try:
            return np.load(self.location, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError):
            raise InputError(f"expected an .npy file, got {self.location}") from None

    def info(self):
        count, height, width, _ = self.open().shape
        return SourceInfo(height, width, self.options.fps, count / self.options.fps)

    def fingerprint(self):
        return str(hash(Path(self.location).read_bytes()))

    def frames(self, fps, size):
        video = self.open()
        height, width = video.shape[1:3]
        rows, columns = fit_size(height, width, (min(size[0], height), min(size[1], width)))
        which = np.ix_(np.arange(rows) * height // rows, np.arange(columns) * width // columns)
        for number in np.ceil(np.arange(0, len(video), self.options.fps / fps) - 1e-9).astype(int):
            if number < len(video):
                yield video[number][which][None].copy()


GOOD = {"source": Array, "remover": Remover, "codec": Codec, "sequence": Sequence, "renderer": File}
SUFFIXES = {"source": (".npy",), "renderer": (".npy",)}


def spec_of(kind, name, options="ExampleOptions"):
    """A spec whose class and options are found here by name."""
    where = "contract_examples"
    return ComponentSpec(kind, "example", f"{where}:{name}", f"{where}:{options}", "an example", SUFFIXES.get(kind, ()))


# --- the broken ones: each class is named after the check that it must fail, with its kind before it

BROKEN: list[tuple[str, str, str, str]] = []
"""Kind, check, class, options."""


def breaks(kind, check, options="ExampleOptions"):
    """Register a class as one that fails a check of a kind."""

    def register(cls):
        cls.__name__ = f"{kind}_{check}_{len(BROKEN)}"
        globals()[cls.__name__] = cls
        BROKEN.append((kind, check, cls.__name__, options))
        return cls

    return register


def breaks_options(check):
    """Register options with which a remover fails a check."""

    def register(cls):
        BROKEN.append(("remover", check, "Remover", cls.__name__))
        return cls

    return register


@breaks("remover", "implements_the_interface")
class _(BackgroundRemover):
    pass


@breaks("codec", "implements_the_interface")
class _:
    pass


@breaks_options("options_have_defaults")
class NoDefault(Options):
    level: int = Field(ge=0, description="needed")


@breaks_options("options_have_defaults")
class NotOptions:
    pass


@breaks_options("options_are_described")
class NotDescribed(Options):
    level: int = Field(3, ge=0)


@breaks_options("presets_are_valid")
class WrongPreset(Options):
    presets: ClassVar = {"standard": {"level": -1}}
    level: int = Field(3, ge=0, description="a level")


@breaks_options("presets_are_valid")
class UnknownPreset(Options):
    presets: ClassVar = {"best": {}}


@breaks_options("unknown_options_are_refused")
class TakesAnything(Options):
    model_config = ConfigDict(extra="ignore")


@breaks_options("options_out_of_range_are_refused")
class Endless(Options):
    level: int | None = Field(3, description="a level")


@breaks_options("options_survive_a_recipe")
class HasAnAlias(Options):
    level: int = Field(3, ge=0, alias="strength", description="a level")


@breaks("codec", "notes_every_epoch")
class _(Codec):
    def fit(self, train, validation, training):
        return super().fit(train, validation, training)[-1:]


@breaks("sequence", "notes_every_epoch")
class _(Sequence):
    def fit(self, train, validation, training):
        super().fit(train, validation, training)
        return [{"loss": float("nan")}] * 3


@breaks("codec", "learns")
class _(Codec):
    def train(self, best, loss, training):
        return super().train(best, loss, training)[::-1]


@breaks("codec", "learns")
class _(Codec):
    def train(self, best, loss, training):
        self.value = -1.0
        return [{"loss": 1.0}]


@breaks("sequence", "learns")
class _(Sequence):
    def train(self, best, loss, training):
        self.value = 0.0
        return [{"loss": 1.0}]


@breaks("codec", "the_seed_decides")
class _(Codec):
    def fit(self, train, validation, training):
        history = super().fit(train, validation, training)
        self.mean = self.mean + np.random.random(self.mean.shape)
        return history


@breaks("sequence", "the_seed_decides")
class _(Sequence):
    fits = 0

    def fit(self, train, validation, training):
        history = super().fit(train, validation, training)
        type(self).fits += 1
        self.value += self.fits / 10
        return history


@breaks("codec", "a_stopped_training_goes_on")
class _(Codec):
    def train(self, best, loss, training):
        if training.folder:
            (training.folder / "notes.txt").write_text("begun")
        return super().train(best, loss, type(training)(training.seed, on_epoch=training.on_epoch))


@breaks("sequence", "a_stopped_training_goes_on")
class _(Sequence):
    def train(self, best, loss, training):
        resumed = training.folder and any(training.folder.iterdir())
        history = super().train(best, loss, training)
        self.value += 0.1 if resumed else 0
        return history


@breaks("sequence", "a_stopped_training_goes_on")
class _(Sequence):
    def train(self, best, loss, training):
        try:
            return super().train(best, loss, training)
        except Exception:
            return [{"loss": 1.0}]


@breaks("codec", "saves_no_pickles")
class _(Codec):
    def save(self, folder):
        super().save(folder)
        (folder / "codec.bin").write_bytes(pickle.dumps(vars(self)))


@breaks("sequence", "saves_no_pickles")
class _(Sequence):
    def save(self, folder):
        np.savez(folder / "state.npz", value=np.array([{"value": self.value}], object))


@breaks("codec", "is_the_same_in_a_fresh_process")
class _(Codec):
    def state(self):
        return {"value": self.value + 1, "mean": self.mean}


@breaks("sequence", "is_the_same_in_a_fresh_process")
class _(Sequence):
    kept = None

    def save(self, folder):
        type(self).kept = self

    @classmethod
    def load(cls, folder, options):
        return cls.kept.fitted


@breaks("codec", "leaves_what_it_is_given")
class _(Codec):
    def encode(self, frames):
        frames[:, 0] = 0
        return super().encode(frames)


@breaks("sequence", "leaves_what_it_is_given")
class _(Sequence):
    def fit(self, train, validation, training):
        train[0] -= train[0].mean(axis=0)
        return super().fit(train, validation, training)


@breaks("codec", "encodes_and_decodes")
class _(Codec):
    def encode(self, frames):
        return super().encode(frames).astype(np.float64)


@breaks("codec", "encodes_and_decodes")
class _(Codec):
    def decode(self, latents):
        return super().decode(latents)[..., None]


@breaks("codec", "chunks_are_as_the_whole")
class _(Codec):
    def encode(self, frames):
        latents = super().encode(frames)
        return latents - latents.mean(axis=0)


@breaks("codec", "chunks_are_as_the_whole")
class _(Codec):
    def decode(self, latents):
        return super().decode(latents) // np.uint8(len(latents))


@breaks("codec", "takes_no_frames")
class _(Codec):
    def encode(self, frames):
        return np.stack([super(type(self), self).encode(frame[None])[0] for frame in frames])


@breaks("codec", "takes_plain_frames")
class _(Codec):
    def encode(self, frames):
        with np.errstate(all="ignore"):
            return (super().encode(frames) / frames.std(axis=(1, 2))[:, None]).astype(np.float32)


@breaks("codec", "shows_background_for_what_is_not_finite")
class _(Codec):
    def decode(self, latents):
        return super().decode(np.nan_to_num(latents, posinf=0))


@breaks("codec", "shows_background_for_what_is_not_finite")
class _(Codec):
    def decode(self, latents):
        frames = super().decode(latents)
        return frames if np.isfinite(latents).all() else np.full_like(frames, 255)


@breaks("codec", "learns_from_one_frame")
class _(Codec):
    def fit(self, train, validation, training):
        history = super().fit(train, validation, training)
        with np.errstate(all="ignore"):
            self.mean = self.mean / (len(train) - 1)
        return history


@breaks("codec", "refuses_to_learn_from_nothing")
class _(Codec):
    def fit(self, train, validation, training):
        return super().fit(train, validation, training) if len(train) else []


@breaks("sequence", "has_a_context")
class _(Sequence):
    context = 0


@breaks("sequence", "has_a_context")
class _(Sequence):
    def fit(self, train, validation, training):
        self.context = 3
        return super().fit(train, validation, training)


@breaks("sequence", "continues_a_batch")
class _(Sequence):
    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        return super().generate(seed[:1], steps, temperature=temperature, rng=rng)


@breaks("sequence", "continues_a_batch")
class _(Sequence):
    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        dance = super().generate(seed, steps, temperature=temperature, rng=rng)
        dance[:, 50:] = np.nan
        return dance


@breaks("sequence", "takes_no_steps_and_one")
class _(Sequence):
    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        return super().generate(seed, max(steps, 1), temperature=temperature, rng=rng)


@breaks("sequence", "takes_no_steps_and_one")
class _(Sequence):
    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        return super().generate(seed, steps, temperature=temperature, rng=rng)[:, ::-1]


@breaks("sequence", "a_batch_begins_as_its_first_alone")
class _(Sequence):
    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        return super().generate(seed - seed.mean(axis=0), steps, temperature=temperature, rng=rng)


@breaks("sequence", "the_draw_is_decided_by_rng")
class _(Sequence):
    calls = 0

    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        self.calls += 1
        return super().generate(seed, steps, temperature=temperature, rng=rng + self.calls)


@breaks("sequence", "takes_any_temperature")
class _(Sequence):
    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        return super().generate(seed, steps, temperature=1 / temperature, rng=rng)


@breaks("sequence", "refuses_short_clips")
class _(Sequence):
    def fit(self, train, validation, training):
        return super().fit(train, validation, training) if train else []


@breaks("sequence", "refuses_short_clips")
class _(Sequence):
    def fit(self, train, validation, training):
        return super().fit([clip for clip in train if 1 / (len(clip) - self.context)], validation, training)


@breaks("sequence", "takes_short_clips_among_others")
class _(Sequence):
    def fit(self, train, validation, training):
        if min(map(len, train)) <= self.context:
            raise InputError("expected longer clips, got a short one")
        return super().fit(train, validation, training)


@breaks("sequence", "refuses_what_is_not_finite")
class _(Sequence):
    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        return super().generate(np.nan_to_num(seed), steps, temperature=temperature, rng=rng)


@breaks("sequence", "refuses_what_is_not_finite")
class _(Sequence):
    def fit(self, train, validation, training):
        return super().fit([np.nan_to_num(clip) for clip in train], validation, training)


@breaks("remover", "makes_silhouettes")
class _(Remover):
    def remove(self, frames):
        return super().remove(frames) < 128


@breaks("remover", "makes_the_dancer_dark")
class _(Remover):
    def remove(self, frames):
        return 255 - super().remove(frames)


@breaks("remover", "the_frames_decide")
class _(Remover):
    level = np.full(1, 60.0)

    def remove(self, frames):
        self.level[:] += 60
        return np.where(frames.mean(axis=3) < self.level, 0, 255).astype(np.uint8)


@breaks("remover", "takes_chunks_of_any_length")
class _(Remover):
    def remove(self, frames):
        return super().remove(frames - frames.min().astype(np.uint8))


@breaks("remover", "takes_plain_frames")
class _(Remover):
    def remove(self, frames):
        if not np.ptp(frames, axis=(1, 2, 3)).all():
            raise ValueError("no contrast")
        return super().remove(frames)


@breaks("remover", "leaves_what_it_is_given")
class _(Remover):
    def remove(self, frames):
        frames //= 2
        return super().remove(frames)


@breaks("remover", "streams")
class _(Remover):
    def __init__(self, options):
        super().__init__(options)
        self.kept = []

    def remove(self, frames):
        self.kept.append(frames)
        return super().remove(frames)


@breaks("renderer", "writes_a_file")
class _(File):
    def render(self, frames, fps, path):
        if not path.exists():
            super().render(frames, fps, path)


@breaks("renderer", "can_be_read")
class _(File):
    def header(self, file, shape):
        file.write(b"frames")


@breaks("renderer", "can_be_read")
class _(File):
    def render(self, frames, fps, path):
        super().render((np.zeros_like(chunk) for chunk in frames), fps, path)


@breaks("renderer", "takes_one_frame")
class _(File):
    def render(self, frames, fps, path):
        super().render((chunk[:-1] for chunk in frames), fps, path)


@breaks("renderer", "refuses_no_frames")
class _(File):
    def render(self, frames, fps, path):
        try:
            super().render(frames, fps, path)
        except RenderError:
            path.touch()


@breaks("renderer", "tells_that_it_cannot_write")
class _(File):
    def render(self, frames, fps, path):
        path.parent.mkdir(exist_ok=True)
        super().render(frames, fps, path)


@breaks("renderer", "lets_errors_of_the_frames_pass")
class _(File):
    def render(self, frames, fps, path):
        try:
            super().render(frames, fps, path)
        except LookupError:
            return


@breaks("renderer", "leaves_what_it_is_given")
class _(File):
    def render(self, frames, fps, path):
        super().render((np.subtract(255, chunk, out=chunk) for chunk in frames), fps, path)


@breaks("renderer", "streams")
class _(File):
    def render(self, frames, fps, path):
        super().render(list(frames), fps, path)


@breaks("source", "tells_what_it_is")
class _(Array):
    def info(self):
        return SourceInfo(48, 80, 0.0)


@breaks("source", "yields_frames")
class _(Array):
    def frames(self, fps, size):
        return (chunk[0] for chunk in super().frames(fps, size))


@breaks("source", "yields_frames")
class _(Array):
    def frames(self, fps, size):
        yield np.empty((0, *size, 3), np.uint8)
        yield from super().frames(fps, size)


@breaks("source", "keeps_the_shape_of_frames")
class _(Array):
    def frames(self, fps, size):
        return super().frames(fps, (size[1], size[0]))


@breaks("source", "reads_the_same_again")
class _(Array):
    position = 0

    def frames(self, fps, size):
        for number, chunk in enumerate(super().frames(fps, size)):
            if number >= self.position:
                self.position += 1
                yield chunk


@breaks("source", "reads_the_same_again")
class _(Array):
    def fingerprint(self):
        return str(id(self))


@breaks("source", "other_frames_have_another_fingerprint")
class _(Array):
    def fingerprint(self):
        return self.location


@breaks("source", "samples_by_time")
class _(Array):
    def frames(self, fps, size):
        return super().frames(self.options.fps, size)


@breaks("source", "takes_one_frame")
class _(Array):
    def frames(self, fps, size):
        for chunk in super().frames(fps, size):
            yield chunk.repeat(2, axis=0)


@breaks("source", "refuses_what_it_cannot_read")
class _(Array):
    def open(self):
        return np.load(self.location)


@breaks("source", "refuses_what_it_cannot_read")
class _(Array):
    def frames(self, fps, size):
        if Path(self.location).exists() and Path(self.location).stat().st_size > 10_000:
            yield from super().frames(fps, size)


@breaks("source", "tells_where_shots_start")
class _(Array):
    def shot_starts(self):
        return [0, 10_000]


@breaks("source", "streams")
class _(Array):
    def frames(self, fps, size):
        yield np.concatenate(list(super().frames(fps, size)))
