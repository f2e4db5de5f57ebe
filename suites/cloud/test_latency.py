"""Is HDP faster than UDP between two hosts of one provider?"""

import pytest

pytestmark = pytest.mark.hdp(path="target", eyes=True, variant="latency")


def test_latency(hdp_latency):
    """The answer is the sentence at the end of the report; this passes if the measurement can be trusted."""
    observed = hdp_latency(253)
    observed.check()
