"""Signs in a stranger's text that would steer the terminal, or turn the order in which a line is read."""

from __future__ import annotations

import re

CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""C0 without tab and newline, DEL, C1, bidirectional overrides and isolates, lone surrogates."""


def escape_controls(text: str) -> str:
    """The text with each such sign as Python spells it: `\\x1b`."""
    return CONTROLS.sub(lambda sign: ascii(sign[0])[1:-1], text)
