"""The body prior: a field model that was trained on many dancers, and comes with deepdance (docs/body-prior.md)."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path

from deepdance.errors import PluginError
from deepdance_plugins.codecs.sdf_ae.field_model import FieldModel

PATH = Path(__file__).with_name("prior.npz")
SHA256 = "36446379585cbb6a012ec9dbb78194fbadaf9c7bf1dce45ca053949cfa2d6bb9"


@cache
def load_prior() -> FieldModel:
    """The field model of bodies. Raises PluginError if the file is not the one that was made."""
    try:
        found = sha256(PATH.read_bytes()).hexdigest()
    except OSError as error:
        found = f"{type(error).__name__}"
    if found != SHA256:
        raise PluginError(
            f"expected the body prior at {PATH}, got another file (SHA-256 {found[:12]}…); "
            "install deepdance again, or add --set codec.prior=none"
        )
    return FieldModel.load(PATH)
