"""What passes behind IPv6 extension headers, and where does it die? Each transport with and without them.

The question of RFC 7872 and RFC 9098: hop-by-hop options, destination options, a routing header, a fragment header,
and some of these together, of 8 to 256 bytes. It is asked if it is named, or with --hdp-extension-headers.
"""

import pytest

pytestmark = pytest.mark.hdp(path="target", direction="both", variant="headers")


@pytest.mark.hdp(protocols="6,17,58,253")
def test_without_headers(hdp_probe):
    """The control: the same transport by itself. What it does not pass tells nothing of headers."""
    hdp_probe.check()


@pytest.mark.hdp(chains=True)
def test_behind_headers(hdp_probe, hdp_without_headers):
    """Behind the headers it does what it does without them, or what this lab says."""
    hdp_probe.check_beside(hdp_without_headers)
