"""Every protocol number to the target, and back: does it get through, and where does it die?"""

import pytest

pytestmark = pytest.mark.hdp(path="target", direction="both")


def test_sweep(hdp_probe):
    """What came of the number is what was expected of this path; without an expectation, it was delivered."""
    hdp_probe.check()
