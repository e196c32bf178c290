"""A run's models as ONNX files: a decoder, and a step where the sequence model has one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepdance.errors import OptionError, PluginError
from deepdance.folders import show_path
from deepdance.outputs import check_place, number_dance
from deepdance.plugins import BUILT_IN, Registry
from deepdance.recipe import Recipe
from deepdance.runs import VERSION, OpenedRun, open_run
from deepdance.session import Session
from deepdance.storage import write_atomically
from deepdance.strict_json import dump_json

if TYPE_CHECKING:
    from deepdance_plugins.exports.onnx.graph import Graph

log = logging.getLogger("deepdance")

SUFFIX = ".onnx"
DECODERS = {"sdf-ae": "write_sdf_ae", "conv-ae": "write_conv_ae", "pca": "write_pca"}
STEPS = {
    **dict.fromkeys(("lstm4", "gru"), "write_recurrent"),
    **{"ridge": "write_ridge", "mdn": "write_mdn", "flow": "write_flow"},
}
SEARCHES = ("motion-field", "texture")
"""Built-in models that look for the next latent among those of the video: no function of the last ones."""
ANY_SIZE = ("sdf-ae",)
"""Codecs whose pictures can be drawn at any size by a graph."""


@dataclass(frozen=True)
class OnnxFile:
    """A file that was written, and the names and shapes of what goes in and comes out; `n` is any length."""

    path: Path
    inputs: Mapping[str, Sequence[int | str]]
    outputs: Mapping[str, Sequence[int | str]]


def export_onnx(session: Session, name: str, out: Path | None = None, render_size: str | None = None) -> list[OnnxFile]:
    """Write a run's decoder to `out`, and the step of its sequence model, if it has one, beside it as `…-step.onnx`.

    Without `out` it is `dance.onnx`, or `dance-2.onnx` where that is there. Pictures are of the size that the codec
    learned, or of `render_size`, `WIDTHxHEIGHT`. Raises InputError, OptionError, WorkspaceError, and PluginError for a
    codec that is not built in, or where `onnx` is not installed.
    """
    out = out or number_dance(SUFFIX)
    if out.suffix != SUFFIX:
        raise OptionError(f"--out: expected a name ending in .onnx, got {show_path(out)}; such as --out dance.onnx")
    record, recipe = session.workspace.open_run(name)
    check_place(out, record.inputs)
    decoder = _find_decoder(session.registry, recipe)
    size = _read_size(recipe, render_size)
    _check_installed()
    run = open_run(session, recipe, record)
    notes = {"run": name, "fps": f"{recipe.fps:g}", "latent_dim": str(run.codec.latent_dim)}
    with run.translate_misfit():
        files = [_write(out, "decoder", decoder(run.artifacts["codec"][0].folder, run.codec.options, size), notes)]
        return files + _write_step(run, out.with_name(f"{out.stem}-step.onnx"), notes)


def _write_step(run: OpenedRun, out: Path, notes: Mapping[str, str]) -> list[OnnxFile]:
    """The file of the step, in a list; none where there is no step, which is told."""
    name = run.recipe.sequence.name
    write = _find_writer(run.session.registry, "sequence", name, STEPS)
    if write is None:
        log.info("%s: the decoder alone is written", _explain_no_step(run.session.registry, name))
        return []
    context = run.model.context
    clip = next(clip for clip in reversed(run.frames.clips) if len(clip) >= context)
    opening = run.latents[clip.stop - context : clip.stop]
    notes = {**notes, "context": str(context), "opening": dump_json(opening.tolist())}
    return [_write(out, "step", write(run.artifacts["sequence"][0].folder, run.model.options), notes)]


def _write(path: Path, title: str, graph: Graph, notes: Mapping[str, str]) -> OnnxFile:
    model = graph.build(title, VERSION, notes)
    with write_atomically(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
    return OnnxFile(path, graph.inputs, graph.outputs)


def _check_installed() -> None:
    try:
        import onnx  # noqa: F401
    except ImportError:
        raise PluginError(
            "expected the package onnx, got none; install it with: pip install 'deepdance[onnx]'"
        ) from None


def _find_decoder(registry: Registry, recipe: Recipe) -> Callable[..., Graph]:
    write = _find_writer(registry, "codec", recipe.codec.name, DECODERS)
    if write is None:
        raise PluginError(
            f"expected a codec that can be written as ONNX ({', '.join(DECODERS)}), got {recipe.codec.name}; "
            "make a run with one of them: dd run VIDEO --codec sdf-ae"
        )
    return write


def _find_writer(registry: Registry, kind: str, name: str, writers: Mapping[str, str]) -> Callable[..., Graph] | None:
    """What writes a built-in component, or None; it is imported when it is called, for it needs `onnx`."""
    spec = registry.find(kind, name).spec
    if registry.find(kind, name).distribution != BUILT_IN or spec.name not in writers:
        return None
    module = "decoders" if kind == "codec" else "steps"

    def write(*arguments: Any) -> Graph:
        written: Graph = getattr(import_module(f"{__package__}.{module}"), writers[spec.name])(*arguments)
        return written

    return write


def _explain_no_step(registry: Registry, name: str) -> str:
    if registry.find("sequence", name).distribution == BUILT_IN:
        return f"{name} searches among the frames of the video, and has no step"
    return f"{name} is not one of the models whose step can be written ({', '.join(STEPS)})"


def _read_size(recipe: Recipe, render_size: str | None) -> tuple[int, int] | None:
    """Height and width. Raises OptionError where the codec has one size alone."""
    if render_size is None:
        return None
    size = recipe.changed({"render_size": render_size}).render_size
    if recipe.codec.name not in ANY_SIZE:
        raise OptionError(
            f"--render-size: expected none for {recipe.codec.name}, whose pictures have the size that it learned, "
            f"got {render_size}; leave it out"
        )
    return size
