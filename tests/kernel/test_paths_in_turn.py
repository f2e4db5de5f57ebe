"""Of several paths in one run: what is begun on one is measured to its end before another path's turn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Direction, Verdict
from pytest_hdp.lab.catalogue import make
from pytest_hdp.lab.requirements import LabUnavailable
from pytest_hdp.lab.topology import Lab
from pytest_hdp.measure import plan
from pytest_hdp.measure.campaign import path_specs
from pytest_hdp.measure.campaign.campaign import Campaign

FORTH, BACK = Train(253), Train(253, Direction.REVERSE)
ONE, TWO, OTHER = "lab:transparent", "lab:allowlist", "lab:vpn-friendly"


@pytest.fixture
def campaign() -> Iterator[Campaign]:
    """Three labs, each asked for one number both ways."""
    try:
        with Lab(make("transparent")):
            pass
    except LabUnavailable as error:
        pytest.skip(f"privilege: {error}")
    asked = plan.Plan((FORTH, BACK), plan.LAB)
    made = Campaign()
    for key in (ONE, TWO, OTHER):
        spec = path_specs.in_lab(make(key.removeprefix("lab:")), asked, None, expect_truth=False)[0]
        made.specs[spec.key] = spec
        for train in (FORTH, BACK):
            made.want(spec.key, train)
        made.path_users[spec.key] = 1  # so that nobody closes it
    try:
        yield made
    finally:
        made.close()


def test_what_is_begun_is_measured_to_its_end_side_by_side(campaign: Campaign) -> None:
    campaign.together = (frozenset({ONE, TWO}),)
    assert campaign.result(ONE, FORTH).verdict is Verdict.DELIVERED
    sent: list[str] = []
    for key in (ONE, TWO):
        path = campaign.path(key)
        usual = path.send
        path.send = lambda *args, key=key, usual=usual: (sent.append(key), usual(*args))[1]
    campaign.result(OTHER, FORTH)
    turns = [key for key, before in zip(sent, ["", *sent], strict=False) if key != before]
    assert set(turns) == {ONE, TWO}
    assert len(turns) > 2, "one after the other"
    sent.clear()
    assert campaign.result(ONE, BACK).verdict is Verdict.DELIVERED
    assert not sent


def test_an_error_of_another_path_is_told_to_who_asks_that_one(campaign: Campaign) -> None:
    assert campaign.result(ONE, FORTH).verdict is Verdict.DELIVERED

    def broken(*_: object) -> None:
        raise RuntimeError("a fault of that path")

    campaign.path(ONE).send = broken
    assert campaign.result(OTHER, FORTH).judgement.sent == 7
    with pytest.raises(RuntimeError, match="a fault of that path"):
        campaign.result(ONE, BACK)
