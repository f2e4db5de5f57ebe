"""Numbers that the protocol field does not hold: who renumbered them is certain, whichever observer saw it."""

import pytest

from pytest_hdp.judge.evidence import Circumstances, Probe, RoundControl, Sighting, Train, TrainEvidence
from pytest_hdp.judge.ladder import judge

CONTROL = tuple(RoundControl(number, 4, 4, 4) for number in range(3))


def seen(protocol: int) -> tuple[Sighting, ...]:
    return (Sighting(1, protocol, genuine=True, source="127.0.0.1", destination="127.0.0.1", ttl=64),)


@pytest.mark.parametrize("observers", [("left",), ("arrived",), ("delivered",), ("arrived", "delivered")])
def test_renumbered_wherever_it_is_seen(observers):
    probes = tuple(Probe(n, n, 1, **dict.fromkeys(observers, seen(1))) for n in range(3))
    assert judge(TrainEvidence(Train(257), None, probes), Circumstances(CONTROL)).verdict == "renumbered"


def test_a_number_that_fits_and_changed_on_the_way_is_modified():
    probes = tuple(Probe(n, n, 1, left=seen(253), arrived=seen(1), delivered=seen(1)) for n in range(3))
    assert judge(TrainEvidence(Train(253), None, probes), Circumstances(CONTROL)).verdict != "renumbered"
