"""Where the far end saw us, by what came there."""

from __future__ import annotations

import socket

from pytest_hdp.measure.control.whereabouts import Probed
from pytest_hdp.packet.view import view

OWN, OUTSIDE, STRANGER, TARGET = "10.0.0.2", "203.0.113.5", "192.0.2.66", "198.51.100.2"


def probed(**counts: int) -> Probed:
    """So many packets from each."""
    found = Probed()
    for name, count in counts.items():
        for _ in range(count):
            found.note(view(b"\x45" + bytes(11) + socket.inet_aton(globals()[name]) + socket.inet_aton(TARGET)))
    return found


def test_nothing_came() -> None:
    assert Probed().likeliest(OWN) is None


def test_no_translator() -> None:
    assert probed(OWN=5).likeliest(OWN) == (OWN, TARGET)


def test_a_translator_that_lets_as_many_pass_as_they_are() -> None:
    assert probed(OWN=5, OUTSIDE=5).likeliest(OWN) == (OUTSIDE, TARGET)
    assert probed(OWN=8, OUTSIDE=240).likeliest(OWN) == (OUTSIDE, TARGET)


def test_one_copy_of_a_strangers_is_outvoted() -> None:
    assert probed(OWN=255, STRANGER=1).likeliest(OWN) == (OWN, TARGET)
    assert probed(OUTSIDE=255, STRANGER=3).likeliest(OWN) == (OUTSIDE, TARGET)
