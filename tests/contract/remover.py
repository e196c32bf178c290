"""Removers that break their checks."""

import numpy as np
from my_remover.remover import MyRemover

from contract.broken import breaks, change

breaks("remover", "makes_silhouettes")(change(MyRemover, "remove", lambda frames: frames < 128))
breaks("remover", "makes_the_dancer_dark")(change(MyRemover, "remove", lambda frames: 255 - frames))


@breaks("remover", "the_frames_decide")
class _(MyRemover):
    level = np.full(1, 60.0)

    def remove(self, frames):
        self.level[:] += 60
        return np.where(frames.mean(axis=3) < self.level, 0, 255).astype(np.uint8)


@breaks("remover", "takes_chunks_of_any_length")
class _(MyRemover):
    def remove(self, frames):
        return super().remove(frames) if len(frames) > 1 else frames[0]


@breaks("remover", "takes_chunks_of_any_length", guarded=False)
class _(MyRemover):
    def remove(self, frames):
        return super().remove(frames - frames.min())


@breaks("remover", "takes_plain_frames")
class _(MyRemover):
    def remove(self, frames):
        if not np.ptp(frames, axis=(1, 2, 3)).all():
            raise ValueError("no contrast")
        return super().remove(frames)


@breaks("remover", "leaves_what_it_is_given")
class _(MyRemover):
    def remove(self, frames):
        frames //= 2
        return super().remove(frames)


@breaks("remover", "streams")
class _(MyRemover):
    def __init__(self, options):
        super().__init__(options)
        self.kept = []

    def remove(self, frames):
        self.kept.append(frames)
        return super().remove(frames)


@breaks("remover", "fetches_what_it_needs")
class _(MyRemover):
    @classmethod
    def fetch(cls, tell):
        tell("two\nlines", 1, 2)


@breaks("remover", "fetches_what_it_needs")
class _(MyRemover):
    @classmethod
    def fetch(cls, tell):
        tell("the same, always", 1, None)


@breaks("remover", "takes_a_survey")
class _(MyRemover):
    looks = 0

    def survey(self, sample):
        sample(3)
        type(self).looks += 1
        self.shade = self.looks

    def remove(self, frames):
        return super().remove(frames) ^ np.uint8(100 * getattr(self, "shade", 0))


@breaks("remover", "takes_a_survey")
class _(MyRemover):
    def survey(self, sample):
        self.first, self.last = sample(2)
