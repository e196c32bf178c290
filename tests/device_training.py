"""Small trainings of all components that Keras trains, in a process of their own: JAX counts its devices at start.

    python device_training.py FOLDER NAME …
    python device_training.py --join PORT PROCESS PROCESSES FOLDER NAME …

`FOLDER/silhouettes.npy` is there. The first trains all twice, by one device in `FOLDER/one/NAME`, and by all devices in
`FOLDER/all/NAME`. Joined to others, process P trains once, in `FOLDER/P/NAME`. Each history is `history.json`.
"""

import json
import os
import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np

CONTEXT = {"context": 5}
RECURRENT = {**CONTEXT, "layers": 1, "units": 8, "epochs": 2, "dropout": 0.3}
COMPONENTS = {
    "conv-ae": {"epochs": 1, "batch_size": 16, "latent_dim": 12, "learning_rate": 1e-5},
    "sdf-ae": {"prior": "none", "steps": 12, "batch_size": 32, "latent_dim": 12, "coefficients": 40, "units": 64},
    "lstm4": {**RECURRENT, "batch_size": 16},
    "gru": {**RECURRENT, "batch_size": 6},
    "mdn": {**CONTEXT, "units": 8, "epochs": 2, "span": 4, "batch_size": 4},
    "flow": {**CONTEXT, "units": 8, "width": 8, "blocks": 1, "steps": 12, "batch_size": 16},
}
"""`gru` has batches that four devices do not divide, most others a last one.

`conv-ae` learns slowly here: at its own rate a rounding grows more than tenfold in each epoch. The optimizer's moments
are compared too, and are of the gradients themselves.
"""
PLAIN = "batch norm"
NAMES = (*COMPONENTS, PLAIN)
CODECS = ("conv-ae", "sdf-ae")
EPOCHS = 3
CRASHED = 7
"""The exit status of a process that was made to crash."""


def make_latents(frames, phase):
    """`(frames, 6)` latents of a round dance."""
    return (1 + np.sin(np.arange(frames)[:, None] * 0.4 + np.arange(6) + phase)).astype(np.float32)


def fit_component(name, folder, training):
    from deepdance.api import codec, sequence
    from deepdance.frames import Silhouettes

    if name in CODECS:
        frames = Silhouettes.of(np.load(folder / "silhouettes.npy"))
        return codec(name, **COMPONENTS[name]).fit(frames.between(0, 48), frames.between(60, 71), training)
    train, held_out = [make_latents(60, 0), make_latents(43, 2)], [make_latents(21, 1)]
    return sequence(name, **COMPONENTS[name]).fit(train, held_out, training)


def fit_plain_network(training):
    """A network whose step looks at its batch as a whole, and draws."""
    from deepdance_plugins.networks.backend import keras, layers
    from deepdance_plugins.networks.training import LOSS, Samples, train_network

    keras.utils.set_random_seed(training.seed)
    latents = make_latents(39, 0)
    stack = [keras.Input((6,)), layers.Dense(16, activation="tanh"), layers.BatchNormalization(), layers.Dropout(0.4)]
    model = keras.Sequential([*stack, layers.Dense(6)])
    model.compile(optimizer=keras.optimizers.Adam(), loss="mse")
    data = Samples(lambda chosen, _: (latents[chosen], latents[chosen + 1]), 30, 8, batch_size=12)
    return train_network(model, data, epochs=EPOCHS, training=training, metrics=LOSS)


def fit(name, folder, process, on_epoch):
    from deepdance.interfaces import Training

    own = folder / process / name
    own.mkdir(parents=True, exist_ok=True)
    training = Training(seed=3, folder=own, on_epoch=on_epoch)
    history = fit_plain_network(training) if name == PLAIN else fit_component(name, folder, training)
    (own / "history.json").write_text(json.dumps(history))


def watch_epochs(trained):
    """Notes an epoch; after that of `CRASH_AFTER` the process ends, as in a crash."""

    def watch(epoch, *_):
        trained.append(epoch)
        if str(epoch) == os.environ.get("CRASH_AFTER"):
            os._exit(CRASHED)

    return watch


def train(folder, who, names):
    for name in names:
        trained = []
        fit(name, Path(folder), who, watch_epochs(trained))
        (Path(folder) / who / name / "trained.json").write_text(json.dumps(trained))


def train_twice(folder, *names):
    """What needs no device is compiled once for both."""
    from deepdance_plugins.networks import devices

    with patch.object(devices, "_has_several_devices", lambda: False):
        train(folder, "one", names)
    train(folder, "all", names)


def train_together(port, process, processes, folder, *names):
    import jax

    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"127.0.0.1:{port}", int(processes), int(process), heartbeat_timeout_seconds=10)
    train(folder, process, names)


if __name__ == "__main__":
    if sys.argv[1] == "--join":
        train_together(*sys.argv[2:])
    else:
        train_twice(*sys.argv[1:])
