"""The contract of a remover."""

from deepdance.testing import parametrize_with_checks

from my_remover import COMPONENTS


@parametrize_with_checks(COMPONENTS[0])
def test_contract(check):
    check()
