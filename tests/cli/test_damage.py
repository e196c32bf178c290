"""Whatever part of a workspace is damaged: it is named and set aside, and the same command makes it anew, as it was."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Result

import deepdance
from deepdance.storage import hash_file

RUN = ("--codec", "pca", "--seq", "ridge", "--frames", "40", "--size", "24x40", "--name", "x")
STAGES = ("silhouettes", "codec", "latents", "sequence", "evaluation")


@pytest.fixture(scope="module")
def made(tmp_path_factory, silhouettes) -> Path:
    """A folder with `dance.npy` and the workspace of a run of it."""
    folder = tmp_path_factory.mktemp("damage")
    np.save(folder / "dance.npy", silhouettes)
    deepdance.run(
        folder / "dance.npy",
        workspace=folder / "workspace",
        name="x",
        codec="pca",
        sequence="ridge",
        frames=40,
        size=(24, 40),
    )
    return folder


@pytest.fixture
def workspace(made: Path, tmp_path: Path) -> Path:
    """A copy of that workspace that may be spoilt; the run's input stays where it is."""
    return Path(shutil.copytree(made / "workspace", tmp_path / "workspace"))


def find_largest(workspace: Path, stage: str) -> Path:
    """The largest file of a stage's only artifact."""
    [folder] = (workspace / "artifacts").glob(f"{stage}-*")
    return max(
        (path for path in folder.iterdir() if path.name != "manifest.json"), key=lambda path: path.stat().st_size
    )


def hash_artifacts(workspace: Path) -> dict[str, str]:
    """The content of all artifacts, but for what holds the time."""
    files = (path for path in (workspace / "artifacts").glob("[a-z]*/*") if path.name != "manifest.json")
    return {str(path.relative_to(workspace)): hash_file(path) for path in files if path.name != "sheet.png"}


def zero_half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def double_width(path: Path) -> None:
    frames = np.load(path)
    np.save(path, frames.reshape(len(frames) // 2, frames.shape[1], -1) if frames.ndim == 3 else np.tile(frames, 2))


def lose_manifest(path: Path) -> None:
    (path.parent / "manifest.json").unlink()


def point_past_the_end(path: Path) -> None:
    clips = path.parent / "clips.json"
    clips.write_text(clips.read_text().replace('"stop": 120', '"stop": 9120'))


CASES = [
    *((stage, damage) for stage in STAGES for damage in (zero_half, cut, empty, lose_manifest)),
    ("silhouettes", double_width),
    ("latents", double_width),
    ("silhouettes", point_past_the_end),
]


@pytest.mark.parametrize(("stage", "damage"), CASES, ids=lambda value: getattr(value, "__name__", value))
def test_the_same_command_makes_what_is_damaged_anew(
    dd: Callable[..., Result], made: Path, workspace: Path, stage: str, damage: Callable[[Path], None]
) -> None:
    before = hash_artifacts(workspace)
    video = hash_file(workspace / "runs/x/dance.mp4")
    damage(find_largest(workspace, stage))
    result = dd("run", made / "dance.npy", *RUN)
    assert result.code == 0, result.err
    assert f"warning: {stage}-" in result.err
    assert f"it is set aside as .damaged-{stage}-" in result.err
    assert hash_artifacts(workspace) == before
    assert hash_file(workspace / "runs/x/dance.mp4") == video
    again = dd("run", made / "dance.npy", *RUN)
    assert (again.code, "warning" in again.err) == (0, False)


@pytest.mark.parametrize("stage", ["silhouettes", "codec", "latents", "sequence"])
@pytest.mark.parametrize(
    "command",
    [("generate", "x", "--frames", "5", "--out", "new.mp4"), ("evaluate", "x", "--frames", "20", "--seeds", "1")],
    ids=lambda command: command[0],
)
def test_every_command_makes_what_a_run_has_lost_again(
    dd: Callable[..., Result], workspace: Path, stage: str, command: tuple[str, ...]
) -> None:
    before = hash_artifacts(workspace)
    zero_half(find_largest(workspace, stage))
    result = dd(*command)
    assert result.code == 0, result.err
    assert f"it is set aside as .damaged-{stage}-" in result.err
    assert before.items() <= hash_artifacts(workspace).items()


def test_what_cannot_be_made_again_is_told_and_a_new_run_is_made(
    dd: Callable[..., Result], tmp_path, silhouettes
) -> None:
    np.save(tmp_path / "dance.npy", silhouettes)
    assert dd("run", "dance.npy", *RUN).code == 0
    np.save(tmp_path / "dance.npy", silhouettes[:-5])
    shutil.rmtree(find_largest(tmp_path / "workspace", "silhouettes").parent)
    result = dd("generate", "x", "--out", "new.mp4")
    assert result.code == 2
    assert result.err.splitlines()[-1].endswith("got others; `dd run` makes a new run of them")
    assert not (tmp_path / "new.mp4").exists()
    assert dd("run", "dance.npy", *RUN).code == 0
    assert dd("generate", "x", "--out", "new.mp4").code == 0
    (tmp_path / "dance.npy").unlink()
    for latents in (tmp_path / "workspace/artifacts").glob("latents-*"):
        shutil.rmtree(latents)
    result = dd("generate", "x", "--out", "newer.mp4")
    assert (result.code, len(result.err.splitlines())) == (2, 2)


def test_what_was_noted_of_a_training_is_found_again(made: Path, workspace: Path) -> None:
    noted = deepdance.open_run("x", workspace=made / "workspace").history
    lose_manifest(find_largest(workspace, "codec"))
    assert deepdance.open_run("x", workspace=workspace).history == noted


def test_an_array_of_python_that_was_damaged_is_written_again(tmp_path, silhouettes) -> None:
    made = deepdance.run(silhouettes, workspace=tmp_path, codec="pca", sequence="ridge", frames=10, size=(24, 40))
    [kept] = (tmp_path / "arrays").iterdir()
    zero_half(kept)
    again = deepdance.run(silhouettes, workspace=tmp_path, codec="pca", sequence="ridge", frames=10, size=(24, 40))
    assert np.array_equal(np.load(kept), silhouettes)
    assert (again.name, np.array_equal(again.latents, made.latents)) == (made.name, True)
