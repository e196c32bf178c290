import os
import sys

import pytest

from deepdance.errors import PluginError
from deepdance.interfaces import FrameCodec
from deepdance.plugins.isolation import import_class, is_missing
from deepdance.plugins.redirection import capture_output


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import numpy\n\nimport nowhere_at_all\n", "No module named 'nowhere_at_all' at {file}:3; mend it, or "),
        ("x = 1\ndef (:\n", "SyntaxError: invalid syntax at {file}:2; mend it, or reinstall or remove dance-broken"),
        ("from math import nothing_such\n", "at {file}:1; mend it"),
    ],
)
def test_what_cannot_be_imported_is_told_with_its_line(tmp_path, monkeypatch, text, told):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "dance_broken_here.py"
    file.write_text(text)
    with pytest.raises(PluginError) as raised:
        import_class("dance_broken_here:Codec", FrameCodec, "the codec 'x' of dance-broken 1.0", "dance-broken")
    assert told.format(file=file) in str(raised.value)


def test_a_module_that_is_not_there_has_no_line():
    with pytest.raises(PluginError, match="No module named 'nowhere_at_all'; mend it"):
        import_class("nowhere_at_all:Codec", FrameCodec, "the codec 'x' of dance-broken 1.0", "dance-broken")


def test_captures_of_several_threads_may_end_in_any_order(capfd):
    first, second = capture_output(), capture_output()
    one = first.__enter__()
    os.write(1, b"one")
    two = second.__enter__()
    os.write(1, b"two")
    first.__exit__(None, None, None)
    os.write(2, b"still two")
    second.__exit__(None, None, None)
    os.write(1, b"shown")
    assert (one, two) == (["one"], ["twostill two"])
    assert capfd.readouterr() == ("shown", "")


@pytest.mark.parametrize(
    ("distribution", "text", "shown"),
    [
        ("dance-loud", "import os; os.write(1, b'hello \\x1b[31m')", "hello \\x1b[31m\n"),
        ("dance-loud", "", ""),
        ("deepdance", "import os; os.write(1, b'hello')", ""),
    ],
)
def test_what_a_plugin_prints_goes_to_standard_error_and_a_frameworks_chatter_nowhere(
    tmp_path, monkeypatch, capfd, distribution, text, shown
):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "dance_loud", raising=False)
    (tmp_path / "dance_loud.py").write_text(f"{text}\nclass Loud:\n    pass\n")
    assert import_class("dance_loud:Loud", object, "the codec", distribution).__name__ == "Loud"
    assert capfd.readouterr() == ("", shown)
    del sys.modules["dance_loud"]


@pytest.mark.parametrize(
    ("target", "missing"),
    [
        ("deepdance.frames:X", False),
        ("deepdance.no_such:X", True),
        ("no_such_module:X", True),
        ("no_such_package.module:X", False),  # nobody knows before it is imported
        ("json:X", False),
    ],
)
def test_a_module_is_missing_where_its_package_is_there_and_has_none(target, missing):
    assert is_missing(target) == missing
