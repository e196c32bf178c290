"""deepdance watches somebody dance and dances on.

In Python, `import deepdance` offers what the command line does; nothing is imported until it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepdance.api import Run, codec, compare, fit, open_run, remover, renderer, run, sequence, source, sweep
    from deepdance.errors import DeepDanceError
    from deepdance.frames import Silhouettes
    from deepdance.recipe import Recipe
    from deepdance.session import Session

__all__ = [
    "DeepDanceError",
    "Recipe",
    "Run",
    "Session",
    "Silhouettes",
    "codec",
    "compare",
    "fit",
    "open_run",
    "remover",
    "renderer",
    "run",
    "sequence",
    "source",
    "sweep",
]
_HOMES = {"DeepDanceError": "errors", "Recipe": "recipe", "Silhouettes": "frames", "Session": "session"}
"""Where a name comes from, if not from `api`."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("deepdance")
    if name not in __all__:
        raise AttributeError(f"module 'deepdance' has no attribute {name!r}")
    return getattr(import_module(f"deepdance.{_HOMES.get(name, 'api')}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
