"""A residual block of dense layers."""

from __future__ import annotations

from deepdance_plugins.networks.backend import KerasTensor, layers


def add_residual_block(hidden: KerasTensor, units: int, name: str | None = None) -> KerasTensor:
    """`(n, units)` plus two dense layers of it, normalised before (He et al. 2016); at first they add nothing.

    With a name, the layers are `norm`, `inner` and `outer` of it, so that their weights can be told apart.
    """
    norm, inner, outer = (name and f"{layer}{name}" for layer in ("norm", "inner", "outer"))
    normal = layers.LayerNormalization(name=norm)(hidden)
    spread = layers.Dense(units, activation="gelu", name=inner)(normal)
    return layers.Add()([hidden, layers.Dense(units, kernel_initializer="zeros", name=outer)(spread)])
