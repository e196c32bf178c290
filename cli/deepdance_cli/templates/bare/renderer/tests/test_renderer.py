"""The contract of a renderer."""

from deepdance.testing import parametrize_with_checks

from my_renderer import COMPONENTS


@parametrize_with_checks(COMPONENTS[0])
def test_contract(check):
    check()
