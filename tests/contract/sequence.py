"""Sequence models that break their checks."""

import numpy as np
from my_sequence.sequence import MySequence

from contract.broken import breaks, breaks_unguarded, change
from deepdance.errors import InputError
from deepdance.interfaces import LatentStream, StreamingModel, as_one_shot

breaks_unguarded("sequence", "refuses_short_clips", "refuses_what_is_not_finite")


breaks("sequence", "notes_every_epoch")(change(MySequence, "fit", lambda history: history * 2))
breaks("sequence", "takes_no_steps_and_one")(change(MySequence, "generate", lambda dance: dance[:, ::-1]))
breaks("sequence", "continues_a_batch")(change(MySequence, "generate", lambda dance: dance[:1]))


@breaks("sequence", "learns")
class _(MySequence):
    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        return seed[:, -1:].repeat(steps, axis=1)


@breaks("sequence", "the_seed_decides")
class _(MySequence):
    fits = 0

    def fit(self, train, validation, training):
        history = super().fit(train, validation, training)
        type(self).fits += 1
        self._windows = self._windows + np.float32(self.fits / 10)
        return history


@breaks("sequence", "saves_no_pickles")
class _(MySequence):
    def save(self, folder):
        np.save(folder / "my_sequence.npy", self._windows.astype(object))


@breaks("sequence", "is_the_same_in_a_fresh_process")
class _(MySequence):
    kept = None

    def save(self, folder):
        type(self).kept = self

    @classmethod
    def load(cls, folder, options):
        return cls.kept.fitted


@breaks("sequence", "leaves_what_it_is_given")
class _(MySequence):
    def fit(self, train, validation, training):
        train[0] -= train[0].mean(axis=0)
        return super().fit(train, validation, training)


@breaks("sequence", "has_a_context")
class _(MySequence):
    context = 0


@breaks("sequence", "has_a_context")
class _(MySequence):
    context = 2

    def fit(self, train, validation, training):
        history = super().fit(train, validation, training)
        self.context = 3
        return history


@breaks("sequence", "continues_a_batch")
class _(MySequence):
    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        dance = super().generate(seed, steps, temperature=temperature, rng=rng)
        dance[:, 50:] = np.nan
        return dance


@breaks("sequence", "takes_no_steps_and_one", guarded=False)
class _(MySequence):
    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        return super().generate(seed, max(steps, 1), temperature=temperature, rng=rng)


@breaks("sequence", "a_long_dance_begins_as_a_short_one")
class _(MySequence):
    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        return super().generate(seed, steps, temperature=temperature, rng=rng + steps // 50)


@breaks("sequence", "shots_are_what_is_generated")
class _(MySequence):
    def generate_shots(self, seed, steps, *, temperature=1.0, rng=0):
        return super().generate_shots(seed, steps, temperature=temperature, rng=rng + 1)


class Streamed(MySequence, StreamingModel):
    """One that keeps its state as a window: the last latents, and the draws."""

    generate = StreamingModel.generate
    generate_shots = StreamingModel.generate_shots

    def stream(self, seed, *, temperature=1.0, rng=0):
        return self.Stream(self, seed, temperature, rng)

    class Stream(LatentStream):
        def __init__(self, model, seed, temperature, rng):
            super().__init__(temperature)
            self.model, self.window, self.rng, self.given = model, seed, rng, []

        def advance(self, steps):
            self.rng += 1
            latents = MySequence.generate(self.model, self.window, 10, temperature=self.temperature, rng=self.rng)
            self.window = np.concatenate([self.window, latents], axis=1)[:, -self.window.shape[1] :]
            return as_one_shot(latents)


@breaks("sequence", "a_stream_is_what_is_generated")
class _(Streamed):
    class Stream(Streamed.Stream):
        def advance(self, steps):
            latents, cuts = super().advance(steps)
            return latents[:, :steps], cuts[:, :steps]  # what is more than wanted is lost


@breaks("sequence", "a_stream_takes_a_new_temperature")
class _(Streamed):
    class Stream(Streamed.Stream):
        temperature = property(lambda self: 1.0, lambda self, value: None)


@breaks("sequence", "a_stream_needs_no_more_memory_the_longer_it_is")
class _(Streamed):
    class Stream(Streamed.Stream):
        def advance(self, steps):
            self.given.append(super().advance(steps))
            return self.given[-1]


@breaks("sequence", "a_batch_begins_as_its_first_alone")
class _(MySequence):
    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        return super().generate(seed - seed.mean(axis=0), steps, temperature=temperature, rng=rng)


@breaks("sequence", "the_draw_is_decided_by_rng")
class _(MySequence):
    calls = 0

    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        self.calls += 1
        return super().generate(seed, steps, temperature=temperature, rng=rng + self.calls)


@breaks("sequence", "takes_any_temperature")
class _(MySequence):
    def generate(self, seed, steps, *, temperature=1.0, rng=0):
        return super().generate(seed, steps, temperature=1 / temperature, rng=rng)


@breaks("sequence", "takes_short_clips_among_others")
class _(MySequence):
    def fit(self, train, validation, training):
        if min(map(len, train)) <= self.context:
            raise InputError("expected longer clips, got a short one")
        return super().fit(train, validation, training)


@breaks("sequence", "refuses_short_clips", guarded=False)
class _(MySequence):
    def fit(self, train, validation, training):
        if not train:
            raise InputError("expected a clip, got none")
        return super().fit(train, validation, training)


@breaks("sequence", "refuses_what_is_not_finite", guarded=False)
class _(MySequence):
    def fit(self, train, validation, training):
        if not all(np.isfinite(clip).all() for clip in train):
            raise InputError("expected finite latents, got others")
        return super().fit(train, validation, training)
