"""Is there a path at all? A control tells, UDP or whatever comes through; without one nothing can be said of others."""

import pytest

pytestmark = pytest.mark.hdp(path="target")


def test_control(hdp_path, hdp_note):
    """Of the control packets most come through; past which routers is told, unless the path is emulated."""
    hdp_path.check_control()
    if hdp_path.control_note:
        hdp_note(hdp_path.control_note)
    if hdp_path.open.lab is None:
        hdp_note(hdp_path.hops())
