import numpy as np
import pytest

from deepdance.interfaces import Training
from deepdance_plugins.networks.scaling import measure_scales
from deepdance_plugins.sequences.mdn.model import MDN, MDNOptions
from deepdance_plugins.sequences.mdn.tbptt import PADDING, Spans

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
