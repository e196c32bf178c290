"""The options of `lstm4` and of `gru`."""

from typing import ClassVar

from pydantic import Field

from deepdance.interfaces import Options, Presets


class LSTM4Options(Options):
    """The paper's values are the defaults."""

    presets: ClassVar[Presets] = {
        "quick": {"epochs": 200, "batch_size": 16},
        "standard": {"epochs": 300, "batch_size": 32},
    }

    context: int = Field(10, ge=1, le=10_000, description="latents that the next one is predicted from")
    layers: int = Field(4, ge=1, le=64, description="recurrent layers (the paper has four, its published code three)")
    units: int = Field(256, ge=1, le=8192, description="units of a recurrent layer")
    dropout: float = Field(0.2, ge=0, lt=1, description="dropout after each recurrent layer")
    epochs: int = Field(853, ge=1, le=1_000_000, description="passes over the windows")
    batch_size: int = Field(128, ge=1, le=1_000_000, description="windows in one step of the optimizer")
    learning_rate: float = Field(1e-3, gt=0, description="Adam's")
