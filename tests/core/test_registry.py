"""Components by name: whose it is, where two share it, and whether it can be had."""

import pytest

from deepdance.errors import PluginError
from deepdance.plugins import ComponentSpec, Entry, Registry
from deepdance.plugins.isolation import Problem

PCA = "deepdance_plugins.codecs.pca:PCA"


def offer(name, distribution="deepdance", kind="codec", target=PCA, options=f"{PCA}Options", **more):
    return Entry(ComponentSpec(kind, name, target, options, "a codec", **more), distribution, "1.0")


SHARED = Registry(
    [
        offer("pca"),
        offer("pca", "dance-more"),
        offer("mine", "dance-more"),
        offer("mine", "dance_Other"),
        offer("own", "dance-more"),
        offer("own", "dance-more", "sequence"),
        offer("only", "dance-more"),
    ]
)


@pytest.mark.parametrize(
    ("name", "distribution"),
    [
        ("pca", "deepdance"),  # a built-in's is its own
        ("dance-more:pca", "dance-more"),
        ("deepdance:pca", "deepdance"),
        ("dance-other:mine", "dance_Other"),  # as PyPI spells names
        ("only", "dance-more"),
    ],
)
def test_a_name_is_a_built_ins_before_anybody_elses(name, distribution):
    assert SHARED.find("codec", name).distribution == distribution


def test_a_name_that_two_plugins_have_must_be_chosen_with_its_distribution():
    with pytest.raises(PluginError, match="'mine': choose dance-more:mine or dance_Other:mine"):
        SHARED.find("codec", "mine")
    for name in ("sequence", "dance-more:nobody", "nobody:pca"):
        with pytest.raises(PluginError, match=f"no codec is called {name!r}"):
            SHARED.find("codec", name)


def test_the_shortest_name_finds_the_same_component():
    assert [SHARED.reference(entry) for entry in SHARED.entries] == [
        "pca",
        "dance-more:pca",
        "dance-more:mine",
        "dance_Other:mine",
        "own",
        "own",
        "only",
    ]
    for entry in SHARED.entries:
        assert SHARED.find(entry.spec.kind, SHARED.reference(entry)) is entry


def test_a_name_of_two_kinds_must_be_chosen_with_its_kind():
    assert SHARED.kind_of("only") == SHARED.kind_of("mine") == "codec"
    with pytest.raises(PluginError, match="there is a codec and a sequence called 'own': choose with --kind codec"):
        SHARED.kind_of("own")
    with pytest.raises(PluginError, match="no component is called 'nobody'"):
        SHARED.kind_of("nobody")


@pytest.mark.parametrize(
    ("entry", "state", "why"),
    [
        (offer("a"), "ready", ""),
        (offer("a", requires=("numpy>=1",)), "ready", ""),
        (offer("a", target="no_such_module:X"), "broken", "there is no no_such_module"),
        (offer("a", options="deepdance.none:X"), "broken", "there is no deepdance.none"),
        (offer("a", requires=("no-such-thing>=2",)), "needs", "no-such-thing>=2"),
    ],
)
def test_whether_a_component_can_be_had_is_known_without_importing_it(entry, state, why):
    found, told = Registry([entry]).state(entry)
    assert found == state
    assert why in told
    assert bool(told) == (state != "ready")


def test_a_name_that_is_shared_is_told():
    assert SHARED.state(SHARED.entries[0]) == ("ready", "")
    choices = "the name is shared: choose dance-more:mine or dance_Other:mine"
    assert SHARED.state(SHARED.entries[2]) == ("shared", choices)


def test_the_first_component_for_a_suffix_is_taken_in_any_case():
    registry = Registry([offer("a", suffixes=(".gif",)), offer("b", suffixes=(".mp4", ".gif"))])
    assert registry.for_suffix("codec", ".GIF").spec.name == "a"
    assert registry.for_suffix("codec", ".mp4").spec.name == "b"
    assert registry.for_suffix("codec", ".png") is None
    assert registry.for_suffix("renderer", ".gif") is None


def test_where_a_plugin_failed_that_is_meant_no_other_is_blamed():
    cause = ImportError("no torch")
    problems = [
        Problem("more", "dance-more", "2.0", "no torch", error=cause),
        Problem("other", "dance-x", "1.0", "no x"),
    ]
    registry = Registry([offer("pca")], problems)
    with pytest.raises(PluginError, match="dance-more 2.0 failed to load: no torch$") as told:
        registry.find("codec", "dance-more:tiles")
    assert told.value.__cause__ is cause
    both = "dance-more 2.0 failed to load: no torch; dance-x 1.0 failed to load: no x$"
    with pytest.raises(PluginError, match=both) as told:
        registry.find("codec", "tiles")
    assert told.value.__cause__ is None
