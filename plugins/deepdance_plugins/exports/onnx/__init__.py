"""Codecs and sequence models as ONNX files, which any runtime runs: written node by node.

Keras' own export fails silently here: of GELU it makes an operator that ONNX does not have. Importing this raises
PluginError where the package `onnx` is not installed.
"""

from deepdance.errors import PluginError

try:
    import onnx as _  # noqa: F401
except ImportError:
    raise PluginError("expected the package onnx, got none; install it with: pip install 'deepdance[onnx]'") from None
