"""What has to pass between two hosts (--hdp-needs=esp,gre,vrrp) does: both ways, well-formed where it has a form."""

import pytest

pytestmark = pytest.mark.hdp(path="target", eyes=True, direction="both", needs=True)


def test_needs(hdp_probe):
    """Delivered; where it is not, the sentence says where it died."""
    hdp_probe.check_needed()
