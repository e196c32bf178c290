"""A class's digest changes with whatever decides what it does, and with nothing else."""

import importlib
import sys
import threading

import pytest

from deepdance.plugins.code_digest import CodeDigest, UnknowableError, is_library

HELPER = """
import dance_other
FACTOR = 2
UNUSED = 1

def scale(x):
    return FACTOR * x + dance_other.shift(x)
"""
OTHER = """
def shift(x):
    return x + 1
"""
MODEL = """
import dance_helper
from functools import cached_property

LIMIT = 3

def clip(x, low=0, *, high=LIMIT):
    return min(max(x, low), high)

def build(step):
    def walk(x):
        return x + step
    return walk

class Base:
    order = 1

class Model(Base):
    sizes = {"a": (1, 2)}
    kinds = frozenset({"b", "c"})
    walk = staticmethod(build(4))

    @property
    def size(self):
        return 5

    @cached_property
    def table(self):
        return [6]

    def run(self, x):
        values = [clip(y) for y in x]
        return dance_helper.scale(values[0])

    def load(self):
        import dance_late
        from dance_late import deeper
        return dance_late.VALUE
"""
LATE = "import dance_latest\nVALUE = 7\ndeeper = None\n"
LATEST = "VALUE = 8\n"
FILES = {
    "dance_model": MODEL,
    "dance_helper": HELPER,
    "dance_other": OTHER,
    "dance_late": LATE,
    "dance_latest": LATEST,
}


@pytest.fixture
def digest(tmp_path, monkeypatch):
    """The digest of `Model` in a process that has these files, one of them with a change."""
    number = iter(range(9))

    def digest(name="", old="", new=""):
        folder = tmp_path / f"{next(number)}"
        folder.mkdir()
        for file, text in FILES.items():
            assert file != name or old in text
            (folder / f"{file}.py").write_text(text.replace(old, new) if file == name else text)
            monkeypatch.delitem(sys.modules, file, raising=False)
        with monkeypatch.context() as patch:
            patch.syspath_prepend(folder)
            importlib.invalidate_caches()
            return CodeDigest().digest(importlib.import_module("dance_model").Model)

    yield digest
    for file in FILES:
        sys.modules.pop(file, None)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("", "", ""),  # another folder
        ("dance_model", "class Base", "\n\n# a comment\nclass Base"),
        ("dance_model", '{"b", "c"}', '{"c", "b"}'),
        ("dance_helper", "UNUSED = 1", "UNUSED = 2"),
    ],
)
def test_what_decides_nothing_changes_nothing(digest, name, old, new):
    assert digest(name, old, new) == digest()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("dance_model", "low=0", "low=1"),
        ("dance_model", "LIMIT = 3", "LIMIT = 4"),
        ("dance_model", "max(x, low)", "max(low, x)"),
        ("dance_model", "order = 1", "order = 2"),
        ("dance_model", "class Model(Base)", "class Model"),
        ("dance_model", "(1, 2)", "(2, 1)"),
        ("dance_model", '"c"}', '"d"}'),
        ("dance_model", "build(4)", "build(5)"),  # what a function closes over
        ("dance_model", "x + step", "x - step"),
        ("dance_model", "return 5", "return 6"),
        ("dance_model", "return [6]", "return [7]"),
        ("dance_model", "clip(y) for", "clip(y + 1) for"),
        ("dance_model", "run(self, x)", "dance(self, x)"),
        ("dance_helper", "FACTOR = 2", "FACTOR = 3"),
        ("dance_helper", "FACTOR * x", "FACTOR + x"),
        ("dance_other", "x + 1", "x + 2"),
        ("dance_late", "VALUE = 7", "VALUE = 8"),  # which is imported when the code runs alone
        ("dance_latest", "VALUE = 8", "VALUE = 9"),
    ],
)
def test_what_decides_changes_it(digest, name, old, new):
    assert digest(name, old, new) != digest()


def test_numbers_of_another_type_are_others():
    digests = [CodeDigest().digest(value) for value in (1, 1.0, True, "1", b"1", None, (1,), [1], {1: 1})]
    assert len(set(digests)) == len(digests)
    assert all(len(digest) == 16 for digest in digests)


def test_what_leads_back_to_itself_has_a_digest():
    loop = [1]
    loop.append(loop)
    assert CodeDigest().digest(loop) != CodeDigest().digest([1, [1]])


def test_what_no_other_process_can_have_is_told():
    with pytest.raises(UnknowableError, match="lock"):
        CodeDigest().digest([threading.Lock()])


@pytest.mark.parametrize("module", ["deepdance.frames", "sys", "json.decoder", "numpy", "pytest"])
def test_what_is_installed_or_pythons_is_a_library(module):
    assert is_library(module)


def test_a_module_of_ones_own_is_none():
    assert not is_library(__name__)
    assert not is_library("no_such_module_anywhere")
