from collections.abc import Iterable
from pathlib import Path

import cv2
from deepdance.interfaces import Options, Renderer, UInt8


class MyRendererOptions(Options):
    pass


class MyRenderer(Renderer[MyRendererOptions]):
    def render(self, frames: Iterable[UInt8], fps: float, path: Path) -> None:
        path.mkdir(exist_ok=True)
        for number, frame in enumerate((frame for chunk in frames for frame in chunk), start=1):
            (path / f"{number:06}.png").write_bytes(cv2.imencode(".png", frame)[1].tobytes())
