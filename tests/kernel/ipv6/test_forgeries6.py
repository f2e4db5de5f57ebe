"""No verdict about a target without an agent hangs on what anybody on the path can make up."""

import pytest
from forgeries6 import Outcome, run

from pytest_hdp.vantage.points import can_open_raw, can_unshare

pytestmark = pytest.mark.skipif(
    not (can_open_raw() or can_unshare()), reason="privilege: neither raw sockets nor user namespaces"
)


@pytest.mark.night
def test_a_box_that_forges_changes_nothing():
    """`forgeries6.py` as a script makes 100,000."""
    outcome = Outcome()
    run(outcome, most=5000)
    assert outcome.forged > 1000
    assert not outcome.wrong
