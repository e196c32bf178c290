"""The contract of a sequence model."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from typing import Any

import numpy as np

from deepdance.arrays import Float32
from deepdance.errors import InputError
from deepdance.interfaces import History, SequenceModel, StreamingModel, Training
from deepdance.testing import common, learners
from deepdance.testing.learners import LearnerSubject
from deepdance.testing.sample_data import DIM, make_clips, make_latents
from deepdance.testing.subject import (
    TOLERANCE,
    Array,
    collect_checks,
    expect,
    expect_array,
    expect_error,
    expect_same,
    measure_difference,
    measure_memory,
    skip,
)

STEPS = 12
SHORT, LONG = 40, 150
"""Steps that one call of a compiled loop makes, and more than that: loops make about 50 a call."""
PARTS = 40
"""Of a stream, of `LONG` steps each."""


class SequenceSubject(LearnerSubject):
    """A sequence model and clips of latents to fit it to."""

    interface = SequenceModel

    @property
    def context(self) -> int:
        """Known before a fit."""
        return int(self.cls(self.options).context)

    def sample_data(self) -> dict[str, Array]:
        train, held_out = make_clips(self.context)
        named = {f"training clip {number}": clip for number, clip in enumerate(train, 1)}
        return {**named, "held-out clip": held_out[0], "seeds": self.seeds(2)}

    def fit(self, component: Any, training: Training, data: Mapping[str, Array]) -> History:
        train = [clip for name, clip in data.items() if name.startswith("training")]
        history: History = component.fit(train, [data["held-out clip"]], training)
        return history

    def apply(self, component: Any, data: Mapping[str, Array]) -> dict[str, Array]:
        return {"latents": component.generate(data["seeds"], STEPS, rng=3)}

    def measure_error(self, component: Any) -> tuple[float, float, str]:
        clip = make_clips(self.context)[0][0]
        windows = np.stack([clip[at : at + self.context] for at in range(len(clip) - self.context)])
        truth, last = clip[self.context :], windows[:, -1]
        guess = component.generate(windows, 1, temperature=0.0)[:, 0]
        mine, copying = (float(np.square(truth - other).mean()) for other in (guess, last))
        return mine, copying, "repeating the last latent"

    def seeds(self, count: int) -> Float32:
        """`(count, context, d)`: windows of the training clips, for the model to continue."""
        return np.stack([make_latents(self.context, first=7 * number) for number in range(count)])


def has_a_context(subject: SequenceSubject) -> None:
    """`context` is a whole number of latents, at least one, known before the fit and the same after it."""
    before = subject.cls(subject.options).context
    expect(isinstance(before, int) and before >= 1, "a context of at least one latent", repr(before))
    after = subject.component.context
    expect(after == before, f"the context of {before} to stay after the fit", after)


def continues_a_batch(subject: SequenceSubject) -> None:
    """Seeds `(b, context, d)` are continued by `(b, steps, d)` float32 latents, finite also after many steps."""
    expect_array(subject.component.generate(subject.seeds(3), 100), (3, 100, DIM), np.float32, "latents")


def takes_no_steps_and_one(subject: SequenceSubject) -> None:
    """No steps are no latents; one step is the first of many."""
    model, seeds = subject.component, subject.seeds(2)
    expect_array(model.generate(seeds, 0), (2, 0, DIM), np.float32, "latents of no steps")
    one = model.generate(seeds, 1)
    expect_array(one, (2, 1, DIM), np.float32, "latents of one step")
    expect_same({"latents": one}, {"latents": model.generate(seeds, STEPS)[:, :1]}, "for one step and in many")


def a_long_dance_begins_as_a_short_one(subject: SequenceSubject) -> None:
    """The first latents are the same however many follow."""
    short, long = (subject.component.generate(subject.seeds(1), steps, rng=4) for steps in (SHORT, LONG))
    expect_same({"latents": short}, {"latents": long[:, :SHORT]}, f"in {SHORT} steps and in {LONG}")


def shots_are_what_is_generated(subject: SequenceSubject) -> None:
    """`generate_shots` gives the latents of `generate`, and for each whether it begins a new shot, `(b, steps)`."""
    model, seeds = subject.component, subject.seeds(2)
    latents, cuts = model.generate_shots(seeds, STEPS, rng=6)
    expect_same({"latents": latents}, {"latents": model.generate(seeds, STEPS, rng=6)}, "with cuts and without")
    expect_array(cuts, (2, STEPS), np.bool_, "cuts")


def a_stream_is_what_is_generated(subject: SequenceSubject) -> None:
    """`stream` gives the latents of `generate`, in whatever parts they are taken, and their cuts."""
    model, seeds = subject.component, subject.seeds(2)
    steps = LONG if isinstance(model, StreamingModel) else STEPS
    latents, cuts = model.generate_shots(seeds, 2 * steps, rng=7)
    stream = model.stream(seeds, rng=7)
    for start, stop in ((0, 1), (1, steps), (steps, 2 * steps)):
        taken, begins = stream.take(stop - start)
        expect_array(begins, (2, stop - start), np.bool_, "cuts of a stream")
        expect_same({"latents": latents[:, start:stop]}, {"latents": taken}, f"generated and streamed from {start}")
        expect(np.array_equal(begins, cuts[:, start:stop]), "the same cuts in a stream", "others")


def a_stream_takes_a_new_temperature(subject: SequenceSubject) -> None:
    """A stream whose `temperature` is set goes on; a `StreamingModel` that is deterministic does so as before."""
    model, seeds = subject.component, subject.seeds(1)
    stream = model.stream(seeds, rng=8)
    stream.take(STEPS)
    stream.temperature = 3.0
    latents, _ = stream.take(LONG)
    expect_array(latents, (1, LONG, DIM), np.float32, "latents at a new temperature")
    if isinstance(model, StreamingModel):
        as_before = model.generate(seeds, STEPS + LONG, rng=8)[:, STEPS:]
        same = measure_difference(as_before, latents) <= TOLERANCE
        expect(
            same == model.is_deterministic,
            "another dance only of a model that draws",
            "the same" if same else "another",
        )


def a_stream_needs_no_more_memory_the_longer_it_is(subject: SequenceSubject) -> None:
    """What a stream of a `StreamingModel` keeps does not grow with what it has given."""
    if not isinstance(subject.component, StreamingModel):
        skip("it is no StreamingModel, and its stream keeps the last part only")
    stream = subject.component.stream(subject.seeds(1), rng=9)

    def take_on() -> None:
        for _ in range(PARTS):
            stream.take(LONG)
        gc.collect()

    take_on()  # a framework keeps something of its first calls
    _, kept = measure_memory(take_on)
    given = PARTS * LONG * DIM * 4
    expect(kept < given / 2, f"no more memory after {PARTS * LONG} latents ({given} bytes)", f"{kept} bytes")


def a_batch_begins_as_its_first_alone(subject: SequenceSubject) -> None:
    """The first of a batch is continued as if it were alone."""
    model, seeds = subject.component, subject.seeds(3)
    alone, together = model.generate(seeds[:1], STEPS, rng=5), model.generate(seeds, STEPS, rng=5)
    expect_same({"latents": alone}, {"latents": together[:1]}, "alone and in a batch")


def the_draw_is_decided_by_rng(subject: SequenceSubject) -> None:
    """The same `rng` gives the same latents, whatever was generated before."""
    model, seeds = subject.component, subject.seeds(2)
    first = model.generate(seeds, STEPS, rng=11)
    model.generate(seeds, STEPS, rng=12)
    expect_same({"latents": first}, {"latents": model.generate(seeds, STEPS, rng=11)}, "from the same rng")


def takes_any_temperature(subject: SequenceSubject) -> None:
    """Temperatures from 0, the calmest, to 10 give finite latents."""
    for temperature in (0.0, 0.5, 10.0):
        dance = subject.component.generate(subject.seeds(1), STEPS, temperature=temperature)
        expect_array(dance, (1, STEPS, DIM), np.float32, f"latents at temperature {temperature:g}")


def refuses_short_clips(subject: SequenceSubject) -> None:
    """`fit` raises InputError where no clip is longer than the context, or there is none."""
    for train, what in (([], "no clips"), ([make_latents(subject.context)], "a clip as short as the context")):
        with expect_error(InputError, what):
            subject.cls(subject.options).fit(train, [], Training())


def takes_short_clips_among_others(subject: SequenceSubject) -> None:
    """A clip of one latent, or of none, among longer ones is no hindrance; nor is having none held out."""
    model = subject.cls(subject.options)
    model.fit([make_latents(1), make_clips(subject.context)[0][0], make_latents(0)], [], Training())
    dance = model.generate(subject.seeds(1), STEPS)
    expect_array(dance, (1, STEPS, DIM), np.float32, "latents")


def refuses_what_is_not_finite(subject: SequenceSubject) -> None:
    """NaN or infinity in the clips of a fit, or in a seed, raises InputError."""
    for bad in (np.nan, np.inf):
        seeds, train = subject.seeds(2), make_clips(subject.context)[0]
        seeds[1, -1, 0] = train[0][9, 1] = bad
        with expect_error(InputError, f"a fit to latents with {bad} among them"):
            subject.cls(subject.options).fit(train, [], Training())
        with expect_error(InputError, f"a seed with {bad} in it"):
            subject.component.generate(seeds, STEPS)


CHECKS = (*common.CHECKS, *learners.CHECKS, *collect_checks(__name__))
