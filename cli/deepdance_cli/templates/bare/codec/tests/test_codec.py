"""The contract of a codec."""

from deepdance.testing import parametrize_with_checks

from my_codec import COMPONENTS


@parametrize_with_checks(COMPONENTS[0])
def test_contract(check):
    check()
