"""Between two hosts of one provider every number should arrive, both ways, unchanged, no more lost than the control."""

import pytest

pytestmark = pytest.mark.hdp(path="target", eyes=True, direction="both")


def test_sweep(hdp_probe):
    """Delivered, bare and as sent; what the network changed on the way is in the record."""
    hdp_probe.check()
