"""Every lab does what its boxes say: each number, in both forms and directions, against plain sockets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_hdp.judge.verdict import Direction, Form, Verdict
from pytest_hdp.lab.boxes import Traffic
from pytest_hdp.lab.catalogue import LABS, names
from pytest_hdp.lab.wires import BurstLoss, Delay, Loss, Reorder

pytestmark = pytest.mark.night  # a commit has tests/kernel/test_truth.py, which contradicts a lab that does otherwise
MARK = b"lab-test"
INSIDE = 253

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Direct, Seen
    from pytest_hdp.lab.truth import Truth

TELLING = sorted(
    {
        0,
        1,
        2,
        4,
        6,
        17,
        33,
        41,
        43,
        44,
        47,
        50,
        51,
        58,
        59,
        60,
        89,
        103,
        112,
        115,
        132,
        135,
        136,
        *range(20, 256, 23),
        253,
        255,
    }
)
NUMBERS = TELLING if os.environ.get("TESTS_PROFILE") == "brief" else range(256)
COUNT = 3
BY_CHANCE = {name for name in names() if any(isinstance(box, Loss | BurstLoss) for box in LABS[name].boxes)}
NO_ECHO = {"tcp-only", "two-paths"}
"""Labs through which no echo comes, by which these tests know that all else has: the suites measure them."""
BESIDE = {"policy-routed", "multipath"}
"""Labs in which some numbers take an interface at which these tests do not look: `test_uplinks.py` does."""
OTHERWISE = {"rate-limited", "shared-limiter", "renumber"}
EXACT = [name for name in names() if name not in BY_CHANCE | NO_ECHO | BESIDE | OTHERWISE]
"""Labs of which every packet's fate is known, and its number kept; the others have tests of their own."""


def mistakes(truth: Truth, seen: Seen, direction: Direction, rewritten: bool) -> list[str]:
    """What was seen that the truth does not say."""
    wrong = []
    if truth.verdict is Verdict.RENUMBERED:  # without its header another number's socket hears
        return [f"left as {each[6]}" for each in seen.left if each[6] != INSIDE] or ([] if seen.left else ["none left"])
    arrives = {Verdict.DELIVERED, Verdict.MODIFIED, Verdict.HELD_BY_RECEIVER, Verdict.REACHED}
    arrived = 1 if truth.verdict is Verdict.FIRST_ONLY else COUNT if truth.verdict in arrives else 0
    if truth.verdict is Verdict.FIRST_ONLY and Verdict.LOST in truth.also:  # the first may be another's
        arrived = min(arrived, len(seen.arrived))
    deaf = truth.verdict is Verdict.HELD_BY_RECEIVER or "protocol" in truth.changed or not seen.heard
    delivered = 0 if deaf else arrived
    errnos = [truth.errno] * COUNT if truth.verdict is Verdict.REFUSED_AT_SEND else []
    more = truth.duplicates
    if (len(seen.arrived) < arrived) or (len(seen.arrived) > arrived and not more):
        wrong.append(f"{len(seen.arrived)} arrived, not {arrived}")
    if (len(seen.delivered) < delivered) or (len(seen.delivered) > delivered and not more):
        wrong.append(f"{len(seen.delivered)} delivered, not {delivered}")
    if seen.errnos != errnos:
        wrong.append(f"errnos {seen.errnos}, not {errnos}")
    held = truth.verdict is Verdict.HELD_BY_SENDER
    if len(seen.left) != (0 if held else COUNT - len(errnos)):
        wrong.append(f"{len(seen.left)} left")
    if truth.verdict is Verdict.REJECTED and seen.icmp != [(truth.icmp_from, *(truth.icmp or ()))] * COUNT:
        wrong.append(f"ICMP {seen.icmp}, not {truth.icmp} from {truth.icmp_from}")
    if truth.verdict is Verdict.LOST and seen.icmp and not truth.duplicates:
        wrong.append(f"ICMP {seen.icmp}")
    if direction is Direction.FORWARD and truth.nat_source and seen.arrived and seen.sources != {truth.nat_source}:
        wrong.append(f"came from {seen.sources}, not {truth.nat_source} ({truth.nat})")
    bodies = {_body(packet, rewritten) for packet in seen.left}
    arrived_bodies = {_body(packet, rewritten) for packet in seen.arrived}
    whole = bodies <= arrived_bodies if more else arrived_bodies <= bodies
    if seen.arrived and whole != (truth.verdict is not Verdict.MODIFIED and "protocol" not in truth.changed):
        wrong.append("bytes as sent" if whole else "bytes changed")
    return wrong


def _body(packet: bytes, rewritten: bool) -> bytes:
    """What must not change: behind a NAT, that is what follows the transport header."""
    number, header = (packet[6:7], 40) if packet[0] >> 4 == 6 else (packet[9:10], (packet[0] & 15) * 4)
    return number + packet[packet.index(MARK) if rewritten else header :]


def hold(
    direct: Direct, direction: Direction, form: Form, traffic: Traffic, sender: str | None = None
) -> dict[int, list[str]]:
    """Send everything and return what contradicts the truth, by number."""
    held_back = any(isinstance(box, Delay | Reorder) for box in direct.lab.boxes)
    numbers = [
        each for each in NUMBERS if each or direct.version == 4 or form is Form.WELLFORMED
    ]  # bare 0 has no socket
    seen = direct.exchange(numbers, direction, form, COUNT, sender=sender, awaited=lambda _: COUNT * held_back)
    rewritten = any(box.hides(direct.version) for box in direct.lab.boxes)
    wrong = {
        number: mistakes(direct.lab.expected(number, direction, form, traffic), seen[number], direction, rewritten)
        for number in numbers
    }
    return {number: each for number, each in wrong.items() if each}


@pytest.mark.parametrize("ip_version", [4, 6])
@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("name", EXACT)
def test_forward_then_answers(name: str, form: Form, ip_version: int, open_lab: Callable[..., Direct]):
    direct = open_lab(name, ip_version=ip_version)
    assert not hold(direct, Direction.FORWARD, form, Traffic())
    assert not hold(direct, Direction.REVERSE, form, Traffic(solicited=True))


@pytest.mark.parametrize("ip_version", [4, 6])
@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("name", EXACT)
def test_reverse_unasked(name: str, form: Form, ip_version: int, open_lab: Callable[..., Direct]):
    assert not hold(open_lab(name, ip_version=ip_version), Direction.REVERSE, form, Traffic())


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize(
    ("name", "ip_version"),
    [("home-nat", 4), ("carrier-grade", 4), ("aws-nat-gateway", 4), ("npt66", 4), ("nat66", 6), ("npt66", 6)],
)
def test_a_second_host_behind_the_nat(name: str, ip_version: int, form: Form, open_lab: Callable[..., Direct]):
    direct = open_lab(name, ip_version=ip_version)
    direct.exchange(NUMBERS, Direction.FORWARD, form)
    seen = direct.exchange(NUMBERS, Direction.FORWARD, form, sender="second")
    wrong = {}
    for number in NUMBERS:
        truth = direct.lab.expected(number, Direction.FORWARD, form)
        expected = COUNT if truth.second_host in {Verdict.DELIVERED, Verdict.MODIFIED, Verdict.REACHED} else 0
        if len(seen[number].arrived) != expected:
            wrong[number] = (len(seen[number].arrived), expected)
    assert not wrong
