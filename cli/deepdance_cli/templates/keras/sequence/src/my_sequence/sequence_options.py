"""The options of `my-sequence`, apart from its network: they are listed without Keras."""

from typing import ClassVar

from deepdance.interfaces import Options, Presets
from pydantic import Field


class MySequenceOptions(Options):
    """How far it looks back, how large the network is, and how long it is trained."""

    presets: ClassVar[Presets] = {"quick": {"steps": 200, "units": 128}}

    context: int = Field(8, ge=1, le=256, description="latents that the next one is predicted from")
    units: int = Field(256, ge=1, le=8192, description="units of each hidden layer")
    noise: float = Field(0.5, ge=0, description="noise on training inputs, in standard deviations of the change")
    steps: int = Field(4000, ge=1, description="steps of the optimizer")
    batch_size: int = Field(64, ge=1, description="windows in one step of the optimizer")
    learning_rate: float = Field(1e-3, gt=0, description="AdamW's, after a warm-up; it falls to 0 along a cosine")
