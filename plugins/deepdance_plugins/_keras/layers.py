"""A residual block of dense layers."""

from __future__ import annotations

from typing import Any

from deepdance_plugins._keras.backend import keras


def residual_block(hidden: Any, units: int) -> Any:
    """`(n, units)` plus two dense layers of it, normalised before (He et al. 2016); at first they add nothing."""
    layers = keras().layers
    inner = layers.Dense(units, activation="gelu")(layers.LayerNormalization()(hidden))
    return layers.Add()([hidden, layers.Dense(units, kernel_initializer="zeros")(inner)])
