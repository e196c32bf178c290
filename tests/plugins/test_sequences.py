import numpy as np
import pytest

from deepdance.interfaces import Training
from deepdance_plugins.sequences.gru import GRU
from deepdance_plugins.sequences.lstm4.model import LSTM4
from deepdance_plugins.sequences.lstm4.options import LSTM4Options

SMALL = {"layers": 2, "units": 16, "epochs": 3, "batch_size": 16, "context": 5}


def circling(count: int, dim: int = 6) -> np.ndarray:
    phase = np.arange(count)[:, None] * 0.4 + np.arange(dim)
    return (1 + np.sin(phase)).astype(np.float32)


def fitted(cls, options, clips=None, validation=None, **training):
    model = cls(options)
    history = model.fit(clips or [circling(60)], validation or [circling(20)], Training(**training))
    return model, history


def plain_loop(model, seed, steps):
    """The paper's way: the network over the last windows, a step at a time."""
    window, out = seed.copy(), []
    for _ in range(steps):
        out.append(np.asarray(model._model.predict_on_batch(window)))
        window = np.concatenate([window[:, 1:], out[-1][:, None]], axis=1)
    return np.stack(out, axis=1)


@pytest.mark.parametrize("cls", [LSTM4, GRU])
class TestTheRecurrentModels:
    def test_generates_the_same_numbers_as_the_plain_loop(self, cls):
        model, _ = fitted(cls, LSTM4Options(**SMALL | {"epochs": 10}))
        seed = np.random.default_rng(0).random((3, 5, 6), dtype=np.float32)
        generated = model.generate(seed, 130)
        assert np.abs(generated - plain_loop(model, seed, 130)).max() < 1e-5
        assert generated.std(axis=1).max() > 0

    @pytest.mark.parametrize(("units", "layers"), [(256, 4), (17, 2)])
    def test_generates_the_same_numbers_at_any_width_and_as_one_of_many(self, cls, units, layers):
        model = cls(LSTM4Options(units=units, layers=layers))
        model._model = model._build(128, "relu")
        seed = np.random.default_rng(0).standard_normal((5, 10, 128)).astype(np.float32)
        many = model.generate(seed, 12)
        assert np.abs(many - plain_loop(model, seed, 12)).max() < 1e-5
        assert np.abs(many).max() > 0.01
        assert np.array_equal(model.generate(seed[:1], 12)[0], many[0])

    def test_a_loaded_model_keeps_its_last_layer(self, cls, tmp_path):
        model, _ = fitted(cls, LSTM4Options(**SMALL))
        model._model.layers[-1].bias.assign(np.full(6, -9.0))
        model.save(tmp_path)
        loaded = cls.load(tmp_path, model.options)
        assert not loaded.generate(np.zeros((1, 5, 6), np.float32), 3).any()

    def test_no_window_crosses_a_clip(self, cls):
        counted = []
        clips, options = [circling(9), circling(5), circling(7)], LSTM4Options(**SMALL | {"epochs": 1})
        fitted(cls, options, clips, on_progress=lambda done, total: counted.append(total))
        assert counted[-1] == (9 - 5) + (7 - 5)


def test_a_killed_training_ends_with_the_weights_of_an_unbroken_one(tmp_path):
    def stop(epoch, epochs, metrics):
        if epoch == 2:
            raise KeyboardInterrupt

    options = LSTM4Options(**SMALL | {"epochs": 5})
    unbroken, history = fitted(LSTM4, options)
    with pytest.raises(KeyboardInterrupt):
        fitted(LSTM4, options, folder=tmp_path, on_epoch=stop)
    resumed, resumed_history = fitted(LSTM4, options, folder=tmp_path)
    assert resumed_history == history
    for mine, other in zip(resumed._model.weights, unbroken._model.weights, strict=True):
        assert np.array_equal(mine, other)
    resumed.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_the_last_layer_reaches_negative_latents():
    options = LSTM4Options(**SMALL | {"epochs": 1})
    positive, _ = fitted(LSTM4, options)
    signed, _ = fitted(LSTM4, options, [circling(60) - 1])
    assert positive._model.layers[-1].activation.__name__ == "relu"
    assert signed._model.layers[-1].activation.__name__ == "linear"


def test_the_papers_layers():
    model, _ = fitted(LSTM4, LSTM4Options(epochs=1), [circling(14, dim=128)], [circling(14, dim=128)])
    assert [type(layer).__name__ for layer in model._model.layers] == ["LSTM", "Dropout"] * 4 + ["Dense"]
    assert [layer.units for layer in model._model.layers if hasattr(layer, "units")] == [256] * 4 + [128]
    assert {layer.rate for layer in model._model.layers if hasattr(layer, "rate")} == {0.2}
    assert model._model.input_shape == (None, 10, 128)
