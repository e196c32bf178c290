"""Some of what `python -m tests.soak.kills` does."""

import pytest

from .kills import MODELS, kill_often


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("models", "kills"), list(zip(MODELS, (6, 1), strict=True)))
def test_a_run_that_is_killed_at_any_moment_goes_on_to_the_same_end(tmp_path, models, kills):
    tally = kill_often(tmp_path, models, kills, seed=0)
    assert tally.kills >= kills
