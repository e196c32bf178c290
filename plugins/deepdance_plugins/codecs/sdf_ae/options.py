"""The options of `sdf-ae`."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from deepdance.interfaces import Options, Presets

FIXED = ("latent_dim", "coefficients", "units", "blocks", "radius")
"""What the prior was trained with, and another value of which needs a codec of the video's own."""


class SdfAEOptions(Options):
    """With the prior hardly anything is learned; without it, it takes ten minutes on two cores, however long the video.

    All but `prior` and `refine` say how a codec is trained on the video alone.
    """

    presets: ClassVar[Presets] = {"quick": {"steps": 400}}

    prior: Literal["body", "none"] = Field("body", description="begin with what is known of bodies, or with nothing")
    latent_dim: int = Field(128, ge=6, le=65_536, description="numbers in a latent vector; the first five place it")
    coefficients: int = Field(
        640, ge=1, le=65_536, description="principal components of the field that the network works on"
    )
    units: int = Field(1024, ge=1, le=8192, description="units of a layer")
    blocks: int = Field(2, ge=0, le=64, description="residual blocks in the encoder, and in the decoder")
    radius: float = Field(
        8.0, gt=0, le=1000, description="distance from the outline at which fields are cut off, in pixels"
    )
    kl: float = Field(1e-4, ge=0, description="weight of the Kullback-Leibler term beside the field's error in px²")
    steps: int = Field(
        2200,
        ge=1,
        le=100_000_000,
        description="steps of a training from nothing, in whole epochs; fewer for a short video",
    )
    refine: int = Field(
        4, ge=0, le=1000, description="steps down the error that an encoded pose takes after the encoder"
    )
    batch_size: int = Field(256, ge=1, le=1_000_000, description="frames in one step of the optimizer")
    learning_rate: float = Field(1e-3, gt=0, description="AdamW's at its highest; it falls to 0 as a cosine")

    @model_validator(mode="after")
    def _check_prior(self) -> Self:
        changed = [name for name in FIXED if getattr(self, name) != type(self).model_fields[name].default]
        if self.prior == "body" and changed:
            own = type(self).model_fields[changed[0]].default
            raise ValueError(f"the body prior's {changed[0]}, {own}, or --set codec.prior=none beside another")
        return self
