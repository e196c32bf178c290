"""The options of `motion-field`."""

from typing import ClassVar, Literal

from pydantic import Field

from deepdance.interfaces import Options


class MotionFieldOptions(Options):
    """Lengths are in frames: the defaults are for 10 a second."""

    when_dancing: ClassVar[frozenset[str]] = frozenset(
        {"shortest", "neighbours", "persistence", "movement", "variety", "cuts"}
    )

    context: int = Field(6, ge=2, description="latents whose pose and movement are compared, newest first in weight")
    shortest: int = Field(6, ge=1, description="frames that a movement is followed at least")
    longest: int = Field(15, ge=1, description="frames that a movement is followed at most")
    neighbours: int = Field(8, ge=1, description="movements from which the next one is drawn")
    persistence: float = Field(
        0.9,
        ge=0,
        lt=1,
        description="share of the distance to a followed movement kept over the way of a mean frame",
    )
    movement: float = Field(0.7, ge=0, description="weight of the movement beside the pose in a comparison")
    variety: float = Field(0.5, ge=0, description="how much what was shown more than in the video seems farther away")
    cuts: Literal["as-shown", "none"] = Field(
        "as-shown", description="a dance keeps its framing, and cuts to another shot as often as the video, or never"
    )
