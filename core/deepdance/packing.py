"""Trained components on their way to other processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from deepdance.artifacts import Artifact
from deepdance.plugins import Registry
from deepdance.recipe import Recipe

_LOADED: dict[str, Any] = {}
"""The model that this process was sent last, by its key."""


@dataclass(frozen=True)
class PackedModel:
    """A trained component as what a recipe says of it, and its files, which are read when it is sent or lent."""

    recipe: Recipe
    kind: str
    artifact: Artifact
    here: Any = None
    """The component, where it is open already; it is not sent."""
    lent: Path | None = None
    """Where the files are, for those who are sent it without them."""

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """What the artifact holds."""
        return {name: (self.artifact.folder / name).read_bytes() for name in self.artifact.manifest()["files"]}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "here": None, **({} if self.lent else {"files": self.files})}

    def lend(self, folder: Path) -> Self:
        """The same for those who see a folder of files that nobody changes: its own are put there once."""
        lent = folder / self.artifact.key
        if not lent.exists():
            lent.mkdir()
            self._write(lent)
        return replace(self, lent=lent)

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
        component = registry.component(self.kind, choice.name)
        if self.lent:
            return component.load(self.lent, options)
        with TemporaryDirectory(prefix="deepdance-") as folder:
            self._write(Path(folder))
            return component.load(Path(folder), options)

    def _write(self, folder: Path) -> None:
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
