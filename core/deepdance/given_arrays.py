"""Arrays that somebody gives in Python: laid out as clips to learn from, or kept as files, which are inputs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from deepdance.array_files import load_array
from deepdance.arrays import Float32
from deepdance.errors import InputError, WorkspaceError
from deepdance.frames import Clip, Silhouettes
from deepdance.storage import write_atomically

Given = npt.NDArray[Any] | Sequence[npt.NDArray[Any]]
"""One clip, or several."""


def lay_out_silhouettes(given: Given, fps: float) -> Silhouettes:
    """Silhouettes `(n, height, width)`, uint8, of one size. Raises InputError."""
    clips = _list_clips(given)
    fitting = all(clip.dtype == np.uint8 and clip.ndim == 3 and clip.size for clip in clips)
    if not fitting or len({clip.shape[1:] for clip in clips}) != 1:
        raise InputError(
            f"expected silhouettes (n, height, width) of one size, uint8, got {_describe(clips)}; "
            "0 is the dancer, 255 the background, and a remover makes them of RGB frames"
        )
    return Silhouettes(clips, _lay_out(clips, fps))


def lay_out_latents(given: Given, fps: float) -> tuple[Float32, list[Clip]]:
    """Latents `(n, d)`, one clip after the other, and where each lies. Raises InputError."""
    clips = [_check_latents(clip) for clip in _list_clips(given)]
    if len({clip.shape[1] for clip in clips}) != 1:
        raise InputError(f"expected latents of one length, got {[clip.shape for clip in clips]}")
    return np.concatenate(clips), _lay_out(clips, fps)


def _list_clips(given: Given) -> list[npt.NDArray[Any]]:
    clips = [given] if isinstance(given, np.ndarray) else list(given)
    if not clips:
        raise InputError("expected an array or a list of arrays, got an empty list")
    return [np.asarray(clip) for clip in clips]


def _lay_out(clips: Iterable[npt.NDArray[Any]], fps: float) -> list[Clip]:
    ends = accumulate((len(clip) for clip in clips), initial=0)
    return [Clip(start, stop, "array", fps) for start, stop in pairwise(ends)]


def _check_latents(clip: npt.NDArray[Any]) -> Float32:
    if clip.ndim != 2 or not clip.size or clip.dtype.kind not in "fiu":
        raise InputError(f"expected latents (n, d), numbers, got {_describe([clip])}; a codec's encode gives them")
    return clip.astype(np.float32, copy=False)


def keep_frames(frames: npt.NDArray[Any], folder: Path) -> str:
    """The path of a file in `folder` that holds `frames`: written once, and named by its content. Raises InputError."""
    fitting = frames.ndim in (3, 4) and frames.dtype.kind in "buif" and frames.size
    if not fitting or (frames.dtype.kind == "f" and frames.min() == frames.max()):
        raise InputError(
            f"expected RGB frames (n, height, width, 3), or silhouettes (n, height, width), of more than one value, "
            f"got {_describe([frames])}; np.stack makes frames of pictures"
        )
    whole = np.ascontiguousarray(frames)
    content = hashlib.sha256(f"{frames.dtype} {frames.shape}".encode())
    content.update(whole.data)
    path = folder / f"array-{content.hexdigest()[:16]}.npy"
    if not _holds(path, whole):
        with write_atomically(path) as temporary:
            np.save(temporary, whole, allow_pickle=False)
    return str(path)


def _holds(path: Path, frames: npt.NDArray[Any]) -> bool:
    """Whether a file holds these frames, whole."""
    try:
        kept = load_array(path, mmap_mode="r")
    except WorkspaceError:
        return False
    return kept.dtype == frames.dtype and np.array_equal(kept, frames, equal_nan=kept.dtype.kind == "f")


def _describe(arrays: list[npt.NDArray[Any]]) -> str:
    return ", ".join(f"{array.dtype} {array.shape}" for array in arrays[:4])
