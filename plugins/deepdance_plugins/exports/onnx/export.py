"""A run's models as ONNX files: a decoder, and a step where the sequence model has one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deepdance.errors import OptionError, PluginError
from deepdance.folders import show_path
from deepdance.generation import take_opening
from deepdance.opened_runs import VERSION, OpenedRun, open_run
from deepdance.outputs import check_place, number_dance
from deepdance.plugins import BUILT_IN, Registry
from deepdance.recipe import Opening, Recipe
from deepdance.session import Session
from deepdance.storage import write_atomically
from deepdance.strict_json import dump_json
from deepdance_plugins.exports.onnx.decoders import ANY_SIZE, DECODERS
from deepdance_plugins.exports.onnx.graph import Graph
from deepdance_plugins.exports.onnx.steps import STEPS

log = logging.getLogger("deepdance")

SUFFIX = ".onnx"


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
    if out.suffix != SUFFIX or out.is_dir():
        raise OptionError(f"--out: expected a name ending in .onnx, got {show_path(out)}; such as --out dance.onnx")
    record, recipe = session.workspace.open_run(name)
    check_place(out, record.inputs)
    decoder = _find_decoder(session.registry, recipe)
    size = _read_size(session.registry, recipe, render_size)
    run = open_run(session, recipe, record)
    with run.translate_misfit():
        notes = _describe(run, name)
        files = [_write(out, "decoder", decoder(run.artifacts["codec"][0].folder, run.codec.options, size), notes)]
        return files + _write_step(run, out.with_name(f"{out.stem}-step.onnx"), notes)


def _describe(run: OpenedRun, name: str) -> dict[str, str]:
    """What both files say of themselves, where a dance can start too."""
    context = run.model.context
    opening = take_opening(Opening("last"), context, run.latents, run.frames.clips, run.recipe.seed)
    numbers = {"fps": f"{run.recipe.fps:g}", "latent_dim": str(run.codec.latent_dim), "context": str(context)}
    return {"run": name, **numbers, "opening": dump_json(opening.tolist())}


def _write_step(run: OpenedRun, out: Path, notes: Mapping[str, str]) -> list[OnnxFile]:
    """The file of the step, in a list; none where there is no step, which is told."""
    name = run.recipe.sequence.name
    write = _find_writer(run.session.registry, "sequence", name, STEPS)
    if write is None:
        log.info("%s: the decoder alone is written", _explain_no_step(run.session.registry, name))
        if out.exists():
            log.warning("%s is of another export: it is no step of this run", show_path(out))
        return []
    return [_write(out, "step", write(run.artifacts["sequence"][0].folder, run.model.options), notes)]


def _write(path: Path, title: str, graph: Graph, notes: Mapping[str, str]) -> OnnxFile:
    model = graph.build(title, VERSION, notes)
    with write_atomically(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
    return OnnxFile(path, graph.inputs, graph.outputs)


def _find_decoder(registry: Registry, recipe: Recipe) -> Callable[..., Graph]:
    write = _find_writer(registry, "codec", recipe.codec.name, DECODERS)
    if write is None:
        raise PluginError(
            f"expected a codec that can be written as ONNX ({', '.join(DECODERS)}), got {recipe.codec.name}; "
            "make a run with one of them: dd run VIDEO --codec sdf-ae"
        )
    return write


def _find_writer(
    registry: Registry, kind: str, name: str, writers: Mapping[str, Callable[..., Graph]]
) -> Callable[..., Graph] | None:
    """What writes a component; None for one of a plugin, whatever its name."""
    entry = registry.find(kind, name)
    return writers.get(entry.spec.name) if entry.distribution == BUILT_IN else None


def _explain_no_step(registry: Registry, name: str) -> str:
    if registry.find("sequence", name).distribution == BUILT_IN:
        return f"{name} searches among the frames of the video, and has no step"
    return f"{name} is not one of the models whose step can be written ({', '.join(STEPS)})"


def _read_size(registry: Registry, recipe: Recipe, render_size: str | None) -> tuple[int, int] | None:
    """Height and width. Raises OptionError where the codec has one size alone."""
    if render_size is None:
        return None
    size = recipe.changed({"render_size": render_size}).render_size
    if registry.find("codec", recipe.codec.name).spec.name not in ANY_SIZE:
        raise OptionError(
            f"--render-size: expected none for {recipe.codec.name}, whose pictures have the size that it learned, "
            f"got {render_size}; leave it out"
        )
    return size
