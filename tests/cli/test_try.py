"""`dd prepare --try`: every way to remove a background on one sheet."""

import json
from types import ModuleType

import cv2
import numpy as np
from conftest import registry_of

from deepdance import trial
from deepdance.events import Progress
from deepdance.interfaces import BackgroundRemover, Options
from deepdance.plugins import ComponentSpec, hookimpl
from deepdance.recipe import Recipe
from deepdance.session import Session
from deepdance.workspace import Workspace
from deepdance_plugins import catalog
from deepdance_plugins.catalog import NO_OPTIONS


class Broken(BackgroundRemover[Options]):
    def remove(self, frames):
        raise RuntimeError("its network is not there")


class Left(BackgroundRemover[Options]):
    """The left half is the dancer."""

    def remove(self, frames):
        out = np.full(frames.shape[:3], 255, np.uint8)
        out[:, :, : frames.shape[2] // 2] = 0
        return out


def offer(*classes):
    """A plugin with these removers."""
    plugin = ModuleType("plugin_others")
    specs = [
        ComponentSpec("remover", cls.__name__.lower(), f"plugin_others:{cls.__name__}", NO_OPTIONS, "a remover")
        for cls in classes
    ]
    plugin.deepdance_components = hookimpl(lambda: specs, specname="deepdance_components")
    vars(plugin).update({cls.__name__: cls for cls in classes})
    return plugin


def test_each_way_has_a_row_and_its_flags(dd, video, monkeypatch, tmp_path):
    ways = trial.list_ways(registry_of(monkeypatch, builtin=catalog))
    typed = [f"{way.name} {way.options}" for way in ways]
    assert typed[2:] == ["threshold {}", "threshold {'level': 'auto'}", "threshold {'invert': True}", "luma {}"]
    assert typed[:2] == ["person {}", "person {'people': 'all'}"]
    monkeypatch.setattr(trial, "list_ways", lambda registry: ways[2:])
    result = dd("prepare", "--try", video, "--size", "48x80")
    assert result.code == 0, result.err
    sheet = result.out.strip().rpartition("sheet ")[2]
    assert result.out.startswith(f"4 ways to remove the background of {video}")
    height, width = cv2.imread(str(tmp_path / sheet), cv2.IMREAD_GRAYSCALE).shape
    assert width == trial.SHOWN * 81
    assert height > 5 * 48
    told = json.loads(dd("prepare", "--try", video, "--size", "48x80", "--json").out)
    assert [way["flags"] for way in told[0]["ways"]][1] == "--remover threshold --set remover.level=auto"
    flags = told[0]["ways"][1]["flags"].split()
    assert dd("prepare", video, "--size", "48x80", *flags).code == 0


def test_one_that_fails_says_why_and_a_plugins_has_its_row(monkeypatch, video, tmp_path):
    registry = registry_of(monkeypatch, builtin=catalog, others=offer(Broken, Left))
    others = [way for way in trial.list_ways(registry) if way.name in ("broken", "left")]
    monkeypatch.setattr(trial, "list_ways", lambda registry: others)
    recipe = Recipe(size=(48, 80))
    told = []
    sheet, (broken, left) = trial.try_removers(Session(Workspace(tmp_path), registry, told.append), recipe, str(video))
    assert (broken.flags, broken.failed) == ("--remover broken", "its network is not there")
    assert (left.silhouettes[:, :, :40] == 0).all()
    assert (left.silhouettes[:, :, 40:] == 255).all()
    assert sheet.is_file()
    assert [(event.done, event.total) for event in told if isinstance(event, Progress)] == [(1, 2), (2, 2)]


def test_the_video_is_shown_in_its_colours(tmp_path):
    frames = np.full((2, 48, 80, 3), (200, 40, 10), np.uint8)
    trial._write_sheet(tmp_path / "sheet.png", trial._shrink_colours(frames, (24, 40)), [])
    drawn = cv2.imread(str(tmp_path / "sheet.png"))
    assert tuple(drawn[trial.LINE + 10, 10]) == (10, 40, 200)  # OpenCV has blue first


def test_silhouettes_have_no_background_to_remove(dd, silhouettes):
    np.savez("dance.npz", frames=silhouettes, fps=10.0)
    result = dd("prepare", "--try", "dance.npz")
    assert result.code == 2
    assert "expected a video with a background, got silhouettes in" in result.err
