from importlib.metadata import EntryPoint

import pytest
from conftest import registry_from, registry_of

from deepdance.errors import OptionError, PluginError
from deepdance.plugins import ComponentSpec, Entry, Registry, discover, hookimpl
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


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: c.name)
def test_every_built_in_is_there_and_its_options_have_defaults_and_meanings(component):
    registry = discover()
    assert registry.component(component.kind, component.name)
    options = registry.options(component.kind, component.name, "standard", {})
    assert all(field.description for field in type(options).model_fields.values())
    for preset, values in type(options).presets.items():
        assert preset in ("quick", "standard", "paper")
        assert registry.options(component.kind, component.name, preset, {}).model_dump().items() >= dict(values).items()


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (Module("not a spec"), "expected a ComponentSpec, got str"),
        (Module(spec(api_version=99)), "needs plugin API 99"),
        (Module(spec(kind="decoder")), "'decoder', expected one of"),
    ],
)
def test_a_broken_plugin_is_named_and_harms_no_other(monkeypatch, broken, reason):
    registry = registry_of(monkeypatch, bad=broken, good=Module(spec("fine")))
    assert [entry.spec.name for entry in registry.entries] == ["fine"]
    assert reason in registry.problems[0].reason
    assert registry.problems[0].plugin == "bad"


def test_a_plugin_that_fails_to_import_is_named(monkeypatch):
    registry = registry_from(monkeypatch, [EntryPoint("bad", "no_such_module_at_all", "deepdance")])
    assert "no_such_module_at_all" in registry.problems[0].reason


def test_an_unknown_name_tells_the_nearest_one_and_the_plugins_that_failed():
    registry = Registry([Entry(spec("conv-ae"), "x", "1")], [Problem("p", "dance-more", "2.0", "ImportError: no")])
    with pytest.raises(PluginError, match=r"did you mean 'conv-ae'.*dance-more 2.0 failed to load: ImportError: no"):
        registry.find("codec", "conv_ae")


def test_two_of_one_name_are_told_apart_by_their_distribution():
    registry = Registry([Entry(spec("same"), "one", "1"), Entry(spec("same"), "two", "1")])
    with pytest.raises(PluginError, match="choose one:same or two:same"):
        registry.find("codec", "same")
    assert registry.find("codec", "two:same").distribution == "two"


def test_a_target_that_cannot_be_imported_names_its_distribution():
    registry = Registry([Entry(spec(target="no_such_module:X"), "dance-more", "2.0")])
    with pytest.raises(PluginError, match=r"of dance-more 2.0 could not be imported from no_such_module:X"):
        registry.component("codec", "mine")


def test_presets_lie_under_what_is_given():
    options = discover().options("source", "demo", "quick", {"seed": 4})
    assert (options.seconds, options.seed) == (DemoOptions.presets["quick"]["seconds"], 4)
    assert discover().options("source", "demo", "quick", {"seconds": 3}).seconds == 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epoch": 3}, "codec.epoch: conv-ae has no such option; did you mean 'epochs'"),
        ({"epochs": 0}, "codec.epochs: expected greater than or equal to 1, got 0"),
        ({"epochs": "many"}, "codec.epochs: expected a valid integer.*got 'many'"),
    ],
)
def test_wrong_options_are_told_in_one_line(values, message):
    with pytest.raises(OptionError, match=message) as told:
        discover().options("codec", "conv-ae", "standard", values)
    assert "\n" not in str(told.value)


def test_one_plugin_cannot_offer_a_name_twice(monkeypatch):
    registry = registry_of(monkeypatch, twice=Module(spec("same"), spec("same"), spec("same", kind="sequence")))
    assert [(entry.spec.kind, entry.spec.name) for entry in registry.entries] == [
        ("codec", "same"),
        ("sequence", "same"),
    ]
    assert "expected one codec of this name, got two" in registry.problems[0].reason


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"name": "a:b"}, "expected a name of letters"),
        ({"target": "no.colon"}, "expected 'package.module:Class', got 'no.colon'"),
        ({"requires": "torch"}, "expected a tuple of requirements"),
        ({"suffixes": ".mp4"}, "expected a tuple of file endings"),
    ],
)
def test_a_spec_that_makes_no_sense_is_told(monkeypatch, wrong, reason):
    registry = registry_of(monkeypatch, bad=Module(spec(**wrong)))
    assert registry.entries == []
    assert reason in registry.problems[0].reason


def test_one_object_is_one_plugin(monkeypatch):
    module = Module(spec("fine"))
    registry = registry_of(monkeypatch, first=module, second=module)
    assert [entry.distribution for entry in registry.entries] == ["dance-first"]
    assert "expected a module of its own" in registry.problems[0].reason
    assert registry.hooks.get_plugins() == {module}


def test_requirements_are_looked_up():
    found = look_up(["numpy>=1", "NumPy<1", "no-such-thing", "x; python_version<'3'", "not a requirement!"])
    assert [(need.requirement, need.met) for need in found] == [
        ("numpy>=1", True),
        ("NumPy<1", False),
        ("no-such-thing", False),
        ("not a requirement!", False),
    ]
    assert "NumPy<1 (" in describe_unmet(["numpy>=1", "NumPy<1"])
    assert describe_unmet(["numpy"]) == ""
