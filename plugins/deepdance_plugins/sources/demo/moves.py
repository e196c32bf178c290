"""What the dancer does at a beat: sixteen moves.

Metres, radians and beats. Axes: x to the dancer's left, y up, z ahead; the floor is y = 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Vec = npt.NDArray[np.float64]
"""`(3,)`: a point, a direction, or angles (bend ahead, twist left, lean left)."""

UP = np.array((0.0, 1.0, 0.0))
MOVE_BEATS = 4


class Pose(NamedTuple):
    """Where the body's ends are; limbs follow by inverse kinematics. "Out" is away from the body's middle."""

    pelvis: Vec | Sequence[float] = (0.0, -0.02, 0.0)
    """Offset from standing upright: left, up, ahead."""
    hips: Vec | Sequence[float] = (0.0, 0.0, 0.0)
    chest: Vec | Sequence[float] = (0.0, 0.0, 0.0)
    head: Vec | Sequence[float] = (0.0, 0.0, 0.0)
    """Hips, chest, head: angles against the direction faced."""
    ribs: Vec | Sequence[float] = (0.0, 0.0, 0.0)
    """How far the rib cage is pushed: left, up, ahead."""
    left_hand: Vec | Sequence[float] = (0.15, -0.92, 0.1)
    right_hand: Vec | Sequence[float] = (0.15, -0.92, 0.1)
    """From the shoulder in arm lengths: out, up, ahead, as the chest is turned."""
    left_arm: Vec | Sequence[float] = (0.0, 0.0, 0.3)
    right_arm: Vec | Sequence[float] = (0.0, 0.0, 0.3)
    """Elbow lifted (0 hangs, 1 level with the shoulder), wrist bent up (radians), fingers spread (0–1)."""
    left_foot: Vec | Sequence[float] = (0.11, 0.0, 0.0)
    right_foot: Vec | Sequence[float] = (0.11, 0.0, 0.0)
    """On the floor below the pelvis at rest: out, up, ahead."""
    left_toes: Vec | Sequence[float] = (0.3, 0.0, 0.0)
    right_toes: Vec | Sequence[float] = (0.3, 0.0, 0.0)
    """Turned out, heel raised, knee turned out beyond the toes (radians)."""


Move = Callable[[float], Pose]


def mix(first: Pose, second: Pose, weight: float) -> Pose:
    """`first` at weight 0, `second` at weight 1."""
    return Pose(*((1 - weight) * np.array(first) + weight * np.array(second)))


def mirror(pose: Pose) -> Pose:
    """Left for right."""
    pelvis, hips, chest, head, ribs, *limbs = np.array(pose)
    swapped = (limbs[i ^ 1] for i in range(len(limbs)))
    place, angles = np.array((-1, 1, 1)), np.array((1, -1, -1))
    return Pose(pelvis * place, hips * angles, chest * angles, head * angles, ribs * place, *swapped)


def ease(x: float) -> float:
    """0 to 1 with a soft start and stop; flat outside."""
    x = min(max(x, 0.0), 1.0)
    return x * x * (3 - 2 * x)


def track(beat: float, *keys: Sequence[float]) -> Vec:
    """Keys spread evenly over a move and round again, eased between them: a key on a beat is a hit."""
    table = np.array(keys)
    position = beat % MOVE_BEATS * len(keys) / MOVE_BEATS
    key = int(position)
    weight = ease(position - key)
    return np.asarray((1 - weight) * table[key] + weight * table[(key + 1) % len(keys)])


def walk(beat: float, *keys: Sequence[float]) -> Vec:
    """A foot's `track`, lifted off the floor while it travels."""
    table = np.array(keys)
    position = beat % MOVE_BEATS * len(keys) / MOVE_BEATS
    key = int(position)
    stride = float(np.linalg.norm(table[(key + 1) % len(keys)] - table[key]))
    return track(beat, *keys) + UP * min(0.25 * stride, 0.09) * math.sin(math.pi * (position - key))


def sway(beat: float, period: float = 2.0, late: float = 0.0) -> float:
    """+1 on the beat, −1 half a period later, dwelling at both."""
    return math.sin(math.pi / 2 * math.cos(2 * math.pi * (beat - late) / period))


def step_touch(beat: float) -> Pose:
    side = track(beat, (0.14,), (0.17,), (-0.14,), (-0.17,))[0]
    return Pose(
        pelvis=(side, -0.05, 0),
        hips=(0, 0.6 * side, -0.8 * side),
        chest=(0.05, -0.9 * side, 0.5 * side),
        head=(0, 1.2 * side, 0.6 * side),
        left_hand=track(beat, (0.5, -0.55, 0.35), (0.15, -0.3, 0.5), (0.25, -0.75, 0.15), (0.1, -0.2, 0.55)),
        right_hand=track(beat, (0.25, -0.75, 0.15), (0.1, -0.2, 0.55), (0.5, -0.55, 0.35), (0.15, -0.3, 0.5)),
        left_foot=walk(beat, (0.3, 0, 0), (0.3, 0, 0), (0.08, 0, 0), (-0.1, 0, 0.03)),
        right_foot=walk(beat, (0.08, 0, 0), (-0.1, 0, 0.03), (0.3, 0, 0), (0.3, 0, 0)),
        left_toes=track(beat, (0.3, 0, 0), (0.3, 0, 0), (0.3, 0, 0), (0.2, 0.6, 0)),
        right_toes=track(beat, (0.3, 0, 0), (0.2, 0.6, 0), (0.3, 0, 0), (0.3, 0, 0)),
    )


def salsa(beat: float) -> Pose:
    side = sway(beat)
    return Pose(
        pelvis=(0.075 * side, -0.05, 0),
        hips=(0.08, 0.25 * side, -0.3 * side),
        chest=(0.03, -0.2 * side, 0.1 * side),
        head=(0, 0.2 * side, -0.12 * side),
        ribs=(-0.02 * side, 0, 0.01),
        left_hand=(0.3, -0.42 + 0.12 * side, 0.5 - 0.18 * side),
        right_hand=(0.3, -0.42 - 0.12 * side, 0.5 + 0.18 * side),
        left_arm=(0.2, 0.2, 0.4),
        right_arm=(0.2, 0.2, 0.4),
        left_foot=(0.11, 0, 0.06 * sway(beat, 4)),
        right_foot=(0.11, 0, -0.06 * sway(beat, 4)),
        left_toes=(0.35, 0.45 * max(-side, 0), 0),
        right_toes=(0.35, 0.45 * max(side, 0), 0),
    )


def hands_high(beat: float) -> Pose:
    side = sway(beat, 4)
    return Pose(
        pelvis=(-0.07 * side, -0.03, 0),
        hips=(0, 0, 0.22 * side),
        chest=(-0.05, 0, 0.22 * side),
        head=(-0.1, 0.15 * side, 0.25 * side),
        left_hand=(0.15 + 0.3 * side, 0.9, 0.1),
        right_hand=(0.15 - 0.3 * side, 0.9, 0.1),
        left_arm=(0.3, 0.5 * sway(beat, 4, 0.5), 0.5),
        right_arm=(0.3, -0.5 * sway(beat, 4, 0.5), 0.5),
        left_foot=(0.16, 0, 0),
        right_foot=(0.16, 0, 0),
        left_toes=(0.3, 0.5 * max(side, 0), 0),
        right_toes=(0.3, 0.5 * max(-side, 0), 0),
    )


def body_roll(beat: float) -> Pose:
    low, middle, high = (sway(beat, 4, late) for late in (0.9, 0.45, 0.0))
    return Pose(
        pelvis=(0, -0.09 - 0.04 * low, 0.07 * low),
        hips=(-0.25 * low + 0.1, 0, 0),
        chest=(-0.28 * middle + 0.08, 0, 0),
        head=(-0.3 * high, 0, 0),
        ribs=(0, 0, 0.06 * middle),
        left_hand=(0.55, 0.45 + 0.12 * low, -0.05),
        right_hand=track(beat, (0.1, -0.6, 0.45), (0.05, -0.35, 0.5), (0.0, 0.15, 0.5), (0.1, -0.4, 0.5)),
        left_arm=(0.6, 0.3, 0.4),
        left_foot=(0.13, 0, 0.1),
        right_foot=(0.13, 0, -0.08),
        right_toes=(0.3, 0.25, 0),
    )


def kick(beat: float) -> Pose:
    left, right = (max(sway(beat, 4, late), 0.0) for late in (1.0, 3.0))
    return Pose(
        pelvis=(0.06 * (right - left), -0.04, -0.04),
        hips=(-0.15 * (left + right), 0.3 * (right - left), 0.1 * (right - left)),
        chest=(-0.12, 0.35 * (left - right), 0),
        left_hand=(0.35, -0.45 + 0.5 * right, 0.15 + 0.5 * right - 0.5 * left),
        right_hand=(0.35, -0.45 + 0.5 * left, 0.15 + 0.5 * left - 0.5 * right),
        left_arm=(0.3, 0.2, 0.4),
        right_arm=(0.3, 0.2, 0.4),
        left_foot=(0.09, 0.62 * left, 0.72 * left),
        right_foot=(0.09, 0.62 * right, 0.72 * right),
        left_toes=(0.2, 0.7 * left, 0),
        right_toes=(0.2, 0.7 * right, 0),
    )


def spin(beat: float) -> Pose:
    gathered = ease(beat) * ease(3.6 - beat)
    return Pose(
        pelvis=(0, -0.06 + 0.05 * gathered, 0),
        chest=(0, 0.3 - 0.3 * gathered, 0),
        left_hand=(0.85 - 0.85 * gathered, 0.05 - 0.1 * gathered, 0.15 + 0.3 * gathered),
        right_hand=(0.85 - 0.7 * gathered, 0.05 + 0.8 * gathered, 0.15 - 0.05 * gathered),
        left_arm=(0.4, 0.2, 0.4),
        right_arm=(0.4, 0.2, 0.4),
        left_foot=(0.16 - 0.08 * gathered, 0, 0),
        right_foot=(0.16 - 0.1 * gathered, 0.3 * gathered, 0.05 * gathered),
        left_toes=(0.3, 0.5 * gathered, 0),
        right_toes=(0.4, 0.8 * gathered, 0.5 * gathered),
    )


def twist(beat: float) -> Pose:
    side = sway(beat)
    low = 0.08 * (1 - sway(beat, 4))
    return Pose(
        pelvis=(0.03 * side, -0.09 - low, -0.02),
        hips=(0.15, 0.65 * side, 0),
        chest=(0.15, -0.5 * side, 0),
        head=(-0.05, 0, 0),
        left_hand=(0.3, -0.4, 0.45 - 0.35 * side),
        right_hand=(0.3, -0.4, 0.45 + 0.35 * side),
        left_arm=(0.4, 0, 0.1),
        right_arm=(0.4, 0, 0.1),
        left_foot=(0.12, 0, 0.04 * side),
        right_foot=(0.12, 0, -0.04 * side),
        left_toes=(0.15 + 0.7 * side, 0.35, 0),
        right_toes=(0.15 - 0.7 * side, 0.35, 0),
    )


def jump(beat: float) -> Pose:
    phase = beat % 2
    air = max(math.sin(math.pi * (phase - 0.4) / 1.1), 0.0) if 0.4 < phase < 1.5 else 0.0
    squat = max(math.cos(math.pi * phase), 0.0)
    return Pose(
        pelvis=(0, -0.03 - 0.2 * squat + 0.24 * air, -0.05 * squat),
        hips=(0.35 * squat, 0, 0),
        chest=(0.4 * squat - 0.1 * air, 0, 0),
        head=(-0.15 * air, 0, 0),
        left_hand=(0.3 + 0.15 * air, -0.7 + 1.5 * air, 0.1 - 0.35 * squat),
        right_hand=(0.3 + 0.15 * air, -0.7 + 1.5 * air, 0.1 - 0.35 * squat),
        left_arm=(0.2, 0, 0.3 + 0.7 * air),
        right_arm=(0.2, 0, 0.3 + 0.7 * air),
        left_foot=(0.13 + 0.13 * air, 0.24 * air, 0),
        right_foot=(0.13 - 0.02 * air, 0.42 * air, -0.28 * air),
        left_toes=(0.3, 0.9 * air, 0),
        right_toes=(0.3, 1.2 * air, 0),
    )


def shimmy(beat: float) -> Pose:
    shake, side = sway(beat, 1.0), sway(beat, 4)
    return Pose(
        pelvis=(0.06 * side, -0.07, -0.05),
        hips=(0.18, 0, -0.15 * side),
        chest=(0.18 + 0.12 * sway(beat, 4, 1), 0.28 * shake, 0.1 * side),
        head=(-0.1, 0, -0.1 * side),
        left_hand=(0.72, -0.3, 0.3),
        right_hand=(0.72, -0.3, 0.3),
        left_arm=(0.3, 0.7, 0.8),
        right_arm=(0.3, 0.7, 0.8),
        left_foot=(0.17, 0, 0),
        right_foot=(0.17, 0, 0),
        left_toes=(0.35, 0.4 * max(-side, 0), 0),
        right_toes=(0.35, 0.4 * max(side, 0), 0),
    )


def get_low(beat: float) -> Pose:
    low = ease(beat % 4 / 1.5) * ease((4 - beat % 4) / 1.5)
    return Pose(
        pelvis=(0.04 * sway(beat), -0.03 - 0.32 * low, -0.12 * low),
        hips=(0.35 * low, 0, -0.1 * sway(beat)),
        chest=(0.38 * low, 0.2 * sway(beat, 4), 0),
        head=(-0.05, 0, 0),
        left_hand=(0.2 + 0.05 * low, -0.8 + 0.15 * low, 0.15 + 0.35 * low),
        right_hand=track(beat, (0.35, 0.85, 0.1), (0.6, 0.1, 0.4), (0.25, -0.65, 0.5), (0.5, 0.2, 0.4)),
        left_arm=(0.5, 0.1, 0.3),
        right_arm=(0.3, 0.3, 0.6),
        left_foot=(0.2, 0, 0),
        right_foot=(0.2, 0, 0),
        left_toes=(0.6, 0.15 * low, 0.1),
        right_toes=(0.6, 0.15 * low, 0.1),
    )


def arm_wave(beat: float) -> Pose:
    shoulder, elbow, wrist, tip = (sway(beat, 4, late) for late in (0.0, 0.35, 0.7, 1.0))
    far_elbow, far_wrist, far_tip = (sway(beat, 4, late) for late in (2.9, 2.55, 2.2))
    return Pose(
        pelvis=(0.05 * shoulder, -0.05, 0),
        hips=(0, 0, -0.15 * shoulder),
        chest=(0, 0, -0.14 * shoulder),
        head=(0, 0.45 * sway(beat, 4, 1), 0.05),
        left_hand=(0.86, 0.05 + 0.3 * wrist, 0.15),
        right_hand=(0.86, 0.05 + 0.3 * far_wrist, 0.15),
        left_arm=(0.5 + 0.9 * elbow, 0.8 * tip, 0.2),
        right_arm=(0.5 + 0.9 * far_elbow, 0.8 * far_tip, 0.2),
        left_foot=(0.15, 0, 0),
        right_foot=(0.13, 0, -0.05),
        right_toes=(0.4, 0.3 * max(shoulder, 0), 0),
    )


def disco(beat: float) -> Pose:
    raised = (sway(beat) + 1) / 2
    return Pose(
        pelvis=(-0.1 + 0.13 * raised, -0.06, 0),
        hips=(0, 0.25 - 0.3 * raised, 0.25 - 0.45 * raised),
        chest=(0.1 - 0.15 * raised, -0.5 + 0.35 * raised, -0.15 * raised),
        head=(-0.15 * raised, 0.5 * raised - 0.2, 0.1),
        left_hand=(-0.45 + 0.95 * raised, -0.65 + 1.45 * raised, 0.4 - 0.2 * raised + 1.5 * raised * (1 - raised)),
        right_hand=(0.12, -0.68, 0.05),
        left_arm=(0.2, 0, 0.0),
        right_arm=(0.7, -0.4, 0.2),
        left_foot=(0.24, 0, 0.03),
        right_foot=(0.12, 0, 0),
        left_toes=(0.4, 0.4 * raised, 0.2),
        right_toes=(0.3, 0.2 * (1 - raised), 0),
    )


def lunge(beat: float) -> Pose:
    side = sway(beat, 4)
    left, right = max(side, 0.0), max(-side, 0.0)
    return Pose(
        pelvis=(0.2 * side, -0.1 - 0.12 * abs(side), 0),
        hips=(0.1, 0.2 * side, 0),
        chest=(0.12, 0.25 * side, 0.22 * side),
        head=(-0.05, 0.5 * side, 0),
        left_hand=(0.3 + 0.62 * left - 0.2 * right, -0.35 + 0.3 * left + 0.3 * right, 0.35 - 0.2 * left),
        right_hand=(0.3 + 0.62 * right - 0.2 * left, -0.35 + 0.3 * right + 0.3 * left, 0.35 - 0.2 * right),
        left_arm=(0.5, 0.2, 0.4),
        right_arm=(0.5, 0.2, 0.4),
        left_foot=(0.38, 0, 0),
        right_foot=(0.38, 0, 0),
        left_toes=(0.6, 0.3 * right, 0.1),
        right_toes=(0.6, 0.3 * left, 0.1),
    )


def march(beat: float) -> Pose:
    left, right = max(sway(beat), 0.0), max(-sway(beat), 0.0)
    return Pose(
        pelvis=(0.05 * (right - left), -0.04, 0),
        hips=(-0.05, 0.15 * (right - left), 0.1 * (left - right)),
        chest=(0.06, 0.25 * (left - right), 0),
        left_hand=(0.2, -0.6 + 0.75 * right, 0.25 + 0.25 * right - 0.45 * left),
        right_hand=(0.2, -0.6 + 0.75 * left, 0.25 + 0.25 * left - 0.45 * right),
        left_foot=(0.09, 0.42 * left, 0.14 * left),
        right_foot=(0.09, 0.42 * right, 0.14 * right),
        left_toes=(0.15, 0.7 * left, 0),
        right_toes=(0.15, 0.7 * right, 0),
    )


def vogue(beat: float) -> Pose:
    side = sway(beat, 4)
    return Pose(
        pelvis=(0.08 * side, -0.03, 0),
        hips=(0, 0.2, -0.25 * side),
        chest=(-0.04, -0.2 * side, 0.08 * side),
        head=track(beat, (0, 0.6, 0), (-0.1, 0.1, 0.1), (0, -0.6, 0), (-0.1, 0, -0.1)),
        left_hand=track(beat, (0.2, 0.8, 0.1), (-0.1, 0.35, 0.35), (0.85, 0.1, 0.2), (-0.05, 0.45, 0.3)),
        right_hand=track(beat, (-0.1, 0.2, 0.4), (-0.1, 0.35, 0.35), (0.1, -0.7, 0.05), (0.5, 0.65, 0.1)),
        left_arm=track(beat, (0.6, -0.6, 0.2), (0.9, 0.3, 0.2), (0.3, 0.7, 0.3), (0.9, 0.4, 0.2)),
        right_arm=track(beat, (0.9, 0.4, 0.2), (0.9, 0.3, 0.2), (0.7, 0, 0.2), (0.5, -0.5, 0.2)),
        left_foot=(0.1, 0, 0.1),
        right_foot=(0.12, 0, -0.08),
        left_toes=(0.2, 0.5 * max(-side, 0), 0),
        right_toes=(0.5, 0.3 * max(side, 0), 0),
    )


def strut(beat: float) -> Pose:
    side = sway(beat)
    return Pose(
        pelvis=(0.06 * side, -0.05, 0.06 * sway(beat, 4)),
        hips=(0.05, -0.25 * side, -0.25 * side),
        chest=(-0.05, 0.25 * side, 0.06 * side),
        head=(0, 0.25, -0.1 * side),
        left_hand=(0.12, -0.68, 0.08),
        right_hand=(0.25, -0.8, 0.1 + 0.35 * side),
        left_arm=(0.7, -0.4, 0.2),
        left_foot=walk(beat, (0.06, 0, 0.25), (0.06, 0, -0.05), (0.06, 0, -0.2), (0.06, 0, 0.05)),
        right_foot=walk(beat, (0.06, 0, -0.15), (0.06, 0, 0.2), (0.06, 0, 0.1), (0.06, 0, -0.2)),
        left_toes=(0.15, 0.4 * max(-side, 0), 0),
        right_toes=(0.15, 0.4 * max(side, 0), 0),
    )


MOVES: tuple[Move, ...] = (
    step_touch,
    salsa,
    hands_high,
    body_roll,
    kick,
    spin,
    twist,
    jump,
    shimmy,
    get_low,
    arm_wave,
    disco,
    lunge,
    march,
    vogue,
    strut,
)
