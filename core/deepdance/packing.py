"""Trained components on their way to other processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deepdance.artifacts import Artifact
from deepdance.plugins import Registry
from deepdance.recipe import Recipe

_LOADED: dict[str, Any] = {}
"""The model that this process was sent last, by its key."""


@dataclass(frozen=True)
class PackedModel:
    """A trained component as what a recipe says of it, and its files, which are read when it is sent."""

    recipe: Recipe
    kind: str
    artifact: Artifact
    here: Any = None
    """The component, where it is open already; it is not sent."""

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """What the artifact holds."""
        return {name: (self.artifact.folder / name).read_bytes() for name in self.artifact.manifest()["files"]}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "here": None, "files": self.files}

    def load(self, registry: Registry) -> Any:
        """The component; the latest one is kept by this process."""
        if self.here is not None:
            return self.here
        key = self.artifact.key
        if key not in _LOADED:
            _LOADED.clear()
            _LOADED[key] = self._load(registry)
        return _LOADED[key]

    def _load(self, registry: Registry) -> Any:
        choice = getattr(self.recipe, self.kind)
        options = registry.options(self.kind, choice.name, self.recipe.preset, choice.options)
        with TemporaryDirectory(prefix="deepdance-") as folder:
            for name, content in self.files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            return registry.component(self.kind, choice.name).load(Path(folder), options)
