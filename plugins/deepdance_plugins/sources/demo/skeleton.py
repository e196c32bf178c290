"""Where the dancer's joints are in a pose; legs and arms reach for feet and hands, so knees and elbows bend right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deepdance_plugins.sources.demo.moves import UP, Pose, Vec

Frame = npt.NDArray[np.float64]
"""`(3, 3)`: a rotation whose columns are left, up and ahead."""

STAND = 0.94
"""Height of the pelvis when the legs are straight."""
HIP = np.array((0.088, -0.04, 0.0))
SHOULDER_DROP = 0.048
THIGH, SHIN, ANKLE = 0.425, 0.405, 0.075
ANKLE_TO_BALL, SOLE = 0.12, 0.024
UPPER_ARM, FOREARM = 0.285, 0.245
LUMBAR, THORAX = 0.2, 0.3


def normalize(vector: Vec) -> Vec:
    """The same direction, of length 1."""
    return vector / math.sqrt(float(vector @ vector))


def reject(vector: Vec, axis: Vec) -> Vec:
    """What of a vector is at right angles to a unit `axis`."""
    return vector - (vector @ axis) * axis


def build_rotation(angles: Vec | Sequence[float]) -> Frame:
    """Bend ahead, twist left, lean left."""
    bend, turn, lean = (float(angle) for angle in angles)
    (cb, sb), (ct, st), (cl, sl) = ((math.cos(a), math.sin(a)) for a in (bend, turn, lean))
    about_x = np.array(((1, 0, 0), (0, cb, -sb), (0, sb, cb)))
    about_y = np.array(((ct, 0, st), (0, 1, 0), (-st, 0, ct)))
    about_z = np.array(((cl, sl, 0), (-sl, cl, 0), (0, 0, 1)))
    return np.asarray(about_y @ about_x @ about_z)


def bend_to(start: Vec, target: Vec, upper: float, lower: float, toward: Vec) -> tuple[Vec, Vec]:
    """Two bones from `start` to `target`, or as near as they reach: the middle joint, pushed `toward`, and the end."""
    reach = target - start
    distance = float(np.clip(np.linalg.norm(reach), 0.35 * (upper + lower), 0.995 * (upper + lower)))
    along = normalize(reach)
    sideways = normalize(reject(toward, along))
    # The law of cosines: how far along the way the joint lies, and how far beside it.
    share = (distance**2 + upper**2 - lower**2) / (2 * distance)
    middle = start + share * along + math.sqrt(max(upper**2 - share**2, 0.0)) * sideways
    return middle, start + distance * along


@dataclass(frozen=True)
class Arm:
    """Joints of one arm, where the hand points, and how far its fingers are spread (0–1)."""

    shoulder: Vec
    elbow: Vec
    wrist: Vec
    thumb: Vec
    fingers: Vec
    spread: float


@dataclass(frozen=True)
class Leg:
    """Joints of one leg, the foot's corners, and the way the toes are turned along the floor."""

    hip: Vec
    knee: Vec
    ankle: Vec
    heel: Vec
    ball: Vec
    toe: Vec
    ahead: Vec


@dataclass(frozen=True)
class Skeleton:
    """Joints in the room, and how the pelvis, the chest and the head are turned."""

    pelvis: Vec
    neck: Vec
    skull: Vec
    hips: Frame
    chest: Frame
    head: Frame
    arms: tuple[Arm, Arm]
    legs: tuple[Leg, Leg]


def _place_arm(side: int, collar: Vec, chest: Frame, hand: Vec, manner: Vec) -> Arm:
    axes = chest * (side, 1, 1)
    raised = max(float(hand[1]), 0.0)
    shoulder = collar + axes @ (-0.03 * raised, 0.07 * raised, 0.0)
    lifted, flexed, spread = (float(value) for value in manner)
    elbow_toward = axes @ (0.22 + 1.2 * lifted, 1.2 * lifted - 0.8, -0.55)
    target = shoulder + axes @ hand * (UPPER_ARM + FOREARM)
    elbow, wrist = bend_to(shoulder, target, UPPER_ARM, FOREARM, elbow_toward)
    forearm = normalize(wrist - elbow)
    thumb = normalize(reject(axes @ (-0.6, 0.5, 1.0), forearm))
    fingers = math.cos(flexed) * forearm + math.sin(flexed) * side * np.cross(forearm, thumb)
    return Arm(shoulder, elbow, wrist, thumb, fingers, spread)


def _place_leg(side: int, hip: Vec, facing: Frame, foot: Vec, toes: Vec) -> Leg:
    turned_out, raised, knee_out = (float(value) for value in toes)
    ahead = facing @ (side * math.sin(turned_out), 0.0, math.cos(turned_out))
    sole = math.cos(raised) * ahead - math.sin(raised) * UP
    instep = math.cos(raised) * UP + math.sin(raised) * ahead
    ball = facing @ (side * foot[0], foot[1] + SOLE, foot[2]) + 0.07 * ahead
    ankle = ball - ANKLE_TO_BALL * sole + (ANKLE - SOLE) * instep
    toward = ahead + 0.5 * UP + side * math.tan(knee_out) * facing[:, 0]
    knee, reached = bend_to(hip, ankle, THIGH, SHIN, toward)
    ball = ball + reached - ankle
    heel = reached - 0.035 * sole - 0.042 * instep
    toe = ball + 0.065 * normalize(ahead + min(6 * float(foot[1]), 1.0) * (sole - ahead))
    return Leg(hip, knee, reached, heel, ball, toe, ahead)


def _limit_height(height: float, hips: Frame, facing: Frame, pose: Pose) -> float:
    """The pelvis no higher than both legs allow."""
    for side, foot in ((1, pose.left_foot), (-1, pose.right_foot)):
        ankle = facing @ (side * foot[0], 0.0, foot[2])
        hip = facing @ (pose.pelvis[0], 0.0, pose.pelvis[2]) + hips @ (HIP * (side, 1, 1))
        apart = (hip[0] - ankle[0]) ** 2 + (hip[2] - ankle[2]) ** 2
        leg = math.sqrt(max((0.995 * (THIGH + SHIN)) ** 2 - apart, 0.1))
        height = min(height, ANKLE + foot[1] + leg - hip[1])
    return height


def place_joints(pose: Pose, turned: float, shoulders: float) -> Skeleton:
    """The joints of a dancer in `pose` who faces `turned` radians to the left, `shoulders` metres from the neck."""
    facing = build_rotation((0.0, turned, 0.0))
    hips, chest, head = (facing @ build_rotation(angles) for angles in (pose.hips, pose.chest, pose.head))
    height = _limit_height(STAND + pose.pelvis[1], hips, facing, pose)
    pelvis = facing @ (pose.pelvis[0], 0.0, pose.pelvis[2]) + height * UP
    neck = pelvis + LUMBAR * hips[:, 1] + THORAX * chest[:, 1] + facing @ np.asarray(pose.ribs)
    skull = neck + 0.05 * chest[:, 1] + 0.1 * head[:, 1] + 0.025 * head[:, 2]
    collars = (neck + chest @ (side * shoulders, -SHOULDER_DROP, 0.0) for side in (1, -1))
    manners = ((1, pose.left_hand, pose.left_arm), (-1, pose.right_hand, pose.right_arm))
    left_arm, right_arm = (
        _place_arm(side, collar, chest, np.asarray(hand), np.asarray(manner))
        for collar, (side, hand, manner) in zip(collars, manners, strict=True)
    )
    left, right = (pelvis + hips @ (HIP * (side, 1, 1)) for side in (1, -1))
    legs = (
        _place_leg(1, left, facing, np.asarray(pose.left_foot), np.asarray(pose.left_toes)),
        _place_leg(-1, right, facing, np.asarray(pose.right_foot), np.asarray(pose.right_toes)),
    )
    return Skeleton(pelvis, neck, skull, hips, chest, head, (left_arm, right_arm), legs)
