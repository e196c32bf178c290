"""`svg`: outlines as curves, sharp at any size: one animated file, or a file for each frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from deepdance.arrays import Float64
from deepdance.frames import BACKGROUND, MIDDLE
from deepdance.interfaces import Renderer, UInt8
from deepdance_plugins._colours import TRANSPARENT, CutOutColours

DETAIL = 144
"""Points of a curve in the height of a picture: what a silhouette's pixels know, and no more."""
FEWEST = 6
"""Points that a ring has, however small it is."""
NOTHING = "M0 0"
"""The outline of an empty picture; nothing at all would end an animation."""


class SvgOptions(CutOutColours):
    """Colours of the pictures."""


class Svg(Renderer[SvgOptions]):
    """Writes one SVG that moves, in a loop; where the name has no ending, a folder of them: `000001.svg` and so on."""

    def render(self, frames: Iterable[UInt8], fps: float, path: Path) -> None:
        """Write chunks `(n, height, width)` at `fps` to `path`, a file or a folder."""
        pictures = (frame for chunk in frames for frame in chunk)
        write = self._animate if path.suffix else self._number
        write(pictures, fps, path)

    def _number(self, pictures: Iterator[UInt8], fps: float, path: Path) -> None:
        path.mkdir(exist_ok=True)
        for number, picture in enumerate(pictures, 1):
            text = f'{self._begin(*picture.shape)} d="{trace(picture)}"/>\n</svg>\n'
            (path / f"{number:06d}.svg").write_text(text, encoding="utf-8")

    def _animate(self, pictures: Iterator[UInt8], fps: float, path: Path) -> None:
        """One frame is written after the other into the values of an attribute: none of them is held."""
        first, count = next(pictures), 1
        with path.open("w", encoding="utf-8") as file:
            outline = trace(first)  # what shows where nothing moves
            file.write(f'{self._begin(*first.shape)} d="{outline}">\n<animate attributeName="d" values="{outline}')
            for count, picture in enumerate(pictures, 2):  # noqa: B007  (the last number is needed)
                file.write(f";\n{trace(picture)}")
            timing = f'calcMode="discrete" dur="{count / fps:.6g}s" repeatCount="indefinite"'
            file.write(f'" {timing}/>\n</path>\n</svg>\n')

    def _begin(self, height: int, width: int) -> str:
        size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        clear = self.options.ground == TRANSPARENT
        ground = "" if clear else f'<rect width="100%" height="100%" fill="{self.options.ground}"/>\n'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{ground}'
            f'<path fill="{self.options.ink}" fill-rule="evenodd"'
        )


def trace(picture: UInt8) -> str:
    """The outlines of a silhouette `(height, width)` as the data of an SVG path, in its pixels, holes among them."""
    from contourpy import contour_generator

    rows, columns = (np.flatnonzero((picture < MIDDLE).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return NOTHING
    top, left = max(rows[0] - 1, 0), max(columns[0] - 1, 0)
    figure = picture[top : rows[-1] + 2, left : columns[-1] + 2]
    # a ground around it closes what the picture's edge cuts off; a pixel's middle is half a pixel from its edge
    rings = contour_generator(z=np.pad(figure, 1, constant_values=BACKGROUND)).lines(MIDDLE)
    spacing = max(1.0, len(picture) / DETAIL)
    corner = np.array([left - 0.5, top - 0.5])
    return "".join(_curve(_space_evenly(np.asarray(ring), spacing) + corner) for ring in rings)


def _space_evenly(ring: Float64, spacing: float) -> Float64:
    """Points `(n, 2)` on a closed line, about `spacing` apart, without the first one again at the end."""
    lengths = np.append(0.0, np.cumsum(np.hypot(*np.diff(ring, axis=0).T)))
    places = np.linspace(0, lengths[-1], max(FEWEST, round(lengths[-1] / spacing)), endpoint=False)
    return np.column_stack([np.interp(places, lengths, axis) for axis in ring.T])


def _curve(points: Float64) -> str:
    """A closed quadratic B-spline: from the middle of two points to that of the next two, drawn to the one between.

    Unlike a curve through the points it never overshoots.
    """
    middles = (points + np.roll(points, 1, axis=0)) / 2
    tenths = np.rint(10 * np.stack([points, np.roll(middles, -1, axis=0)], axis=1))
    start = np.rint(10 * middles[0])
    begins = np.concatenate([start[None], tenths[:-1, 1]])
    steps = (tenths - begins[:, None]).reshape(-1)
    return f"M{_write(start)}q{_write(steps)}z"


def _write(tenths: Float64) -> str:
    return " ".join(f"{value / 10:g}" for value in tenths.tolist())
