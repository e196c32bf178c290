"""The flesh around the dancer's bones: chains of spheres for limbs, stacks of rings for torso and head."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deepdance_plugins.sources.demo.choreography import dance_at
from deepdance_plugins.sources.demo.moves import UP, Vec
from deepdance_plugins.sources.demo.skeleton import LUMBAR, THORAX, Arm, Frame, Leg, Skeleton, normalize, place_joints

Points = npt.NDArray[np.float64]
"""`(…, 3)`, or plain numbers one a point."""

OUTLINE_POINTS = 16


@dataclass(frozen=True)
class Balls:
    """A chain of spheres; two neighbours are filled to the cone around both."""

    centres: Points
    """`(n, 3)`"""
    radii: Points
    """`(n,)`"""


@dataclass(frozen=True)
class Rings:
    """A stack of closed rings `(n, points, 3)`; two neighbours are filled to their hull."""

    points: Points


Flesh = Balls | Rings
Profile = Sequence[tuple[float, float, float]]
"""A limb: share of the bone, radius, how far behind the bone; one row a sphere."""

ANGLES = np.linspace(0, 2 * math.pi, OUTLINE_POINTS, endpoint=False)
CIRCLE = np.stack((np.cos(ANGLES), np.sin(ANGLES)), axis=1)

TORSO = np.array(
    (
        (-0.11, 0.105, 0.080, -0.005),
        (-0.06, 0.160, 0.100, -0.012),
        (-0.02, 0.168, 0.104, -0.014),
        (0.03, 0.160, 0.100, -0.010),
        (0.08, 0.140, 0.090, -0.002),
        (0.13, 0.120, 0.082, 0.002),
        (0.18, 0.113, 0.080, 0.004),
        (0.24, 0.120, 0.085, 0.004),
        (0.31, 0.136, 0.094, 0.004),
        (0.37, 0.148, 0.098, 0.002),
        (0.42, 0.150, 0.088, -0.004),
        (0.455, 0.120, 0.070, -0.010),
        (0.485, 0.075, 0.055, -0.012),
        (0.51, 0.052, 0.050, -0.008),
    )
)
"""Height above the pelvis, half width, half depth, how far ahead: one row a ring."""
HEAD = np.array(
    (
        (-0.112, 0.022, 0.018, 0.068),
        (-0.098, 0.042, 0.036, 0.050),
        (-0.065, 0.060, 0.060, 0.029),
        (-0.020, 0.069, 0.080, 0.012),
        (0.020, 0.073, 0.090, 0.002),
        (0.060, 0.070, 0.090, -0.004),
        (0.090, 0.056, 0.072, -0.008),
        (0.110, 0.028, 0.040, -0.010),
    )
)
"""As in `TORSO`, around the middle of the skull."""
SEAT = np.array(((0.050, 0.06, -0.022, 0.070), (0.070, -0.05, -0.045, 0.084), (0.076, -0.085, -0.035, 0.070)))
"""One buttock: left, up and ahead of the pelvis, and radius; one row a sphere."""
THIGH_FLESH = ((0, 0.086, 0), (0.2, 0.084, 0), (0.45, 0.074, -0.006), (0.75, 0.058, 0), (1, 0.051, -0.004))
SHIN_FLESH = (
    (0, 0.050, 0),
    (0.13, 0.049, 0.008),
    (0.3, 0.055, 0.016),
    (0.5, 0.048, 0.012),
    (0.8, 0.034, 0),
    (1, 0.033, 0),
)
UPPER_ARM_FLESH = ((0, 0.050, 0), (0.25, 0.045, 0), (0.5, 0.040, 0), (0.85, 0.034, 0), (1, 0.034, 0))
FOREARM_FLESH = ((0, 0.034, 0), (0.22, 0.037, 0), (0.6, 0.029, 0), (1, 0.022, 0))
FINGERS = ((0.026, 0.078, 0.30), (0.009, 0.090, 0.08), (-0.009, 0.084, -0.14), (-0.026, 0.066, -0.36))
"""Knuckle's place across the palm, length, and the angle when the hand is spread."""
FINGER_RADII = np.array((0.020, 0.0125, 0.0075))
THUMB_RADII = np.array((0.017, 0.012, 0.008))


@dataclass(frozen=True)
class Hair:
    """Strands that hang from the skull and lag behind it."""

    root: tuple[float, float]
    """Up and ahead of the middle of the skull."""
    length: float
    strands: tuple[float, ...]
    """Places to the left of the root."""
    radii: tuple[float, ...]
    lift: float
    """How far it stands off the skull before it falls."""


HAIR_LAGS = (0.12, 0.24, 0.36, 0.48)
"""Beats that the joints of a strand are late by."""
TAIL = Hair((0.05, -0.09), 0.30, (0.0,), (0.026, 0.040, 0.038, 0.028, 0.010), 0.7)
LONG = Hair((0.0, -0.05), 0.27, (-0.05, 0.0, 0.05), (0.06, 0.055, 0.05, 0.045, 0.03), 0.0)


@dataclass(frozen=True)
class Build:
    """What tells one dancer from another."""

    shoulders: float = 0.158
    """From the neck to a shoulder's joint, in metres."""
    hips: float = 1.0
    waist: float = 1.0
    seat: float = 1.0
    arms: float = 1.0
    """Thickness of each, against the tables above."""
    bust: float = 0.054
    """Radius in metres; 0 for none."""
    hair: Hair | None = TAIL


BUILDS = (
    Build(),
    Build(hips=1.04, bust=0.058, hair=LONG),
    Build(shoulders=0.185, hips=0.9, waist=1.14, seat=0.9, arms=1.18, bust=0.0, hair=None),
)


def _wrap_bone(start: Vec, end: Vec, rows: Profile, ahead: Vec, thickness: float = 1.0) -> Balls:
    """A limb around a bone, bulging away from `ahead`."""
    share, radius, behind = np.array(rows).T[:, :, None]
    return Balls(start + share * (end - start) - behind * ahead, thickness * radius[:, 0])


def _stack_rings(rows: Points, centres: Points, left: Points, ahead: Points) -> Rings:
    """Elliptic rings of half widths `rows[:, 1]` along `left` and half depths `rows[:, 2]` along `ahead`."""
    sideways = CIRCLE[None, :, :1] * (rows[:, 1, None] * left)[:, None]
    along = CIRCLE[None, :, 1:] * (rows[:, 2, None] * ahead)[:, None]
    return Rings((centres + rows[:, 3, None] * ahead)[:, None] + sideways + along)


def _build_torso(bones: Skeleton, build: Build) -> Rings:
    """Rings along a curve that leaves the pelvis upward and enters the neck along the chest."""
    length = LUMBAR + THORAX
    # A cubic Hermite curve: it has the wanted direction at both ends; beyond them it goes straight on.
    u = TORSO[:, :1] / length
    v = np.clip(u, 0, 1)
    start, end = length * bones.hips[:, 1], length * bones.chest[:, 1]
    centres = (
        (2 * v**3 - 3 * v**2 + 1) * bones.pelvis
        + (v**3 - 2 * v**2 + v) * start
        + (3 * v**2 - 2 * v**3) * bones.neck
        + (v**3 - v**2) * end
        + np.minimum(u, 0) * start
        + np.maximum(u - 1, 0) * end
    )
    upper = np.clip((u - 0.1) / 0.6, 0, 1)
    left, ahead = ((1 - upper) * bones.hips[:, i] + upper * bones.chest[:, i] for i in (0, 2))
    widths = (build.hips, build.waist, build.waist, build.shoulders / Build.shoulders)
    scale = np.interp(TORSO[:, 0], (0.03, 0.15, 0.22, 0.37), widths)
    rows = np.stack((TORSO[:, 0], TORSO[:, 1] * scale, TORSO[:, 2], TORSO[:, 3]), axis=1)
    return _stack_rings(rows, centres, *(axis / np.linalg.norm(axis, axis=1, keepdims=True) for axis in (left, ahead)))


def _build_curves(bones: Skeleton, build: Build) -> list[Flesh]:
    """Seat, breasts, and the slope from the neck to the shoulders."""
    shapes: list[Flesh] = []
    for side in (1, -1):
        seat = SEAT[:, :3] * (side * build.hips, 1, 1) @ bones.hips.T + bones.pelvis
        shapes.append(Balls(seat, SEAT[:, 3] * build.seat))
    left, up, ahead = bones.chest.T
    if build.bust:
        breasts = [bones.neck + side * 0.065 * left - 0.185 * up + 0.068 * ahead for side in (1, -1)]
        shapes += [Balls(np.array([breast]), np.array([build.bust])) for breast in breasts]
    nape = bones.neck + 0.045 * up - 0.012 * ahead
    for arm in bones.arms:
        slope = np.array((nape, 0.5 * (nape + arm.shoulder), arm.shoulder))
        armpit = np.array((bones.neck - 0.15 * up, arm.shoulder - 0.01 * up))
        shapes += [Balls(slope, np.array((0.028, 0.030, 0.048))), Balls(armpit, np.array((0.080, 0.044)))]
    return shapes


def _build_hand(arm: Arm, thickness: float) -> list[Flesh]:
    wrist, thumb, fingers = arm.wrist, arm.thumb, arm.fingers
    shapes: list[Flesh] = []
    for place, length, angle in FINGERS:
        lean = angle * arm.spread
        knuckle = wrist + 0.085 * fingers + place * thumb
        tip = knuckle + length * (math.cos(lean) * fingers + math.sin(lean) * thumb)
        joints = np.array((wrist + 0.5 * place * thumb, knuckle, tip))
        shapes.append(Balls(joints, thickness * FINGER_RADII))
    root = wrist + 0.025 * fingers + 0.02 * thumb
    bend = root + 0.032 * (fingers + thumb)
    tip = bend + 0.035 * normalize((1.4 - arm.spread) * fingers + 0.7 * thumb)
    return [*shapes, Balls(np.array((root, bend, tip)), thickness * THUMB_RADII)]


def _build_arm(arm: Arm, ahead: Vec, thickness: float) -> list[Flesh]:
    return [
        _wrap_bone(arm.shoulder, arm.elbow, UPPER_ARM_FLESH, ahead, thickness),
        _wrap_bone(arm.elbow, arm.wrist, FOREARM_FLESH, ahead, thickness),
        *_build_hand(arm, thickness),
    ]


def _build_leg(leg: Leg, hips: Frame) -> list[Flesh]:
    thigh, shin = leg.knee - leg.hip, leg.ankle - leg.knee
    sideways = np.cross(hips[:, 1], leg.ahead)
    ahead_of_thigh, ahead_of_shin = (normalize(np.cross(sideways, -bone)) for bone in (thigh, shin))
    foot = ((leg.ankle, leg.heel), (leg.ankle, leg.ball), (leg.heel, leg.ball), (leg.ball, leg.toe))
    sizes = ((0.034, 0.028), (0.034, 0.026), (0.028, 0.026), (0.027, 0.016))
    return [
        _wrap_bone(leg.hip, leg.knee, THIGH_FLESH, ahead_of_thigh),
        _wrap_bone(leg.knee, leg.ankle, SHIN_FLESH, ahead_of_shin),
        *(Balls(np.array(ends), np.array(radii)) for ends, radii in zip(foot, sizes, strict=True)),
    ]


def _build_head(bones: Skeleton, build: Build) -> list[Flesh]:
    skull, neck = bones.skull, bones.neck
    left, up, ahead = bones.head.T
    spine = bones.chest[:, 1]
    nose = skull - 0.022 * up + 0.1 * ahead
    crown = 0.081 if build.hair else 0.083
    throat = np.array((neck - 0.03 * spine, neck + 0.04 * spine, skull - 0.05 * up - 0.015 * ahead))
    cap = np.array((skull + 0.03 * up - 0.032 * ahead, skull + 0.04 * up + 0.002 * ahead))
    return [
        _stack_rings(HEAD, skull + HEAD[:, :1] * up, left, ahead),
        Balls(np.array((nose + 0.03 * up - 0.012 * ahead, nose)), np.array((0.008, 0.011))),
        Balls(throat, np.array((0.054, 0.046, 0.050))),
        Balls(cap, np.array((crown, crown - 0.006))),
    ]


def _build_hair(bones: Skeleton, hair: Hair, trail: Sequence[Vec]) -> list[Flesh]:
    """`trail` is where the skull was, ever longer ago: each joint of a strand is drawn toward one of these."""
    left, up, ahead = bones.head.T
    hang = normalize(-UP - 0.35 * ahead - 0.15 * up)
    strand = [bones.skull + hair.root[0] * up + hair.root[1] * ahead]
    for number, past in enumerate(trail):
        lag = past - bones.skull
        lag = lag * min(1.0, 0.16 / (float(np.linalg.norm(lag)) + 1e-9))
        lift = hair.lift if number == 0 else 0.0
        direction = normalize(hang + 4.0 * (number + 1) / len(trail) * lag - lift * ahead)
        strand.append(strand[-1] + hair.length / len(trail) * direction)
    return [Balls(np.array(strand) + place * left, np.array(hair.radii)) for place in hair.strands]


class Dancer:
    """The dancer that a seed gives."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.build = BUILDS[seed % len(BUILDS)]

    def place_joints(self, beat: float) -> Skeleton:
        """The skeleton at a beat; before the first beat the dancer waits."""
        return place_joints(*dance_at(self.seed, max(beat, 0.0)), self.build.shoulders)

    def build_flesh(self, beat: float) -> list[Flesh]:
        """All of the body at a beat."""
        bones, build = self.place_joints(beat), self.build
        shapes: list[Flesh] = [_build_torso(bones, build), *_build_curves(bones, build), *_build_head(bones, build)]
        for arm in bones.arms:
            shapes += _build_arm(arm, bones.chest[:, 2], build.arms)
        for leg in bones.legs:
            shapes += _build_leg(leg, bones.hips)
        if build.hair:
            shapes += _build_hair(bones, build.hair, [self.place_joints(beat - lag).skull for lag in HAIR_LAGS])
        return shapes
