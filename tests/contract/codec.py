"""A codec that learns in epochs, and codecs that break their checks."""

import json
import pickle

import numpy as np
from my_codec.codec import MyCodec

from contract.broken import breaks, breaks_unguarded, change, spec_of
from deepdance.interfaces import Training

EPOCHS = 3

breaks_unguarded(
    *("codec", "takes_no_frames", "shows_background_for_what_is_not_finite", "refuses_to_learn_from_nothing"),
)


class EpochCodec(MyCodec):
    """Goes half of the way from a random contrast to the right one in each epoch; leaves a checkpoint."""

    contrast = 0.0

    def fit(self, train, validation, training):
        super().fit(train, validation, Training())
        self.contrast, history = 2 + np.random.default_rng(training.seed).random(), []
        checkpoint = training.folder / "checkpoint.json" if training.folder else None
        if checkpoint and checkpoint.exists():
            self.contrast, history = json.loads(checkpoint.read_text())
        for epoch in range(len(history), EPOCHS):
            self.contrast += (1 - self.contrast) / 2
            history.append({"loss": self._measure_error(train)})
            if checkpoint:
                checkpoint.write_text(json.dumps([self.contrast, history]))
            training.on_epoch(epoch + 1, EPOCHS, history[-1])
        return history

    def decode(self, latents):
        return super().decode(latents * np.float32(self.contrast))

    def save(self, folder):
        super().save(folder)
        (folder / "contrast.json").write_text(json.dumps(self.contrast))

    @classmethod
    def load(cls, folder, options):
        codec = super().load(folder, options)
        codec.contrast = json.loads((folder / "contrast.json").read_text())
        return codec


IN_EPOCHS = spec_of("codec", "contract.codec:EpochCodec")


breaks("codec", "notes_every_epoch")(change(EpochCodec, "fit", lambda history: history[-1:]))
breaks("codec", "learns")(change(EpochCodec, "fit", lambda history: history[::-1]))
breaks("codec", "encodes_and_decodes")(change(MyCodec, "encode", lambda latents: latents[:, 1:]))
breaks("codec", "encodes_and_decodes")(change(MyCodec, "decode", lambda frames: frames[..., None]))
breaks("codec", "decodes_at_any_size")(change(MyCodec, "decode_at", lambda frames: frames[:, ::2]))
breaks("codec", "decodes_at_any_size")(change(MyCodec, "decode_at", lambda frames: 255 - frames))
breaks("codec", "chunks_are_as_the_whole")(change(MyCodec, "encode", lambda latents: latents - latents.mean(axis=0)))
breaks("codec", "chunks_are_as_the_whole", "shows_background_for_what_is_not_finite")(
    change(MyCodec, "decode", lambda frames: frames // np.uint8(len(frames)))
)


@breaks("codec", "learns")
class _(MyCodec):
    def decode(self, latents):
        return super().decode(-latents)


@breaks("codec", "the_seed_decides")
class _(MyCodec):
    def fit(self, train, validation, training):
        history = super().fit(train, validation, training)
        self._mean = self._mean + np.random.random(self._mean.shape)
        return history


@breaks("codec", "a_stopped_training_goes_on")
class _(EpochCodec):
    def fit(self, train, validation, training):
        if training.folder:
            (training.folder / "notes.txt").write_text("begun")
        return super().fit(train, validation, Training(training.seed, on_epoch=training.on_epoch))


@breaks("codec", "a_stopped_training_goes_on")
class _(EpochCodec):
    def fit(self, train, validation, training):
        resumed = training.folder and any(training.folder.iterdir())
        history = super().fit(train, validation, training)
        self.contrast += 0.1 if resumed else 0
        return history


@breaks("codec", "a_stopped_training_goes_on")
class _(EpochCodec):
    def fit(self, train, validation, training):
        try:
            return super().fit(train, validation, training)
        except Exception:
            return [{"loss": 1.0}]


@breaks("codec", "saves_no_pickles")
class _(MyCodec):
    def save(self, folder):
        super().save(folder)
        (folder / "codec.bin").write_bytes(pickle.dumps(vars(self)))


@breaks("codec", "is_the_same_in_a_fresh_process")
class _(MyCodec):
    @classmethod
    def load(cls, folder, options):
        codec = super().load(folder, options)
        codec._scale *= 2
        return codec


@breaks("codec", "leaves_what_it_is_given")
class _(MyCodec):
    def encode(self, frames):
        frames[:, 0] = 0
        return super().encode(frames)


@breaks("codec", "takes_plain_frames")
class _(MyCodec):
    def encode(self, frames):
        with np.errstate(all="ignore"):
            return (super().encode(frames) / frames.std(axis=(1, 2))[:, None]).astype(np.float32)


@breaks("codec", "shows_background_for_what_is_not_finite", guarded=False)
class _(MyCodec):
    def decode(self, latents):
        frames = super().decode(np.nan_to_num(latents, posinf=0))
        return frames if np.isfinite(latents).all() else np.full_like(frames, 255)


@breaks("codec", "decodes_at_any_size")
class _(MyCodec):
    drawn = 0

    def decode_at(self, latents, size):
        self.drawn += 60
        frames = super().decode_at(latents, size)
        return frames if size == (24, 40) else frames - np.uint8(self.drawn)


@breaks("codec", "learns_from_one_frame")
class _(MyCodec):
    def fit(self, train, validation, training):
        history = super().fit(train, validation, training)
        with np.errstate(all="ignore"):
            self._mean = self._mean / (len(train) - 1)
        return history
