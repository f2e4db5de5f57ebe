"""Is there a path at all? Well-formed UDP tells; without it nothing can be said about anything else."""

import pytest

pytestmark = pytest.mark.hdp(path="target")


def test_control(hdp_path, hdp_note):
    """Of ten control packets at least one comes through; past which routers is told, unless the path is emulated."""
    sent, through = hdp_path.control(10)
    if not through:
        pytest.fail(f"no path to {hdp_path.name.target}: none of {sent} control packets came through", pytrace=False)
    if hdp_path.open.lab is None:
        hdp_note(hdp_path.hops())
