"""Listeners that write what a run tells into its folder, by the names that `--log` takes."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from deepdance.errors import OptionError
from deepdance.events import Listener
from deepdance.validation import nearest

LOGGERS = {
    "jsonl": "deepdance_plugins.loggers.jsonl:JsonLines",
    "tensorboard": "deepdance_plugins.loggers.tensorboard:TensorBoard",
}


def loggers(names: Iterable[str]) -> list[tuple[str, Listener]]:
    """The loggers of these names, each once and ready to listen. Raises OptionError."""
    return [(f"the log {name}", _logger(name)) for name in dict.fromkeys(names)]


def _logger(name: str) -> Listener:
    if name not in LOGGERS:
        raise OptionError(f"--log: expected {' or '.join(LOGGERS)}, got {name!r}{nearest(name, LOGGERS)}")
    module, _, cls = LOGGERS[name].partition(":")
    logger: Listener = getattr(import_module(module), cls)()
    return logger
