"""Is HDP faster than UDP? Here between two sockets of one host: what is measured is the host's own stack."""

import pytest

pytestmark = pytest.mark.hdp(path="loopback")


def test_latency(hdp_latency):
    """The answer is the sentence at the end of the report; this passes if the measurement can be trusted."""
    observed = hdp_latency(253)
    observed.check()
