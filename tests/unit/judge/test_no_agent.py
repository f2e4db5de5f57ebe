"""Where nobody watches: what an answer of the target proves, and what the sentence tells of it."""

from dataclasses import replace

import pytest

from pytest_hdp.judge.evidence import (
    Circumstances,
    IcmpReport,
    Observers,
    Probe,
    Reply,
    RoundControl,
    Sighting,
    Train,
    TrainEvidence,
)
from pytest_hdp.judge.ladder import judge
from pytest_hdp.judge.verdict import Form, Place, Verdict

SOURCE, ROUTER, TARGET = "192.0.2.2", "203.0.113.6", "198.51.100.2"
TRAIN = Train(47)
LEFT = Sighting(1, 47, True, SOURCE, TARGET, 64)
SENT = Probe(1, 0, 1, left=(LEFT,))


def judged(*probes: Probe, train: Train = TRAIN, firewall: bool = False, echoes: frozenset[int] = frozenset()):
    circumstances = Circumstances(
        control=tuple(RoundControl(probe.round, 1, 1, 1) for probe in probes),
        observers=Observers(arrived=False, delivered=False),
        names={"source": SOURCE, "target": TARGET, "sender_interface": "eth0"},
        firewall_says_port=firewall,
        echo_ttls=echoes,
    )
    return judge(TrainEvidence(train, probes=probes), circumstances)


def error(source: str = TARGET, kind: int = 3, code: int = 2, **more) -> Probe:
    more = {"authenticated": True, **more}
    return replace(SENT, icmp=(IcmpReport(2, source, kind, code, **more),))


@pytest.mark.parametrize(
    ("probe", "verdict", "place"),
    [
        (error(), Verdict.REACHED, Place.TARGET),
        (error(code=3), Verdict.INCONCLUSIVE, Place.UNKNOWN),
        (error(code=13), Verdict.REJECTED, Place.TARGET),
        (error(ROUTER), Verdict.REJECTED, Place.HOP),
        (error(ROUTER, 11, 0), Verdict.REJECTED, Place.HOP),
        (error(TARGET, 11, 1), Verdict.REJECTED, Place.PATH),  # it waited for the rest in vain
        (error(authenticated=False), Verdict.SILENT, Place.UNKNOWN),
        (SENT, Verdict.SILENT, Place.UNKNOWN),
        (replace(SENT, replies=(Reply(2, TARGET, 62, "a TCP RST", "ours"),)), Verdict.REACHED, Place.TARGET),
        (replace(error(ROUTER), replies=(Reply(2, TARGET, 62, "a TCP RST", "ours"),)), Verdict.REACHED, Place.TARGET),
    ],
)
def test_only_the_target_itself_is_reached(probe, verdict, place):
    found = judged(probe)
    assert (found.verdict, found.place) == (verdict, place)


@pytest.mark.parametrize(
    ("ttl", "echoes", "verdict"),
    [
        (61, {61}, Verdict.REACHED),
        (61, {252}, Verdict.REACHED),  # 64 and 255 less three routers each: some stacks begin with two
        (61, {125, 62}, Verdict.REACHED),  # on one of the ways
        (63, set(), Verdict.REACHED),  # it answers no echo: nothing speaks against it
        (63, {61}, Verdict.INCONCLUSIVE),
        (63, {252}, Verdict.INCONCLUSIVE),
    ],
)
def test_a_reset_from_another_distance_than_the_targets_echoes_may_be_a_firewalls(ttl, echoes, verdict):
    probe = replace(SENT, replies=(Reply(2, TARGET, ttl, "a TCP RST", "our number"),))
    found = judged(probe, echoes=frozenset(echoes))
    assert found.verdict is verdict
    assert ("may have sent it in its name" in found.explanation) is (verdict is Verdict.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("ttl", "echoes", "code", "verdict", "place"),
    [
        (61, {61}, 2, Verdict.REACHED, Place.TARGET),
        (252, {61}, 2, Verdict.REACHED, Place.TARGET),
        (60, {61}, 2, Verdict.REACHED, Place.TARGET),  # from beyond: it is rather the echoes that another answers
        (63, set(), 2, Verdict.REACHED, Place.TARGET),  # it answers no echo: nothing speaks against it
        (63, {61}, 2, Verdict.INCONCLUSIVE, Place.UNKNOWN),
        (63, {252, 61}, 2, Verdict.INCONCLUSIVE, Place.UNKNOWN),
        (63, {62, 63}, 2, Verdict.REACHED, Place.TARGET),  # on one of the ways
        (63, {61}, 13, Verdict.REJECTED, Place.HOP),
        (61, {61}, 13, Verdict.REJECTED, Place.TARGET),
        (63, {61}, 3, Verdict.REJECTED, Place.HOP),  # no tunnel's handler of the target's is that near
        # echoes that began with 60, as those of some systems do, errors with 64: either it is the target's, or nearer
        (61, {57}, 2, Verdict.INCONCLUSIVE, Place.UNKNOWN),
        (61, {57}, 13, Verdict.REJECTED, Place.UNKNOWN),
        (252, {57}, 13, Verdict.REJECTED, Place.UNKNOWN),
        (62, {57}, 13, Verdict.REJECTED, Place.HOP),  # neither 60 nor 64 makes these two alike
        (57, {57}, 13, Verdict.REJECTED, Place.TARGET),
    ],
)
def test_an_error_in_the_targets_name_from_nearer_than_its_echoes_is_not_taken_for_its_own(
    ttl, echoes, code, verdict, place
):
    found = judged(error(code=code, ttl=ttl), echoes=frozenset(echoes))
    assert (found.verdict, found.place) == (verdict, place)
    nearer = (ttl == 63 and echoes and 63 not in echoes) or (ttl != 57 and echoes == {57})
    assert ("may have sent it in its name" in found.explanation) is bool(nearer)
    either = echoes == {57} and ttl in {61, 252}
    assert ("or it begins its echoes with another TTL" in found.explanation) is either


@pytest.mark.parametrize("number", [17, 136])
def test_nor_is_port_unreachable_to_a_datagram(number):
    probe = replace(error(code=3, ttl=63), left=(replace(LEFT, protocol=number),))
    assert judged(probe, train=Train(number), echoes=frozenset({61})).verdict is Verdict.INCONCLUSIVE
    assert judged(probe, train=Train(number), echoes=frozenset({63})).verdict is Verdict.REACHED


@pytest.mark.parametrize(
    ("number", "firewall", "verdict"),
    [
        (132, False, Verdict.REJECTED),  # a number whose stack has other means
        (89, False, Verdict.REJECTED),
        (253, True, Verdict.REJECTED),
        (17, False, Verdict.REACHED),  # a port that nobody has
        (136, False, Verdict.REACHED),
        (17, True, Verdict.INCONCLUSIVE),
        *((number, True, Verdict.REJECTED) for number in (4, 41, 47, 50, 51, 108)),
        *((number, False, Verdict.INCONCLUSIVE) for number in (4, 41, 47, 50, 51, 108)),
    ],
)
def test_port_unreachable_is_a_firewalls_word_where_no_stack_says_so(number, firewall, verdict):
    left = replace(LEFT, protocol=number)
    found = judged(replace(error(code=3), left=(left,)), train=Train(number), firewall=firewall)
    assert found.verdict is verdict
    assert "198.51.100.2 answered 1 with port unreachable (ICMP 3/3)" in found.explanation
    assert ("either its" in found.explanation) is (verdict is Verdict.INCONCLUSIVE)


def test_port_unreachable_from_elsewhere_is_a_rejection_for_every_number():
    for number in (17, 47, 253):
        probe = replace(error(ROUTER, code=3), left=(replace(LEFT, protocol=number),))
        assert judged(probe, train=Train(number)).verdict is Verdict.REJECTED


def test_what_its_stack_said_besides_decides():
    reports = (IcmpReport(2, TARGET, 3, 3, authenticated=True), IcmpReport(3, TARGET, 3, 2, authenticated=True))
    assert judged(replace(SENT, icmp=reports)).verdict is Verdict.REACHED


def test_a_reply_and_its_proof_are_told():
    found = judged(replace(SENT, replies=(Reply(2, TARGET, 62, "a TCP RST", "a number of ours"),)), SENT)
    assert "198.51.100.2 replied to 1 of 2 with a TCP RST, which holds a number of ours" in found.explanation


@pytest.mark.parametrize(
    ("quoted", "changed", "told", "ttl"),
    [
        (62, (), "; its TTL was 62 there: 2 routers on the way.", 62),
        (63, (), "; its TTL was 63 there, as behind 1 router.", 63),
        (64, (), "; its TTL was 64 there, as it left.", 64),  # somebody may have set it, before or behind routers
        (200, (), "; its TTL was 200 there.", 200),
        (None, ("dscp", "ecn"), "1 sent; the quote shows dscp, ecn changed.", None),
    ],
)
def test_what_the_quote_shows_is_told_and_kept(quoted, changed, told, ttl):
    found = judged(error(quoted_ttl=quoted, changed=changed), echoes=frozenset({62}))
    assert found.explanation.endswith(told)
    assert (found.ttl, found.changed) == (ttl, changed)


@pytest.mark.parametrize(
    ("quoted", "echoes", "told"),
    [
        (64, {64}, "there: 0 routers on the way."),
        (61, {57, 250}, "there: 3 routers on the way."),
        (62, set(), "there, as behind 2 routers."),
    ],
)
def test_as_many_routers_are_on_the_way_as_the_echoes_passed_too(quoted, echoes, told):
    assert judged(error(quoted_ttl=quoted), echoes=frozenset(echoes)).explanation.endswith(told)


def test_what_a_kernel_says_to_itself_is_nobodys_word_on_the_path():
    """Its address is none that was sent from: a host with two of them."""
    said = error("192.0.2.3", 3, 1, own=True)
    assert judged(error("192.0.2.3", 3, 1)).verdict is Verdict.REJECTED
    assert judged(said).verdict is Verdict.SILENT
    assert judged(replace(said, left=()), SENT).verdict is not Verdict.REJECTED
    held = judged(replace(said, left=()))
    assert (held.verdict, held.place) == (Verdict.HELD_BY_SENDER, Place.SENDER_KERNEL)


def test_a_routers_quote_says_nothing_of_the_arrival():
    found = judged(error(ROUTER, quoted_ttl=1, changed=("dscp",)))
    assert (found.ttl, found.changed) == (None, ())


def test_silence_leaves_three_explanations_and_names_what_proves_nothing():
    found = judged(error(authenticated=False, changed=("payload",)))
    assert "1 ICMP error that proves nothing (quoted with payload changed, or made up)" in found.explanation
    open_still = "dropped on the path, or dropped by 198.51.100.2, or accepted there without a reply"
    assert open_still in found.explanation


@pytest.mark.parametrize(
    ("number", "form", "told"), [(6, Form.BARE, True), (6, Form.WELLFORMED, False), (47, Form.BARE, False)]
)
def test_where_a_valid_message_would_be_answered_that_is_said(number, form, told):
    found = judged(replace(SENT, left=(replace(LEFT, protocol=number),)), train=Train(number, form=form))
    assert ("--hdp-form=wellformed" in found.explanation) is told
