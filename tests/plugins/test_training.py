"""The training loop of networks: what spoils a training ends it, and a damaged checkpoint only costs time."""

import logging

import numpy as np
import pytest

from deepdance.api import codec, sequence
from deepdance.errors import OptionError, TrainingError
from deepdance.frames import Silhouettes
from deepdance.interfaces import Training
from deepdance_plugins.networks import training as loop
from deepdance_plugins.networks.backend import keras, layers

CODECS = {
    "conv-ae": {"epochs": 2, "batch_size": 8, "latent_dim": 12},
    "sdf-ae": {"prior": "none", "steps": 30, "batch_size": 32, "latent_dim": 12, "coefficients": 40, "units": 64},
}
RECURRENT = {"layers": 2, "units": 16, "epochs": 3, "batch_size": 16, "context": 5}
SEQUENCES = {
    "lstm4": RECURRENT,
    "mdn": {"units": 16, "epochs": 2, "context": 5},
    "flow": {"units": 16, "width": 16, "steps": 30, "batch_size": 16, "context": 5},
}
CIRCLE = (1 + np.sin(np.arange(60)[:, None] * 0.4 + np.arange(6))).astype(np.float32)
"""Latents `(60, 6)`."""


@pytest.mark.parametrize("name", CODECS)
def test_a_codec_at_a_wild_learning_rate_is_told_with_what_to_set(name, silhouettes):
    frames = Silhouettes.of(silhouettes)
    wild = codec(name, learning_rate=1e9, **CODECS[name])
    with pytest.raises(
        TrainingError, match=r"in epoch 1 of .*rate of 1e\+09 is too high: try --set codec.learning_rate=0.001$"
    ):
        wild.fit(frames, frames.between(0, 0), Training())


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_sequence_model_at_a_wild_learning_rate_is_told_and_leaves_no_checkpoint(name, tmp_path):
    wild = sequence(name, learning_rate=1e9, **SEQUENCES[name])
    with pytest.raises(TrainingError, match=r"in epoch 1 of .*: try --set sequence.learning_rate=0.001$") as told:
        wild.fit([CIRCLE], [], Training(folder=tmp_path))
    assert "\n" not in str(told.value)
    assert not [*tmp_path.iterdir()]


def test_a_codec_that_shows_one_picture_for_all_is_told(silhouettes):
    frames = Silhouettes.of(silhouettes)
    with pytest.raises(TrainingError, match="expected a picture for each of 16 frames, got the same one for all; its"):
        codec("conv-ae", learning_rate=0.1, **CODECS["conv-ae"]).fit(frames, frames.between(0, 0), Training())
    still = Silhouettes.of(np.repeat(silhouettes[:1], 30, axis=0))
    codec("pca", latent_dim=2).fit(still, still.between(0, 0), Training())


def test_what_spoils_an_epoch_leaves_the_checkpoint_of_the_one_before(tmp_path, monkeypatch):
    options = RECURRENT | {"epochs": 4}
    whole = sequence("lstm4", **options)
    history = whole.fit([CIRCLE], [], Training())
    run = loop._run

    def spoil(step, *arguments):
        noted, first = run(step, *arguments)
        told.append(noted["loss"])
        if len(told) == 3:
            step.__self__.layers[-1].bias.assign(np.full(6, np.nan))
        return noted, first

    told = []
    monkeypatch.setattr(loop, "_run", spoil)
    with pytest.raises(TrainingError, match="LSTM4: expected finite weights, got NaN or infinity in epoch 3 of 4; try"):
        sequence("lstm4", **options).fit([CIRCLE], [], Training(folder=tmp_path))
    monkeypatch.setattr(loop, "_run", run)
    again = sequence("lstm4", **options)
    epochs = []
    gone_on = again.fit([CIRCLE], [], Training(folder=tmp_path, on_epoch=lambda epoch, *_: epochs.append(epoch)))
    assert (epochs, gone_on) == ([3, 4], history)
    assert np.array_equal(again.generate(CIRCLE[None, :5], 9), whole.generate(CIRCLE[None, :5], 9))


def rewrite(path, change):
    """The checkpoint with its arrays as `change` leaves them in a dictionary."""
    with np.load(path, allow_pickle=False) as saved:
        arrays = dict(saved)
    change(arrays)
    np.savez(path, **arrays)


def zero_half(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))


DAMAGES = {
    "0 bytes": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-400]),
    "half of it zero": zero_half,
    "one bit": lambda path: path.write_bytes(bytes(b ^ (n == 3000) for n, b in enumerate(path.read_bytes()))),
    "no archive": lambda path: path.write_text("{}"),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "another shape": lambda path: rewrite(path, lambda a: a.update({"0": a["0"][:, :-1]})),
    "another type": lambda path: rewrite(path, lambda a: a.update({"0": a["0"].astype(np.float64)})),
    "NaN": lambda path: rewrite(path, lambda a: a.update({"0": a["0"] * np.float32("nan")})),
    "an array too few": lambda path: rewrite(path, lambda a: a.pop("0")),
    "an array too many": lambda path: rewrite(path, lambda a: a.update(more=a["0"])),
    "pickles": lambda path: rewrite(path, lambda a: a.update({"0": np.array([{}], object)})),
    "other JSON": lambda path: rewrite(path, lambda a: a.update(history=np.array('{"a": [1]}'))),
    "no JSON": lambda path: rewrite(path, lambda a: a.update(history=np.array('[{"loss"'))),
    "no history": lambda path: rewrite(path, lambda a: a.update(history=np.array("[]"))),
    "more epochs": lambda path: rewrite(path, lambda a: a.update(history=np.array('[{"loss": 1}, {}, {}, {}]'))),
}


def build(seed):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((6,)), layers.Dense(40), layers.Dense(6)])
    model.compile(optimizer="adam", loss="mse")
    model.optimizer.build(model.trainable_variables)
    return model


def read(model):
    return [np.asarray(variable) for variable in loop._list_variables(model)]


def test_a_checkpoint_sets_the_model_to_what_it_was(tmp_path):
    saved, other = build(0), build(1)
    loop._checkpoint(saved, tmp_path, [{"loss": 1.0, "val_loss": float("nan")}])
    (noted,) = loop._restore(other, tmp_path, epochs=3)
    assert noted["loss"] == 1.0
    assert np.isnan(noted["val_loss"])
    assert all(map(np.array_equal, read(saved), read(other)))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_named_and_dropped_before_it_changes_anything(damage, tmp_path, caplog, log):
    loop._checkpoint(build(0), tmp_path, [{"loss": 1.0}])
    path = tmp_path / loop.CHECKPOINT
    DAMAGES[damage](path)
    model = build(1)
    before = read(model)
    with caplog.at_level(logging.WARNING, "deepdance"):
        assert loop._restore(model, tmp_path, epochs=3) == []
    (message,) = [record.getMessage() for record in caplog.records]
    assert f"{path} is damaged, and the training begins anew: " in message
    assert all(map(np.array_equal, before, read(model)))
    assert not path.exists()


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["lstm4", "mdn", "flow"])
def test_no_learning_rate_but_a_positive_finite_one(name, rate):
    with pytest.raises(OptionError, match="learning_rate: expected"):
        sequence(name, learning_rate=rate)


@pytest.mark.parametrize("option", ["units", "epochs", "batch_size", "layers", "context"])
def test_sizes_that_no_machine_has_are_refused(option):
    with pytest.raises(OptionError, match=f"{option}: expected less than or equal to"):
        sequence("lstm4", **{option: 10**9})


@pytest.mark.parametrize(
    ("steps", "samples", "batch_size", "epochs"),
    [(100, 320, 32, 10), (104, 320, 32, 10), (106, 320, 32, 11), (1, 320, 32, 1), (100, 8, 32, 100), (100, 0, 32, 100)],
)
def test_steps_become_whole_epochs(steps, samples, batch_size, epochs):
    """Ten batches an epoch; where there is less than a batch, an epoch is one."""
    assert loop.count_epochs(steps, samples, batch_size) == epochs


def test_the_rate_rises_and_falls_as_a_cosine():
    schedule = loop.build_adamw(0.1, steps=100, warmup=20)._learning_rate
    rates = [float(schedule(step)) for step in (0, 10, 20, 70, 120, 500)]
    assert rates == pytest.approx([0, 0.05, 0.1, 0.05, 0, 0], abs=1e-6)


def test_samples_are_all_taken_once_and_the_held_out_ones_in_their_order():
    taken = []
    samples = loop.Samples(lambda numbers, rng: (taken.append(numbers.tolist()), numbers), 10, 5, 4)
    for given, count in ((samples.iterate_training, 10), (samples.iterate_held_out, 5)):
        taken.clear()
        made = given(np.random.default_rng(0))
        assert (made.samples, len(list(made.batches))) == (count, -(-count // 4))
        if count == 10:
            assert [len(batch) for batch in taken] == [4, 4, 2]
            order = [number for batch in taken for number in batch]
            assert sorted(order) == list(range(10)) != order
        else:
            assert taken == [[10, 11, 12, 13], [14]]


@pytest.mark.parametrize(
    ("weights", "loss"), [(None, (3 * 1 + 1 * 5) / 4), (([1, 1, 0], [0.5]), (2 * 1 + 0.5 * 5) / 2.5)]
)
def test_a_loss_is_the_mean_over_samples_by_their_weight(weights, loss):
    """A last batch that is small counts for less."""
    losses, told = iter([1.0, 5.0]), []
    batches = [(np.zeros(count), np.zeros(count)) for count in (3, 1)]
    if weights:
        batches = [(*batch, np.array(each)) for batch, each in zip(batches, weights, strict=True)]
    data = loop.Pass(4, iter(batches))
    step, whole, tell = lambda *_, **__: {"loss": next(losses)}, lambda batch: batch, lambda *p: told.append(p)
    noted, first = loop._run(step, data, {"loss": "loss"}, whole, tell)
    assert (noted, first) == ({"loss": pytest.approx(loss)}, {"loss": 1.0})
    assert told == [(3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("losses", "is_told"),
    [
        ([1.0, 99.0], False),  # the first batch, then the epoch: its samples may have been easy ones
        ([1.0, 101.0], True),
        ([1.0, 50.0, 499.0], False),  # ten times the first epoch, whatever the first batch was
        ([1.0, 50.0, 501.0], True),
        ([0.001, 0.5, 4.0], False),
    ],
)
def test_a_loss_is_compared_with_the_first_epochs_or_in_it_with_the_first_batchs(losses, is_told):
    model, noted = build(0), [{"loss": loss} for loss in losses]
    if is_told:
        with pytest.raises(TrainingError, match=f"in epoch {len(losses) - 1} of 7"):
            loop._check_epoch(model, noted, 7)
    else:
        loop._check_epoch(model, noted, 7)
