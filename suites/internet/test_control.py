"""Is there a path at all? Well-formed UDP tells; without it nothing can be said about anything else."""

import pytest

pytestmark = pytest.mark.hdp(path="target")


def test_control(hdp_path):
    """Of ten control packets at least one comes through."""
    sent, through = hdp_path.control(10)
    if not through:
        pytest.skip(f"no path to {hdp_path.name.target}: none of {sent} well-formed UDP packets came through")
