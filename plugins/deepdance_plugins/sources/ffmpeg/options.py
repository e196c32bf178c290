"""The options of `ffmpeg`."""

from typing import Any

from pydantic import Field, field_validator

from deepdance.interfaces import Options


class FfmpegOptions(Options):
    """What is read, and what is looked for besides the frames."""

    crop: tuple[int, int, int, int] | None = Field(
        None,
        description="Read only a part of the picture: left, top, width, height in pixels, such as 54,44,335,200.",
    )

    cuts: bool = Field(
        True, description="Find the camera cuts of a nearly black dancer, so that no move is learnt across one."
    )

    @field_validator("crop", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return value.split(",") if isinstance(value, str) else value
