"""Whether silhouettes can be a dancer's: asked before anything is learned from a wall, from noise or from nothing.

A few frames of each input are measured, each beside the next of its clip, and the medians compared with limits. The
limits lie between true masks of dancers (close-ups, slow ones, three at once) and what a brightness threshold makes
of rooms and streets; beside each limit stand the nearest figures of both sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deepdance.arrays import Float64, UInt8, sample_evenly
from deepdance.frames import Silhouettes
from deepdance.metrics.shapes import mask_dancer, measure_perimeters

Masks = npt.NDArray[np.uint8]

PAIRS = 48
"""Frames of an input that are looked at, each with its successor."""
LEAST_SHARE = 0.003
"""Of the picture. A dancer seen from afar: .034; an empty picture: 0."""
MOST_SHARE = 0.7
"""Of the picture. A close-up of a torso: .59; a figure that was left white: .81."""
MOST_PIECES = 6
"""Pieces that make up nine tenths. Five dancers: 5, a figure drawn of sticks 6; captions 8, noise hundreds."""
MOST_OUTLINE = 2.3
"""Length of the outline, in lengths of the picture's own. A dancer 1.2, five dancers 2.0; a gym 2.5, a street 4.1."""
MOST_BORDER = 0.3
"""Share of the picture's border that is dancer in nearly all frames. A close-up .27; a dancer beside a wall .37."""
MOST_STILL = 0.9
"""Share of what is ever dancer that is dancer in nearly all frames. A second of dance in three: .70; a poster: 1."""
LEAST_OVERLAP = 0.05
"""Of a frame and the next, laid on each other: 0 is chance, 1 the same. At 3 frames a second .45, a figure drawn of
sticks .09; noise .03."""
LEAST_FRAMES = 10
"""Fewer are too short a time to call them still."""


@dataclass(frozen=True)
class Figures:
    """What an input's silhouettes are like; each figure is explained at its limit."""

    share: float
    pieces: float
    outline: float
    border: float
    still: float
    overlap: float


@dataclass(frozen=True)
class Doubt:
    """Why silhouettes cannot be a dancer's, in words, and whether their negative could be."""

    reason: str
    inverted: bool = False


def find_doubt(frames: Silhouettes) -> Doubt | None:
    """Why these silhouettes cannot be a dancer's; None where they can. It costs the same for any number of frames."""
    before, after = _sample_pairs(frames)
    figures = measure_figures(before, after)
    reason = _find_reason(figures)
    if reason is None:
        return None
    if figures.share > 0.5 and _find_reason(measure_figures(*_invert(before, after))) is None:
        share = f"a shape on {figures.share:.0%} of the picture and a dancer's in the rest"
        return Doubt(f"{share}: it looks inverted", inverted=True)
    return Doubt(reason)


def _sample_pairs(frames: Silhouettes) -> tuple[Masks, Masks]:
    """Evenly chosen frames and their successors in the same clip, as masks; a clip of one frame follows itself."""
    first = np.concatenate([np.arange(clip.start, max(clip.stop - 1, clip.start + 1)) for clip in frames.clips])
    chosen = first[sample_evenly(len(first), PAIRS)]
    alone = np.isin(chosen, [clip.start for clip in frames.clips if len(clip) == 1])
    return mask_dancer(frames[chosen]), mask_dancer(frames[chosen + np.where(alone, 0, 1)])


def _invert(before: Masks, after: Masks) -> tuple[Masks, Masks]:
    """The negatives, without the bands beside a picture of another shape: they are white before and after it."""
    rows, columns = np.nonzero(before.any(axis=0))
    inside = np.s_[:, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return 1 - before[inside], 1 - after[inside]


def measure_figures(before: Masks, after: Masks) -> Figures:
    """The figures of masks `(n, h, w)`, 1 the dancer, and of those that follow them."""
    shares = before.mean(axis=(1, 2))
    outlines = measure_perimeters(_draw(before)) / (2 * sum(before.shape[1:]))
    often = before.mean(axis=0)
    always, ever = often > 0.9, often > 0.05
    return Figures(
        share=float(np.median(shares)),
        pieces=float(np.median([_count_pieces(mask) for mask in before])),
        outline=float(np.median(outlines)),
        border=float(_take_border(always).mean()),
        still=float(always.sum() / max(ever.sum(), 1)) if len(before) >= LEAST_FRAMES - 1 else 0.0,
        overlap=float(np.median([_measure_overlap(a, b) for a, b in zip(before, after, strict=True)])),
    )


def _find_reason(figures: Figures) -> str | None:
    """The first limit that is passed, in words."""
    share, border = f"a shape on {figures.share:.1%} of the picture", f"{figures.border:.0%} of the picture's border"
    outline, overlap = f"{figures.outline:.1f} times the picture's border", f"{max(figures.overlap, 0):.0%}"
    found = (
        (figures.share < LEAST_SHARE, f"{share} (at least {LEAST_SHARE:.1%})"),
        (figures.share > MOST_SHARE, f"{share} (at most {MOST_SHARE:.0%})"),
        (figures.pieces > MOST_PIECES, f"a shape in {figures.pieces:.0f} pieces (at most {MOST_PIECES})"),
        (figures.outline > MOST_OUTLINE, f"an outline of {outline} (at most {MOST_OUTLINE})"),
        (figures.border > MOST_BORDER, f"a shape that never leaves {border} (at most {MOST_BORDER:.0%})"),
        (figures.still > MOST_STILL, f"a still picture, {figures.still:.0%} the same (at most {MOST_STILL:.0%})"),
        (figures.overlap < LEAST_OVERLAP, f"flicker, frames {overlap} like the next (at least {LEAST_OVERLAP:.0%})"),
    )
    return next((reason for wrong, reason in found if wrong), None)


def _draw(masks: Masks) -> UInt8:
    return np.where(masks == 1, np.uint8(0), np.uint8(255))


def _take_border(picture: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The outermost pixels of `(h, w)`, each once."""
    return np.concatenate([picture[0], picture[-1], picture[1:-1, 0], picture[1:-1, -1]])


def _count_pieces(mask: Masks) -> int:
    """How many of the largest 8-connected pieces make up nine tenths of the dancer."""
    import cv2

    areas = np.sort(cv2.connectedComponentsWithStats(mask, connectivity=8)[2][1:, cv2.CC_STAT_AREA])[::-1]
    return int(np.searchsorted(np.cumsum(areas), 0.9 * areas.sum())) + 1 if len(areas) else 0


def _measure_overlap(before: Masks, after: Masks) -> float:
    """Intersection over union beyond chance, in place or with the centres laid on each other, whichever is more.

    A small dancer who jumps leaves nothing in place, but keeps the shape.
    """
    down, across = np.rint(_find_centre(before) - _find_centre(after)).astype(int)
    moved = np.roll(after, (down, across), axis=(0, 1))
    return max(_exceed_chance(before, after), _exceed_chance(before, moved))


def _find_centre(mask: Masks) -> Float64:
    where = np.nonzero(mask)
    return np.array([axis.mean() if len(axis) else 0.0 for axis in where])


def _exceed_chance(before: Masks, after: Masks) -> float:
    """Intersection over union, scaled so that 0 is that of independent pixels as many; 1 where both are empty."""
    both, either = np.count_nonzero(before & after), np.count_nonzero(before | after)
    if not either:
        return 1.0
    a, b = before.mean(), after.mean()
    chance = a * b / (a + b - a * b)
    return float((both / either - chance) / max(1 - chance, 1e-9))
