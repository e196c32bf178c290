"""What the body prior that comes with deepdance was trained by."""

from __future__ import annotations

from dataclasses import dataclass

from deepdance_plugins.codecs.sdf_ae.distance_field import Canvas

CANVAS = Canvas(height=94, width=57, row=43.25, across=6.51, down=17.5, reference=25.0)
"""99.3 % of the corpus' dancers lie on it whole; the median one is drawn at seven tenths of its size."""
RADIUS = 8.0
"""Of the fields, in pixels of the reference."""


@dataclass(frozen=True)
class Settings:
    """What decides a prior beside its silhouettes."""

    seed: int = 0
    dancers: int = 48
    """Demo dancers beside the silhouettes that are read."""
    copies: int = 3
    """Varied copies of each silhouette beside itself; each is mirrored too."""
    coefficients: int = 768
    pose: int = 123
    units: int = 1024
    blocks: int = 2
    steps: int = 40_000
    batch_size: int = 512
    learning_rate: float = 1e-3
    kl: float = 2e-4
