"""The contract of a source."""

from deepdance.testing import parametrize_with_checks

from my_source import COMPONENTS


@parametrize_with_checks(COMPONENTS[0])
def test_contract(check):
    check()
