"""Every protocol number, and some that are none: does my own kernel carry it from a socket to a socket?"""

import pytest

pytestmark = pytest.mark.hdp(path="loopback", default="-1-263")


def test_sweep(hdp_probe):
    """What the kernel does is what this system's profile says: 1 to 255 get through on Linux."""
    hdp_probe.check()
