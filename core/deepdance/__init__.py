"""deepdance watches somebody dance and dances on."""

__version__ = "0.1.0"
