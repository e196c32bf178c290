"""The options of `flow`."""

from typing import ClassVar

from pydantic import Field

from deepdance.interfaces import Options, Presets


class FlowOptions(Options):
    """The defaults take less than nine minutes on two cores, however long the video is."""

    presets: ClassVar[Presets] = {"quick": {"steps": 600}}
    when_dancing: ClassVar[frozenset[str]] = frozenset({"level", "guard"})

    context: int = Field(
        17, ge=2, le=10_000, description="latents that the next one is drawn from; eight of them are looked at"
    )
    units: int = Field(512, ge=1, le=8192, description="units of the layers that look at the last latents")
    width: int = Field(768, ge=1, le=8192, description="units of the layers that lead to the next latent")
    blocks: int = Field(2, ge=0, le=64, description="residual blocks of those layers")
    noise: float = Field(
        1.5, ge=0, le=1000, description="most noise on the last latents in training, in deviations of a change"
    )
    level: float = Field(0.3, ge=0, le=1000, description="noise that its own latents are taken to have when it dances")
    guard: float = Field(0.5, ge=0, le=1, description="how far latents off the manifold are drawn back to it, a frame")
    steps: int = Field(3000, ge=1, le=100_000_000, description="steps of the optimizer, rounded to whole epochs")
    batch_size: int = Field(512, ge=1, le=1_000_000, description="windows in one step of the optimizer")
    learning_rate: float = Field(1e-3, gt=0, description="AdamW's at its highest; it falls to 0 as a cosine")
