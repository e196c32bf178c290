"""Plugins: what they offer, how they are found, and the registry that hands out their components."""

from deepdance.plugins.discovery import discover
from deepdance.plugins.fingerprints import describe_code
from deepdance.plugins.isolation import BUILT_IN
from deepdance.plugins.registry import Entry, Registry
from deepdance.plugins.spec import API_VERSION, KINDS, LOGGER, ComponentSpec, Hooks, hookimpl

__all__ = [
    "API_VERSION",
    "BUILT_IN",
    "KINDS",
    "LOGGER",
    "ComponentSpec",
    "Entry",
    "Hooks",
    "Registry",
    "describe_code",
    "discover",
    "hookimpl",
]
