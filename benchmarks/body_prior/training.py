"""Training the networks of the body prior."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from benchmarks.body_prior.settings import Settings

from deepdance.interfaces import Float32, Training
from deepdance_plugins._keras.backend import FRAMEWORK, KerasTensor, keras
from deepdance_plugins._keras.training import LOSS, Samples, build_adamw, count_epochs, train_network
from deepdance_plugins.codecs.sdf_ae.error import FieldError
from deepdance_plugins.codecs.sdf_ae.network import Variational, build_decoder, build_encoder, build_loss, read_weights

Loss = Callable[..., KerasTensor]
WARMUP = 200


def train_networks(basis: Mapping[str, Float32], rows: Float32, settings: Settings) -> dict[str, Float32]:
    """The weights of both networks, as `encoder.LAYER.kernel` and so on, trained on components `(n, k)`.

    Minutes on a GPU with JAX. On TensorFlow every step is a call from Python, and on a CPU they take hours.
    """
    keras.utils.set_random_seed(settings.seed)
    shape = basis["deviations"], settings.pose, settings.units, settings.blocks
    encoder, decoder = build_encoder(*shape), build_decoder(*shape)
    model = Variational(encoder, decoder, settings.kl, settings.seed)
    model(rows[:1])  # a subclassed model has its variables only after a first call
    loss = build_loss(FieldError.of(basis["basis"], basis["mean"], basis["deviations"], settings.cover))
    optimizer = build_adamw(settings.learning_rate, settings.steps, warmup=min(WARMUP, settings.steps // 10))
    model.compile(optimizer=optimizer, loss=loss)
    (_train_compiled if FRAMEWORK == "jax" else _train_step_by_step)(model, loss, rows, settings)
    networks = {"encoder": encoder, "decoder": decoder}
    return {f"{name}.{key}": w for name, network in networks.items() for key, w in read_weights(network).items()}


def _train_compiled(model: keras.Model, loss: Loss, rows: Float32, settings: Settings) -> None:
    from benchmarks.body_prior.compiled import train_compiled  # imports JAX

    started = time.monotonic()

    def tell(done: int, wrong: float) -> None:
        print(f"step {done} of {settings.steps}: error {wrong:.4f}, {time.monotonic() - started:.0f} s", flush=True)

    train_compiled(
        model,
        loss,
        rows,
        steps=settings.steps,
        batch_size=settings.batch_size,
        seed=settings.seed,
        on_progress=tell,
    )


def _train_step_by_step(model: keras.Model, _: Loss, rows: Float32, settings: Settings) -> None:
    def tell(epoch: int, epochs: int, metrics: Mapping[str, float]) -> None:
        print(f"epoch {epoch} of {epochs}: loss {metrics['loss']:.4f}", flush=True)

    data = Samples(lambda chosen, _: (rows[chosen],) * 2, len(rows), 0, settings.batch_size)
    epochs = count_epochs(settings.steps, len(rows), settings.batch_size)
    train_network(model, data, epochs=epochs, training=Training(seed=settings.seed, on_epoch=tell), metrics=LOSS)
