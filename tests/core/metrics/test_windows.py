import numpy as np
import pytest

from deepdance.metrics.windows import Windows, count_frames, cut_windows, describe_windows

LENGTH = 16
LEVELS = ("x", "y", "bottom", "width", "height", "faint", "grey", "dark", "specks", "holes", "hole_area", "limbs")


@pytest.fixture
def measures():
    """A dancer of a tenth of the picture that stands still, `(32,)` each."""
    still = {name: np.zeros(32) for name in LEVELS}
    ones = {name: np.ones(32) for name in ("bodies", "thickness")}
    return still | ones | {"area": np.full(32, 0.1), "perimeter": np.full(32, 100.0), "motion": np.zeros(32)}


def describe(measures, coordinates=None, length=LENGTH):
    path = np.zeros((32, 30), np.float32) if coordinates is None else coordinates
    return describe_windows(measures, path, np.array([0, 16]), length)


def test_a_window_is_1_6_seconds_and_never_too_short_to_change_speed():
    assert [count_frames(fps) for fps in (10.0, 3.0, 30.0, 1.0)] == [16, 5, 48, 4]


def test_windows_overlap_by_half_and_cross_no_block():
    blocks = np.repeat([0, 1, 5], [8, 3, 6])
    assert cut_windows(blocks, 4).tolist() == [0, 2, 4, 11, 13]
    assert cut_windows(blocks[:3], 4).tolist() == []
    assert cut_windows(blocks[:0], 4).tolist() == []


def test_windows_are_sampled_evenly():
    windows = Windows({"place": np.arange(100.0)[:, None]}, np.arange(100) // 10)
    few = windows.sample(5)
    assert few.blocks.tolist() == [0, 2, 5, 7, 9]
    assert few.features["place"].shape == (5, 1)
    assert len(windows.sample(1000)) == 100


@pytest.mark.parametrize("length", [4, 5, 16])
def test_all_features_are_finite_at_any_rate_even_of_nobody(measures, length):
    nobody = {name: np.zeros(32) for name in measures}
    for features in (describe(measures, length=length), describe(nobody, length=length)):
        for values in features.values():
            assert len(values) == 2
            assert np.isfinite(values).all()


@pytest.mark.parametrize(
    ("name", "value", "kinds"),
    [
        ("x", 0.5, {"place"}),
        ("height", 0.5, {"size"}),
        ("area", 0.2, {"size", "outline", "pieces"}),
        ("grey", 50.0, {"grey"}),
        ("specks", 3.0, {"pieces"}),
        ("limbs", 0.3, {"outline"}),
        ("motion", 0.3, {"speed"}),
    ],
)
def test_a_measure_counts_for_its_kind_alone(measures, name, value, kinds):
    changed = measures | {name: measures[name] + value}
    if name == "area":
        changed["hole_area"] = measures["hole_area"] + 0.01
    before, after = describe(measures), describe(changed)
    assert {kind for kind in before if not np.allclose(before[kind], after[kind])} == kinds


def test_a_walk_is_travel_and_a_tremble_is_acceleration(measures):
    steps = np.arange(32)
    walking = describe(measures | {"x": 0.1 * steps})
    assert (walking["travel"][:, 0] > describe(measures)["travel"][:, 0]).all()
    even, trembling = (np.zeros((32, 30), np.float32) for _ in range(2))
    even[:, 0], trembling[:, 0] = 100 * steps, 100 * (steps % 2)
    moving, shaking = describe(measures, even), describe(measures, trembling)
    assert moving["speed"][:, 0] == pytest.approx(shaking["speed"][:, 0])
    assert (shaking["acceleration"][:, 0] > moving["acceleration"][:, 0] + 1).all()
    assert moving["acceleration"][:, 3] == pytest.approx(1, abs=0.01)
    assert shaking["acceleration"][:, 3] == pytest.approx(-1, abs=0.01)


def test_a_first_motion_is_from_before_the_window(measures):
    measures["motion"][[0, 16]] = np.nan
    assert np.isfinite(describe(measures)["speed"]).all()
