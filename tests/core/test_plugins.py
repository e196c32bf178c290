import os
from importlib.metadata import version

import pytest
from conftest import registry_of

from deepdance.errors import PluginError
from deepdance.plugins import ComponentSpec, Entry, Registry, discover, discovery, hookimpl
from deepdance.plugins.isolation import Problem
from deepdance.plugins.requirements import describe_unmet, look_up
from deepdance_plugins.catalog import COMPONENTS
from deepdance_plugins.sources.demo.source import DemoOptions


def spec(name="mine", kind="codec", target="deepdance_plugins.codecs.pca:PCA", **more):
    return ComponentSpec(kind, name, target, "deepdance_plugins.codecs.pca:PCAOptions", "a codec", **more)


class Module:
    def __init__(self, *specs, **extra):
        self.specs = specs
        self.__dict__.update(extra)

    @hookimpl
    def deepdance_components(self):
        return self.specs


def test_the_built_ins_come_through_the_entry_point():
    registry = discover()
    assert registry.problems == []
    assert {e.spec for e in registry.entries if e.distribution == "deepdance"} == set(COMPONENTS)


def test_an_unknown_name_tells_the_nearest_one_and_the_plugins_that_failed():
    registry = Registry([Entry(spec("conv-ae"), "x", "1")], [Problem("p", "dance-more", "2.0", "ImportError: no")])
    with pytest.raises(PluginError, match=r"did you mean 'conv-ae'.*dance-more 2.0 failed to load: ImportError: no"):
        registry.find("codec", "conv_ae")


def test_a_target_that_cannot_be_imported_names_its_distribution():
    registry = Registry([Entry(spec(target="no_such_module:X"), "dance-more", "2.0")])
    with pytest.raises(PluginError, match=r"of dance-more 2.0 could not be imported from no_such_module:X"):
        registry.component("codec", "mine")


def test_presets_lie_under_what_is_given():
    options = discover().options("source", "demo", "quick", {"seed": 4})
    assert (options.seconds, options.seed) == (DemoOptions.presets["quick"]["seconds"], 4)
    assert discover().options("source", "demo", "quick", {"seconds": 3}).seconds == 3


def test_one_plugin_cannot_offer_a_name_twice(monkeypatch):
    registry = registry_of(monkeypatch, twice=Module(spec("same"), spec("same"), spec("same", kind="sequence")))
    assert [(e.spec.kind, e.spec.name) for e in registry.entries] == [("codec", "same"), ("sequence", "same")]
    assert "expected one codec of this name, got two" in registry.problems[0].reason


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"name": "a:b"}, "expected a name of letters"),
        ({"api_version": 99}, "needs plugin API 99"),
        ({"kind": "decoder"}, "'decoder', expected one of"),
        ({"target": "no.colon"}, "expected 'package.module:Class', got 'no.colon'"),
        ({"requires": "torch"}, "expected a tuple of requirements"),
        ({"suffixes": ".mp4"}, "expected a tuple of file endings"),
        ({"most_lines": 8}, "expected lines of a picture, from 16 to 8192, got 8"),
        ({"frame_size": (120,)}, "expected a height and width from 8 to 4096 or None, got (120,)"),
        ({"frame_size": (120, 2.5)}, "expected a height and width from 8 to 4096 or None"),
    ],
)
def test_a_spec_that_makes_no_sense_is_told(monkeypatch, wrong, reason):
    registry = registry_of(monkeypatch, bad=Module(spec(**wrong)), good=Module(spec("fine")))
    assert [entry.spec.name for entry in registry.entries] == ["fine"]
    (problem,) = registry.problems
    assert problem.plugin == "bad"
    assert reason in problem.reason


def test_one_object_is_one_plugin(monkeypatch):
    module = Module(spec("fine"))
    registry = registry_of(monkeypatch, first=module, second=module)
    assert [entry.distribution for entry in registry.entries] == ["dance-first"]
    assert "expected a module of its own" in registry.problems[0].reason
    assert registry.hooks.get_plugins() == {module}


def test_requirements_are_looked_up():
    found = look_up(["numpy>=1", "NumPy<1", "no-such-thing", "x; python_version<'3'", "not a requirement!"])
    assert [need.requirement for need in found if need.met] == ["numpy>=1"]
    assert [need.requirement for need in found if not need.met] == ["NumPy<1", "no-such-thing", "not a requirement!"]
    assert "NumPy<1 (" in describe_unmet(["numpy>=1", "NumPy<1"])
    assert describe_unmet(["numpy"]) == ""


def test_code_is_described_by_what_it_computes_with_too(monkeypatch, tmp_path):
    (tmp_path / "dance_mine-1.0.dist-info").mkdir()
    metadata = "Name: dance-mine\nVersion: 1.0\nRequires-Dist: PyTest>=1\nRequires-Dist: ruff; extra == 'dev'\n"
    (tmp_path / "dance_mine-1.0.dist-info" / "METADATA").write_text(metadata)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "markdown")
    described = registry_of(monkeypatch, mine=Module(spec(requires=("packaging>=20", "Jinja2")))).describe_code()
    assert described == {
        "dance-mine": described["dance-mine"],
        "markdown": f"markdown {version('markdown')}",
        "pytest": f"pytest {version('pytest')}",
    }
    ours = discover().describe_code()
    assert {"numpy", "scipy", "keras", "tensorflow", "av", "imageio-ffmpeg", "opencv-python-headless"} <= ours.keys()
    assert not {"typer", "rich", "pytest"} & ours.keys()


def test_a_plugin_that_is_slow_or_writes_when_it_is_loaded_is_noted(monkeypatch):
    clock = iter([100.0, 109.04, 200.0, 200.1])
    monkeypatch.setattr(discovery, "perf_counter", lambda: next(clock))
    load = discovery._load
    monkeypatch.setattr(discovery, "_load", lambda *given: (os.write(1, b"x" * 40 + b" " + b"y" * 200), load(*given)))
    notes = registry_of(monkeypatch, slow=Module(spec("one")), quick=Module(spec("two"))).notes
    assert [(note.plugin, note.text.partition(":")[0]) for note in notes] == [
        ("slow", "takes 9.0 s to load; every command waits for it"),
        ("slow", "writes when it is loaded"),
        ("quick", "writes when it is loaded"),
    ]
    assert notes[1].text.endswith(f"{'x' * 40} …'")
