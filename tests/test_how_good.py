"""The page of figures begins with a verdict and the main models, and a sweep makes what it needs."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from benchmarks import how_good
from benchmarks.how_good import HEADLINE, PAPER, WIDTH, write_page
from conftest import SHARED, demo_frames

from deepdance.artifacts import Artifact, ArtifactStore, name_artifact
from deepdance.evaluation.tables import Column, Row, Table
from deepdance.metrics.bootstrap import Estimate
from deepdance.opened_runs import train
from deepdance.plugins import discover
from deepdance.runs import settle_run
from deepdance.session import Session
from deepdance.sweeps import Sweep, run_sweep
from deepdance.workspace import Workspace

RUNS = Path(__file__).parents[1] / "benchmarks/how_good.toml"


def make_row(name, role="model", **figures):
    return Row(name, role, {key: Estimate(value) for key, value in figures.items()})


def make_columns(keys):
    return [Column(key, key, 1) for key in keys]


def make_tables(name, freeze):
    dance = make_row(name, motion_ratio=0.9, freeze_seconds=freeze, frechet_frames=1.0, replay_seconds=2.0)
    baselines = [make_row("real, held out", "real", freeze_seconds=1.0), make_row("the codec alone", "ceiling")]
    codec = Table("", make_columns("abcdefgh"), [make_row("pca", a=1.0)])
    long = Table("", make_columns(HEADLINE), [dance, *baselines], "2 dances.\nMore.")
    return {"codec": codec, "long": long, "next_frame": Table("", [], [])}


@pytest.fixture
def page():
    runs = {"a": make_tables("pca × ridge", 0.5), "b": make_tables("pca × gru", 8.0), "c": make_tables(PAPER, 90.0)}
    return write_page(runs, None, "deepdance 1.0, runs of 2026-11-23", [])


def test_a_verdict_and_the_main_models_come_first(page):
    first = page.partition("\n## ")[0]
    assert first.startswith(
        "# How good is it?\n\n**`pca × ridge` moves 90 % as much as the real dancers, stands still for"
    )
    assert f"the paper's `{PAPER}` stands still for 90.0 s.**" in first.replace("\n", " ")
    rows = [line.split(" | ")[0] for line in first.splitlines() if line.startswith("|")]
    assert rows == ["| dance", "| ---", "| pca × ridge", f"| {PAPER}", "| real, held out"]
    assert "Figures of deepdance 1.0, runs of 2026-11-23." in first


def test_what_no_run_has_is_no_column(page):
    assert "| told |" not in page.partition("\n## ")[0]


def test_no_table_of_figures_is_wider_than_the_page(page):
    codecs = page.partition("## Codecs")[2].partition("\n## ")[0]
    heads = [line for line in codecs.splitlines() if line.startswith("| codec")]
    assert heads == ["| codec | a | b | c | d |", "| codec | e | f | g | h |"]
    assert all(line.count("|") <= WIDTH + 2 for line in codecs.splitlines())


def test_the_runs_are_every_codec_with_every_sequence_model():
    (video,) = Sweep.read(RUNS).videos
    assert Path(video[0]).name == "corpus_10fps_gray.npz"
    planned = Sweep.read(RUNS).model_copy(update={"videos": ()}).plan(discover())
    assert len({(run.recipe.codec.name, run.recipe.sequence.name) for run in planned}) == len(planned) == 21
    assert f"{planned[0].recipe.codec.name} × {planned[0].recipe.sequence.name}" == "sdf-ae × motion-field"
    assert planned[0].recipe.codec.options["prior"] == "none"


@pytest.fixture
def tiny(tmp_path):
    """The sweep, of an array that is as the corpus but for its length."""
    frames = demo_frames(20.0, 10.0, (120, 200))[..., 0]
    np.savez(tmp_path / "tiny.npz", frames=frames, fps=10.0, shot_starts=np.array([0, 90]))
    return Sweep.read(RUNS).model_copy(update={"videos": ((str(tmp_path / "tiny.npz"),),)})


class PretendingStore(ArtifactStore):
    """Has at once whatever is made of silhouettes, and knows its names."""

    def __init__(self, root):
        super().__init__(root)
        self.named = []

    def build(self, stage, inputs, make, **options):
        self.named.append(name_artifact(stage, inputs))
        if stage == "silhouettes":
            return super().build(stage, inputs, make, **options)
        return Artifact(self.root / self.named[-1], self.named[-1].rpartition("-")[2], reused=False)


def test_whatever_runs_have_in_common_is_made_once(tiny, tmp_path):
    session = Session(Workspace(tmp_path), discover())
    session.workspace.artifacts = store = PretendingStore(tmp_path / "artifacts")
    for run in tiny.plan(session.registry):
        inputs, recipe, _ = settle_run(session, run.recipe, run.inputs)
        train(session, recipe, inputs, force=False)
    made = Counter(name.rpartition("-")[0] for name in set(store.named))
    assert made == {"silhouettes": 1, "codec": 3, "latents": 3, "sequence": 21}


def test_the_page_is_written_from_what_the_sweep_leaves(tiny, tmp_path, monkeypatch):
    vary = {"codec": ["pca"], "sequence": ["ridge", "texture"]}
    short = {"evaluate": tiny.evaluate.model_copy(update={"frames": 60, "seeds": 1}), "vary": vary}
    recipe = {**tiny.recipe, "size": [24, 40], "frames": 30}
    swept = run_sweep(
        Session(Workspace(tmp_path / "w"), discover()), tiny.model_copy(update={**short, "recipe": recipe})
    )
    assert not swept.failed
    monkeypatch.setattr(how_good, "DOCS", tmp_path)
    monkeypatch.setattr(how_good, "PICTURES", tmp_path / "pictures")
    monkeypatch.setattr(sys, "argv", ["how_good.py", str(tmp_path / "w")])
    how_good.main()
    page = (tmp_path / "how-good.md").read_text()
    assert page.startswith("# How good is it?\n\n**`pca × ridge` moves ")
    assert "nan" not in page
    assert "- `texture` on pca: " in page
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {"dance.gif", "curves.svg"}


def test_the_corpus_is_where_the_file_looks_for_it():
    if not SHARED.is_dir():
        pytest.skip("needs shared/data")
    assert (SHARED / "corpus/corpus_10fps_gray.npz").is_file()
