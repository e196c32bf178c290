"""Files of networks: the same network, the same bytes."""

import numpy as np

from deepdance_plugins.networks.archives import save_network
from deepdance_plugins.networks.backend import keras, layers, load_network


def build_network():
    inputs = [keras.Input((4,)), keras.Input((4,), name="beside")]
    hidden = layers.Add()([layers.Dense(3)(inputs[0]), layers.Dense(3, name="dense_of_mine")(inputs[1])])
    network = keras.Model(inputs, keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.Dense(1)])(hidden))
    network.set_weights([np.full(weight.shape, number / 7) for number, weight in enumerate(network.get_weights())])
    network.compile("adam", "mse")
    return network


def test_the_same_network_is_the_same_file_whatever_its_process_did_before(tmp_path):
    first, second = tmp_path / "first.keras", tmp_path / "second.keras"
    save_network(build_network(), first)
    layers.Dense(1), layers.Add(), keras.Input((2,)), keras.Sequential()
    network = build_network()
    save_network(network, second)
    assert first.read_bytes() == second.read_bytes()
    read, inputs = load_network(second), [np.ones((2, 4), np.float32), np.arange(8, dtype=np.float32).reshape(2, 4)]
    np.testing.assert_array_equal(read(inputs), network(inputs))
    assert [layer.name for layer in read.layers] == [
        "input_layer",
        "beside",
        "dense",
        "dense_of_mine",
        "add",
        "sequential",
    ]
    assert not read.compiled


def test_another_weight_is_another_file(tmp_path):
    network = build_network()
    save_network(network, tmp_path / "a.keras")
    network.set_weights([weight + 1 for weight in network.get_weights()])
    save_network(network, tmp_path / "b.keras")
    assert (tmp_path / "a.keras").read_bytes() != (tmp_path / "b.keras").read_bytes()
