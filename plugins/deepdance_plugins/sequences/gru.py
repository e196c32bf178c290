"""`gru`: the shape of `lstm4` with gated recurrent units (Cho et al. 2014), a quarter fewer weights."""

from __future__ import annotations

from typing import ClassVar

from deepdance_plugins.sequences.lstm4.model import LSTM4


class GRU(LSTM4):
    """Four GRU layers where the paper has LSTM; all else, the options too, is that of `lstm4`."""

    cell: ClassVar[str] = "gru"
