"""How many packets go to an address that was learnt from the network."""

from __future__ import annotations

import pytest

from pytest_hdp.measure.path.confirmed import Confirmed
from pytest_hdp.packet.family import of_one_host

OWN, LEARNT, OTHER = "192.0.2.2", "203.0.113.9", "203.0.113.10"
REFUSED = "no more are sent to an address that nobody has confirmed"


def test_what_the_user_named_is_not_counted() -> None:
    confirmed = Confirmed({OWN})
    assert all(confirmed.take(OWN, index) for index in range(1000))
    assert (confirmed.left, confirmed.refusal(OWN)) == (64, None)


def test_64_in_all_and_no_more() -> None:
    confirmed = Confirmed({OWN})
    assert confirmed.refusal(LEARNT) is None, "nobody has tried"
    taken = [confirmed.take(LEARNT if index % 2 else OTHER, index) for index in range(200)]
    assert taken == [True] * 64 + [False] * 136
    assert confirmed.refusal(LEARNT) == (
        f"nothing of 32 packets sent to {LEARNT}, the address that the far end saw, came back; {REFUSED}"
    )
    third = confirmed.refusal("203.0.113.11")
    assert third == f"nothing of 64 packets sent to others, before the far end saw 203.0.113.11, came back; {REFUSED}"


def test_what_came_back_confirms_the_address_that_it_was_sent_to() -> None:
    confirmed = Confirmed({OWN})
    confirmed.take(OWN, 1)
    confirmed.take(LEARNT, 2)
    confirmed.take(OTHER, 3)
    assert not confirmed.came_back(1)
    assert not confirmed.came_back(4)
    assert confirmed.came_back(2) == LEARNT
    assert not confirmed.came_back(2)
    assert (confirmed.free(LEARNT), confirmed.free(OTHER), confirmed.left) == (True, False, 63)
    assert all(confirmed.take(LEARNT, index) for index in range(1000))


def test_of_a_path_opened_once_more_nothing_is_confirmed_and_all_is_counted() -> None:
    confirmed = Confirmed({OWN})
    confirmed.take(LEARNT, 1)
    confirmed.take(OTHER, 2)
    confirmed.came_back(1)
    confirmed.renew({LEARNT})
    assert not confirmed.came_back(2), "the other path's index"
    assert (confirmed.left, confirmed.free(LEARNT), confirmed.free(OWN)) == (63, True, False)


@pytest.mark.parametrize("address", ["0.0.0.0", "224.0.0.1", "239.1.2.3", "255.255.255.255", "::", "ff02::1"])
def test_an_address_that_leads_to_many_is_not_learnt(address: str) -> None:
    assert not of_one_host(address)
    assert of_one_host(LEARNT)
