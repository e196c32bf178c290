"""Sources that break their checks."""

import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from my_source.source import MySource

from contract.broken import breaks, change
from deepdance.interfaces import SourceInfo

breaks("source", "tells_what_it_is")(change(MySource, "info", lambda info: SourceInfo(48, 80, 0.0)))
breaks("source", "yields_frames")(change(MySource, "frames", lambda chunks: (chunk[0] for chunk in chunks)))
breaks("source", "takes_one_frame")(change(MySource, "frames", lambda chunks: (c.repeat(2, axis=0) for c in chunks)))
breaks("source", "tells_where_shots_start")(change(MySource, "shot_starts", lambda starts: [0, 10_000]))
breaks("source", "samples_for_a_look")(change(MySource, "sample", lambda frames: frames[:, ::2]))
breaks("source", "streams")(change(MySource, "frames", lambda chunks: iter([np.concatenate(list(chunks))])))


@breaks("source", "yields_frames", guarded=False)
class _(MySource):
    def frames(self, fps, size):
        yield np.empty((0, 1, 1, 3), np.uint8)
        yield from super().frames(fps, size)


@breaks("source", "keeps_the_shape_of_frames")
class _(MySource):
    def frames(self, fps, size):
        return super().frames(fps, (size[1], size[0]))


@breaks("source", "reads_the_same_again")
class _(MySource):
    position = 0

    def frames(self, fps, size):
        for number, chunk in enumerate(super().frames(fps, size)):
            if number >= self.position:
                self.position += 1
                yield chunk


@breaks("source", "reads_the_same_again")
class _(MySource):
    def fingerprint(self):
        return str(id(self))


@breaks("source", "other_frames_have_another_fingerprint")
class _(MySource):
    def fingerprint(self):
        return self.location


@breaks("source", "samples_by_time")
class _(MySource):
    def frames(self, fps, size):
        return super().frames(self.options.fps, size)


@breaks("source", "refuses_what_it_cannot_read")
class _(MySource):
    @contextmanager
    def _open(self):
        with zipfile.ZipFile(self.location) as book:
            yield book, book.infolist()


@breaks("source", "refuses_what_it_cannot_read")
class _(MySource):
    def frames(self, fps, size):
        if Path(self.location).exists() and zipfile.is_zipfile(self.location):
            yield from super().frames(fps, size)
