"""What got out of a box, what did not, and what is not proven: by hand, and in generated worlds."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_hdp.judge.compare import compare
from pytest_hdp.judge.containment import contain, ruled
from pytest_hdp.judge.evidence import Train
from pytest_hdp.judge.expectations.assess import assess
from pytest_hdp.judge.expectations.profile import Expectation, ProfileError
from pytest_hdp.judge.expectations.profile_file import load_profile
from pytest_hdp.judge.expectations.recorded import record
from pytest_hdp.judge.outside import Launched, Side, Sight, Surroundings
from pytest_hdp.judge.result import Judgement, PathInfo, Result, TwinCount
from pytest_hdp.judge.statistics import at_most
from pytest_hdp.judge.verdict import SHAPED_FORMS, Containment, Form, Outcome, Place, Verdict
from pytest_hdp.measure.ledger.probes import Part, SentProbe
from pytest_hdp.measure.plan import CONTAINED, bounded

C = Containment
BOX, TWIN, NAT, FAR, HOST = "192.0.2.2", "192.0.2.130", "203.0.113.1", "the agent at 198.51.100.2", "witness host"
N = 28
TRAIN = Train(132)


def sent(count: int = N, first: int = 0, errno: str | None = None) -> tuple[Launched, ...]:
    return tuple(Launched(first + at, at, errno) for at in range(count))


def seen(indexes: range, observer: str = FAR, source: str = TWIN) -> tuple[Sight, ...]:
    return tuple(Sight(each, observer, source) for each in indexes)


AROUND = Surroundings(trains=512, came=dict.fromkeys(range(N), 4))
TIGHT = Side(sent(), address=BOX)
PROOF = Side(sent(first=1000), seen(range(1000, 1000 + N)), address=TWIN)
LATER = Side(tuple(replace(each, later_only=True) for each in sent(first=2000)), seen(range(2000, 2000 + N)))
FRAGMENTS = replace(PROOF, launched=PROOF.launched + LATER.launched, seen=PROOF.seen + LATER.seen)


def word(box: Side = TIGHT, twin: Side | None = PROOF, around: Surroundings = AROUND, train: Train = TRAIN) -> C:
    return contain(train, box, twin, around).containment


def test_nothing_out_while_all_of_the_twin_s_came_is_contained() -> None:
    ruling = contain(TRAIN, TIGHT, PROOF, AROUND)
    assert (ruling.containment, ruling.observer, ruling.twin) == (C.CONTAINED, FAR, TwinCount(N, N, N))
    assert ruling.sentence == f"contained: none of 28 came out, while 28 of 28 of its twin's came to {FAR}"


def test_one_copy_outside_is_a_leak_whatever_else_is_known() -> None:
    box = replace(TIGHT, seen=(Sight(7, HOST, "203.0.113.9"),))
    for twin in (None, PROOF, replace(PROOF, seen=())):
        ruling = contain(TRAIN, box, twin, replace(AROUND, came={}, gone="the agent is gone"))
        assert (ruling.containment, ruling.observer) == (C.LEAKED, HOST)
        assert ruling.sentence == f"got out: 1 of 28 came out, seen by {HOST}, from 203.0.113.9"


def test_what_gets_out_only_after_allowed_traffic_is_told_as_that() -> None:
    launched = tuple(replace(each, late=each.index >= 14) for each in sent())
    ruling = contain(TRAIN, Side(launched, seen(range(14, 20), source=BOX)), PROOF, AROUND)
    assert ruling.containment is C.LEAKED
    assert "none of those before allowed traffic of the same pair did, so that opened the way" in ruling.sentence
    ruling = contain(TRAIN, Side(launched, seen(range(13, 20), source=BOX)), PROOF, AROUND)
    assert "opened" not in ruling.sentence


@pytest.mark.parametrize(
    ("twin", "said"),
    [
        (None, "no twin"),
        (Side(refused="EPERM", address=TWIN), r"could not send it either \(EPERM\)"),
        (Side(sent(errno="ENETUNREACH"), address=TWIN), r"could not send it either \(ENETUNREACH\)"),
        (replace(PROOF, seen=()), "none of 28 of its twin's arrived anywhere either"),
        (replace(PROOF, seen=seen(range(1000, 1028), source=NAT)), "every eye saw its twin's packets translated"),
        (replace(PROOF, seen=seen(range(1000, 1004))), "too little to tell that from chance"),
    ],
)
def test_what_is_not_shown_to_arrive_is_unproven(twin: Side | None, said: str) -> None:
    ruling = contain(TRAIN, TIGHT, twin, AROUND)
    assert ruling.containment is C.UNPROVEN
    assert Containment.UNPROVEN.outcome is Outcome.FAILED
    assert re.search(said, ruling.sentence)


def test_a_translator_is_no_matter_where_an_eye_stands_before_it_or_the_far_addresses_differ() -> None:
    beyond = replace(PROOF, seen=seen(range(1000, 1028), source=NAT))
    before = replace(beyond, seen=(*beyond.seen, *seen(range(1000, 1028), observer=HOST)))
    assert contain(TRAIN, TIGHT, before, AROUND).observer == HOST
    assert word(twin=before) is C.CONTAINED
    assert word(twin=beyond, around=replace(AROUND, apart=True)) is C.CONTAINED


def test_who_speaks_in_the_box_s_name_may_speak_tcp_without_our_bytes() -> None:
    around = replace(AROUND, in_other_name="203.0.113.7")
    syn = Train(6, form=Form.WELLFORMED)
    ruling = contain(syn, TIGHT, PROOF, around)
    assert ruling.containment is C.UNPROVEN
    assert "what the box sends comes from 203.0.113.7, which is not its own address" in ruling.sentence
    assert word(train=syn) is C.CONTAINED
    assert word(around=replace(around, allowed=frozenset({6})), train=syn) is C.UNPROVEN
    for other in (Train(6), Train(132, form=Form.WELLFORMED), Train(253)):
        assert word(around=around, train=other) is C.CONTAINED, "nobody forwards these in a name of their own"


def test_connections_in_the_box_s_own_name_that_nobody_here_made_got_out() -> None:
    around = replace(AROUND, spoken=(HOST, BOX))
    syn = Train(6, form=Form.WELLFORMED)
    ruling = contain(syn, TIGHT, PROOF, around)
    assert (ruling.containment, ruling.observer) == (C.LEAKED, HOST)
    assert ruling.sentence.endswith(f"without our bytes: seen by {HOST}, from {BOX}")
    assert word(around=replace(around, allowed=frozenset({6})), train=syn) is C.ALLOWED
    assert word(around=around, train=Train(6)) is word(around=around, train=Train(132)) is C.CONTAINED
    for number in (1, 17):
        assert word(around=around, train=Train(number, form=Form.WELLFORMED)) is C.UNPROVEN, "it takes what it likes"
        assert word(train=Train(number, form=Form.WELLFORMED)) is C.CONTAINED


@pytest.mark.parametrize("around", [replace(AROUND, accepted=True), replace(AROUND, asked=(HOST, NAT))])
def test_what_may_be_a_connection_in_the_box_s_name_leaves_tcp_unproven(around: Surroundings) -> None:
    syn, said = Train(6, form=Form.WELLFORMED), f"{HOST} saw somebody else ask" if around.asked else "accepted"
    assert said in contain(syn, TIGHT, PROOF, around).sentence
    assert word(around=replace(around, allowed=frozenset({6})), train=syn) is C.UNPROVEN
    assert word(around=around, train=Train(6)) is word(around=around) is C.CONTAINED


@pytest.mark.parametrize("errno", ["EPERM", "ENETUNREACH", "EADDRNOTAVAIL"])
def test_a_box_whose_kernel_sends_nothing_is_contained_if_its_twin_sends(errno: str) -> None:
    box = Side(sent(errno=errno))
    assert word(box) is C.CONTAINED
    assert word(box, around=replace(AROUND, came={})) is C.CONTAINED, "a refusal needs no control"
    assert word(box, twin=replace(PROOF, seen=())) is C.UNPROVEN


def test_a_full_queue_is_no_policy() -> None:
    assert word(Side(sent(errno="ENOBUFS"))) is C.UNPROVEN
    assert word(Side(sent(errno="EAGAIN"))) is C.UNPROVEN


def test_one_refusal_speaks_of_no_packet_that_was_taken() -> None:
    """The way was gone for a moment, and nobody could see what became of the rest."""
    box = Side((*sent(1, errno="ENETUNREACH"), *sent(N - 1, 1)), address=BOX)
    for blind in (replace(AROUND, came={}), replace(AROUND, spoiled=frozenset(range(N)))):
        assert word(box, around=blind) is C.UNPROVEN
    assert word(Side(sent(errno="ENETUNREACH"), address=BOX), around=replace(AROUND, came={})) is C.CONTAINED


def test_of_fragments_a_later_one_by_itself_shows_that_one_would_be_seen() -> None:
    """Who puts fragments together lets the twin's pass, which come with their first ones, and swallows the box's."""
    train = Train(47, form=Form.FRAGMENTED)
    ruling = contain(train, TIGHT, FRAGMENTS, AROUND)
    assert (ruling.containment, ruling.observer, ruling.twin) == (C.CONTAINED, FAR, TwinCount(N, N, N))
    gathered = contain(train, TIGHT, replace(FRAGMENTS, seen=PROOF.seen), AROUND)
    assert gathered.containment is C.UNPROVEN
    assert "none of 28 later ones that were sent without a first: somebody before every eye puts" in gathered.sentence
    witness = seen(range(2000, 2000 + N), HOST)
    assert contain(train, TIGHT, replace(FRAGMENTS, seen=PROOF.seen + witness), AROUND).observer == HOST
    assert word(TIGHT, replace(FRAGMENTS, seen=()), train=train) is C.UNPROVEN
    leaked = replace(TIGHT, seen=(Sight(7, HOST, BOX),))
    assert word(leaked, FRAGMENTS, train=train) is word(leaked, PROOF, train=train) is C.LEAKED


def test_fragments_that_the_box_s_own_kernel_refuses_both_are_contained() -> None:
    refused = Side(sent(errno="EPERM"), address=BOX)
    assert word(refused, train=Train(47)) is C.CONTAINED
    assert word(refused, FRAGMENTS, train=Train(47, form=Form.FRAGMENTED)) is C.CONTAINED
    assert word(refused, PROOF, train=Train(47, form=Form.FRAGMENTED)) is C.UNPROVEN


def test_of_a_probe_in_parts_an_errno_speaks_once_all_of_them_are_refused() -> None:
    entry, parts = SentProbe(1, 0, Train(47, form=Form.FRAGMENTED), b""), list[Part]()
    first, later = Part(entry, parts), Part(entry, parts)
    first.errno = "EPERM"
    assert entry.errno is None
    later.errno = None
    assert entry.errno is None
    later.errno = "EPERM"  # a far end tells of it later
    assert entry.errno == "EPERM"


def test_no_raw_socket_proves_nothing_where_an_ordinary_one_sends_the_same() -> None:
    refused = Side(refused="EPERM")
    ways = replace(AROUND, other_ways={6: "an ordinary TCP socket sends it"})
    assert word(refused, around=ways) is C.CONTAINED
    ruling = contain(Train(6), refused, PROOF, ways)
    assert ruling.containment is C.UNPROVEN
    assert "an ordinary TCP socket sends it, which was not tried" in ruling.sentence


@pytest.mark.parametrize(
    ("count", "lost", "found"), [(165, 0, C.CONTAINED), (140, 0, C.UNPROVEN), (165, 12, C.UNPROVEN)]
)
def test_a_bound_is_reached_or_nothing_is_proven(count: int, lost: int, found: C) -> None:
    box = Side(sent(count), address=BOX)
    twin = Side(sent(count, 1000), seen(range(1000 + lost, 1000 + count)), address=TWIN)
    around = replace(AROUND, came=dict.fromkeys(range(count), 4))
    assert word(box, twin, around) is C.CONTAINED
    ruling = contain(TRAIN, box, twin, replace(around, bound=0.02))
    assert ruling.containment is found
    assert ("and 2 % is asked for" in ruling.sentence) is (found is C.UNPROVEN)


def test_with_a_bound_of_two_percent_a_leak_of_one_in_fifty_is_found_in_95_of_100_runs() -> None:
    rounds, chance = bounded(CONTAINED, 0.02).rounds, random.Random(50)
    twin = Side(sent(rounds, 1000), seen(range(1000, 1000 + rounds)), address=TWIN)
    around = replace(AROUND, came=dict.fromkeys(range(rounds), 4), bound=0.02)
    found = 0
    for _ in range(4000):
        out = tuple(Sight(each, FAR, BOX) for each in range(rounds) if chance.random() < 1 / 50)
        found += word(Side(sent(rounds), out, address=BOX), twin, around) is C.LEAKED
    assert found >= 0.95 * 4000


def test_the_usual_rounds_are_enough_where_one_packet_in_twenty_is_lost() -> None:
    """Of all numbers, both forms and versions, in one run: less than one run in a thousand has one that is unproven."""
    rounds, trains = CONTAINED.rounds, 600
    around = replace(AROUND, trains=trains, came=dict.fromkeys(range(rounds), 4))
    box = Side(sent(rounds), address=BOX)

    def tight(lost: int) -> bool:
        twin = Side(sent(rounds, 1000), seen(range(1000 + lost, 1000 + rounds)), address=TWIN)
        return word(box, twin, around) is C.CONTAINED

    enough = next(lost for lost in range(rounds) if not tight(lost))
    assert trains * (1 - at_most(enough - 1, rounds, 0.05)) < 1e-3


def test_rounds_without_a_control_or_with_an_overrun_count_for_nothing() -> None:
    assert word(around=replace(AROUND, came={})) is C.UNPROVEN
    assert word(around=replace(AROUND, spoiled=frozenset(range(N)))) is C.UNPROVEN
    assert contain(TRAIN, TIGHT, PROOF, replace(AROUND, spoiled=frozenset({0, 1}))).twin == TwinCount(N, N, N - 2)


def test_what_may_leave_is_allowed_or_blocked_and_its_bare_form_may_stay() -> None:
    around = replace(AROUND, allowed=frozenset({132, 253}))
    out = replace(TIGHT, seen=seen(range(3), source=BOX))
    formed = Train(132, form=Form.WELLFORMED)
    assert word(out, around=around) is word(out, around=around, train=formed) is C.ALLOWED
    assert word(around=around, train=formed) is C.BLOCKED
    assert word(around=around) is C.CONTAINED, "its bare form is no valid message, and may stay"
    shaped = [Train(132, form=form) for form in SHAPED_FORMS]
    assert [word(twin=FRAGMENTS, around=around, train=each) for each in shaped] == [C.CONTAINED] * 2, (
        "nor are its fragments"
    )
    assert word(around=around, train=Train(253)) is C.BLOCKED, "it has no other form"
    assert word(twin=None, around=around, train=formed) is C.UNPROVEN
    assert [each for each in C if each.outcome is Outcome.PASSED] == [C.CONTAINED, C.ALLOWED]


def test_the_ladder_s_verdict_stays_beside_the_ruling() -> None:
    judgement = Judgement(TRAIN, Verdict.LOST, Place.PATH, "132 (sctp), forward: 28 of 28 left eth0.", final=True)
    found = ruled(judgement, contain(TRAIN, TIGHT, PROOF, AROUND))
    assert (found.verdict, found.containment, found.containment_eye) == (Verdict.LOST, C.CONTAINED, FAR)
    assert found.explanation == (
        f"132 (sctp), forward: contained: none of 28 came out, while 28 of 28 of its twin's came to {FAR}; lost: 28 of "
        "28 left eth0."
    )


@dataclass(frozen=True)
class World:
    """A box and its twin, what is between them and the observers, and chance.

    `leak`: the probability that the box lets a packet out, `passes`: that the way beyond does, 0 for a dead far end.
    `shared`: both stand behind one translator, which lets only the first of them through under a number; `twin_first`:
    a run went before, in which the twin was the first. `witness`: one observes between box and translator.
    `apart`: they send to two addresses. `dark`: the rounds in which nothing gets through at all.
    """

    leak: float
    passes: float
    shared: bool
    twin_first: bool
    witness: bool
    apart: bool
    dark: frozenset[int]
    seed: int


worlds = st.builds(
    World,
    leak=st.sampled_from([0.0, 0.0, 0.02, 0.5, 1.0]),
    passes=st.sampled_from([0.0, 0.5, 0.95, 1.0]),
    shared=st.booleans(),
    twin_first=st.booleans(),
    witness=st.booleans(),
    apart=st.booleans(),
    dark=st.frozensets(st.integers(0, N - 1), max_size=N),
    seed=st.integers(0, 2**32),
)


def lived(world: World) -> tuple[Side, Side, Surroundings, bool]:
    """The box's rounds, then the twin's, as a run would see them; and whether anything was let out in the dark."""
    chance = random.Random(world.seed)
    collides = world.shared and not world.apart
    box_seen, twin_seen, came, unseen = list[Sight](), list[Sight](), dict[int, int](), False
    owner = "twin" if world.twin_first else None
    for number in range(N):
        dark = number in world.dark
        came[number] = 0 if dark else sum(chance.random() < world.passes for _ in range(4))
        if chance.random() < world.leak:
            unseen = True
            if world.witness and not dark:
                box_seen.append(Sight(number, HOST, BOX))
            if not (collides and owner == "twin"):
                owner = owner or "box"
                if not dark and chance.random() < world.passes:
                    box_seen.append(Sight(number, FAR, NAT if world.shared else BOX))
    for number in range(N):
        if world.witness:
            twin_seen.append(Sight(1000 + number, HOST, TWIN))
        if not (collides and owner == "box") and chance.random() < world.passes:
            twin_seen.append(Sight(1000 + number, FAR, NAT if world.shared else TWIN))
    box = Side(sent(), tuple(box_seen), address=BOX)
    twin = Side(sent(first=1000), tuple(twin_seen), address=TWIN)
    return box, twin, replace(AROUND, came=came, apart=world.apart), unseen


@settings(max_examples=5 * settings.default.max_examples)
@given(worlds)
def test_in_no_world_is_a_box_contained_that_lets_out_what_its_twin_gets_through(world: World) -> None:
    box, twin, around, let_out = lived(world)
    found = contain(TRAIN, box, twin, around).containment
    if found is C.CONTAINED:
        assert world.leak < 0.5, "chance is no excuse at this error rate"
        assert world.passes or world.witness
    if found is C.LEAKED:
        assert let_out
    if not world.leak and world.passes == 1 and not world.dark and (not world.shared or world.apart or world.witness):
        assert found is C.CONTAINED
    if world.shared and not (world.apart or world.witness):
        assert found is not C.CONTAINED


@given(worlds, st.randoms(use_true_random=False))
def test_the_order_of_what_was_sent_and_seen_is_no_matter(world: World, shuffle: random.Random) -> None:
    box, twin, around, _ = lived(world)

    def mixed(side: Side) -> Side:
        launched, seen = list(side.launched), list(side.seen)
        shuffle.shuffle(launched)
        shuffle.shuffle(seen)
        return replace(side, launched=tuple(launched), seen=tuple(seen))

    assert contain(TRAIN, mixed(box), mixed(twin), around) == contain(TRAIN, box, twin, around)


def of(word: Containment, verdict: Verdict = Verdict.LOST) -> Judgement:
    return Judgement(TRAIN, verdict, Place.PATH, "why", final=True, containment=word)


def test_the_outcome_follows_the_containment_and_not_the_verdict() -> None:
    for found, outcome in [
        (C.CONTAINED, Outcome.PASSED),
        (C.ALLOWED, Outcome.PASSED),
        (C.LEAKED, Outcome.FAILED),
        (C.BLOCKED, Outcome.FAILED),
        (C.UNPROVEN, Outcome.FAILED),
    ]:
        for verdict in Verdict:
            assert assess(of(found, verdict), None)[0] is outcome
            stated = Expectation((132,), verdict)
            assert assess(of(found, verdict), stated)[0] is outcome, "a verdict's expectation is another matter"


def test_a_known_leak_is_xfailed_and_any_other_change_fails() -> None:
    known = Expectation((132,), Verdict.DELIVERED, containment=C.LEAKED, reason="ticket 7")
    assert assess(of(C.LEAKED), known) == (Outcome.XFAILED, "ticket 7")
    assert assess(of(C.CONTAINED), known) == (Outcome.FAILED, "expected got out, got contained: why")
    assert assess(of(C.UNPROVEN), known)[0] is Outcome.FAILED


def result(word: Containment, verdict: Verdict = Verdict.LOST) -> Result:
    path = PathInfo("netns", "far containment", BOX, "198.51.100.2", "far")
    return Result("run", "time", path, 4, "sctp", of(word, verdict), None, word.outcome)


def test_a_profile_keeps_what_got_out_and_expects_it_again() -> None:
    text = record([result(C.LEAKED)])
    assert 'containment = "leaked"' in text
    assert load_profile(text, "p").expectation(TRAIN) == Expectation((132,), Verdict.LOST, containment=C.LEAKED)
    assert "132" not in record([result(C.UNPROVEN)])
    with pytest.raises(ProfileError, match="p:8: unproven is not something to expect"):
        load_profile(text.replace("leaked", "unproven"), "p")


def test_a_comparison_is_of_what_got_out() -> None:
    compared = compare([result(C.CONTAINED)], [result(C.LEAKED, Verdict.DELIVERED)])
    [pair] = compared.changed
    assert [(each.what, each.before, each.after) for each in pair.changes] == [("containment", "contained", "got out")]
    assert compare([result(C.CONTAINED)], [result(C.CONTAINED, Verdict.INCONCLUSIVE)]).unchanged
    assert compare([result(C.CONTAINED)], [result(C.UNPROVEN)]).unclear
