"""The contract of every kind of component, executable: for the tests of a plugin, and for `dd plugins check`.

In a plugin's tests, each check is a test of its own:

    from deepdance.testing import parametrize_with_checks
    from my_codec import deepdance_components

    @parametrize_with_checks(deepdance_components()[0])
    def test_contract(check):
        check()
"""

from deepdance.testing.kit import (
    Check,
    Result,
    check_component,
    make_checks,
    parametrize_with_checks,
    run_checks,
)
from deepdance.testing.subject import CheckFailed

__all__ = [
    "Check",
    "CheckFailed",
    "Result",
    "check_component",
    "make_checks",
    "parametrize_with_checks",
    "run_checks",
]
