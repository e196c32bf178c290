"""Codecs and sequence models as ONNX files, which any runtime runs: written node by node.

Keras' own export fails silently here: of GELU it makes an operator that ONNX does not have.
"""
