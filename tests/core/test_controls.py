"""What would steer a terminal is shown, and what is only foreign is left alone."""

import pytest

from deepdance.controls import escape_controls


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("\x00\x08\x0b\x0d\x1f\x7f", r"\x00\x08\x0b\r\x1f\x7f"),
        ("\x80\x9b\x9f", r"\x80\x9b\x9f"),
        ("\u202a\u202e\u2066\u2069", r"\u202a\u202e\u2066\u2069"),
        ("\ud800\udcff\udfff", r"\ud800\udcff\udfff"),
    ],
)
def test_a_sign_that_steers_the_terminal_is_spelled(text, shown):
    assert escape_controls(text) == shown


@pytest.mark.parametrize(
    "text", ["", "two\tcells\nand a line", "Größe 舞 רקד 💃🏽", "\\x1b", "\xa0|\u2029|\u202f|\u2065"]
)
def test_any_other_sign_stays(text):
    assert escape_controls(text) == text
