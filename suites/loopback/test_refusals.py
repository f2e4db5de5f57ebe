"""The numbers that do not get through: who refuses them, where, and with which words?

The eight bits of the Protocol field hold 0 to 255. What becomes of a number outside is the kernel's choice.
"""

import sys

import pytest

from pytest_hdp.vantage.kernel import knows_mptcp

pytestmark = [
    pytest.mark.hdp(path="loopback"),
    pytest.mark.skipif(sys.platform != "linux", reason="what follows is said of Linux"),
]


@pytest.mark.hdp(protocols="-1,263")
def test_no_protocol_at_all(hdp_probe):
    """socket() knows them to be impossible: EINVAL."""
    assert (hdp_probe.verdict, hdp_probe.errno) == ("refused_at_socket", "EINVAL")


@pytest.mark.hdp(protocols="0")
def test_wildcard(hdp_probe):
    """0 means "any" to the kernel's table, and no raw socket is any protocol's: EPROTONOSUPPORT."""
    assert (hdp_probe.verdict, hdp_probe.errno) == ("refused_at_socket", "EPROTONOSUPPORT")


@pytest.mark.hdp(protocols="256-262")
def test_more_than_eight_bits(hdp_probe, hdp_protocol):
    """socket() takes them if it knows Multipath TCP (262); IPv4 sends the lowest eight bits, IPv6 refuses to send."""
    if not knows_mptcp():
        assert (hdp_probe.verdict, hdp_probe.errno) == ("refused_at_socket", "EINVAL")
        return
    if hdp_probe.ip_version == 6:
        assert (hdp_probe.verdict, hdp_probe.errno) == ("refused_at_send", "EINVAL")
        return
    assert hdp_probe.verdict == "renumbered"
    assert hdp_probe.wire_protocol == hdp_protocol & 0xFF
