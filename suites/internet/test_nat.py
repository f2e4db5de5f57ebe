"""What does a NAT on the path make of each number: translate, leak, drop?

A NAT that finds no ports in a packet has the address alone to tell its inside hosts apart.
"""

import pytest

pytestmark = pytest.mark.hdp(path="target", eyes=True)


def test_source_address(hdp_probe):
    """Whatever arrives comes from the address that the control comes from; a private one seen outside is a leak."""
    hdp_probe.check_nat()


@pytest.mark.hdp(variant="unsolicited", direction="reverse")
def test_unsolicited_inbound(hdp_probe):
    """A packet that nobody inside asked for."""
    hdp_probe.check()


@pytest.mark.hdp(variant="second")
def test_second_inside_host(hdp_probe):
    """The same number to the same target, from a second host behind the same NAT."""
    hdp_probe.check()
