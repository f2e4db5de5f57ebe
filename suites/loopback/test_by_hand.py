"""A listener and a sender by hand: the place to start from for an experiment of your own."""

import pytest

pytestmark = pytest.mark.hdp(path="loopback")


def test_a_cow_says_moo(hdp_listener, hdp_sender):
    """One packet under number 253, which RFC 3692 keeps for experiments."""
    listener = hdp_listener(253)
    hdp_sender(253).send(b"moo")

    packet = listener.receive(timeout=1)

    assert packet is not None
    assert packet.content == b"moo"
    assert packet.genuine
    assert packet.header.source_port == packet.header.destination_port == 420


def test_number_47_is_not_heard_on_50(hdp_listener, hdp_sender):
    """A raw socket hears its own number only."""
    gre, esp = hdp_listener(47), hdp_listener(50)
    hdp_sender(47).send(b"for GRE")

    assert gre.receive(timeout=1).content == b"for GRE"
    assert esp.receive(timeout=0.05) is None
