"""The fixtures: a train's settled result, a path to send over, a listener and a sender by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pytest_hdp.judge.verdict import Direction, Form
from pytest_hdp.packet.encoding import Encoding
from pytest_hdp.plugin.outcome import Exchange, FirstPacketObserved, Observed

if TYPE_CHECKING:
    from pytest_hdp.judge.result import Judgement, PathInfo, Result
    from pytest_hdp.lab.topology import Lab
    from pytest_hdp.measure.campaign.campaign import Campaign
    from pytest_hdp.measure.experiments.by_hand import Listener, Sender
    from pytest_hdp.measure.experiments.path_check import Tried
    from pytest_hdp.measure.path.open_path import OpenPath
    from pytest_hdp.measure.schedule.engine import Measurement
    from pytest_hdp.plugin.collection import Case

UNAVAILABLE = "hdp_unavailable"
"""A property of a test's report: why its path can't be had."""


class Path:
    """The path of a test: send your own over it."""

    def __init__(self, campaign: Campaign, key: str, test: pytest.Item) -> None:
        self._campaign = campaign
        self._key = key
        self._test = test
        self._tried: Tried | None = None

    @property
    def name(self) -> PathInfo:
        """Kind, name, source address, target address, agent."""
        return self._campaign.specs[self._key].name

    @property
    def open(self) -> OpenPath:
        """The stations and sockets below."""
        return self._campaign.path(self._key)

    def probe(
        self,
        protocol: int,
        *,
        content: bytes = b"",
        count: int = 1,
        encoding: Encoding | str = Encoding.PLAIN,
        direction: Direction | str = Direction.FORWARD,
        form: Form | str = Form.BARE,
    ) -> Exchange:
        """Send `count` rounds of one probe with this content now, and judge what became of them.

        Raises ValueError for a count below 1, or a word that is no encoding, direction or form.
        """
        from dataclasses import replace

        from pytest_hdp.judge.evidence import Train

        if count < 1:
            raise ValueError(f"count is how many to send: 1 at least, not {count}")

        train = Train(protocol, Direction(direction), Form(form))
        if train.direction is Direction.REVERSE:
            self._campaign.measure_first(self._key)
        plan = self._campaign.specs[self._key].plan
        plan = replace(
            plan,
            trains=(train,),
            content=content,
            encoding=Encoding(encoding),
            pace=replace(plan.pace, rounds=count, control=1),
            least_share=plan.least_share if count > 1 else 0.0,  # one packet proves no share, and one was asked for
        )
        measurement, judgement = self._campaign.probe(self._key, plan)
        result = self._concluded(judgement)
        message = self._campaign.message(self._key, result)
        return Exchange(result, message, contents=_contents(measurement, plan.encoding))

    def first_packet(self, protocol: int, *, longest_idle: float = 8.0) -> FirstPacketObserved:
        """Burst (or what the sweep of this run found), keep on, try other numbers and ports, be silent for so long."""
        from dataclasses import replace

        from pytest_hdp.judge.evidence import Train
        from pytest_hdp.measure.experiments.first_packet import first_packet

        self._campaign.measure_first(key := self._key)
        plan = self._campaign.specs[key].plan
        known, used = self._campaign.settled(key, Train(protocol)), self._campaign.lingers(key)
        findings = first_packet(self.open, plan, protocol, longest_idle=longest_idle, known=known, used=used)
        result = self._concluded(findings.judgement)
        findings = replace(findings, judgement=result.judgement)
        return FirstPacketObserved(result, findings.sentence, findings=findings)

    def _concluded(self, judgement: Judgement) -> Result:
        """The result, which is shown if the test fails."""
        from pytest_hdp.plugin.collection import BY_HAND

        result = self._test.stash[BY_HAND] = self._campaign.conclude(self._key, judgement)
        return result

    def last(self) -> OpenPath:
        """The open path, for an experiment that leaves states on it: what other tests want is measured before."""
        self._campaign.measure_first(self._key)
        return self.open

    def control(self, count: int = 5) -> tuple[int, int]:
        """Send so many control packets forward: how many, and how many of them came through.

        They are UDP datagrams with an agent and ICMP echoes without; where these do not come through, whatever does.
        """
        from pytest_hdp.measure.experiments.path_check import try_path

        pace = self._campaign.specs[self._key].plan.pace
        self._tried = try_path(self.open, count, pace.least_timeout)
        return self._tried.sent, self._tried.came

    @property
    def control_problem(self) -> str | None:
        """Why the last `control()` says nothing of the path, in one line; None if something came through."""
        return self._tried.problem(self.name.target) if self._tried is not None else None

    @property
    def control_note(self) -> str | None:
        """What the last `control()` found out beside the path, such as that no UDP comes through; None: nothing."""
        return self._tried.note() if self._tried is not None else None

    def check_control(self) -> None:
        """Fail where no control comes through, or where clearly more is lost than one in five, or than a lab states."""
        __tracebackhide__ = True
        from pytest_hdp.judge.statistics import surely_above

        sent, through = self.control(10)
        if through and 5 * (sent - through) > sent:
            more = self.control(40)
            sent, through = sent + more[0], through + more[1]
        if self.control_problem:
            pytest.fail(self.control_problem, pytrace=False)
        if surely_above(self._stated_loss(), sent - through, sent, 0.99):
            lost = f"{sent - through} of {sent} control packets were lost on the way to {self.name.target}"
            pytest.fail(f"{lost}: the path itself loses more than one in five", pytrace=False)

    def _stated_loss(self) -> float:
        from pytest_hdp.lab.wires import stated_loss

        lab = self.open.lab
        return max(0.2, stated_loss(lab.boxes)) if lab is not None else 0.2

    def hops(self) -> str:
        """The routers between here and the target, in words."""
        from pytest_hdp.measure.location.hops import format_hops, hops

        pace = self._campaign.specs[self._key].plan.pace
        echo, stand_in = (self._tried.echo, self._tried.stand_in) if self._tried is not None else (False, None)
        return format_hops(self.name.target, hops(self.open, pace.least_timeout, echo=echo, stand_in=stand_in))


def _contents(measurement: Measurement, encoding: Encoding) -> tuple[bytes | None, ...]:
    from pytest_hdp.measure.ledger.probes import content_of
    from pytest_hdp.packet.encoding import decode

    return tuple(
        decode(encoded, encoding) if (encoded := content_of(entry, copy)) is not None else None
        for entry in measurement.ledger.probes.values()
        for copy in entry.delivered
    )


@pytest.fixture(scope="session")
def hdp_campaign(pytestconfig: pytest.Config) -> Campaign:
    """All that this test run measures."""
    from pytest_hdp.plugin.collection import CAMPAIGN

    campaign: Campaign = pytestconfig.stash[CAMPAIGN]
    return campaign


@pytest.fixture
def hdp_case(request: pytest.FixtureRequest) -> Case:
    """The path and the train that this test was parametrised with."""
    if not hasattr(request, "param"):
        pytest.fail(
            "hdp_probe and hdp_protocol make one test of each number, which pytest does for functions and methods of "
            "plain classes that name them as arguments, but not for unittest.TestCase: there, use hdp_path",
            pytrace=False,
        )
    case: Case = request.param
    return case


@pytest.fixture
def hdp_protocol(hdp_case: Case) -> int:
    """The protocol number that this test was parametrised with."""
    return hdp_case.train.protocol


@pytest.fixture
def hdp_probe(hdp_case: Case, hdp_campaign: Campaign, request: pytest.FixtureRequest) -> Observed:
    """The settled result of this test's train; the first one asked for measures them all."""
    from pytest_hdp.plugin.collection import RESULT

    with _skipping_unavailable(request):
        result = hdp_campaign.result(hdp_case.path_key, hdp_case.train)
    request.node.stash[RESULT] = result
    expected_nat = hdp_campaign.specs[hdp_case.path_key].expect_nat(hdp_case.train, result.verdict)
    return Observed(result, hdp_campaign.message(hdp_case.path_key, result), expected_nat)


@pytest.fixture
def hdp_route(request: pytest.FixtureRequest) -> str:
    """The key of this test's path: what it was parametrised with, else the only one there is."""
    from pytest_hdp.plugin.collection import SETTINGS, path_key_of, path_keys
    from pytest_hdp.plugin.marker import marked

    return path_key_of(request.node) or path_keys(request.config.stash[SETTINGS], marked(request.node))[0]


@pytest.fixture
def hdp_path(hdp_route: str, hdp_campaign: Campaign, request: pytest.FixtureRequest) -> Path:
    """The path of this test: its case's, else the one that its marker or the command line names."""
    with _skipping_unavailable(request):
        hdp_campaign.path(hdp_route)
    return Path(hdp_campaign, hdp_route, request.node)


@pytest.fixture
def hdp_note(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """`hdp_note("...")` puts a finding that is not a verdict at the end of the report, and into JUnit's properties."""
    from pytest_hdp.plugin.collection import SETTINGS, path_key_of
    from pytest_hdp.plugin.ids import path_id
    from pytest_hdp.plugin.vantage_points import named

    settings, key = request.config.stash[SETTINGS], path_key_of(request.node)
    several = len(settings.lab) + len(settings.targets) > 1
    about = named(request.config, f"{path_id(key)}: " if key is not None and several else "")

    def note(text: str) -> None:
        request.node.user_properties.append(("hdp_note", about + text))

    return note


@pytest.fixture
def hdp_lab(hdp_path: Path) -> Lab:
    """The lab that this test's path runs through; skips where the path is not emulated."""
    lab = hdp_path.open.lab
    if lab is None:
        pytest.skip("not in a lab: give --hdp-lab=NAME")
    return lab


@contextmanager
def _skipping_unavailable(request: pytest.FixtureRequest) -> Iterator[None]:
    from pytest_hdp.measure.path.endpoints import PathUnavailable
    from pytest_hdp.untrusted.text import safe

    try:
        yield
    except PathUnavailable as error:
        told = safe(error)  # a lab's name, what a program printed
        request.node.user_properties.append((UNAVAILABLE, told))
        pytest.skip(told)


@pytest.fixture
def hdp_listener(hdp_path: Path) -> Iterator[Callable[..., Listener]]:
    """`hdp_listener(47)` opens a listener for a protocol number at the target's end."""
    from pytest_hdp.measure.experiments.by_hand import Listener

    opened: list[Listener] = []

    def listen(protocol: int, encoding: Encoding | str = Encoding.PLAIN) -> Listener:
        opened.append(Listener(hdp_path.open, protocol, Encoding(encoding)))
        return opened[-1]

    yield listen
    for listener in opened:
        listener.close()


@pytest.fixture
def hdp_sender(hdp_path: Path) -> Iterator[Callable[..., Sender]]:
    """`hdp_sender(47)` opens a sender under a protocol number at the source's end, towards the path's target."""
    from pytest_hdp.measure.experiments.by_hand import Sender

    opened: list[Sender] = []

    def send(protocol: int, encoding: Encoding | str = Encoding.PLAIN) -> Sender:
        opened.append(Sender(hdp_path.open, protocol, Encoding(encoding)))
        return opened[-1]

    yield send
    for sender in opened:
        sender.close()
