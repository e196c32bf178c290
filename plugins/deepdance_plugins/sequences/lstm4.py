"""`lstm4`: the paper's four LSTM layers."""

from __future__ import annotations

from typing import ClassVar

from deepdance_plugins.sequences.recurrent import Recurrent, RecurrentOptions


class LSTM4Options(RecurrentOptions):
    """The paper's values are the defaults."""


class LSTM4(Recurrent):
    """Deep Dance's sequence model; `layers=3` is the one of its published code."""

    cell: ClassVar[str] = "lstm"
