"""A residual block of dense layers."""

from __future__ import annotations

from deepdance_plugins._keras.backend import KerasTensor, layers


def add_residual_block(hidden: KerasTensor, units: int) -> KerasTensor:
    """`(n, units)` plus two dense layers of it, normalised before (He et al. 2016); at first they add nothing."""
    inner = layers.Dense(units, activation="gelu")(layers.LayerNormalization()(hidden))
    return layers.Add()([hidden, layers.Dense(units, kernel_initializer="zeros")(inner)])
