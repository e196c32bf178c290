"""The contract of a sequence."""

from deepdance.testing import parametrize_with_checks

from my_sequence import COMPONENTS


@parametrize_with_checks(COMPONENTS[0])
def test_contract(check):
    check()
