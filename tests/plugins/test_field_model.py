"""Fields as few numbers, in plain NumPy: their components, the networks beside them, and the way down an error."""

import numpy as np
import pytest

from deepdance.errors import WorkspaceError
from deepdance_plugins.codecs.sdf_ae import field_model, prior
from deepdance_plugins.codecs.sdf_ae.distance_field import Canvas
from deepdance_plugins.codecs.sdf_ae.error import FieldError
from deepdance_plugins.codecs.sdf_ae.field_model import (
    FieldModel,
    fit_basis,
    measure_descent,
    measure_importance,
    restore_arrays,
)
from deepdance_plugins.codecs.sdf_ae.inference import Network, _normalize, _share, _slope_of_gelu, select_weights

RNG = np.random.default_rng(5)
HEIGHT, WIDTH, COMPONENTS, POSE = 8, 10, 6, 3


def draw_network(inputs: int, outputs: int, units: int = 7, blocks: int = 2) -> dict[str, np.ndarray]:
    """Random weights of a network."""
    dense = {"straight": (inputs, outputs), "first": (inputs, units), "end": (units, outputs)}
    dense |= {f"{place}{block}": (units, units) for block in range(blocks) for place in ("inner", "outer")}
    weights = {f"{name}.kernel": RNG.normal(size=shape) for name, shape in dense.items()}
    weights |= {f"{name}.bias": RNG.normal(size=shape[1]) for name, shape in dense.items() if name != "straight"}
    for norm in ["norm", *(f"norm{block}" for block in range(blocks))]:
        weights |= {f"{norm}.gamma": RNG.normal(size=units), f"{norm}.beta": RNG.normal(size=units)}
    return weights


def draw_linear(kernel: np.ndarray) -> dict[str, np.ndarray]:
    """The weights of a network that only multiplies by `kernel`."""
    weights = draw_network(*kernel.shape, blocks=0)
    nothing = {name: 0 * values for name, values in weights.items() if name.startswith("end")}
    return {
        name: values.astype(np.float32) for name, values in (weights | nothing | {"straight.kernel": kernel}).items()
    }


def test_a_network_is_pulled_back_as_it_is_differentiated():
    network = Network(draw_network(3, 5))
    assert (network.inputs, network.units, network.blocks) == (3, 7, 2)
    inputs, slope = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 5))
    outputs, kept = network.trace(inputs)
    assert np.array_equal(network(inputs), outputs)
    pulled = network.pull_back(slope, kept)
    for number in range(3):
        near = 1e-5 * np.eye(3)[number]
        difference = (network(inputs + near) - network(inputs - near)) / 2e-5
        assert pulled[:, number] == pytest.approx((difference * slope).sum(axis=1), rel=1e-5, abs=1e-6)


def test_a_network_without_blocks_and_end_is_its_linear_path():
    kernel = RNG.normal(size=(3, 5)).astype(np.float32)
    network = Network(draw_linear(kernel))
    inputs = RNG.normal(size=(4, 3)).astype(np.float32)
    assert network.blocks == 0
    assert network(inputs) == pytest.approx(inputs @ kernel, abs=1e-6)


def test_a_block_is_added_to_what_goes_around_it():
    """Where a norm multiplies by 0, what it adds is all that it lets through."""
    weights = draw_network(3, 7, units=7, blocks=1)
    weights |= {"straight.kernel": np.zeros((3, 7)), "end.kernel": np.eye(7), "norm0.gamma": np.zeros(7)}
    inputs = RNG.normal(size=(4, 3))
    first = inputs @ weights["first.kernel"] + weights["first.bias"]
    inner = weights["norm0.beta"] @ weights["inner0.kernel"] + weights["inner0.bias"]
    block = (inner * _share(inner)) @ weights["outer0.kernel"] + weights["outer0.bias"]
    ends = _normalize(first + block)[0] * weights["norm.gamma"] + weights["norm.beta"] + weights["end.bias"]
    assert Network(weights)(inputs) == pytest.approx(ends)


def test_rows_are_brought_to_mean_0_and_variance_1_and_a_constant_one_to_0():
    rows = 1000 * RNG.normal(size=(5, 400)) + 70
    normal, scale = _normalize(rows)
    assert normal.mean(axis=1) == pytest.approx(0, abs=1e-9)
    assert normal.var(axis=1) == pytest.approx(1)
    assert scale[:, 0] == pytest.approx(1 / rows.std(axis=1))
    assert not _normalize(np.full((1, 4), 3.0))[0].any()


def test_a_gelu_is_the_share_of_a_normal_distribution_below():
    values = np.linspace(-4, 4, 33)
    share = _share(values)
    assert _share(np.array([0, 1.96, -1.96])) == pytest.approx([0.5, 0.975, 0.025], abs=1e-4)
    near = 1e-5
    difference = ((values + near) * _share(values + near) - (values - near) * _share(values - near)) / (2 * near)
    assert _slope_of_gelu(values, share) == pytest.approx(difference, abs=1e-5)


def test_weights_are_told_by_the_name_of_their_network():
    arrays = {"encoder.first.kernel": 1, "encoder2.first.kernel": 2, "decoder.end.bias": 3}
    assert select_weights("encoder", arrays) == {"first.kernel": 1}


def test_small_integers_are_multiplied_by_the_scale_beside_them():
    stored = {"a": np.array([[1, -2], [3, 4]], np.int8), "a.scale": np.array([[0.5], [2]], np.float32), "b": np.ones(2)}
    restored = restore_arrays(stored)
    assert restored["a"].tolist() == [[0.5, -1], [6, 8]]
    assert restored.keys() == {"a", "b"}
    assert restored["a"].dtype == np.float32


def test_a_latent_counts_as_far_as_it_moves_the_field_and_never_nothing():
    kernel = np.array([[3, 4, 0], [0, 0, 0.5], [0, 0, 0]], np.float32)  # 5 far, a tenth of it, and not at all
    assert measure_importance(Network(draw_linear(kernel))) == pytest.approx([1, 0.1, 1e-3])


def test_a_bend_that_is_the_same_both_ways_moves_nothing():
    class Bent:
        inputs = 2

        def __call__(self, poses: np.ndarray) -> np.ndarray:
            return poses * [1, 0.1] + 7 * poses[:, ::-1] ** 2

    assert measure_importance(Bent()) == pytest.approx([1, 0.1])


def test_the_way_down_is_the_damped_inverse_of_the_mean_curvature():
    kernel = RNG.normal(size=(POSE, COMPONENTS)).astype(np.float32)
    basis = RNG.normal(size=(COMPONENTS, 40)).astype(np.float32)
    error = FieldError(basis, np.zeros(40, np.float32), 1.0)
    components = 0.1 * RNG.normal(size=(9, COMPONENTS)).astype(np.float32)
    poses = RNG.normal(size=(9, POSE)).astype(np.float32)
    moved = kernel @ basis
    mean = np.mean([(moved * row) @ moved.T for row in error.measure_curvature(components)], axis=0)
    damped = mean + field_model.DAMPING * np.median(np.diag(mean)) * np.eye(POSE)
    descent = measure_descent(Network(draw_linear(kernel)), error, poses, components)
    assert descent @ damped == pytest.approx(field_model.STEP * np.eye(POSE), abs=0.01)


def draw_fields(count: int) -> np.ndarray:
    """Fields `(count, 8, 10)` of a few smooth shapes."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    shapes = [np.sin(0.5 * x + k) * np.cos(0.4 * k * y + 0.3) for k in range(COMPONENTS)]
    amounts = 3 * RNG.normal(size=(count, COMPONENTS)) / np.arange(1, COMPONENTS + 1)
    return np.einsum("nk,khw->nhw", amounts, shapes).astype(np.float32)


def test_a_basis_is_that_of_the_fields_and_their_mirror_images():
    fields = draw_fields(300) + np.arange(WIDTH, dtype=np.float32)
    basis = fit_basis([fields[:100], fields[100:]], 12, seed=0)
    mean = basis["mean"].reshape(HEIGHT, WIDTH)
    assert mean == pytest.approx(mean[:, ::-1], abs=1e-4)
    rows = np.concatenate([fields, fields[..., ::-1]]).reshape(600, -1) - basis["mean"]
    assert basis["basis"] @ basis["basis"].T == pytest.approx(np.eye(12), abs=1e-4)
    assert (rows @ basis["basis"].T).std(axis=0) == pytest.approx(basis["deviations"], rel=1e-2)
    assert (np.diff(basis["deviations"]) < 1e-5).all()


def test_of_one_and_the_same_picture_components_can_be_divided_by_their_deviations():
    basis = fit_basis([np.ones((5, HEIGHT, WIDTH), np.float32)], 3, seed=0)
    assert basis["deviations"] == pytest.approx(1e-3)


@pytest.fixture(scope="module")
def model() -> FieldModel:
    """A field model whose decoder is linear and whose encoder guesses half of every pose."""
    basis = fit_basis([draw_fields(200)], COMPONENTS, seed=0)
    decoder = np.zeros((POSE, COMPONENTS), np.float32)
    decoder[range(POSE), range(POSE)] = basis["deviations"][:POSE] / basis["deviations"][0]
    encoder = np.zeros((COMPONENTS, 2 * POSE), np.float32)
    encoder[range(POSE), range(POSE)] = 0.5 * basis["deviations"][0] / basis["deviations"][:POSE]
    weights = {f"encoder.{name}": values for name, values in draw_linear(encoder).items()}
    weights |= {f"decoder.{name}": values for name, values in draw_linear(decoder).items()}
    canvas = Canvas(HEIGHT, WIDTH, 3.5, 2, 3, 3)
    fixed = FieldModel({**basis, "canvas": canvas.to_array(), "radius": np.array(8.0), **weights})
    return fixed.with_weights(weights, fixed.project(draw_fields(100)))


def test_fields_go_to_components_and_back(model):
    assert (model.pose, model.radius, model.canvas.shape) == (POSE, 8, (HEIGHT, WIDTH))
    components = RNG.normal(size=(5, COMPONENTS)).astype(np.float32)
    fields = model.assemble(components)
    assert fields.shape == (5, HEIGHT, WIDTH)
    assert model.project(fields) == pytest.approx(components, abs=1e-4)
    assert model.assemble(0 * components)[0].ravel() == pytest.approx(model.mean)
    # A component of 1 is a deviation of the first.
    one = model.assemble(np.eye(COMPONENTS, dtype=np.float32)[:1])[0].ravel() - model.mean
    assert np.linalg.norm(one) == pytest.approx(model.deviations[0], rel=1e-3)


def test_a_guess_is_refined_towards_the_pose_that_was_drawn(model):
    poses = RNG.normal(size=(40, POSE)).astype(np.float32)
    importance = model._arrays["importance"]
    fields = model.decode(poses * importance)
    left = [np.abs(model.encode(fields, steps) / importance - poses).mean() for steps in (0, 1, 4, 64)]
    assert left[0] == pytest.approx(0.5 * np.abs(poses).mean(), rel=1e-3)  # the guess as it is
    assert left[1] < 0.95 * left[0]
    assert left[2] < 0.8 * left[0]
    assert left[3] < 0.1 * left[0]


def test_other_networks_leave_the_components_and_are_measured_anew(model):
    halved = {**model.weights, "decoder.straight.kernel": 0.5 * model.weights["decoder.straight.kernel"]}
    changed = model.with_weights(halved, model.project(draw_fields(100)))
    assert np.array_equal(changed.basis, model.basis)
    # Half as far for each step in a latent: the error is a quarter as curved, and the way down four times as long.
    ratio = changed._arrays["descent"] / model._arrays["descent"]
    assert np.diag(ratio) == pytest.approx(4, rel=0.2)
    assert changed._arrays["importance"] == pytest.approx(model._arrays["importance"], rel=1e-3)
    assert changed.weights.keys() == model.weights.keys()


def test_the_curvature_is_measured_on_some_frames_only(model, monkeypatch):
    counted = []
    monkeypatch.setattr(field_model, "measure_descent", lambda *given: counted.append(len(given[2])) or np.eye(POSE))
    model.measure_latents(np.zeros((500, COMPONENTS), np.float32))
    assert counted == [field_model.CURVED]


def measure_error(error: FieldError, truth: np.ndarray, rebuilt: np.ndarray) -> float:
    """The error of one field as it is defined: squares of distances near outlines, and what is covered."""
    f, g = (components @ error.basis + error.mean for components in (truth, rebuilt))
    p, q = (1 / (1 + np.exp(-field / 0.7)) for field in (f, g))
    divergence = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    return error.share * float(np.mean((0.1 + np.exp(-((f / 2) ** 2))) * (g - f) ** 2 + 16 * divergence))


def test_the_slope_and_the_curvature_of_the_error_are_its_derivatives():
    basis, mean = RNG.normal(size=(4, 30)), RNG.normal(size=30)
    error = FieldError(basis, mean, 0.4)
    truth, rebuilt = 0.3 * RNG.normal(size=(2, 4))
    slope = error.measure_slope(truth[None], rebuilt[None])[0]
    near = 1e-4 * np.eye(4)
    differences = [
        (measure_error(error, truth, rebuilt + step) - measure_error(error, truth, rebuilt - step)) / 2e-4
        for step in near
    ]
    assert slope == pytest.approx(differences, rel=1e-3, abs=1e-4)
    curvature = (basis * error.measure_curvature(truth[None])[0]) @ basis.T
    for number, step in enumerate(near):
        bent = (measure_error(error, truth, truth + step) + measure_error(error, truth, truth - step)) / 1e-8
        assert curvature[number, number] == pytest.approx(bent, rel=1e-3)


def test_pixels_that_hardly_change_are_left_out_unless_none_changes():
    basis = np.eye(3, 12, dtype=np.float32)
    deviations = np.array([2, 0.6, 0.4], np.float32)
    error = FieldError.of(basis, np.arange(12, dtype=np.float32), deviations)
    assert error.mean.tolist() == [0, 1]  # half a pixel of distance is too little, and the others never change
    assert error.basis.tolist() == [[2, 0], [0, 2], [0, 0]]
    assert error.share == pytest.approx(2 / 12)
    still = FieldError.of(basis, np.arange(12, dtype=np.float32), np.full(3, 1e-3, np.float32))
    assert (len(still.mean), still.share) == (12, 1)
    assert still.thin(5).mean.tolist() == [0, 5, 10]
    assert still.thin(5).basis.shape == (3, 3)


def test_a_stored_model_of_small_integers_is_what_it_was_after_a_file(tmp_path):
    body = prior.load_prior()
    body.save(tmp_path / "again.npz")
    again = FieldModel.load(tmp_path / "again.npz")
    fields = body.decode(np.zeros((1, body.pose), np.float32))
    assert np.array_equal(again.decode(np.zeros((1, body.pose), np.float32)), fields)


@pytest.mark.parametrize("name", ["importance", "descent"])
def test_fields_of_an_earlier_version_are_refused(tmp_path, name):
    with np.load(prior.PATH) as saved:
        np.savez(tmp_path / "fields.npz", **{key: saved[key] for key in saved if key != name})
    with pytest.raises(WorkspaceError, match=f"expected {name}, got the fields of an earlier version; delete"):
        FieldModel.load(tmp_path / "fields.npz")
