"""The options of `my-codec`, apart from its networks: they are listed without Keras."""

from typing import ClassVar

from deepdance.interfaces import Options, Presets
from pydantic import Field


class MyCodecOptions(Options):
    """How large a latent and the networks are, and how long they are trained."""

    presets: ClassVar[Presets] = {"quick": {"steps": 150}}

    latent_dim: int = Field(32, ge=2, le=4096, description="numbers in a latent vector")
    filters: int = Field(16, ge=1, le=512, description="filters of each convolution")
    steps: int = Field(3000, ge=1, description="steps of the optimizer")
    batch_size: int = Field(16, ge=1, description="frames in one step of the optimizer")
    learning_rate: float = Field(2e-3, gt=0, description="AdamW's, after a warm-up; it falls to 0 along a cosine")
