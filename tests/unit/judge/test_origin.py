"""Which sources are from inside, by the address that the control shows and by the blocks of the RFCs."""

import pytest

from pytest_hdp.judge.origin import in_doubt, inside_block, leaked

PUBLIC = "203.0.113.5"


@pytest.mark.parametrize(
    "address",
    [
        *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.1.2"),  # RFC 1918
        *("100.64.0.2", "100.127.255.254"),  # RFC 6598
        *("192.0.0.2", "169.254.7.7"),  # RFC 6333, RFC 3927
        *("fd00::2", "fc12:3456::1", "fe80::1"),  # RFC 4193, RFC 4291
    ],
)
def test_an_address_of_a_private_block_is_from_inside(address):
    assert inside_block(address) is not None
    assert leaked(address, PUBLIC)
    assert leaked(address, "2001:db8::5")


@pytest.mark.parametrize(
    "address",
    [
        "9.255.255.255",
        "11.0.0.0",
        "172.15.0.1",
        "172.32.0.1",
        "100.63.255.255",
        "100.128.0.0",
        "198.51.100.2",
        "fe00::1",
    ],
)
def test_any_other_address_may_be_a_translators(address):
    assert inside_block(address) is None
    assert not leaked(address, PUBLIC)
    assert not leaked(address, "10.77.2.1")


@pytest.mark.parametrize(
    ("source", "control", "is_leak"),
    [
        ("100.64.0.2", "10.77.2.1", True),
        ("10.1.1.2", "10.77.2.1", True),
        ("192.168.1.2", "192.168.2.1", True),
        ("fd00:1::2", "fd00:2::1", True),
        ("10.77.2.12", "10.77.2.11", False),  # another of one pool
        ("fd00:2::2", "fd00:2::1", False),
        ("10.77.2.11", "10.77.2.11", False),
        ("fd00:2::2", "10.77.2.11", True),
        ("100.64.1.12", "100.64.0.11", False),  # a provider's, of whose block RFC 6598 gives it all
        ("100.127.1.12", "100.64.0.11", False),
        ("10.77.2.12", "100.64.0.11", True),
    ],
)
def test_where_the_outside_is_private_too_a_pool_is_no_leak(source, control, is_leak):
    assert leaked(source, control) is is_leak


OUTSIDE = frozenset({"10.77.2.11", "10.77.9.11", "203.0.113.9", "fd00:2::1", "fd00:7::1"})


@pytest.mark.parametrize(
    ("source", "control", "is_leak"),
    [
        ("10.77.9.12", "10.77.2.11", False),  # beside another of the control's addresses
        ("10.77.5.7", "10.77.2.11", False),  # between them
        ("10.77.16.1", "10.77.2.11", True),
        ("10.1.1.2", "10.77.2.11", True),
        ("192.168.77.2", "10.77.2.11", True),
        ("10.77.9.12", PUBLIC, True),
        ("10.77.9.12", "172.16.0.1", True),
        ("fd00:3::2", "fd00:2::1", False),
        ("fd01::2", "fd00:2::1", True),
    ],
)
def test_a_private_pool_is_as_large_as_its_controls_show(source, control, is_leak):
    assert leaked(source, control, OUTSIDE) is is_leak


@pytest.mark.parametrize("nonsense", ["", "nowhere", "\x1b[2J", "10.0.0.256", "10.0.0.1/8"])
def test_what_is_no_address_is_nobodys(nonsense):
    assert not leaked(nonsense, PUBLIC)
    assert not leaked(nonsense, "10.0.0.1")
    assert leaked("10.0.0.1", nonsense)


@pytest.mark.parametrize(
    ("source", "control", "said"),
    [
        ("10.1.1.2", "10.77.2.1", "; both are of 10.0.0.0/8: from inside, or another of a pool larger than a /24"),
        ("fd00:1::2", "fd00:2::1", "; both are of fc00::/7: from inside, or another of a pool larger than a /64"),
        ("192.168.1.2", "10.77.2.1", ""),
        ("10.1.1.2", PUBLIC, ""),
        ("10.1.1.2", None, ""),
        ("", "10.1.1.2", ""),
    ],
)
def test_a_leak_that_may_be_a_large_pools_says_so(source, control, said):
    assert in_doubt(source, control) == said
