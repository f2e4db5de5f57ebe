"""The article's riddle: the first packet arrives, and then no more. How many pass, and does it recover?"""

import pytest

pytestmark = pytest.mark.hdp(path="target", eyes=True, variant="first", default="253")


def test_first_packet(hdp_path, hdp_protocol, hdp_note):
    """Burst, idle, burst again, then another number and another port."""
    observed = hdp_path.first_packet(hdp_protocol)
    hdp_note(observed.message)
    observed.check()
