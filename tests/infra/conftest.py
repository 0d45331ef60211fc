"""The plans that most tests look at: evaluated once."""

import pytest

from rehearsal.program import Plan
from tests.plans import plan


@pytest.fixture(scope="session")
def dev() -> Plan:
    """The plan of the dev stack."""
    return plan()
