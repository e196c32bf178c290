"""A drawn dancer, for tests that need one that moves as people do, and quickly."""

import numpy as np

FPS = 10.0
SIZE = (60, 100)


def draw_dancer(count: int, seed: int) -> np.ndarray:
    """A body that wanders and turns its two arms without repeating itself, `(count, 60, 100)`."""
    import cv2

    rng = np.random.default_rng(seed)
    speed = np.convolve(rng.normal(size=count), np.hanning(15) / 2, "same")
    angles = rng.uniform(0, 6, 2) + np.cumsum(0.03 + 0.2 * speed)[:, None] * [1, 1.3]
    across = 50 + 12 * np.sin(np.cumsum(0.05 + 0.05 * speed) + seed)
    frames = np.full((count, *SIZE), 255, np.uint8)
    for frame, arms, x in zip(frames, angles, across, strict=True):
        cv2.ellipse(frame, (int(x), 32), (7, 15), 0, 0, 360, 0, -1, cv2.LINE_AA)
        for angle in arms:
            tip = int(x + 20 * np.cos(angle)), int(30 + 20 * np.sin(angle))
            cv2.line(frame, (int(x), 30), tip, 0, 3, cv2.LINE_AA)
    return frames
