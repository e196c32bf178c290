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


def test_levels_are_beside_the_dancers_size(measures):
    features = describe(
        measures | {"area": np.full(32, 0.04), "thickness": np.full(32, 3.0), "limbs": np.full(32, 0.5)}
    )
    assert features["outline"] == pytest.approx(np.tile([100 / 0.2, 3 / 0.2, 0.5], (2, 1)))
    assert features["size"] == pytest.approx(np.tile([np.log(0.2), 0, 0], (2, 1)))


def test_grey_is_counted_for_each_of_outline_with_how_steadily(measures):
    grey = describe(measures | {"grey": np.tile([20.0, 40.0], 16), "dark": np.full(32, 5.0)})["grey"]
    assert grey == pytest.approx(np.tile([0, 0, 0.3, 0.1, 0.05, 0], (2, 1)))


def test_pieces_are_counted_by_their_logarithm(measures):
    pieces = describe(measures | {"specks": np.full(32, 2.0), "hole_area": np.full(32, 0.01)})["pieces"]
    assert pieces == pytest.approx(np.tile([np.log(5), np.log(9), 0, np.log(0.101)], (2, 1)))


def move(steps):
    """Coordinates `(32, 30)` that go by so much from frame to frame, along one of them."""
    path = np.zeros((32, 30), np.float32)
    path[1:, 4] = np.cumsum(np.resize(steps, 31))
    return path


def test_a_pose_is_the_mean_of_its_coarse_components(measures):
    path = np.tile(np.arange(30, dtype=np.float32), (32, 1))
    assert describe(measures, path)["pose"] == pytest.approx(np.tile(np.arange(24), (2, 1)))


def test_speeds_are_of_one_two_four_and_eight_frames_and_of_the_body(measures):
    measures["motion"] = np.tile([0.1, 0.3], 16)
    speed = describe(measures, move([5]))["speed"]
    ways = [np.log1p(5 * lag) for lag in (1, 2, 4, 8)]
    # 15 motions lie in a window: 8 of 0.3 and 7 of 0.1.
    motions = np.array([0.3] * 8 + [0.1] * 7)
    levels = [np.log(level + 0.01) for level in (motions.mean(), 0.3, 0.1)]
    spread = motions.std() / (motions.mean() + 0.01)
    assert speed == pytest.approx(np.tile([*ways, *levels, spread], (2, 1)))
    assert describe(measures, move([5]), length=5)["speed"].shape[1] == 3 + 4  # no pose is 8 frames from another


def test_acceleration_is_beside_the_speed(measures):
    steady = describe(measures, move([9]))["acceleration"]
    straight = 81 / 82  # a cosine, damped by 1 where nothing moves
    assert steady == pytest.approx(np.tile([-np.log(10), -np.log(10), 0, straight, straight, straight, 0], (2, 1)))
    back_and_forth = describe(measures, move([9, -9]))["acceleration"]
    changes = np.log([19 / 10, 37 / 10])
    assert back_and_forth == pytest.approx(np.tile([*changes, 0, -straight, -straight, straight, 0], (2, 1)))


def test_an_uneven_speed_and_its_largest_change_are_told(measures):
    steps = np.array([9.0] * 7 + [0] * 8 + [0])
    acceleration = describe(measures, move(steps))["acceleration"][0]
    speeds = steps[:15]
    change, jerk = 9 / 14, 18 / 13  # one stop, and a jerk before and after it
    assert acceleration[:3] == pytest.approx(
        [
            np.log1p(change) - np.log1p(speeds.mean()),
            np.log1p(jerk) - np.log1p(speeds.mean()),
            np.log1p(9) - np.log1p(change),
        ]
    )
    assert acceleration[3:6] == pytest.approx([81 / 82 * 6 / 14, 0, 81 / 82 * 5 / 13])
    assert acceleration[6] == pytest.approx(speeds.std() / (speeds.mean() + 1))


def test_travel_is_in_own_sizes_and_growth_by_its_logarithm(measures):
    numbers = np.arange(32)
    travel = describe(measures | {"area": np.full(32, 0.04), "x": 0.1 * numbers})["travel"]
    still = np.log(1e-3)
    assert travel == pytest.approx(np.tile([np.log(0.5 + 1e-3)] + [still] * 8, (2, 1)))
    growing = describe(measures | {"area": 1e-3 * np.exp(0.2 * numbers)})["travel"]
    grows = np.log(0.1 + 1e-3)
    assert growing == pytest.approx(np.tile([still] * 3 + [grows] + [still] * 4 + [grows], (2, 1)))
    trembling = describe(measures | {"area": np.full(32, 0.04), "y": np.tile([0, 0.1], 16)})["travel"]
    assert trembling[:, [1, 5]] == pytest.approx(np.tile(np.log([0.5 + 1e-3, 1 + 1e-3]), (2, 1)))
