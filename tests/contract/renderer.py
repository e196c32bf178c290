"""Renderers that break their checks."""

import numpy as np
from my_renderer.renderer import MyRenderer

from contract.broken import breaks, breaks_unguarded
from deepdance.errors import RenderError

breaks_unguarded("renderer", "refuses_no_frames", "tells_that_it_cannot_write")


@breaks("renderer", "can_be_read")
class _(MyRenderer):
    def render(self, frames, fps, path):
        super().render(frames, fps, path)
        path.write_text(path.read_text().removeprefix("<svg"))


@breaks("renderer", "writes_a_file")
class _(MyRenderer):
    def render(self, frames, fps, path):
        if not path.exists():
            super().render(frames, fps, path)


@breaks("renderer", "can_be_read")
class _(MyRenderer):
    def render(self, frames, fps, path):
        path.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')


@breaks("renderer", "takes_one_frame")
class _(MyRenderer):
    def render(self, frames, fps, path):
        if sum(map(len, frames)) > 1:
            super().render(frames, fps, path)


@breaks("renderer", "refuses_no_frames", guarded=False)
class _(MyRenderer):
    def render(self, frames, fps, path):
        chunks = list(frames)
        if not chunks:
            raise RenderError("expected frames, got none")
        super().render(chunks, fps, path)


@breaks("renderer", "tells_that_it_cannot_write")
class _(MyRenderer):
    def render(self, frames, fps, path):
        path.parent.mkdir(exist_ok=True)
        super().render(frames, fps, path)


@breaks("renderer", "lets_errors_of_the_frames_pass")
class _(MyRenderer):
    def render(self, frames, fps, path):
        try:
            super().render(frames, fps, path)
        except LookupError:
            return


@breaks("renderer", "leaves_what_it_is_given")
class _(MyRenderer):
    def render(self, frames, fps, path):
        super().render((np.subtract(255, chunk, out=chunk) for chunk in frames), fps, path)


@breaks("renderer", "streams")
class _(MyRenderer):
    def render(self, frames, fps, path):
        super().render(list(frames), fps, path)
