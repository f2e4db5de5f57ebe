"""Nothing leaves the box but what may: proven by eyes outside it, and by a twin whose packets they did see."""

import pytest

pytestmark = pytest.mark.hdp(path="target", variant="containment", eyes=True)


def test_stays_in(hdp_probe):
    """Contained, or allowed. What got out, what is blocked though it may leave, and what is not proven fails."""
    hdp_probe.check()
