"""Every built-in component in one table. Nothing heavy is imported to read it."""

from __future__ import annotations

from typing import Any

from deepdance.plugins import ComponentSpec, hookimpl

VIDEO_SUFFIXES = (
    *(".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".gif", ".mpg", ".mpeg"),
    *(".ts", ".ogv", ".flv", ".wmv", ".3gp"),
)


def _spec(kind: str, name: str, target: str, options: str, summary: str, **more: Any) -> ComponentSpec:
    """A spec of a built-in: its classes are in the package of its kind, such as `codecs`."""
    package = f"deepdance_plugins.{kind}s"
    return ComponentSpec(kind, name, f"{package}.{target}", f"{package}.{options}", summary, **more)


COMPONENTS = (
    _spec(
        *("source", "demo", "demo.source:DemoSource", "demo.options:DemoOptions"),
        "a dancer that deepdance draws itself, endless",
    ),
    _spec(
        *("source", "ffmpeg", "ffmpeg.source:FfmpegSource", "ffmpeg.options:FfmpegOptions"),
        "any video that FFmpeg reads",
        suffixes=VIDEO_SUFFIXES,
    ),
    _spec(
        *("source", "images", "images:ImagesSource", "images:ImagesOptions"),
        "a folder of images, in natural order",
        suffixes=("/",),
    ),
    _spec(
        *("source", "array", "array:ArraySource", "array:ArrayOptions"),
        "an .npy or .npz of frames or silhouettes",
        suffixes=(".npy", ".npz"),
    ),
    _spec(
        *("remover", "threshold", "threshold:Threshold", "threshold:ThresholdOptions"),
        "dark is the dancer (the paper's R+G+B > 230)",
    ),
    _spec("remover", "luma", "luma:Luma", "luma:LumaOptions", "no removal: grey levels"),
    _spec(
        *("codec", "sdf-ae", "sdf_ae.model:SdfAE", "sdf_ae.options:SdfAEOptions"),
        "sharp outlines: a VAE of distance fields, 128 numbers",
    ),
    _spec(
        *("codec", "conv-ae", "conv_ae.model:ConvAE", "conv_ae.options:ConvAEOptions"),
        "the paper's convolutional autoencoder, 128 numbers",
    ),
    _spec("codec", "pca", "pca:PCA", "pca:PCAOptions", "principal components, fitted in seconds"),
    _spec(
        *("sequence", "motion-field", "motion_field.model:MotionField", "motion_field.options:MotionFieldOptions"),
        "goes on as real movements did, endlessly new",
    ),
    _spec(
        *("sequence", "flow", "flow.model:Flow", "flow.options:FlowOptions"),
        "draws the next change by conditional flow matching",
    ),
    _spec(
        *("sequence", "lstm4", "lstm4.model:LSTM4", "lstm4.options:LSTM4Options"),
        "the paper's four LSTM layers",
        frame_rate=3.0,
    ),
    _spec(
        *("sequence", "gru", "gru:GRU", "lstm4.options:LSTM4Options"),
        "the same shape with GRU layers",
        frame_rate=3.0,
    ),
    _spec(
        *("sequence", "mdn", "mdn.model:MDN", "mdn.options:MDNOptions"),
        "LSTM and a mixture of Gaussians, drawn from with a temperature",
    ),
    _spec(
        *("sequence", "texture", "texture.model:Texture", "texture.options:TextureOptions"),
        "video textures: real moments in a new order",
    ),
    _spec("sequence", "ridge", "ridge:Ridge", "ridge:RidgeOptions", "linear autoregression, fitted in seconds"),
    _spec("renderer", "mp4", "mp4:Mp4", "mp4:Mp4Options", "H.264 video that plays everywhere", suffixes=(".mp4",)),
    _spec("renderer", "gif", "gif:Gif", "gif:GifOptions", "looping animation", suffixes=(".gif",)),
    _spec(
        *("renderer", "sheet", "sheet:Sheet", "sheet:SheetOptions"),
        "contact sheet of the whole dance",
        suffixes=(".png",),
    ),
    ComponentSpec(
        *("logger", "jsonl", "deepdance_plugins.loggers.jsonl:JsonLines", "deepdance.interfaces:Options"),
        "every event as a line of JSON",
    ),
    ComponentSpec(
        *("logger", "tensorboard", "deepdance_plugins.loggers.tensorboard:TensorBoard", "deepdance.interfaces:Options"),
        "curves of both trainings, for TensorBoard",
    ),
)


@hookimpl
def deepdance_components() -> tuple[ComponentSpec, ...]:
    """The built-ins come through the same door as anybody's plugins."""
    return COMPONENTS
