"""What a codec loses: held-out frames against themselves, encoded and decoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from deepdance.arrays import Bools, Float64, Int64, UInt8
from deepdance.evaluation.streams import CHUNK, OnProgress, ProgressMeter, ignore_progress
from deepdance.evaluation.tables import COPY, REAL, Column, Figures, Row, Table
from deepdance.frames import Clip, Silhouettes
from deepdance.metrics import video_quality
from deepdance.metrics.accuracy import accuracy_ceiling, keras_accuracy
from deepdance.metrics.bootstrap import bootstrap, bootstrap_mean
from deepdance.metrics.shapes import boundary_iou, count_grey_pixels, count_limb_pixels, iou, measure_perimeters
from deepdance.metrics.video_quality import STRRED_SMALLEST
from deepdance.packing import PackedModel
from deepdance.pool import Pool
from deepdance.splits import number_blocks
from deepdance.tasks import Tools

Terms = dict[str, npt.NDArray[Any]]
"""What figures are sums of, by name: one value a frame `(n,)`."""
STRRED_PAIRS = 100
"""Pairs of frames that ST-RRED, a slow measure, is taken on: evenly chosen."""
COLUMNS = (
    Column("iou", "IoU"),
    Column("boundary_iou", "boundary IoU"),
    Column("limb_recall", "limb recall"),
    Column("grey_per_perimeter", "grey ÷ outline", 2),
    Column("psnr", "PSNR", 1),
    Column("ssim", "SSIM"),
    Column("strred", "ST-RRED", 0, needs=f"pictures of {STRRED_SMALLEST} pixels each way"),
    Column("accuracy", "acc"),
)
LEGEND = (
    "Held-out frames, encoded and decoded. boundary IoU: of the bands 2 pixels wide along the outlines. limb recall: "
    "of what a disc of radius 4 does not fit into. grey ÷ outline: pixels from 10 % to 90 % grey for each pixel of "
    "outline; the real frames' is right, more is blur. acc is Keras' accuracy; the real frames' is the most it can be. "
    "ST-RRED: 0 is best."
)


def measure_codec(
    codec: PackedModel,
    name: str,
    frames: Silhouettes,
    on_progress: OnProgress = ignore_progress,
    *,
    pool: Pool | None = None,
) -> Table:
    """The codec, the real frames and the copy of the frame before, measured on `frames` in chunks."""
    triples = _choose_triples(frames.clips)
    meter = ProgressMeter(len(frames) + 2 * len(triples), on_progress, pool)
    has_copy = np.ones(len(frames), bool)
    has_copy[[clip.start for clip in frames.clips]] = False
    decoded, copied = _measure_frames(codec, frames, has_copy, meter)
    decoded_pairs, copied_pairs = _measure_pairs(codec, frames, triples, meter)
    blocks = number_blocks(frames.clips)
    pair_blocks = blocks[triples[:, 1]]
    rows = [
        Row(name, "model", _estimate(decoded, blocks) | _estimate_strred(decoded_pairs, pair_blocks)),
        Row(REAL, "real", _estimate_real(decoded, blocks)),
        Row(COPY, "copy", _estimate(copied, blocks[has_copy]) | _estimate_strred(copied_pairs, pair_blocks)),
    ]
    return Table("Codec", COLUMNS, rows, LEGEND, upright=True)


def _choose_triples(clips: Sequence[Clip]) -> Int64:
    """Three frames in a row `(m, 3)` of one clip each: the pair to measure on, and before it what copying shows."""
    firsts = np.concatenate([np.arange(clip.start, clip.stop - 2) for clip in clips])
    chosen = np.linspace(0, len(firsts) - 1, min(len(firsts), STRRED_PAIRS)).astype(int)
    return np.asarray(firsts[chosen][:, None] + np.arange(3), np.int64)


def _measure_frames(
    codec: PackedModel, frames: Silhouettes, has_copy: Bools, meter: ProgressMeter
) -> tuple[Terms, Terms]:
    """Terms of the decoded frames, and of the frames that `has_copy` beside the ones before them."""
    starts = range(0, len(frames), CHUNK)
    numbers = [np.arange(start, min(start + CHUNK, len(frames))) for start in starts]
    copies = [index[has_copy[index]] for index in numbers]
    blocks = (
        (codec, frames[index], frames[inner], frames[inner - 1]) for index, inner in zip(numbers, copies, strict=True)
    )
    decoded, copied = zip(*meter.map(_compare_frames, blocks, list(map(len, numbers))), strict=True)
    return _join(decoded), _join(copied)


def _compare_frames(tools: Tools, codec: PackedModel, truth: UInt8, later: UInt8, before: UInt8) -> tuple[Terms, Terms]:
    model = codec.load(tools.registry)
    return _compute_terms(truth, model.decode(model.encode(truth))), _compute_terms(later, before)


def _compute_terms(truth: UInt8, decoded: UInt8) -> Terms:
    limb_hits, limbs = count_limb_pixels(truth, decoded)
    levels = [(a / np.float32(255), b / np.float32(255)) for a, b in zip(truth, decoded, strict=True)]
    return {
        "iou": iou(truth, decoded),
        "boundary_iou": boundary_iou(truth, decoded),
        "limb_hits": limb_hits,
        "limbs": limbs,
        "grey": count_grey_pixels(decoded),
        "perimeter": measure_perimeters(decoded),
        "real_grey": count_grey_pixels(truth),
        "real_perimeter": measure_perimeters(truth),
        # Decibels do not add up; the squared error that they came from does, and is 0 where they are infinite.
        "squared_error": 10 ** (-video_quality.psnr(truth, decoded) / 10),
        "ssim": video_quality.ssim(truth, decoded),
        "accuracy": np.array([keras_accuracy(a, b) for a, b in levels]),
        "ceiling": np.array([accuracy_ceiling(a) for a, _ in levels]),
    }


def _measure_pairs(
    codec: PackedModel, frames: Silhouettes, triples: Int64, meter: ProgressMeter
) -> tuple[Terms, Terms]:
    """ST-RRED's terms of pairs of frames, decoded, and copied from one frame before."""
    blocks = ((codec, frames[triple]) for triple in triples)
    pairs = list(meter.map(_compare_pair, blocks, [2] * len(triples)))
    return _join([decoded for decoded, _ in pairs]), _join([copied for _, copied in pairs])


def _compare_pair(tools: Tools, codec: PackedModel, triple: UInt8) -> tuple[Terms, Terms]:
    model, truth = codec.load(tools.registry), triple[1:]
    return _compute_strred(truth, model.decode(model.encode(truth))), _compute_strred(truth, triple[:2])


def _compute_strred(truth: UInt8, shown: UInt8) -> Terms:
    space, time = video_quality.strred(truth, shown)
    return {"space": space, "time": time}


def _join(parts: Sequence[Terms]) -> Terms:
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]} if parts else {}


def _estimate(terms: Terms, blocks: Int64) -> Figures:
    # Ratios are pooled: a frame without limbs or outline has none of its own, and one with few would count as much.
    return {
        "iou": bootstrap_mean(terms["iou"], blocks),
        "boundary_iou": bootstrap_mean(terms["boundary_iou"], blocks),
        "limb_recall": bootstrap([terms["limb_hits"], terms["limbs"]], blocks),
        "grey_per_perimeter": bootstrap([terms["grey"], terms["perimeter"]], blocks),
        "psnr": bootstrap([terms["squared_error"], 1], blocks, _convert_to_decibels),
        "ssim": bootstrap_mean(terms["ssim"], blocks),
        "accuracy": bootstrap_mean(terms["accuracy"], blocks),
    }


def _estimate_real(terms: Terms, blocks: Int64) -> Figures:
    """What is known of the real frames; all that compares them with themselves is perfect, and not shown."""
    grey = bootstrap([terms["real_grey"], terms["real_perimeter"]], blocks)
    accuracy = bootstrap_mean(terms["ceiling"], blocks)
    return {column.key: None for column in COLUMNS} | {"grey_per_perimeter": grey, "accuracy": accuracy}


def _estimate_strred(terms: Terms, blocks: Int64) -> Figures:
    if not terms:
        return {"strred": None}
    return {"strred": bootstrap([terms["space"], terms["time"], 1], blocks, _multiply_means)}


def _convert_to_decibels(sums: Float64) -> Float64:
    """PSNR of the mean squared error of all frames."""
    decibels: Float64 = -10 * np.log10(sums[..., 0] / sums[..., 1])
    return decibels


def _multiply_means(sums: Float64) -> Float64:
    product: Float64 = sums[..., 0] * sums[..., 1] / sums[..., 2] ** 2
    return product
