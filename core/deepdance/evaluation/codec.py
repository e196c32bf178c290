"""What a codec loses: held-out frames against themselves, encoded and decoded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from deepdance.arrays import Float64, UInt8
from deepdance.evaluation.tables import COPY, REAL, Column, Measured, Table
from deepdance.frames import Clip, Silhouettes
from deepdance.interfaces import FrameCodec
from deepdance.metrics import video_quality
from deepdance.metrics.accuracy import accuracy_ceiling, keras_accuracy
from deepdance.metrics.bootstrap import Figure, bootstrap, mean
from deepdance.metrics.shapes import boundary_iou, grey_pixels, iou, limb_counts, perimeters
from deepdance.splits import number_blocks

Terms = dict[str, npt.NDArray[Any]]
CHUNK = 64
STRRED_PAIRS = 100
"""Pairs of frames that ST-RRED, a slow measure, is taken on: evenly chosen."""
COLUMNS = (
    Column("iou", "IoU"),
    Column("boundary_iou", "boundary IoU"),
    Column("limb_recall", "limb recall"),
    Column("grey_per_perimeter", "grey ÷ outline", 2),
    Column("psnr", "PSNR", 1),
    Column("ssim", "SSIM"),
    Column("strred", "ST-RRED", 0),
    Column("accuracy", "acc"),
)
LEGEND = """\
Held-out frames, encoded and decoded. boundary IoU: of the bands 2 pixels wide
along the outlines. limb recall: of what a disc of radius 4 does not fit into.
grey ÷ outline: pixels from 10 % to 90 % grey for each pixel of outline; the
real frames' is right, more is blur. acc is Keras' accuracy; the real frames'
is the most it can be. ST-RRED: 0 is best. ±: half a 95 % interval."""


def codec_table(
    codec: FrameCodec[Any],
    name: str,
    frames: Silhouettes,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Table:
    """The codec, the real frames and the copy of the frame before, measured on `frames` in chunks."""
    pairs = _pairs(frames.clips)
    total = len(frames) + 2 * len(pairs)
    blocks = number_blocks(frames.clips)
    follows = np.ones(len(frames), bool)
    follows[[clip.start for clip in frames.clips]] = False
    rebuilt_terms, copied_terms = [], []
    for start in range(0, len(frames), CHUNK):
        index = np.arange(start, min(start + CHUNK, len(frames)))
        truth = frames[index]
        rebuilt_terms.append(_terms(truth, codec.decode(codec.encode(truth))))
        inner = index[follows[index]]
        copied_terms.append(_terms(frames[inner], frames[inner - 1]))
        on_progress(int(index[-1]) + 1, total)
    rebuilt, copied = _joined(rebuilt_terms), _joined(copied_terms)
    spent: list[Terms] = []
    for number, pair in enumerate(pairs, 1):
        truth = frames[pair[1:]]
        spent.append(_strred_terms(truth, codec.decode(codec.encode(truth)), frames[pair[:2]]))
        on_progress(len(frames) + 2 * number, total)
    slow, slow_blocks = _joined(spent), blocks[pairs[:, 1]]
    rows = [
        Measured(name, "model", _figures(rebuilt, blocks) | _strred(slow, "rebuilt", slow_blocks)),
        Measured(REAL, "real", _real_figures(rebuilt, blocks)),
        Measured(COPY, "copy", _figures(copied, blocks[follows]) | _strred(slow, "copied", slow_blocks)),
    ]
    return Table("Codec", COLUMNS, rows, LEGEND, upright=True)


def _terms(truth: UInt8, rebuilt: UInt8) -> Terms:
    """What the figures are sums of, `(n,)` each."""
    limb_hits, limbs = limb_counts(truth, rebuilt)
    levels = [(a / np.float32(255), b / np.float32(255)) for a, b in zip(truth, rebuilt, strict=True)]
    return {
        "iou": iou(truth, rebuilt),
        "boundary_iou": boundary_iou(truth, rebuilt),
        "limb_hits": limb_hits,
        "limbs": limbs,
        "grey": grey_pixels(rebuilt),
        "perimeter": perimeters(rebuilt),
        "real_grey": grey_pixels(truth),
        "real_perimeter": perimeters(truth),
        "noise": 10 ** (-video_quality.psnr(truth, rebuilt) / 10),
        "ssim": video_quality.ssim(truth, rebuilt),
        "accuracy": np.array([keras_accuracy(a, b) for a, b in levels]),
        "ceiling": np.array([accuracy_ceiling(a) for a, _ in levels]),
    }


def _figures(terms: Terms, blocks: npt.NDArray[np.int64]) -> dict[str, Figure | None]:
    return {
        "iou": mean(terms["iou"], blocks),
        "boundary_iou": mean(terms["boundary_iou"], blocks),
        "limb_recall": bootstrap([terms["limb_hits"], terms["limbs"]], blocks),
        "grey_per_perimeter": bootstrap([terms["grey"], terms["perimeter"]], blocks),
        "psnr": bootstrap([terms["noise"], 1], blocks, _decibels),
        "ssim": mean(terms["ssim"], blocks),
        "accuracy": mean(terms["accuracy"], blocks),
    }


def _real_figures(terms: Terms, blocks: npt.NDArray[np.int64]) -> dict[str, Figure | None]:
    """What is known of the real frames; all that compares them with themselves is perfect, and not shown."""
    grey = bootstrap([terms["real_grey"], terms["real_perimeter"]], blocks)
    return {column.key: None for column in COLUMNS} | {
        "grey_per_perimeter": grey,
        "accuracy": mean(terms["ceiling"], blocks),
    }


def _decibels(sums: Float64) -> Float64:
    """PSNR of the mean squared error of all frames."""
    decibels: Float64 = -10 * np.log10(sums[..., 0] / sums[..., 1])
    return decibels


def _strred_terms(truth: UInt8, rebuilt: UInt8, copied: UInt8) -> Terms:
    measured = {"rebuilt": video_quality.strred(truth, rebuilt), "copied": video_quality.strred(truth, copied)}
    return {f"{name} {part}": both[k] for name, both in measured.items() for k, part in enumerate(("space", "time"))}


def _strred(terms: Terms, name: str, blocks: npt.NDArray[np.int64]) -> dict[str, Figure | None]:
    if not len(blocks):
        return {"strred": None}
    return {"strred": bootstrap([terms[f"{name} space"], terms[f"{name} time"], 1], blocks, _product)}


def _product(sums: Float64) -> Float64:
    """The product of two means."""
    product: Float64 = sums[..., 0] * sums[..., 1] / sums[..., 2] ** 2
    return product


def _pairs(clips: Sequence[Clip]) -> npt.NDArray[np.int64]:
    """Three frames in a row `(m, 3)` of one clip each: the pair to measure on, and before it what copying shows."""
    firsts = np.concatenate([np.arange(clip.start, clip.stop - 2) for clip in clips])
    chosen = np.unique(np.linspace(0, len(firsts) - 1, min(len(firsts), STRRED_PAIRS)).astype(int))
    return np.asarray(firsts[chosen][:, None] + np.arange(3), np.int64)


def _joined(parts: Sequence[Terms]) -> Terms:
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]} if parts else {}
