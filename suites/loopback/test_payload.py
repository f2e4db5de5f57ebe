"""Whatever the content, its length and its encoding: does it arrive byte for byte?"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = [
    pytest.mark.hdp(path="loopback"),
    # where nobody may write there is no .hypothesis, and that is no reason to fail
    pytest.mark.filterwarnings("ignore:The database setting is not configured"),
]

HDP_HEADER, TAG = 12, 28
# IPv4's Total Length has 16 bits; an IPv6 packet must not be larger than loopback's MTU, or it would leave in fragments
LARGEST = {4: 65_535 - 20 - HDP_HEADER - TAG, 6: 65_536 - 40 - HDP_HEADER - TAG}
SPACE = {"plain": lambda most: most, "base64": lambda most: most // 4 * 3, "base128": lambda most: most * 7 // 8}

anything = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("encoding", SPACE)
@pytest.mark.parametrize("protocol", [6, 17, 47, 132, 253])
@anything
@given(content=st.binary(max_size=2000))
def test_any_content(hdp_path, protocol, encoding, content):
    """Any bytes at all."""
    exchange = hdp_path.probe(protocol, content=content, encoding=encoding)
    assert (exchange.verdict, exchange.contents) == ("delivered", (content,))


@pytest.mark.parametrize("encoding", SPACE)
@settings(anything, max_examples=25)
@given(data=st.data())
def test_any_length(hdp_path, encoding, data):
    """Up to the largest packet that loopback carries in one piece."""
    most = SPACE[encoding](LARGEST[hdp_path.open.family.version])
    length = data.draw(st.one_of(st.just(most), st.integers(0, most)))
    content = bytes(range(256)) * (length // 256 + 1)
    exchange = hdp_path.probe(253, content=content[:length], encoding=encoding)
    assert (exchange.verdict, exchange.contents) == ("delivered", (content[:length],))


def test_one_byte_too_many(hdp_path):
    """The kernel says so instead of cutting."""
    exchange = hdp_path.probe(253, content=bytes(LARGEST[hdp_path.open.family.version] + 1))
    assert (exchange.verdict, exchange.errno) == ("refused_at_send", "EMSGSIZE")
