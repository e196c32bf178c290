"""Flow matching, part by part: on windows, landmarks and velocities whose answers are known."""

from types import SimpleNamespace

import numpy as np
import pytest

from deepdance.interfaces import Training
from deepdance_plugins.sequences.flow import sampling
from deepdance_plugins.sequences.flow.manifold import choose_landmarks, pull_back
from deepdance_plugins.sequences.flow.model import Flow, _find_positions
from deepdance_plugins.sequences.flow.network import (
    build_velocity,
    build_window_encoder,
    describe_window,
    embed_time,
    join_networks,
)
from deepdance_plugins.sequences.flow.options import FlowOptions

DIM = 3


def line(count, start=0.0):
    """Latents `(count, 3)` one apart on a line."""
    return (start + np.arange(count, dtype=np.float32))[:, None] * np.float32([1, 0, 0])


def test_a_window_ends_where_a_latent_follows_and_crosses_no_clip():
    clips = [np.zeros((7, 1)), np.zeros((3, 1)), np.zeros((5, 1))]
    positions, train = _find_positions(clips, 2, 4)
    assert positions.tolist() == [3, 4, 5, 13]
    assert train == 3
    assert _find_positions([np.zeros((4, 1))], 1, 4)[0].tolist() == []


@pytest.mark.parametrize(
    ("context", "looks"), [(2, [0, 1]), (5, [0, 1, 2, 3]), (6, [0, 1, 2, 3, 5]), (40, [0, 1, 2, 3, 5, 8, 12, 16])]
)
def test_latents_are_looked_at_as_far_back_as_the_context_goes(context, looks):
    assert Flow(FlowOptions(context=context))._looks.tolist() == looks


def test_a_window_is_its_latest_latent_the_changes_in_their_usual_size_and_the_level():
    looks, change = np.array([0, 1, 5]), np.float32([1, 2, 4])
    window = np.float32([[[9, 9, 9], [8, 7, 5], [2, 3, 9]]])
    described = describe_window(window, np.float32([[0.5]]), change, looks)
    assert described[0] == pytest.approx([9, 9, 9, 1, 1, 1, 6 / 2, 4 / 4, -4 / 8, 0.5])


def test_every_time_has_sines_and_cosines_from_a_quarter_of_a_turn_up_in_octaves():
    ends = embed_time(np.float32([[0], [1]]))
    assert ends[0] == pytest.approx([0] * 6 + [1] * 6)
    assert ends[1] == pytest.approx([1, 0, 0, 0, 0, 0, 0, -1, 1, 1, 1, 1], abs=1e-5)
    halves = embed_time(np.float32([[0.5]]))[0]
    assert halves[[0, 6]] == pytest.approx([0.5**0.5] * 2)


def test_landmarks_are_all_latents_or_evenly_spaced(monkeypatch):
    clips = [line(5), line(4, 100)]
    landmarks, _ = choose_landmarks(clips)
    assert np.array_equal(landmarks, np.concatenate(clips))
    monkeypatch.setattr("deepdance_plugins.sequences.flow.manifold.LANDMARKS", 3)
    assert choose_landmarks(clips)[0][:, 0].tolist() == [0, 4, 103]


def test_the_reach_is_the_distance_to_the_nearest_three_of_other_clips():
    """A fifth of the real latents are nearer than it."""
    beside = line(50) + np.float32([0, 2, 0])
    _, reach = choose_landmarks([line(50), beside])
    assert reach == pytest.approx(np.sqrt((4 + 5 + 5) / 3), rel=1e-4)  # straight across, and one to either side
    _, alone = choose_landmarks([line(50)])
    assert alone == pytest.approx(np.sqrt((0 + 1 + 1) / 3), rel=1e-4)
    assert choose_landmarks([np.zeros((4, 2), np.float32)])[1] == pytest.approx(1e-6)


def test_what_is_within_reach_stays_and_what_is_not_comes_back_by_a_share():
    landmarks = np.zeros((3, 2), np.float32)

    def pull(*latent, strength=0.5):
        return np.asarray(pull_back(np.float32([latent]), landmarks, np.float32(2), strength))[0]

    assert pull(1.9, 0) == pytest.approx([1.9, 0], abs=1e-4)
    assert pull(6, 0) == pytest.approx([4, 0], abs=1e-4)  # 4 beyond, of which half is left
    assert pull(0, -6, strength=1) == pytest.approx([0, -2], abs=1e-4)
    assert pull(6, 0, strength=0) == pytest.approx([6, 0], abs=1e-4)


def test_the_nearest_landmarks_draw_the_nearer_the_more():
    landmarks = np.float32([[0, 0], [0, 1], [0, 2], [0, 50]])
    pulled = np.asarray(pull_back(np.float32([[9, 0.9]]), landmarks, np.float32(3), 1.0))[0]
    squares = np.array([81.81, 81.01, 82.21])
    weights = np.exp(-4 * squares / 9) / np.exp(-4 * squares / 9).sum()
    share = 1 - 3 / np.sqrt(squares.mean())
    assert pulled == pytest.approx([9 - 9 * share, 0.9 + share * (weights @ [0, 1, 2] - 0.9)], abs=1e-3)


def dance(monkeypatch, velocity, noise, guard=0.0, high=100.0):
    """Frames of a loop whose velocity is a function of where the change stands, the last latent and the time."""
    monkeypatch.setattr(sampling, "_apply", lambda model, weights, inputs: weights(inputs))
    arrays = {
        "change": np.float32([2, 1]),
        "low": np.full(2, -high, np.float32),
        "high": np.full(2, high, np.float32),
        "landmarks": np.zeros((3, 2), np.float32),
        "reach": np.float32(1),
    }
    options = SimpleNamespace(level=0.0, guard=guard)
    loop = sampling.build_sampling_loop(None, None, np.array([0, 1]), options)
    last = np.float32([[[1, 1], [0, 0]]] * 2)  # two dances, side by side
    noise = np.asarray(noise, np.float32).repeat(2, axis=1)
    outputs, after = map(np.asarray, loop([lambda described: described, velocity], arrays, last, noise))
    assert np.array_equal(outputs[:, 0], outputs[:, 1])
    return outputs[:, 0], after[0]


def test_a_constant_velocity_leads_once_its_length_from_the_draw(monkeypatch):
    noise = [[[0, 0]], [[1, -1]], [[0, 0]]]
    frames, last = dance(monkeypatch, lambda inputs: 0 * inputs[0] + np.float32([3, 0.5]), noise)
    steps = np.diff([[1, 1], *frames], axis=0)
    assert steps == pytest.approx(np.array([[6, 0.5], [8, -0.5], [6, 0.5]]), abs=1e-5)  # in deviations of the change
    assert last == pytest.approx(frames[[2, 1]])


def test_eight_euler_steps_are_taken_from_time_0_on(monkeypatch):
    """Of a velocity that pulls to 0, each step leaves seven eighths; of one that is the time, all sum to 28 / 64."""
    frames, _ = dance(monkeypatch, lambda inputs: -inputs[0], [[[1, 1]]])
    assert frames[0] - 1 == pytest.approx([2 * (7 / 8) ** 8, (7 / 8) ** 8], rel=1e-5)
    slowest = 0.5 * np.pi * np.arange(8) / 8
    frames, _ = dance(monkeypatch, lambda inputs: 0 * inputs[0] + inputs[2][:, :1], [[[0, 0]]])
    assert frames[0] - 1 == pytest.approx([2 * np.sin(slowest).mean(), np.sin(slowest).mean()], rel=1e-4)


def test_no_number_leaves_its_range_and_what_strays_is_pulled_back(monkeypatch):
    far = lambda inputs: 0 * inputs[0] + np.float32([9, 0])  # noqa: E731
    assert dance(monkeypatch, far, [[[0, 0]]], high=5.0)[0][0] == pytest.approx([5, 1])
    pulled = dance(monkeypatch, far, [[[0, 0]]], guard=1.0)[0][0]
    assert np.linalg.norm(pulled) == pytest.approx(1, rel=1e-3)  # the reach


def test_examples_lead_from_the_draw_to_the_true_next_latent_in_unit_time():
    model = Flow(FlowOptions(context=2, noise=0.5))
    model._arrays["change"] = np.float32([2, 1, 0.5])
    rng = np.random.default_rng(0)
    window, following = rng.normal(size=(4000, 2, DIM)).astype(np.float32), np.zeros((4000, DIM), np.float32)
    (described, here, last, time), velocity = model._make_examples(window, following, rng)
    goal = (following - last) / model._arrays["change"]
    when = np.arcsin(time[:, :1]) / (np.pi / 2)
    assert np.abs(here + (1 - when) * velocity - goal).max() < 1e-3
    draws = goal - velocity
    assert draws.std() == pytest.approx(1, abs=0.03)
    level = described[:, -1:]
    assert (level.min(), level.max()) == pytest.approx((0, 0.5), abs=0.01)
    noise = (last - window[:, 0]) / model._arrays["change"] / level
    assert noise.std() == pytest.approx(1, abs=0.03)
    assert described[:, :DIM] == pytest.approx(last)


def draw_weights(model, seed=0):
    rng = np.random.default_rng(seed)
    model.set_weights([rng.normal(0, 0.5, weight.shape) for weight in model.get_weights()])
    return model


def test_the_networks_that_are_trained_together_are_those_that_dance():
    encoder, velocity = draw_weights(build_window_encoder(2, DIM, 8, 7)), draw_weights(build_velocity(DIM, 7, 1))
    rng = np.random.default_rng(1)
    described, here, last, time = (rng.random((4, size), np.float32) for size in (2 * DIM + 1, DIM, DIM, 12))
    together = np.asarray(join_networks(encoder, velocity)([described, here, last, time]))
    encoded = sampling._apply(encoder, encoder.variables, described)
    apart = np.asarray(sampling._apply(velocity, velocity.variables, [here, last, time, encoded]))
    assert together.shape == (4, DIM)
    assert together == pytest.approx(apart, abs=1e-5)
    assert np.ptp(together, axis=0).min() > 0.01


def test_a_velocity_begins_at_0():
    velocity = build_velocity(DIM, 7, 2)
    assert not np.asarray(velocity([np.ones((4, size), np.float32) for size in (DIM, DIM, 12, 7)])).any()


def circle(count, start=0.0):
    """Round a centre far from 0, a tenth of a turn a frame."""
    angles = start + np.arange(count) * 2 * np.pi / 10
    return np.stack([50 + 3 * np.cos(angles), -20 + 3 * np.sin(angles)], 1).astype(np.float32)


@pytest.fixture(scope="module")
def circling():
    options = FlowOptions(context=4, units=32, width=32, blocks=1, steps=600, batch_size=64, noise=0.1)
    model = Flow(options)
    told = []
    training = Training(on_epoch=lambda epoch, epochs, metrics: told.append((epoch, epochs)))
    history = model.fit([circle(64, start) for start in range(10)], [circle(40, 0.5)], training)
    return model, history, told


def test_a_circle_is_danced_on(circling):
    model, _, _ = circling
    dance = model.generate(circle(4)[None], 20)[0] - [50, -20]
    assert np.linalg.norm(dance, axis=1) == pytest.approx(np.full(20, 3), abs=0.6)
    turned = np.diff(np.unwrap(np.arctan2(dance[:, 1], dance[:, 0])))
    assert turned == pytest.approx(np.full(19, 2 * np.pi / 10), abs=0.25)
    assert dance[0] == pytest.approx(circle(5)[4] - [50, -20], abs=0.6)


def test_its_figures_are_those_of_the_expected_next_latent(circling):
    """In units of the latents, where a step is 1.85 long."""
    _, history, told = circling
    assert {"loss", "acc", "val_loss", "val_acc"} <= history[-1].keys()
    assert history[-1]["val_loss"] < 0.25 * 1.85**2 / 2  # of what copying the last one is off by
    assert history[-1]["val_acc"] == 1
    assert len(history) == len(told) == 64  # 10 clips of 60 windows are 9.4 batches, of which 600 are 64 epochs
