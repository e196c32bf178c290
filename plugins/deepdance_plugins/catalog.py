"""Every built-in component in one table. Nothing heavy is imported to read it."""

from __future__ import annotations

from deepdance.plugins import ComponentSpec, hookimpl

VIDEO_SUFFIXES = (
    *(".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".gif", ".mpg", ".mpeg"),
    *(".ts", ".ogv", ".flv", ".wmv", ".3gp"),
)


def _spec(kind: str, name: str, module: str, cls: str, summary: str, suffixes: tuple[str, ...] = ()) -> ComponentSpec:
    options = f"{cls.removesuffix('Source')}Options"
    package = "deepdance_plugins"
    return ComponentSpec(kind, name, f"{package}.{module}:{cls}", f"{package}.{module}:{options}", summary, suffixes)


COMPONENTS = (
    _spec("source", "demo", "sources.demo", "DemoSource", "a dancer that deepdance draws itself, endless"),
    _spec("source", "ffmpeg", "sources.ffmpeg", "FfmpegSource", "any video that FFmpeg reads", VIDEO_SUFFIXES),
    _spec("source", "images", "sources.images", "ImagesSource", "a folder of images, in natural order", ("/",)),
    _spec(
        "source", "array", "sources.array", "ArraySource", "an .npy or .npz of frames or silhouettes", (".npy", ".npz")
    ),
    _spec("remover", "threshold", "removers.threshold", "Threshold", "dark is the dancer (the paper's R+G+B > 230)"),
    _spec("remover", "luma", "removers.luma", "Luma", "no removal: grey levels"),
    _spec("codec", "sdf-ae", "codecs.sdf_ae", "SdfAE", "sharp outlines: a VAE of distance fields, 128 numbers"),
    _spec("codec", "conv-ae", "codecs.conv_ae", "ConvAE", "the paper's convolutional autoencoder, 128 numbers"),
    _spec("codec", "pca", "codecs.pca", "PCA", "principal components, fitted in seconds"),
    _spec(
        "sequence",
        "motion-field",
        "sequences.motion_field",
        "MotionField",
        "goes on as real movements did, endlessly new",
    ),
    _spec("sequence", "flow", "sequences.flow", "Flow", "draws the next change by conditional flow matching"),
    _spec("sequence", "lstm4", "sequences.lstm4", "LSTM4", "the paper's four LSTM layers"),
    _spec("sequence", "gru", "sequences.gru", "GRU", "the same shape with GRU layers"),
    _spec("sequence", "mdn", "sequences.mdn", "MDN", "LSTM and a mixture of Gaussians, drawn from with a temperature"),
    _spec("sequence", "texture", "sequences.texture", "Texture", "video textures: real moments in a new order"),
    _spec("sequence", "ridge", "sequences.ridge", "Ridge", "linear autoregression, fitted in seconds"),
    _spec("renderer", "mp4", "renderers.mp4", "Mp4", "H.264 video that plays everywhere", (".mp4",)),
    _spec("renderer", "gif", "renderers.gif", "Gif", "looping animation", (".gif",)),
    _spec("renderer", "sheet", "renderers.sheet", "Sheet", "contact sheet of the whole dance", (".png",)),
)


@hookimpl
def deepdance_components() -> tuple[ComponentSpec, ...]:
    """The built-ins come through the same door as anybody's plugins."""
    return COMPONENTS
