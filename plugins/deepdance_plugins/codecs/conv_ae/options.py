"""The options of `conv-ae`."""

from typing import ClassVar

from pydantic import Field

from deepdance.interfaces import Options, Presets


class ConvAEOptions(Options):
    """The paper's values are the defaults; a short video needs smaller batches, or it gets too few steps."""

    presets: ClassVar[Presets] = {
        "quick": {"epochs": 16, "batch_size": 8},
        "standard": {"epochs": 40, "batch_size": 16},
    }

    latent_dim: int = Field(128, ge=1, le=65_536, description="numbers in a latent vector")
    epochs: int = Field(27, ge=1, le=1_000_000, description="passes over the frames")
    batch_size: int = Field(128, ge=1, le=1_000_000, description="frames in one step of the optimizer")
    learning_rate: float = Field(1e-3, gt=0, description="Adam's")
