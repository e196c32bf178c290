"""Every built-in component in one table. Nothing heavy is imported to read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdance.plugins import ComponentSpec, hookimpl
from deepdance_plugins.sources.ffmpeg.formats import SUFFIXES

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from deepdance.arrays import Float32
    from deepdance.workers import Workers

NO_OPTIONS = "deepdance.interfaces:Options"


def _spec(kind: str, name: str, target: str, summary: str, options: str = "", **more: Any) -> ComponentSpec:
    """A spec of a built-in, whose class is in the package of its kind.

    Its options, unless named, are beside the class, or in the `options.py` of a method that is a folder.
    """
    module, _, cls = f"deepdance_plugins.{kind}s.{target}".partition(":")
    package, _, file = module.rpartition(".")
    beside = f"{package}.options" if file in ("model", "source") else module
    return ComponentSpec(
        kind, name, f"{module}:{cls}", options or f"{beside}:{cls.removesuffix('Source')}Options", summary, **more
    )


COMPONENTS = (
    _spec("source", "demo", "demo.source:DemoSource", "a dancer that deepdance draws itself, endless"),
    _spec("source", "ffmpeg", "ffmpeg.source:FfmpegSource", "any video that FFmpeg reads", suffixes=SUFFIXES),
    _spec(
        *("source", "images", "images:ImagesSource", "a folder of images, in natural order", NO_OPTIONS),
        suffixes=("/",),
    ),
    _spec(
        *("source", "array", "array:ArraySource", "an .npy or .npz of frames or silhouettes"),
        suffixes=(".npy", ".npz"),
    ),
    _spec("remover", "person", "person.model:Person", "a person before any background, found by two networks"),
    _spec("remover", "threshold", "threshold:Threshold", "dark is the dancer (the paper's R+G+B > 230)"),
    _spec("remover", "luma", "luma:Luma", "no removal: grey levels", NO_OPTIONS),
    _spec("codec", "sdf-ae", "sdf_ae.model:SdfAE", "sharp outlines, comes trained: a VAE of distance fields"),
    _spec(
        *("codec", "conv-ae", "conv_ae.model:ConvAE", "the paper's convolutional autoencoder, 128 numbers"),
        frame_size=(120, 200),
    ),
    _spec("codec", "pca", "pca:PCA", "principal components, fitted in seconds"),
    _spec("sequence", "motion-field", "motion_field.model:MotionField", "goes on as real movements did, endlessly new"),
    _spec("sequence", "flow", "flow.model:Flow", "draws the next change by conditional flow matching"),
    _spec("sequence", "lstm4", "lstm4.model:LSTM4", "the paper's four LSTM layers", frame_rate=3.0),
    _spec(
        *("sequence", "gru", "gru:GRU", "the same shape with GRU layers"),
        options="deepdance_plugins.sequences.lstm4.options:LSTM4Options",
        frame_rate=3.0,
    ),
    _spec("sequence", "mdn", "mdn.model:MDN", "LSTM and a mixture of Gaussians, drawn from with a temperature"),
    _spec("sequence", "texture", "texture.model:Texture", "video textures: real frames in a new order"),
    _spec("sequence", "ridge", "ridge:Ridge", "linear autoregression, fitted in seconds"),
    _spec("renderer", "mp4", "mp4:Mp4", "H.264 video that plays everywhere", suffixes=(".mp4",)),
    _spec("renderer", "gif", "gif:Gif", "looping animation", suffixes=(".gif",), most_lines=480),
    _spec("renderer", "webm", "webm:Webm", "VP9 video with alpha, for web pages and OBS", suffixes=(".webm",)),
    _spec("renderer", "prores", "prores:Prores", "ProRes 4444 video with alpha, for editing", suffixes=(".mov",)),
    _spec("renderer", "hap", "hap:Hap", "Hap video with alpha, for VJ programs", suffixes=(".mov",)),
    _spec("renderer", "png", "png:Png", "a folder of numbered pictures with alpha", suffixes=("/",)),
    _spec("renderer", "svg", "svg:Svg", "curves: one animated SVG, or a folder of them", suffixes=(".svg", "/")),
    _spec(
        *("renderer", "sheet", "sheet:Sheet", "contact sheet of the whole dance"), suffixes=(".png",), most_lines=240
    ),
    _spec("logger", "jsonl", "jsonl:JsonLines", "every event as a line of JSON", NO_OPTIONS),
    _spec("logger", "tensorboard", "tensorboard:TensorBoard", "curves of both trainings", NO_OPTIONS),
)


@hookimpl
def deepdance_components() -> tuple[ComponentSpec, ...]:
    """The built-ins come through the same door as anybody's plugins."""
    return COMPONENTS


@hookimpl
def deepdance_audio(path: Path, rate: int, most_seconds: float) -> Float32:
    """All that FFmpeg reads; what other plugins read, they are asked for before."""
    from deepdance_plugins._ffmpeg.audio import read_audio

    return read_audio(path, rate, most_seconds)


@hookimpl
def deepdance_workers(address: str, jobs: int | None) -> AbstractContextManager[Workers] | None:
    """Clusters of Ray and Dask; what other plugins know, they are asked for before."""
    from deepdance_plugins.clusters import open_cluster

    return open_cluster(address, jobs)
