"""Errors about others' packets: whose they were, and what is not kept any more."""

from pytest_hdp.measure.schedule.icmp_budget import Sent, certainly_there
from pytest_hdp.measure.schedule.overheard import MOST, Overheard
from pytest_hdp.packet.ip import build_ipv4

TARGET, ROUTER, OWN = "198.51.100.2", "198.51.100.1", "192.0.2.2"


def error_from(source: str) -> bytes:
    quote = build_ipv4(b"somebody's", source=OWN, destination=TARGET, protocol=200)
    return build_ipv4(b"\x03\x02" + bytes(6) + quote, source=source, destination=OWN, protocol=1)


def test_an_error_counts_for_who_sent_it():
    heard = Overheard()
    heard.file(error_from(TARGET), Sent(1.0, 1.1))
    heard.file(error_from(ROUTER), Sent(2.0, 2.1))
    assert (heard.of(TARGET), heard.of(ROUTER), heard.of(OWN)) == ([Sent(1.0, 1.1)], [Sent(2.0, 2.1)], [])


def test_whether_others_got_an_error_since_then():
    heard = Overheard()
    heard.file(error_from(TARGET), Sent(1.0, 1.1))
    heard.file(error_from(ROUTER), Sent(2.0, 2.1))
    assert [heard.since(TARGET, time) for time in (0.9, 1.1, 1.2)] == [True, True, False]
    assert heard.since(ROUTER, 1.2)


def test_what_is_no_error_counts_for_nobody():
    heard = Overheard()
    datagram = build_ipv4(bytes(40), source=TARGET, destination=OWN, protocol=17)
    for data in (b"", b"\x45", bytes(40), error_from(TARGET)[:20], datagram):
        heard.file(data, Sent(1.0, 1.1))
    assert heard.of(TARGET) == []


def test_whoever_floods_makes_no_silence_certain():
    """What was heard before the flood is forgotten, and taken to have been by anybody."""
    heard, answered = Overheard(), [Sent(0.0, 0.0), Sent(1.3, 1.3)]
    heard.file(error_from(TARGET), Sent(0.9, 1.0))
    assert not certainly_there(1.2, answered, 1.05, others=heard.of(TARGET))
    for number in range(MOST):
        heard.file(error_from(ROUTER), Sent(1.1 + number / MOST / 100, 1.1 + number / MOST / 100))
    assert not certainly_there(1.2, answered, 1.05, others=heard.of(TARGET))
    assert certainly_there(3.0, [*answered, Sent(3.1, 3.1)], 1.05, others=heard.of(TARGET))
