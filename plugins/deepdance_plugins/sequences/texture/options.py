"""The options of `texture`."""

from typing import ClassVar

from pydantic import Field

from deepdance.interfaces import Options


class TextureOptions(Options):
    """At 10 frames a second the defaults jump every 2 seconds, to a frame at least 2 seconds away."""

    when_dancing: ClassVar[frozenset[str]] = frozenset({"blend"})

    context: int = Field(4, ge=1, description="latents by which the frame to start from is found")
    jumps: int = Field(32, ge=1, description="similar latents kept for every latent")
    every: float = Field(20.0, gt=1, description="latents from one jump to the next, on average, at temperature 1")
    hold: int = Field(8, ge=0, description="latents played on after a jump at least")
    apart: int = Field(20, ge=1, description="latents that a jump skips at least")
    blend: int = Field(4, ge=0, description="latents over which the difference left by a jump fades")
