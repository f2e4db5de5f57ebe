"""What stands beside a verdict: translation, duplicates, changed bytes and fields, errors in words."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from fates import (
    ALL,
    BLIND_SENDER,
    ME,
    NAMES,
    NO_AGENT,
    ROUTER,
    SECOND,
    SOCKET_ONLY,
    TAP_ONLY,
    Example,
    P,
    V,
    attributes_of,
    error,
    probe,
    seen,
)
from ladder_examples import EXAMPLES

from pytest_hdp.judge.evidence import (
    Circumstances,
    IcmpReport,
    Observers,
    Probe,
    RoundControl,
    Train,
    TrainEvidence,
)
from pytest_hdp.judge.explain import icmp_text
from pytest_hdp.judge.facts import Facts
from pytest_hdp.judge.ladder import judge
from pytest_hdp.judge.result import IcmpCount, Judgement, Nat
from pytest_hdp.judge.verdict import Verdict
from pytest_hdp.untrusted.text import plain


def from_source(index: int, source: str, **other: Any) -> Probe:
    return replace(probe("l", index), delivered=(seen(index * SECOND + 5, source=source, **other),))


@pytest.mark.parametrize(
    ("sources", "control", "nat"),
    [
        ((ME, ME), None, Nat("none", ME)),
        ((ME, ME), ME, Nat("none", ME)),
        ((ROUTER, ROUTER), ROUTER, Nat("translated", ROUTER)),
        ((ROUTER, ROUTER), ME, Nat("translated", ROUTER, ME)),
        ((ME, ME), ROUTER, Nat("leaked", ME, ROUTER)),
        ((ME, ROUTER), ROUTER, Nat("leaked", ME, ROUTER)),
        (("100.64.0.2",) * 2, "203.0.113.5", Nat("leaked", "100.64.0.2", "203.0.113.5")),
        (("203.0.113.5", "100.64.0.2"), "203.0.113.5", Nat("leaked", "100.64.0.2", "203.0.113.5")),
        (("203.0.113.6",) * 2, "203.0.113.5", Nat("translated", "203.0.113.6", "203.0.113.5")),
        (("100.64.0.2",) * 2, ME, Nat("translated", "100.64.0.2", ME)),
        (("100.64.0.2",) * 2, None, Nat("translated", "100.64.0.2")),
    ],
)
def test_nat(sources: tuple[str, ...], control: str | None, nat: Nat) -> None:
    probes = [from_source(i, source) for i, source in enumerate(sources)]
    assert attributes_of(*probes, names={"control_source": control} if control else {}).nat == nat


def test_nat_unknown_without_own_address() -> None:
    unseen = replace(from_source(0, ROUTER), left=())
    assert attributes_of(unseen, names={"source": None}).nat == Nat("none", ROUTER)  # type: ignore[dict-item]


def test_an_address_that_the_sender_itself_used_is_no_translation() -> None:
    """By policy the number leaves by another interface, under that one's address."""
    other = "192.0.2.77"
    own = replace(from_source(0, other), left=(seen(1, source=other),))
    assert attributes_of(own, names={"control_source": ME}).nat == Nat("none", other)
    assert attributes_of(own, names={"control_source": ROUTER}).nat == Nat("none", other), (
        "there it needs no translator"
    )
    private = "192.168.7.7"
    own_private = replace(from_source(0, private), left=(seen(1, source=private),))
    assert attributes_of(own_private, names={"control_source": ROUTER}).nat == Nat("leaked", private, ROUTER)
    assert attributes_of(replace(own, left=())).nat == Nat("translated", other)


def test_what_was_seen_at_a_bridge_and_not_at_its_port_has_not_left() -> None:
    at_bridge = [replace(probe("l", i), left=(replace(seen(i * SECOND + 1), interface="br0"),)) for i in range(5)]
    control = tuple(RoundControl(i, 64, 64, 64) for i in range(5))
    for inner, verdict in ((frozenset({"br0"}), V.HELD_BY_SENDER), (frozenset({"br1"}), V.LOST)):
        shared = Circumstances(control, names=NAMES, inner=inner)
        judgement = judge(TrainEvidence(Train(132), None, tuple(at_bridge)), shared)
        assert (judgement.verdict, judgement.left) == (verdict, 5 * (verdict is V.LOST)), inner


def test_an_error_of_the_senders_own_kernel_says_nothing_of_the_path() -> None:
    """Its neighbour does not answer: nothing left, and the kernel says "host unreachable" to itself."""
    report = IcmpReport(5, ME, 3, 1, authenticated=True)
    probes = tuple(replace(probe(".", i), icmp=(report,)) for i in range(5))
    judgement = attributes_of(*probes)
    assert judgement.verdict is V.HELD_BY_SENDER
    assert judgement.icmp == (IcmpCount(ME, 3, 1, 5, authenticated=True),)


@pytest.mark.parametrize(
    ("moved", "said"), [(4, "4 bytes put before the payload"), (-1, "1 byte cut off its front"), (0, "")]
)
def test_bytes_at_the_front_are_told_with_their_number(moved: int, said: str) -> None:
    copy = replace(seen(5), genuine=False, changed=("payload",), moved=moved)
    judgement = attributes_of(*(replace(probe("l", i), arrived=(copy,)) for i in range(5)))
    assert (judgement.verdict, judgement.moved) == (V.MODIFIED, moved or None)
    assert said in judgement.explanation


def five(letter: str, *, counting: int, **circumstances: Any) -> Judgement:
    """Five probes, of whose rounds only some count: in the others an observer dropped packets."""
    control = tuple(RoundControl(i, 64, 64, 64, () if i < counting else ("the tap overflowed",)) for i in range(5))
    probes = tuple(probe(letter, i) for i in range(5))
    shared = Circumstances(control, names=NAMES, minimum_count=5, **circumstances)
    return judge(TrainEvidence(Train(132), None, probes), shared)


@pytest.mark.parametrize(("letter", "verdict"), [(".", V.HELD_BY_SENDER), ("a", V.HELD_BY_RECEIVER)])
@pytest.mark.parametrize("counting", [1, 4, 5])
def test_an_absence_is_final_only_if_all_of_it_was_watched(letter: str, verdict: Verdict, counting: int) -> None:
    going_on = five(letter, counting=counting, more_rounds=True)
    assert (going_on.verdict, going_on.final) == (verdict, counting == 5)
    assert five(letter, counting=counting).verdict is (verdict if counting == 5 else V.INCONCLUSIVE)


@pytest.mark.parametrize(("errors", "counting", "final"), [(1, 1, False), (1, 5, True), (5, 5, True), (4, 4, False)])
def test_one_error_beside_losses_that_nobody_can_explain_is_no_rejection(
    errors: int, counting: int, final: bool
) -> None:
    control = tuple(RoundControl(i, 64, 64 * (i < counting), 64) for i in range(5))
    report = IcmpReport(5, ROUTER, 3, 0, authenticated=True)
    probes = tuple(replace(probe("l", i), icmp=(report,) * (i < errors)) for i in range(5))
    for more_rounds in (True, False):
        shared = Circumstances(control, names=NAMES, minimum_count=5, more_rounds=more_rounds, trains=1)
        judgement = judge(TrainEvidence(Train(132), None, probes), shared)
        expected = V.REJECTED if final or more_rounds else V.INCONCLUSIVE
        assert judgement.verdict is expected, (more_rounds, judgement.explanation)
        assert judgement.final is (final or not more_rounds)


def test_what_a_number_became_is_told() -> None:
    copy = replace(seen(5), protocol=254, changed=("protocol",))
    judgement = attributes_of(*(replace(probe("l", i), arrived=(copy,)) for i in range(5)))
    assert (judgement.verdict, judgement.modified, judgement.changed_to) == (V.MODIFIED, ("protocol",), 254)
    assert "protocol changed (to 254 (experimental-2))" in judgement.explanation


def test_what_the_target_says_of_the_number_that_it_became_rejects_nothing() -> None:
    other = replace(seen(5), protocol=253, changed=("protocol", "payload"))
    became = attributes_of(*(replace(probe("f", i), arrived=(other,)) for i in range(5)))
    assert (became.verdict, became.changed_to) == (V.MODIFIED, 253)
    assert attributes_of(*(probe("f", i) for i in range(5))).verdict is V.REJECTED


def test_what_came_inside_a_tunnels_packets_is_told_and_is_no_arrival() -> None:
    judgement = attributes_of(*(replace(probe("l", i), carried=(4,)) for i in range(5)))
    assert (judgement.verdict, judgement.arrived) == (V.LOST, 0)
    assert "5 came there inside packets of 4 (" in judgement.explanation


@pytest.mark.parametrize("state", ["right", "stale", "none", None])
def test_a_stale_checksum_is_told_beside_the_delivery(state: str | None) -> None:
    came = (replace(seen(5), checksum=state),)
    judgement = attributes_of(*(replace(probe("l", index), delivered=came) for index in range(5)))
    assert (judgement.verdict, judgement.transport_checksum) == (V.DELIVERED, state)
    assert ("a real stack would drop it" in judgement.explanation) is (state == "stale")


def test_nat_unknown_without_arrivals() -> None:
    assert EXAMPLES["lost"].judge().nat == Nat("none", None)


def test_duplicates_replays_and_reordering() -> None:
    first, second, third = (probe("d", i) for i in range(3))
    twice = replace(first, delivered=(*first.delivered, seen(9 * SECOND), seen(10 * SECOND)))
    late = replace(second, delivered=(seen(8 * SECOND),))
    judgement = attributes_of(twice, late, third)
    assert judgement.verdict is V.DELIVERED
    assert (judgement.duplicated, judgement.reordered) == (2, 1)


def test_ttl_and_changes_in_good_faith() -> None:
    changed = ("ttl", "dscp", "source")
    judgement = attributes_of(
        from_source(0, ME, ttl=60, changed=changed), from_source(1, ME, ttl=60), from_source(2, ME, ttl=61)
    )
    assert (judgement.verdict, judgement.ttl) == (V.DELIVERED, 60)
    assert judgement.changed == ("dscp", "source", "ttl")
    assert judgement.modified == ()


def test_a_changed_copy_beside_a_good_one_is_no_modification() -> None:
    both = [
        replace(p, delivered=(*p.delivered, *probe("m", i).delivered))
        for i, p in enumerate(map(probe, "ddddd", range(5)))
    ]
    judgement = attributes_of(*both)
    assert (judgement.verdict, judgement.modified, judgement.duplicated) == (V.DELIVERED, (), 5)


def test_icmp_is_counted_by_kind() -> None:
    judgement = EXAMPLES["rejected once, the rest limited"].judge()
    assert judgement.icmp == (IcmpCount(ROUTER, 3, 13, 1, True),)
    forged = Example("uuurl", V.REJECTED, P.HOP).judge()
    assert [(i.count, i.authenticated) for i in forged.icmp] == [(3, False), (1, True)]


def test_modified_names_the_fields_that_no_router_may_change() -> None:
    judgement = EXAMPLES["modified"].judge()
    assert (judgement.modified, judgement.delivered, judgement.arrived) == (("payload",), 0, 5)


def test_a_changed_copy_with_only_harmless_changes_has_a_changed_payload() -> None:
    mangled = seen(9, genuine=False, changed=("ttl",))
    better = seen(9, protocol=4, changed=("protocol",))
    assert attributes_of(replace(probe("l", 0), delivered=(mangled,))).modified == ("payload",)
    assert attributes_of(replace(probe("l", 0), delivered=(mangled, better))).modified == ("protocol",)


def test_the_commonest_is_reported_and_the_least_of_equals() -> None:
    probes = [
        from_source(i, source, ttl=ttl)
        for i, (source, ttl) in enumerate([("203.0.113.9", 60), ("203.0.113.8", 50)] * 2)
    ]
    judgement = attributes_of(*probes, from_source(4, "203.0.113.9", ttl=40))
    assert (judgement.nat, judgement.ttl) == (Nat("translated", "203.0.113.9"), 50)


HOSTILE = "eth\x1b[2J0\u202e\ud800"


def test_hostile_text_is_escaped() -> None:
    assert plain(HOSTILE) == r"eth\x1b[2J0\u202e\ud800"
    assert plain("eth0 Straße") == "eth0 Straße"
    names = dict.fromkeys(NAMES, HOSTILE)
    for example in EXAMPLES.values():
        options = {**example.options, "names": names, "agent_gone": HOSTILE, "spoiled": (HOSTILE,)}
        assert replace(example, options=options).judge().explanation.isprintable()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ((3, 2), "protocol unreachable"),
        ((11, 0), "time to live exceeded"),
        ((12, 0), "parameter problem"),
        ((3, 99), "destination unreachable"),
        ((99, 0), "error"),
    ],
)
def test_icmp_in_words(kind: tuple[int, int], words: str) -> None:
    assert icmp_text("192.0.2.1", *kind) == f"{words} (ICMP {kind[0]}/{kind[1]})"


def test_many_kinds_of_errors_are_summed_up() -> None:
    errors = [replace(probe("l", i), icmp=tuple(error(i, f"100.64.0.{k}", 13) for k in range(1, 6))) for i in range(2)]
    errors.append(replace(probe("l", 2), icmp=(error(2, "100.64.0.3", 13), error(2, "100.64.0.3", 13))))
    said = attributes_of(*errors).explanation
    assert (
        "100.64.0.3 answered 3 with communication administratively prohibited (ICMP 3/13), 100.64.0.1 answered 2"
        in said
    )
    assert "and 2 more kinds of error came" in said


def test_looks_and_shares() -> None:
    """Each look after the minimum is one more; of 256 trains and four claims each has its share of the error rate."""
    facts = [Facts(Example("l" * n, V.LOST, P.PATH).evidence(), replace(COMMON, minimum_count=5)) for n in (1, 5, 6, 9)]
    assert [f.look for f in facts] == [1, 1, 2, 5]
    assert facts[0].alpha == pytest.approx(1e-6 / 256 / 4)


COMMON = Circumstances(tuple(RoundControl(i, 64, 64, 64) for i in range(9)), names=NAMES)


def test_several_controls_in_one_round_count_together() -> None:
    evidence = EXAMPLES["lost"].evidence()
    udp = tuple(RoundControl(i, 32, 32, 32) for i in range(5))
    echo = tuple(RoundControl(i, 32, 0, 32) for i in range(5))
    spoiled = tuple(RoundControl(i, 32, 32, 32, ("receiver tap",)) for i in range(5))
    verdicts = [
        judge(evidence, Circumstances(udp + more, names=NAMES, minimum_count=5)).verdict for more in ((), echo, spoiled)
    ]
    assert verdicts == [V.LOST, V.INCONCLUSIVE, V.INCONCLUSIVE]


@pytest.mark.night
def test_all_pairs_of_fates_raise_nothing() -> None:
    letters = "EMO.nNxzluqrpPAtahfFbmdDyY"
    for fates in itertools.product(letters, repeat=2):
        for observers in (ALL, TAP_ONLY, SOCKET_ONLY, NO_AGENT, BLIND_SENDER, Observers(False, False, False)):
            judgement = Example("".join(fates), V.LOST, P.PATH, observers=observers).judge()
            assert judgement.verdict not in {V.LOST, V.LOSSY, V.FIRST_ONLY}, "two probes prove no loss"
