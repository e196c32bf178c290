"""The contract of a logger."""

from deepdance.testing import parametrize_with_checks

from my_logger import COMPONENTS


@parametrize_with_checks(COMPONENTS[0])
def test_contract(check):
    check()
