"""The options of `demo`."""

from typing import ClassVar

from pydantic import Field

from deepdance.interfaces import Options, Presets


class DemoOptions(Options):
    """Which dance, and how much of it."""

    presets: ClassVar[Presets] = {"quick": {"seconds": 48.0}, "paper": {"seconds": 600.0}}

    seed: int = Field(0, ge=0, description="another number is another dance, camera and stage")
    seconds: float = Field(120.0, gt=0, description="how long the video is")
