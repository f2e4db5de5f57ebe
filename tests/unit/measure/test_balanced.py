"""What asks whose word an answer is has a right Internet checksum, as netfilter wants of what it rejects aloud."""

from __future__ import annotations

import pytest

from pytest_hdp.measure.path import sending
from pytest_hdp.packet.checksums import checksum, pseudo_header
from pytest_hdp.packet.family import packed


@pytest.mark.parametrize("size", [40, 41])
def test_over_ipv6_the_pseudo_header_is_summed_up_and_over_ipv4_none(size: int) -> None:
    four = sending.balanced(bytes(range(size)), 253, "192.0.2.1", "198.51.100.2")
    assert checksum(four) == 0
    source, target = "2001:db8::1", "2001:db8:b::2"
    six = sending.balanced(bytes(range(size)), 253, source, target)
    assert checksum(pseudo_header(packed(source), packed(target), 253, len(six)) + six) == 0
    assert six != four
