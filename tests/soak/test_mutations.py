"""A sample of `make soak`, and whether it would notice."""

import subprocess
import sys

import numpy as np
import pytest

from deepdance.errors import InputError
from soak import worker
from soak.material import Material, list_material, make_material
from soak.mutations import GOOD, ROOT, Mutation, Outcome, keep, make_mutation, soak, tabulate
from soak.mutators import MUTATORS, find_fields, mutate

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by Linux's /proc")

SAMPLE = 60


@pytest.fixture(scope="module")
def materials():
    return make_material()


def test_broken_files_end_in_right_partial_or_one_line(materials):
    outcomes = list(soak(materials, 14, range(SAMPLE)))
    assert len(outcomes) == SAMPLE
    wrong = [f"{each.outcome}: {each.mutation.describe()}: {each.told}" for each in outcomes if not each.good]
    assert not wrong
    assert {each.mutation.material.kind for each in outcomes} == {"picture", "array", "video"}
    assert "largest memory" in tabulate(outcomes)


def test_whole_files_are_read_right(materials, tmp_path):
    for number, material in enumerate(materials):
        ending = worker.read(material.lay(tmp_path / str(number), material.data), tmp_path / "workspace")
        assert ending.outcome in ("right", "partial"), (material.name, ending)


def test_the_same_seed_breaks_in_the_same_way(materials):
    for number in range(30):
        one, two = (make_mutation(materials, 3, number) for _ in range(2))
        assert (one.data, one.names, one.material) == (two.data, two.names, two.material)
    assert make_mutation(materials, 4, 0).data != make_mutation(materials, 3, 0).data


@pytest.mark.parametrize("mutator", dict.fromkeys(MUTATORS), ids=lambda mutator: mutator.__name__)
def test_every_mutator_breaks_every_file_and_stands_an_empty_one(materials, mutator):
    assert isinstance(mutator(b"", b"", np.random.default_rng(0)), bytes)
    for material in materials:
        broken = {mutator(material.data, materials[0].data, np.random.default_rng(seed)) for seed in range(8)}
        assert broken - {material.data}, material.name


def test_headers_are_found(materials):
    fields = {each.name: len(list(find_fields(each.data))) for each in materials}
    for name in ("made.mp4", "made.png", "plain.npz", "made.tif"):
        assert fields[name] > 10, name


def test_mutations_of_mutations_are_mutations(materials):
    rng = np.random.default_rng(0)
    for _ in range(200):
        data, names = mutate(materials[0].data, materials[1].data, rng)
        assert isinstance(data, bytes)
        assert 1 <= len(names) <= 3


@pytest.mark.parametrize(
    ("raised", "outcome"),
    [
        (InputError("one line"), "refused"),
        (InputError("two\nlines"), "more than a line"),
        (InputError("a bell\a"), "more than a line"),
        (KeyError("x"), "traceback"),
        (MemoryError(), "traceback"),
    ],
)
def test_what_must_not_be_is_noticed(tmp_path, monkeypatch, raised, outcome):
    def fail(*_):
        raise raised

    monkeypatch.setattr(worker, "prepare", fail)
    path = Material("a.npy", b"").lay(tmp_path / "in", b"x")
    assert worker.read(path, tmp_path / "workspace").outcome == outcome


def test_a_file_that_was_read_wrongly_is_kept_with_the_way_to_it(tmp_path, materials):
    mutation = Mutation(5, 77, materials[0], b"broken", ["flip_bits"])
    told = keep(Outcome(mutation, "traceback", "KeyError", 1.0, 100), tmp_path)
    assert "--seed 5 --only 77" in told
    assert (tmp_path / "5-77/2.png").read_bytes() == b"broken"
    assert "traceback" not in GOOD


def test_a_crash_a_hang_and_a_hog_are_told(materials, monkeypatch):
    from soak import mutations

    started = mutations.subprocess.Popen
    hog = "x = b'x' * (300 << 20); import time; time.sleep(60)"
    monkeypatch.setattr(mutations, "STOPPED_MEGABYTES", 200)
    for code, outcome in (("exit(3)", "crash"), ("import time; time.sleep(60)", "hang"), (hog, "memory")):
        program = [sys.executable, "-c", f"input(); {code}"]
        monkeypatch.setattr(mutations.subprocess, "Popen", lambda _, program=program, **o: started(program, **o))
        monkeypatch.setattr(mutations, "MOST_SECONDS", 2)
        assert [each.outcome for each in soak(materials, 0, range(2), workers=1)] == [outcome] * 2


def test_shared_material_joins(tmp_path):
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/a.mp4").write_bytes(b"x")
    (tmp_path / "odd/MANIFEST.md").write_text("no material")
    assert [each.name for each in list_material(tmp_path)][-1] == "a.mp4"


def test_the_program_ends_with_a_table():
    command = [sys.executable, "-m", "tests.soak.mutations", "--count", "3", "--seed", "1"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "3 of 3, 0 failed" in result.stdout
