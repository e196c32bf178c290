"""Networks as `.keras` files that hold nothing but the network: of the same one always the same bytes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

from deepdance_plugins.networks.backend import keras

CONFIG, METADATA = "config.json", "metadata.json"


def save_network(network: keras.Model, path: Path) -> None:
    """Write a network without its optimizer, and without what differs from one process, and one day, to the next.

    That is the day, addresses in memory, and the numbers in the names of layers that were given none.
    """
    config = _number_anew(json.loads(network.to_json()))
    copy = keras.saving.deserialize_keras_object(config)
    copy.set_weights(network.get_weights())
    copy.save(path)
    with ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[CONFIG] = json.dumps(_number_anew(json.loads(members[CONFIG]))).encode()
    members[METADATA] = json.dumps({**json.loads(members[METADATA]), "date_saved": ""}).encode()
    with ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(ZipInfo(name), content)


def _number_anew(config: Any) -> Any:
    """A network's configuration in which what Keras has counted through its process is counted from 0."""
    numbers: dict[Any, Any] = {}
    counts: dict[str, int] = {}

    def visit(value: Any) -> Any:
        if isinstance(value, list):
            return [visit(each) for each in value]
        if not isinstance(value, dict):
            return numbers.get(value, value) if isinstance(value, str) else value
        name = _find_given_name(value)
        if name and name not in numbers:
            kind = _take_kind(name)
            number = counts[kind] = counts.get(kind, -1) + 1
            numbers[name] = f"{kind}_{number}" if number else kind
        return {key: _count(numbers, each) if key == "shared_object_id" else visit(each) for key, each in value.items()}

    return visit(config)


def _count(numbers: dict[Any, Any], address: int) -> int:
    """The number of an address in memory, the first being 0."""
    known: int = numbers.setdefault(("address", address), sum(isinstance(key, tuple) for key in numbers))
    return known


def _find_given_name(config: dict[str, Any]) -> str:
    """The name that Keras has given a layer, `conv2d_7`; nothing for one whose name is its maker's."""
    settings = config.get("config")
    name = settings.get("name") if isinstance(settings, dict) else None
    if not isinstance(name, str) or _take_kind(name).replace("_", "") != str(config.get("class_name")).lower():
        return ""
    return name


def _take_kind(name: str) -> str:
    return re.sub(r"_\d+$", "", name)
