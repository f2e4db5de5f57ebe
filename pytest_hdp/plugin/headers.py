"""The fixture of the experiment of extension headers: what they are held against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.verdict import Form
from pytest_hdp.packet.family import IPV6
from pytest_hdp.plugin.outcome import Observed

if TYPE_CHECKING:
    from pytest_hdp.measure.campaign.campaign import Campaign
    from pytest_hdp.plugin.collection import Case


def control_of(train: Train) -> Train:
    """Return what a train is held against: its transport without headers, in its own message if it has one."""
    from pytest_hdp.packet.carrier import carriers

    form = Form.WELLFORMED if train.transport in carriers(IPV6) else Form.BARE
    return Train(train.transport, train.direction, form)


@pytest.fixture
def hdp_without_headers(hdp_case: Case, hdp_campaign: Campaign, hdp_probe: Observed) -> Observed:
    """The result of what a test sends behind extension headers, without them: in its own message if it has one."""
    return Observed(hdp_campaign.result(hdp_case.path_key, control_of(hdp_case.train)), "")
