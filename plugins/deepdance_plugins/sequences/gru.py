"""`gru`: the shape of `lstm4` with gated recurrent units (Cho et al. 2014), a quarter fewer weights."""

from __future__ import annotations

from typing import ClassVar

from deepdance_plugins.sequences.recurrent import Recurrent, RecurrentOptions


class GRUOptions(RecurrentOptions):
    """The paper's values are the defaults."""


class GRU(Recurrent):
    """Four GRU layers where the paper has LSTM."""

    cell: ClassVar[str] = "gru"
