"""The command that makes the body prior, on little: its parts, and once from end to end."""

import numpy as np
import pytest
from benchmarks.body_prior import train, variations
from benchmarks.body_prior.rows import compute_part
from benchmarks.body_prior.settings import CANVAS, RADIUS, Settings
from benchmarks.body_prior.silhouettes import draw_demo, load_all
from benchmarks.body_prior.storing import END, STRAIGHT, pack, quantize_matrices, solve_straight
from dancers import draw_dancer

from deepdance.metrics.shapes import iou
from deepdance_plugins.codecs.sdf_ae.distance_field import compute_fields, measure_placements
from deepdance_plugins.codecs.sdf_ae.field_model import FieldModel, quantize, restore_arrays
from deepdance_plugins.codecs.sdf_ae.inference import Network
from deepdance_plugins.codecs.sdf_ae.prior import load_prior

TINY = Settings(dancers=1, copies=1, coefficients=16, pose=6, units=8, blocks=1, steps=30, batch_size=32)
RNG = np.random.default_rng(5)


def write_data(folder, frames):
    """A folder as `--data` names it, with `frames` as the corpus and as the first shadow dancer."""
    for name in ("corpus", "shadowdance"):
        (folder / name).mkdir()
    starts = np.arange(0, len(frames), 6)
    np.savez(folder / "corpus/corpus_10fps_gray.npz", frames=frames, shot_starts=starts)
    masks = np.packbits(frames.reshape(len(frames), -1) < 128, axis=1)
    np.savez(folder / "shadowdance/train_00_masks.npz", masks_10fps=masks)
    return folder


@pytest.fixture(scope="module")
def weights():
    """Weights of two networks, of 12 components, that rebuild exactly what `rebuilt` gives."""
    from deepdance_plugins.codecs.sdf_ae.network import build_decoder, build_encoder, read_weights

    shape = np.linspace(3, 0.1, 12, dtype=np.float32), 4, 16, 1
    networks = {"encoder": build_encoder(*shape), "decoder": build_decoder(*shape)}
    weights = {f"{name}.{key}": w.copy() for name, one in networks.items() for key, w in read_weights(one).items()}
    for name in (STRAIGHT, END, "decoder.end.kernel"):  # the encoder looks at the first four components alone
        weights[name][..., 4:] = RNG.normal(0, 1, weights[name][..., 4:].shape)
    return weights


@pytest.fixture(scope="module")
def rebuilt(weights):
    return Network.from_arrays("decoder", weights)(RNG.normal(0, 1, (900, 4)).astype(np.float32))


def rebuild(weights, rows):
    encoder, decoder = (Network.from_arrays(name, weights) for name in ("encoder", "decoder"))
    return decoder(encoder(rows)[:, :4])


@pytest.mark.parametrize("size", [40, 60])
@pytest.mark.parametrize("change", [change for change, _ in variations.VARIATIONS] + [variations.vary])
def test_a_variation_is_a_silhouette_with_somebody_in_it(change, size):
    for frame in draw_dancer(20, seed=2)[:6]:
        small = np.ascontiguousarray(frame[:size])
        varied = change(small, RNG)
        assert varied.dtype == np.uint8 and varied.ndim == 2
        assert varied.shape[0] <= small.shape[0] and varied.shape[1] <= small.shape[1]
        if change is variations.vary and (small < 128).any():
            assert (varied < 128).any()


def test_variations_of_the_same_draw_are_the_same():
    frame = draw_dancer(20, seed=2)[0]
    one, other, another = (variations.vary(frame, np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert np.array_equal(one, other) and not np.array_equal(one, another)


def test_the_first_copy_is_as_it_is_and_the_others_are_varied():
    frames = draw_demo(0)[:8]
    fields = compute_fields(frames, measure_placements(frames), CANVAS, RADIUS)
    assert np.allclose(compute_part((frames, 0), seed=0), fields, atol=1e-3)
    varied = compute_part((frames, 1), seed=0)
    assert varied.shape == fields.shape and not np.allclose(varied, fields)
    assert np.array_equal(compute_part((frames, 1), seed=0), varied)


def test_demo_dancers_have_bodies_of_their_own():
    assert iou(draw_demo(0)[:8], draw_demo(1)[:8]).mean() < 0.9


def test_quantizing_errs_by_half_a_step_at_most():
    rows = RNG.normal(0, [[1], [1e-3], [0], [50]], (4, 30)).astype(np.float32)
    integers, scale = quantize(rows)
    assert integers.dtype == np.int8 and scale.shape == (4, 1)
    assert (np.abs(integers * scale - rows) <= scale * 0.501).all()


def test_a_linear_path_keeps_its_small_numbers():
    kernel = np.array([[1, 1e-3]], np.float32)
    restored = restore_arrays(quantize_matrices({STRAIGHT: kernel, "decoder.end.kernel": kernel}))
    assert restored[STRAIGHT] == pytest.approx(kernel, rel=1e-3)
    assert restored["decoder.end.kernel"][0, 1] == 0


def test_a_linear_path_that_was_lost_is_found_again(weights, rebuilt):
    lost = weights | {name: np.zeros_like(weights[name]) for name in (STRAIGHT, END)}
    found = solve_straight(lost, rebuilt)
    assert found[STRAIGHT] == pytest.approx(weights[STRAIGHT], abs=1e-3)
    assert found[END] == pytest.approx(weights[END], abs=1e-3)


def test_what_is_stored_is_mended(weights, rebuilt):
    stored, plain = pack(weights, rebuilt), quantize_matrices(weights)
    assert {values.dtype for name, values in stored.items() if name.endswith(("inner0.kernel", "end.kernel"))} == {
        np.dtype(np.int8)
    }
    mended, left = (np.square(rebuild(restore_arrays(one), rebuilt) - rebuilt).mean() for one in (stored, plain))
    assert mended < left


def test_the_defaults_are_what_the_prior_was_made_by():
    model = load_prior()
    assert (len(model.deviations), model.pose) == (Settings.coefficients, Settings.pose)
    assert (model.decoder.units, model.decoder.blocks) == (Settings.units, Settings.blocks)
    assert model.canvas.to_array() == pytest.approx(CANVAS.to_array()) and model.radius == RADIUS


def test_the_command_line_names_what_is_held_out():
    asked = train.parse(["--data", "data", "--out", "prior.npz", "--videos", "3,4", "--held-out-corpus"])
    assert (asked.videos, asked.held_out_corpus, asked.steps) == ([3, 4], True, Settings.steps)


def test_a_prior_is_made_from_end_to_end(tmp_path):
    frames = draw_demo(3)
    data = write_data(tmp_path, frames)
    out = tmp_path / "prior.npz"
    checksum = train.make_prior(load_all(data, [0], whole_corpus=False), out, TINY)
    model = FieldModel.load(out)
    fields = compute_fields(frames, measure_placements(frames), CANVAS, RADIUS)
    latents = model.encode(fields, refine=2)
    assert len(checksum) == 64 and latents.shape == (len(frames), 6)
    assert np.abs(model.decode(latents) - fields).mean() < 0.8 * np.abs(model.mean - fields.reshape(60, -1)).mean()
