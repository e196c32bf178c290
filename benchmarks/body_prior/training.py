"""Training the networks of the body prior."""

from __future__ import annotations

import time
from collections.abc import Mapping

from benchmarks.body_prior.settings import Settings

from deepdance.interfaces import Float32, Training
from deepdance_plugins.codecs.sdf_ae.error import FieldError
from deepdance_plugins.codecs.sdf_ae.fitting import WARMUP
from deepdance_plugins.codecs.sdf_ae.network import build_decoder, build_encoder, build_variational, read_networks
from deepdance_plugins.networks.backend import FRAMEWORK, keras
from deepdance_plugins.networks.training import LOSS, Samples, build_adamw, count_epochs, train_network


def train_networks(basis: Mapping[str, Float32], rows: Float32, settings: Settings) -> dict[str, Float32]:
    """The weights of both networks, as `encoder.LAYER.kernel` and so on, trained on components `(n, k)`.

    Minutes on a GPU with JAX. On TensorFlow every step is a call from Python, and on a CPU they take hours.
    """
    keras.utils.set_random_seed(settings.seed)
    shape = basis["deviations"], settings.pose, settings.units, settings.blocks
    encoder, decoder = build_encoder(*shape), build_decoder(*shape)
    error = FieldError.of(basis["basis"], basis["mean"], basis["deviations"])
    optimizer = build_adamw(settings.learning_rate, settings.steps, warmup=min(WARMUP, settings.steps // 10))
    model = build_variational(encoder, decoder, error, optimizer, settings.kl, settings.seed)
    (_train_compiled if FRAMEWORK == "jax" else _train_step_by_step)(model, rows, settings)
    return read_networks(encoder, decoder)


def _train_compiled(model: keras.Model, rows: Float32, settings: Settings) -> None:
    from benchmarks.body_prior.compiled import train_compiled  # imports JAX

    started = time.monotonic()

    def tell(done: int, wrong: float) -> None:
        print(f"step {done} of {settings.steps}: error {wrong:.4f}, {time.monotonic() - started:.0f} s", flush=True)

    train_compiled(
        model,
        rows,
        steps=settings.steps,
        batch_size=settings.batch_size,
        seed=settings.seed,
        on_progress=tell,
    )


def _train_step_by_step(model: keras.Model, rows: Float32, settings: Settings) -> None:
    def tell(epoch: int, epochs: int, metrics: Mapping[str, float]) -> None:
        print(f"epoch {epoch} of {epochs}: loss {metrics['loss']:.4f}", flush=True)

    data = Samples(lambda chosen, _: (rows[chosen],) * 2, len(rows), 0, settings.batch_size)
    epochs = count_epochs(settings.steps, len(rows), settings.batch_size)
    train_network(model, data, epochs=epochs, training=Training(seed=settings.seed, on_epoch=tell), metrics=LOSS)
