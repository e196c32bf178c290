"""What the numbers of an array mean: their range, and which value of a mask is the dancer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from deepdance.interfaces import UInt8

WHITE = 255
SLACK = 0.02
"""How far beyond their range floats may lie: resizing a picture overshoots."""
HIGHEST_LABEL = 63
MOST_LABELS = 16
"""Masks that number their dancers have few values, all of them low; grey levels do not."""
SAMPLED_FRAMES = 64
SAMPLED_OF_CHUNK = 16

SAMPLED_SIDE = 256
"""Pixels of a side that are enough to tell the values of a frame."""
PIECE = 1 << 18
"""Numbers that are converted at once."""


class UnfitError(Exception):
    """An array that is whole and cannot be read as frames: what it is, then what to do."""


@dataclass(frozen=True)
class Tones:
    """What grey level each of the values 0 to 255 stands for."""

    table: UInt8
    told: str = ""
    """What was recognized and changes the data, for the user."""


AS_THEY_ARE = Tones(np.arange(256, dtype=np.uint8))


def sample_frames(chunks: Iterable[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Some frames of the first chunks, none of a single value: that one would not tell the dancer from the ground."""
    found: list[npt.NDArray[Any]] = []
    blank: list[npt.NDArray[Any]] = []
    for chunk in chunks:
        step = max(1, max(chunk.shape[1:3]) // SAMPLED_SIDE)
        some = chunk[:: max(1, len(chunk) // SAMPLED_OF_CHUNK), ::step, ::step]
        flat = some.reshape(len(some), -1)
        busy = flat.min(axis=1) != flat.max(axis=1)
        found.append(some[busy])
        blank = blank or [some[:1]]
        if sum(map(len, found)) >= SAMPLED_FRAMES:
            break
    sample = np.concatenate(found)
    return sample if len(sample) else blank[0]


def find_scale(sample: npt.NDArray[Any], *, colour: bool) -> int:
    """255 where the numbers are shares from 0 to 1, else 1. A uint8 0 or 1 is one in colour; alone it is a label.

    Raises UnfitError for floats of one value: nothing tells whether 1 is white or nearly black.
    """
    if sample.dtype.kind == "f" and sample.min() == sample.max():
        raise UnfitError(f"{sample.dtype} numbers that are all {sample.min():g}", "save other frames")
    shares = sample.dtype.kind == "f" or (colour and sample.dtype != np.uint8) or (colour and bool(sample.any()))
    return WHITE if shares and sample.max() <= 1 + SLACK else 1


def to_grey_levels(frames: npt.NDArray[Any], scale: int) -> UInt8:
    """Numbers of any kind · `scale` as uint8. Raises UnfitError where they lie outside of 0 to 255."""
    if frames.dtype in (np.uint8, np.bool_) and scale == 1:
        return frames.view(np.uint8)
    low, high = frames.min(), frames.max()
    top = WHITE // scale
    beyond = SLACK * top if frames.dtype.kind == "f" else 0
    if not (low >= -beyond and high <= top + beyond):  # not-a-number fails here too
        raise UnfitError(
            f"numbers from {low:.4g} to {high:.4g} where 0 to 1, or 0 to 255, is wanted", "scale them and save it again"
        )
    return convert_in_pieces(frames, lambda numbers: np.clip(np.rint(numbers * np.float32(scale)), 0, WHITE))


def convert_in_pieces(numbers: npt.NDArray[Any], convert: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> UInt8:
    """Each number as uint8, some at a time: as float32, a large frame would take four times as much memory."""
    levels = np.empty_like(numbers, np.uint8)
    sides: Any = [["readonly"], ["writeonly"]]
    with np.nditer([numbers, levels], ["external_loop", "buffered"], sides, buffersize=PIECE) as pieces:
        for given, converted in pieces:
            converted[...] = convert(given)
    return levels


def lay_on_white(frames: UInt8) -> UInt8:
    """RGBA `(…, h, w, 4)` → RGB `(…, h, w, 3)` over a white ground."""
    laid = np.empty((*frames.shape[:-1], 3), np.uint8)
    rows = max(1, PIECE * frames.shape[-3] // frames.size)
    for top in range(0, frames.shape[-3], rows):
        part = frames[..., top : top + rows, :, :]
        colour, alpha = part[..., :3].astype(np.uint16), part[..., 3:].astype(np.uint16)
        laid[..., top : top + rows, :, :] = (colour * alpha + WHITE * (WHITE - alpha) + WHITE // 2) // WHITE
    return laid


def find_tones(sample: UInt8, dancer: str, *, boolean: bool) -> Tones:
    """How silhouettes `(n, h, w)` with these values become 0 for the dancer and 255 for the ground.

    `dancer` is `dark`, `bright`, or `auto`: then the ground is the value along the border that fills the larger part.
    Where the two do not agree, what NumPy users mean by the kind of array: labels and True are the dancer, and so
    is 0 beside 255. Anything but masks stays as it is.
    """
    values = np.flatnonzero(np.bincount(sample.ravel(), minlength=256))
    low, high = int(values[0]), int(values[-1])
    labels = high <= HIGHEST_LABEL and len(values) <= MOST_LABELS
    if low == high:
        return Tones(_make_labels(0).table) if boolean else AS_THEY_ARE
    if dancer != "auto":
        ground = low if dancer == "bright" else high
    elif labels or _is_two_toned(sample, low, high):
        ground = _find_ground(sample, low, high, default=low if labels else high)
    else:
        return AS_THEY_ARE
    if labels and dancer == "dark":
        return Tones(WHITE - _make_labels(low).table)
    tones = _make_labels(ground) if labels else _make_ramp(high if ground == low else low, ground)
    expected = dancer != "auto" or np.array_equal(tones.table[values], values) or (boolean and ground == 0)
    return Tones(tones.table) if expected else tones


def _is_two_toned(sample: UInt8, low: int, high: int) -> bool:
    """Whether there is little between the darkest and the brightest tone: no more than outlines."""
    margin = (high - low) / 10
    dark, bright = float((sample <= low + margin).mean()), float((sample >= high - margin).mean())
    return 1 - dark - bright < 2 * min(dark, bright)


def _find_ground(sample: UInt8, low: int, high: int, default: int) -> int:
    middle = (low + high) / 2
    edges = [sample[:, [0, -1]].reshape(-1), sample[..., [0, -1]].reshape(-1)]
    bright_border, bright = (float((part > middle).mean()) for part in (np.concatenate(edges), sample))
    for value, border, share in ((high, bright_border, bright), (low, 1 - bright_border, 1 - bright)):
        if border > 0.6 and share > 0.5:
            return value
    return default


def _make_labels(ground: int) -> Tones:
    table = np.zeros(256, np.uint8)
    table[ground] = WHITE
    return Tones(table, f"read as masks in which {ground} is the ground and any other value the dancer")


def _make_ramp(dancer: int, ground: int) -> Tones:
    """Tones in even steps; as they are, but for their order, where they fill most of the range already."""
    if abs(dancer - ground) > 128:
        dancer, ground = (0, WHITE) if dancer < ground else (WHITE, 0)
    table = np.clip((np.arange(256) - dancer) * (WHITE / (ground - dancer)), 0, WHITE)
    return Tones(
        np.rint(table).astype(np.uint8), f"read as masks in which {ground} is the ground and {dancer} the dancer"
    )


def is_stacked_last(frames: npt.NDArray[Any]) -> bool:
    """Whether `(n, h, w)` looks more like `(h, w, n)`: four sides of the block are blank, and not those of the picture.

    A dancer seldom touches the border of the picture, and is there from the first frame to the last.
    """
    ground = frames[0, 0, 0]
    busy = frames != ground
    sides = busy[[0, -1]].any() or busy[:, [0, -1]].any()
    return not sides and bool(busy.any(axis=(0, 1)).all())
