"""The options of `mdn`."""

from typing import ClassVar

from pydantic import Field

from deepdance.interfaces import Options, Presets


class MDNOptions(Options):
    """The defaults train 75 minutes of dance at 10 frames a second in about five minutes on two cores."""

    presets: ClassVar[Presets] = {
        "quick": {"epochs": 40, "batch_size": 8},
        "paper": {"epochs": 40},
    }

    context: int = Field(
        16, ge=1, le=10_000, description="latents that set the network's state before it goes on alone"
    )
    layers: int = Field(1, ge=1, le=64, description="LSTM layers")
    units: int = Field(384, ge=1, le=8192, description="units of an LSTM layer")
    mixtures: int = Field(5, ge=1, le=1000, description="Gaussians in the mixture")
    noise: float = Field(
        0.5, ge=0, le=1000, description="noise on the training inputs, in standard deviations of the change"
    )
    span: int = Field(32, ge=2, le=10_000, description="latents that a gradient goes back through")
    epochs: int = Field(30, ge=1, le=1_000_000, description="passes over the latents")
    batch_size: int = Field(32, ge=1, le=1_000_000, description="clips trained on side by side")
    learning_rate: float = Field(1e-3, gt=0, description="Adam's at the start; it falls to 0 along a cosine")
