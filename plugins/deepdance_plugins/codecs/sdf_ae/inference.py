"""The trained networks of `sdf-ae` in plain NumPy: no framework has to start before a picture is encoded or drawn."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi, sqrt
from typing import Self

import numpy as np
from scipy.special import erf

from deepdance.interfaces import Float32

EPSILON = 1e-3
"""Keras' own in a layer normalisation."""

Trace = list[tuple[Float32, ...]]
"""What a call leaves for the way back: of each block, and of the end."""
Weights = Mapping[str, Float32]
"""`LAYER.kernel` and the like, by the names that `network.read_weights` gives."""


class Network:
    """Residual blocks of dense layers beside a linear path, as `network` builds them: called, and pulled back."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self.blocks = sum(name.startswith("inner") and name.endswith("kernel") for name in weights)

    @classmethod
    def from_arrays(cls, name: str, arrays: Weights) -> Self:
        """The network whose weights are the arrays that begin with its name."""
        return cls(select_weights(name, arrays))

    @property
    def inputs(self) -> int:
        """Numbers in an input."""
        return len(self._weights["straight.kernel"])

    @property
    def units(self) -> int:
        """Units of a layer."""
        return len(self._weights["first.bias"])

    def __call__(self, inputs: Float32) -> Float32:
        """`(n, inputs)` → `(n, outputs)`."""
        return self.trace(inputs)[0]

    def trace(self, inputs: Float32) -> tuple[Float32, Trace]:
        """What a call gives, and what `pull_back` needs of it."""
        kept: Trace = []
        hidden = self._apply("first", inputs)
        for block in range(self.blocks):
            normal, scale = _normalize(hidden)
            before = self._apply(f"inner{block}", self._stretch(f"norm{block}", normal))
            share = _share(before)
            hidden = hidden + self._apply(f"outer{block}", before * share)
            kept.append((normal, scale, before, share))
        normal, scale = _normalize(hidden)
        kept.append((normal, scale))
        return inputs @ self._weights["straight.kernel"] + self._apply("end", self._stretch("norm", normal)), kept

    def pull_back(self, slope: Float32, kept: Trace) -> Float32:
        """The slope `(n, inputs)` of a loss by the inputs, given that by the outputs (back-propagation)."""
        normal, scale = kept[-1]
        flow = _pull_back_norm(self._pull("end", slope) * self._weights["norm.gamma"], normal, scale)
        for block in reversed(range(self.blocks)):
            normal, scale, before, share = kept[block]
            inner = self._pull(f"outer{block}", flow) * _slope_of_gelu(before, share)
            inner = self._pull(f"inner{block}", inner) * self._weights[f"norm{block}.gamma"]
            flow = flow + _pull_back_norm(inner, normal, scale)
        return self._pull("first", flow) + self._pull("straight", slope)

    def _apply(self, layer: str, inputs: Float32) -> Float32:
        outputs: Float32 = inputs @ self._weights[f"{layer}.kernel"]
        outputs += self._weights[f"{layer}.bias"]
        return outputs

    def _pull(self, layer: str, slope: Float32) -> Float32:
        pulled: Float32 = slope @ self._weights[f"{layer}.kernel"].T
        return pulled

    def _stretch(self, layer: str, normal: Float32) -> Float32:
        stretched: Float32 = normal * self._weights[f"{layer}.gamma"] + self._weights[f"{layer}.beta"]
        return stretched


def select_weights(name: str, arrays: Weights) -> dict[str, Float32]:
    """Those of one network, by their names in it: `encoder.first.kernel` is the encoder's `first.kernel`."""
    start = f"{name}."
    return {key.removeprefix(start): values for key, values in arrays.items() if key.startswith(start)}


def _normalize(hidden: Float32) -> tuple[Float32, Float32]:
    """Rows of mean 0 and variance 1 (Ba, Kiros and Hinton 2016), and what each was multiplied by."""
    centred = hidden - hidden.mean(axis=1, keepdims=True)
    scale = 1 / np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + np.float32(EPSILON))
    return centred * scale, scale


def _pull_back_norm(slope: Float32, normal: Float32, scale: Float32) -> Float32:
    along = (slope * normal).mean(axis=1, keepdims=True)
    pulled: Float32 = scale * (slope - slope.mean(axis=1, keepdims=True) - normal * along)
    return pulled


def _share(values: Float32) -> Float32:
    """Φ(x), the normal distribution's: a GELU is x·Φ(x) (Hendrycks and Gimpel 2016)."""
    share: Float32 = np.float32(0.5) * (1 + erf(values * np.float32(sqrt(0.5))))
    return share


def _slope_of_gelu(values: Float32, share: Float32) -> Float32:
    slope: Float32 = share + values * np.exp(np.float32(-0.5) * values**2) * np.float32(1 / sqrt(2 * pi))
    return slope
