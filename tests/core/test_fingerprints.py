"""Changed code makes its artifacts anew: a plugin that is being written, installed as `pip install --editable` does."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from wheels import codec_package, with_site

from deepdance.plugins import describe_code, fingerprints

RUN = """
import json, sys
import deepdance
from deepdance.events import ArtifactReady

kept = {}
def note(event):
    if isinstance(event, ArtifactReady):
        kept[event.stage] = event.reused
fields = {"codec": "rows", "sequence": "ridge", "size": (24, 40), "frames": 20}
run = deepdance.run("dance.npy", **fields, workspace="w", listen=[note])
if "evaluate" in sys.argv:
    deepdance.open_run(run.folder, listen=[note]).evaluate(frames=20, seeds=1)
print(json.dumps(kept))
"""


def install_editable(folder, *, index=False):
    """The plugin `dance-rows` in `folder/src`, and the metadata of an editable installation in `folder/site`."""
    for name, text in codec_package("dance_rows", "rows").items():
        path = folder / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    info = folder / "site/dance_rows-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dance-rows\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[deepdance]\nrows = dance_rows\n")
    if not index:
        (info / "direct_url.json").write_text(json.dumps({"url": "file:///src", "dir_info": {"editable": True}}))


def run_kept(folder, *arguments):
    """Which stages of a run were kept, in a process of its own."""
    env = with_site(f"{folder / 'site'}{os.pathsep}{folder / 'src'}")
    command = [sys.executable, "-c", RUN, *arguments]
    ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=200)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.fixture
def plugin(tmp_path, silhouettes):
    install_editable(tmp_path)
    np.save(tmp_path / "dance.npy", silhouettes)
    return tmp_path


def test_a_changed_line_of_an_editable_plugin_makes_its_stage_anew_and_those_after_it(plugin):
    assert not any(run_kept(plugin).values())
    assert all(run_kept(plugin).values())
    source = plugin / "src/dance_rows/codec.py"
    source.write_text(source.read_text().replace("/ self.options.scale / 2", "/ self.options.scale / 3"))
    changed = run_kept(plugin)
    assert {stage for stage, kept in changed.items() if kept} == {"silhouettes"}
    assert changed.keys() > {"codec", "latents", "sequence", "evaluation"}


def test_the_tables_of_an_evaluation_are_measured_again_by_changed_code(plugin):
    run_kept(plugin, "evaluate")
    assert all(run_kept(plugin, "evaluate").values())
    (plugin / "src/dance_rows/weights.bin").write_bytes(b"data count too")
    kept = run_kept(plugin, "evaluate")
    assert not any(kept[table] for table in ("codec_table", "next_frame_table", "long_table"))


@pytest.fixture
def hashed(tmp_path, monkeypatch):
    """The code of `dance-rows`, as a new process reads it."""

    def hashed():
        fingerprints.fingerprint_distribution.cache_clear()
        return describe_code("dance-rows", "1.0", "dance_rows.codec:Rows")

    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    yield hashed
    fingerprints.fingerprint_distribution.cache_clear()


def test_what_changes_nothing_leaves_the_hash_and_nothing_is_imported(tmp_path, hashed):
    install_editable(tmp_path)
    before = hashed()
    package = tmp_path / "src/dance_rows"
    (package / "README.md").write_text("words")
    (package / ".draft.py").write_text("no")
    (package / "__pycache__").mkdir()
    (package / "__pycache__/codec.pyc").write_bytes(b"x")
    assert hashed() == before
    assert "dance_rows" not in sys.modules
    (package / "helper.py").write_text("")
    assert hashed()["code"] != before["code"]


def test_of_a_distribution_from_an_index_the_version_says_all(tmp_path, hashed):
    install_editable(tmp_path, index=True)
    assert hashed() == {"distribution": "dance-rows 1.0"}


def test_other_packages_that_the_metadata_names_count(tmp_path, hashed):
    install_editable(tmp_path)
    other = tmp_path / "src/rows_helpers.py"
    other.write_text("")
    (tmp_path / "site/dance_rows-1.0.dist-info/top_level.txt").write_text("dance_rows\nrows_helpers\n")
    before = hashed()
    other.write_text("changed = True\n")
    assert hashed() != before


def test_our_own_code_is_read_quickly_and_the_command_line_is_no_part_of_it(monkeypatch):
    seen = []
    monkeypatch.setattr(fingerprints, "hash_files", lambda places: seen.extend(places) or "hash")
    fingerprints.fingerprint_distribution.__wrapped__("deepdance")
    monkeypatch.undo()
    assert {place.name for place in seen} == {"deepdance", "deepdance_plugins"}
    start = time.perf_counter()
    fingerprints.hash_files(seen)
    assert time.perf_counter() - start < 0.5  # about 0.02 where nobody else is at work
