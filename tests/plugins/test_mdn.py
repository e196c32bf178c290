from types import SimpleNamespace

import numpy as np
import pytest

from deepdance.interfaces import Training
from deepdance_plugins.networks.scaling import measure_scales
from deepdance_plugins.sequences.mdn.mixture import MixtureStream, build_losses, split_outputs
from deepdance_plugins.sequences.mdn.model import MDN, MDNOptions
from deepdance_plugins.sequences.mdn.tbptt import PADDING, SpanDataset, Spans

SMALL = {"context": 4, "units": 16, "mixtures": 3, "span": 2, "epochs": 4, "batch_size": 4}


def forking(count, seed):
    """Each number goes up or down by 1, whichever chance says, but turns back at 3."""
    rng, place, walk = np.random.default_rng(seed), 0.0, []
    for _ in range(count):
        step = rng.choice([-1.0, 1.0]) if abs(place) < 3 else -np.sign(place)
        place += step
        walk.append([place, -place])
    return np.array(walk, np.float32)


def trained(clips, **changes):
    model = MDN(MDNOptions(**SMALL | changes))
    return model, model.fit(clips, [forking(20, 3)], Training())


@pytest.fixture(scope="module")
def forked():
    clips = [forking(100, seed) for seed in range(8)]
    return trained(clips, span=8, batch_size=16, epochs=40, learning_rate=2e-2, noise=0.02)


def test_the_loop_is_the_network_that_was_trained():
    model, _ = trained([forking(60, 1), forking(30, 2)])
    dance = np.concatenate([forking(4, 9), model.generate(forking(4, 9)[None], 6, temperature=0)[0]])
    network = model._build(1, 2)
    for variable, weight in zip(network.trainable_variables, model._weights, strict=True):
        variable.assign(weight)
    scales = model._scales
    for start in range(0, 8, 2):
        inputs = (dance[start : start + 2] - scales["mean"]) / scales["spread"]
        outputs = np.asarray(network(inputs[None]))[0]
        heaviest = outputs[:, :3].argmax(axis=1)
        means = outputs[:, 3:9].reshape(2, 3, 2)[[0, 1], heaviest]
        expected = np.clip(dance[start : start + 2] + means * scales["change"], scales["low"], scales["high"])
        if start >= 4:
            assert dance[start + 1 : start + 3] == pytest.approx(expected, abs=1e-5)


def test_where_the_way_forks_it_takes_one_and_not_the_mean(forked):
    model, history = forked
    steps = np.diff(model.generate(forking(4, 9)[None], 2000, rng=1)[0, :, 0])
    assert np.mean(np.abs(np.abs(steps) - 1) < 0.35) > 0.85
    assert 0.3 < np.mean(steps > 0) < 0.7
    assert history[-1]["nll"] < history[0]["nll"] - 0.5


def test_temperature_0_knows_no_chance_and_more_is_wilder(forked):
    model, _ = forked
    seed = forking(4, 9)[None]
    assert np.array_equal(
        model.generate(seed, 50, temperature=0, rng=1), model.generate(seed, 50, temperature=0, rng=2)
    )
    assert not np.array_equal(model.generate(seed, 50, rng=1), model.generate(seed, 50, rng=2))
    spreads = [np.abs(np.abs(np.diff(model.generate(seed, 1000, temperature=t)[0, :, 0])) - 1).mean() for t in (0.1, 4)]
    assert spreads[0] < spreads[1]


def test_what_is_generated_stays_within_the_training_latents(forked):
    dance = forked[0].generate(forking(4, 9)[None], 3000, temperature=3)[0]
    assert np.abs(dance).max() <= 4


def test_a_number_that_never_changes_does_no_harm():
    clip = np.column_stack([forking(60, 1), np.zeros(60, np.float32)])
    model = MDN(MDNOptions(**SMALL))
    assert np.isfinite(model.fit([clip], [], Training())[-1]["nll"])
    assert not model.generate(clip[None, :4], 50)[0, :, 2].any()


class TestSpans:
    CLIPS = tuple(np.arange(*ends, dtype=np.float32)[:, None] for ends in ((0, 23), (100, 104), (200, 209)))
    HELD_OUT = (np.arange(300, 307, dtype=np.float32)[:, None],)

    def read_by_slot(self, spans, schedule):
        """By slot, the spans' steps with whether the state is cleared before each span."""
        batches = [(spans.begin_segment(row), *spans.read(row)) for row in schedule]
        return [[tuple(part[slot] for part in batch) for batch in batches] for slot in range(spans.slots)]

    def test_every_step_is_taken_once_and_none_crosses_a_clip(self):
        spans = Spans(self.CLIPS, self.HELD_OUT, 3, 2)
        taken = []
        for slot in self.read_by_slot(spans, spans.schedule_training(np.random.default_rng(0))):
            for _, now, following, weights in slot:
                assert ((following - now)[weights > 0] == 1).all()
                taken += now[weights > 0, 0].tolist()
        assert sorted(taken) == [*range(22), *range(100, 103), *range(200, 208)]
        slots = self.read_by_slot(spans, spans.schedule_held_out())
        held_out = np.concatenate([now[weights > 0, 0] for slot in slots for _, now, _, weights in slot])
        assert sorted(held_out) == list(range(300, 306))

    def test_the_state_runs_on_exactly_where_the_clip_does(self):
        spans = Spans(self.CLIPS, [], 3, 2)
        for slot in self.read_by_slot(spans, spans.schedule_training(np.random.default_rng(1))):
            last = None
            for begins, now, _, weights in slot:
                if weights.any():
                    assert begins or now[0, 0] == last + 1
                    last = now[weights > 0][-1, 0]

    def test_epochs_differ_and_the_held_out_spans_are_others(self):
        spans = Spans(self.CLIPS, self.HELD_OUT, 3, 2)
        first, second = (spans.schedule_training(np.random.default_rng(seed)) for seed in (0, 5))
        assert not np.array_equal(first, second)
        assert sorted(first[first != PADDING]) == sorted(second[second != PADDING])
        assert not set(spans.schedule_held_out().ravel()) & set(first.ravel()) - {PADDING}


def test_a_number_that_stands_still_in_training_is_not_all_of_the_held_out_loss():
    rng = np.random.default_rng(0)
    train, held_out = (rng.normal(size=(60, 3)).astype(np.float32) for _ in range(2))
    train[:, 2] *= 1e-5
    steps = np.diff(held_out, axis=0) / measure_scales([train])["change"]
    assert np.square(steps).mean() < 1000
    assert (measure_scales([train])["change"] > 0).all()


def write_outputs(weights, means, sigmas):
    """What a network gives that means these Gaussians: weights `(k,)`, means and sigmas `(k, d)`."""
    widths = np.log(np.expm1(np.log(sigmas) + 4)) - 4  # the way back from a softplus above a floor of e^-4
    return np.concatenate([np.log(weights), np.ravel(means), np.ravel(widths)]).astype(np.float32)[None, None]


WEIGHTS = np.array([0.25, 0.75])
MEANS = np.array([[0.0, 1.0, -1.0], [2.0, 0.5, 0.0]])
SIGMAS = np.array([[1.0, 0.5, 2.0], [0.25, 1.0, 1.5]])
CHANGE = np.float32([1, 2, 4])
OUTPUTS = write_outputs(WEIGHTS, MEANS, SIGMAS)


def test_outputs_are_read_as_the_gaussians_that_they_mean():
    log_weights, means, log_sigmas = (np.asarray(part)[0, 0] for part in split_outputs(OUTPUTS, 2))
    assert np.exp(log_weights) == pytest.approx(WEIGHTS)
    assert means == pytest.approx(MEANS)
    assert np.exp(log_sigmas) == pytest.approx(SIGMAS, rel=1e-5)
    lowest = split_outputs(np.full((1, 14), -1e4, np.float32), 2)[2]
    assert np.asarray(lowest).min() == pytest.approx(-4)


def test_the_loss_is_the_negative_log_likelihood_of_a_number():
    nll, _, _ = build_losses(2, CHANGE)
    truth = np.array([0.3, -0.2, 1.0])
    densities = np.exp(-(((truth - MEANS) / SIGMAS) ** 2) / 2) / (np.sqrt(2 * np.pi) * SIGMAS)
    expected = -np.log(WEIGHTS @ densities.prod(axis=1)) / 3
    given = np.concatenate([truth, [9, 9, 9]]).astype(np.float32)[None, None]
    assert np.asarray(nll(given, OUTPUTS))[0, 0] == pytest.approx(expected, rel=1e-5)


def test_the_error_and_the_agreement_are_those_of_the_expected_latent():
    _, error, agreement = build_losses(2, CHANGE)
    expected = WEIGHTS @ MEANS  # 1.5, .625 and -.25, in deviations of the change
    truth = np.array([0.5, 1.0, -1.0])
    for start, agrees in (([0, 0, 9], 1), ([1.2, 0, 0], 0), ([9, 0, 0], 1), ([0, 1, 0], 1)):
        # of the second, 1.7, 2 and -4 are true, and 2.7, 1.25 and -1 expected: the largest stands elsewhere
        given = np.concatenate([truth, start]).astype(np.float32)[None, None]
        assert np.asarray(error(given, OUTPUTS))[0, 0] == pytest.approx(np.mean(((truth - expected) * CHANGE) ** 2))
        assert np.asarray(agreement(given, OUTPUTS))[0, 0] == agrees


@pytest.mark.parametrize(("context", "steps"), [(1, 1), (4, 1), (4, 61), (4, 62), (10, 300), (70, 5)])
def test_the_seed_comes_first_and_every_call_is_as_long(context, steps):
    seed = np.arange(2 * context * 3, dtype=np.float32).reshape(2, context, 3)
    calls = []

    def loop(weights, scales, state, frames, is_given, noise):
        calls.append((frames, is_given))
        return frames, state

    MixtureStream(loop, [], {}, MDNOptions(), seed, 1.0, 0).take(steps)
    assert {frames.shape for frames, _ in calls} == {(64, 2, 3)}
    frames, given = (np.concatenate(parts) for parts in zip(*calls, strict=True))
    assert np.array_equal(frames[:context].swapaxes(0, 1), seed)
    assert given.tolist() == [True] * context + [False] * (len(frames) - context)
    needed = context - 1 + steps  # the last of the seed gives the first of the steps
    assert needed <= len(frames) < needed + 64


CLIP = np.array([[0, 0], [2, 1], [1, 3], [4, 4]], np.float32)
SCALES = {"mean": np.float32([1, 2]), "spread": np.float32(2), "change": np.float32([1, 4])}


def load_spans(noise, held_out=False):
    """The clip in two spans of two steps, the second half empty, as the network is given them."""
    data = SpanDataset(SimpleNamespace(layers=[None]), Spans([CLIP], [CLIP], 2, 3), SCALES, noise)
    rng = np.random.default_rng(0)
    return data.iterate_held_out(rng) if held_out else data.iterate_training(rng)


def test_targets_are_the_next_change_and_where_it_starts():
    for given in (load_spans(0), load_spans(9, held_out=True)):
        assert given.samples == 2
        (inputs, targets, weights), (last, _, left) = given.batches
        assert inputs[0] == pytest.approx(np.array([[-0.5, -1], [0.5, -0.5]]))
        assert targets[0] == pytest.approx(np.array([[2, 0.25, 0, 0], [-1, 0.5, 2, 1]]))
        assert (weights.tolist(), left.tolist()) == ([[1, 1]], [[1, 0]])
        assert last[0, 0] == pytest.approx([0, 0.5])


def test_noise_moves_the_start_and_the_way_leads_back_to_the_true_latent():
    inputs, targets, _ = next(load_spans(0.5).batches)
    start = targets[..., 2:]
    assert inputs == pytest.approx((start - SCALES["mean"]) / 2)
    assert start + targets[..., :2] * SCALES["change"] == pytest.approx(CLIP[None, 1:3], abs=1e-5)
    assert np.abs(start - CLIP[:2]).min() > 0


def test_a_long_clip_fills_several_slots():
    spans = Spans([np.zeros((41, 1), np.float32)], [], 2, 10)  # 40 steps: 5 segments of 4 spans of 2
    assert spans.slots == 5
    schedule = spans.schedule_training(np.random.default_rng(0))
    assert schedule.shape == (4, 5)
    assert spans.begin_segment(schedule[0]).all()
    assert not spans.begin_segment(schedule[1:].ravel()).any()
    assert Spans([np.zeros((42, 1), np.float32)], [], 2, 10).slots == 6
