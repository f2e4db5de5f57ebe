"""Labs with a second way out of the client: some numbers leave by another interface, and die or arrive there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Direction, Verdict
from pytest_hdp.lab import catalogue
from pytest_hdp.measure import plan
from pytest_hdp.measure.campaign import path_specs
from pytest_hdp.measure.schedule.engine import Measurement

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement

NUMBERS = (0, 1, 3, 4, 6, 17, 47, 50, 51, 132, 253, 254)


def measured(name: str, seed: int) -> dict[Train, Judgement]:
    trains = tuple(Train(number, direction) for direction in Direction for number in NUMBERS)
    asked = plan.Plan(trains, plan.LAB, seed=seed)
    path_spec = path_specs.in_lab(catalogue.make(name), asked, None, expect_truth=True)[0]
    try:
        with path_spec.open() as path:
            return Measurement(path, asked).run()
    except path_specs.PathUnavailable as error:
        if "needs network namespaces" not in str(error):
            raise
        pytest.skip(f"privilege: {error}")


def test_what_leaves_by_a_second_uplink_arrives_or_dies_there() -> None:
    found = measured("policy-routed", 1)
    gre, esp, other = (found[Train(number)] for number in (47, 50, 253))
    assert (gre.verdict, esp.verdict, other.verdict) == (Verdict.LOST, Verdict.DELIVERED, Verdict.DELIVERED)
    assert {probe.left[0].interface for probe in (*gre.probes, *esp.probes)} == {"eth1"}
    assert {probe.arrived[0].interface for probe in esp.probes} == {"eth1"}
    assert {probe.left[0].interface for probe in other.probes} == {"eth0"}
    assert esp.ttl == 63, "one router on the way, and not two"
    assert found[Train(47, Direction.REVERSE)].verdict is Verdict.DELIVERED


@pytest.mark.night
@pytest.mark.parametrize("name", ["policy-routed", "multipath"])
def test_every_run_says_what_the_lab_states_wherever_the_control_goes(name: str) -> None:
    """In `multipath` it hangs on the port that the control's UDP happens to get whether that comes through."""
    spec = catalogue.make(name)
    for seed in range(5):
        for train, judgement in measured(name, seed).items():
            truth = spec.expected(train.protocol, train.direction, train.form)
            assert judgement.verdict is truth.verdict, judgement.explanation
            if truth.last_hop is not None and judgement.last_hop is not None:
                assert judgement.last_hop == truth.last_hop, judgement.explanation
