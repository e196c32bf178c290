"""deepdance watches somebody dance and dances on.

In Python, `import deepdance` offers what the command line does; nothing is imported until it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepdance.errors import DeepDanceError
    from deepdance.frames import Silhouettes
    from deepdance.library import Run, codec, fit, open_run, remover, renderer, run, sequence, source
    from deepdance.pipeline import Studio
    from deepdance.recipe import Recipe

__version__ = "0.1.0"
__all__ = [
    "DeepDanceError",
    "Recipe",
    "Run",
    "Silhouettes",
    "Studio",
    "codec",
    "fit",
    "open_run",
    "remover",
    "renderer",
    "run",
    "sequence",
    "source",
]
_HOMES = {"DeepDanceError": "errors", "Recipe": "recipe", "Silhouettes": "frames", "Studio": "pipeline"}
"""Where a name comes from, if not from `library`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'deepdance' has no attribute {name!r}")
    return getattr(import_module(f"deepdance.{_HOMES.get(name, 'library')}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
