"""Does it stay in the box? What the box sent and its twin sent, and what observers outside saw, becomes one word.

A box is *contained* under a number only where none of its packets came out while those of its twin did: the same kind
of place without the policy, whose packets show that an observer would have seen what got out. Three things would make a
leak look tight, and are asked for each number:

- **Nothing could have arrived.** Its twin's did not either: unproven.
- **Chance.** With n of the box's packets unseen and all but k of the twin's m seen, the greatest probability of that,
  over every share that box and twin could both get through with, is `statistics.all_lost_by_chance`; it has to be the
  error rate at most, split among all numbers of the run. Bursts of loss hit both: a round counts only if a control of
  the twin's came through in it.
- **The twin itself.** Behind one translator a second host gets nothing through under a number without ports that the
  first one has used. So where an observer saw the twin's packets translated, what it did not see of the box proves
  nothing, unless the two were sent to different addresses. An observer that saw them as the twin sent them stands
  before any translator, and there no state of another host's is in the way.
- **Whoever puts fragments together.** A later fragment that gets out by itself would vanish there, while those of its
  twin get through with their first ones. So of fragments an observer decides only if it saw later ones of the twin
  that were sent without a first.

Who speaks in the box's name, as the stack of a user-mode network or a proxy does, speaks TCP without our bytes: where
an observer saw connections to our port from the box's own address, which we did not make, TCP got out, and silence of
UDP and of echoes is no proof, since it may take other ports or another pace. From another address nobody would know
whose they are: where one asks for such a connection while the box sends, TCP is unproven. So it is where the box's
packets came from another address, and those of its twin did not, and where somebody accepts a connection in the
target's name.

A sender's own tap is no proof: only what observers outside the box saw is evidence here. What comes in is another
question, which the box's own tap answers: `inward`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_hdp.judge.explain import numbered, subject
from pytest_hdp.judge.result import TwinCount
from pytest_hdp.judge.statistics import all_lost_by_chance, alpha_per_train, upper_bound
from pytest_hdp.judge.verdict import Containment, Form
from pytest_hdp.packet.carrier import carriers
from pytest_hdp.packet.family import of_version
from pytest_hdp.untrusted.text import plain

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.outside import Side, Surroundings
    from pytest_hdp.judge.result import Judgement

TCP, UDP = 6, 17
NO_RIGHT = ": no right to raw sockets, CAP_NET_RAW, and that is what holds it"
NOT_SENT = frozenset(
    {
        *("EPERM", "EACCES", "ENETUNREACH", "EHOSTUNREACH", "ENETDOWN", "ENODEV", "ENXIO", "EADDRNOTAVAIL", "EINVAL"),
        *("EPROTONOSUPPORT", "EOPNOTSUPP", "EAFNOSUPPORT", "ESOCKTNOSUPPORT", "ENOSYS"),
    }
)
"""What a kernel says that sends nothing, now or later: a policy, no route, no address, no permission. The others (a
full queue, a far end that is gone) say nothing of the box, and such a packet counts for nothing."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """The word, who saw it (or would have), one sentence, and what of the twin's it rests on."""

    containment: Containment
    observer: str | None
    sentence: str
    twin: TwinCount | None = None


def contain(train: Train, box: Side, twin: Side | None, around: Surroundings) -> Ruling:
    """Return whether what the box sent of one train stayed in it.

    `twin`: None where there is none. The same for any order of packets and sightings.
    """
    allowed = train.protocol in around.allowed
    if box.seen:
        shown = later_only(twin) if twin is not None and train.form is Form.FRAGMENTED else twin
        return _got_out(box, shown, around, allowed=allowed)
    if around.spoken is not None and train.protocol == TCP and train.form is Form.WELLFORMED:
        word = Containment.ALLOWED if allowed else Containment.LEAKED
        observer, source = map(plain, around.spoken)
        said = f"{word.read}: who speaks in the box's name made connections to our port, without our bytes: seen by"
        return Ruling(word, around.spoken[0], f"{said} {observer}, from {source}", _count(box, twin, None, around))
    ruling = _nothing_out(train, box, twin, around)
    if ruling.containment is Containment.CONTAINED and allowed and as_promised(train, around.version):
        sentence = f"blocked, though it may leave: {ruling.sentence.removeprefix('contained: ')}"
        return replace(ruling, containment=Containment.BLOCKED, sentence=sentence)
    return ruling


def as_promised(train: Train, version: int) -> bool:
    """Whether it is sent as its number promises: what may leave has to, so; bare TCP or its fragments may stay.

    Also where nobody asked for the well-formed: what became of bare HDP under 6 says nothing of TCP.
    """
    formed = train.protocol in carriers(of_version(version))
    return train.form is Form.WELLFORMED or (train.form is Form.BARE and not formed)


def ruled(judgement: Judgement, ruling: Ruling) -> Judgement:
    """Return the ladder's judgement with the ruling in it: the verdict stays, the sentence begins with what got out."""
    about = f"{subject(judgement.train)}: "
    said = f"{about}{ruling.sentence}; {judgement.verdict}: {judgement.explanation.removeprefix(about)}"
    return replace(
        judgement,
        explanation=said,
        containment=ruling.containment,
        containment_eye=ruling.observer,
        twin=ruling.twin,
    )


def _got_out(box: Side, twin: Side | None, around: Surroundings, *, allowed: bool) -> Ruling:
    """Any copy that was seen outside is enough: it needs no twin and no control."""
    first = Counter((each.observer, each.source) for each in box.seen).most_common()
    observer, source = sorted(first, key=lambda item: (-item[1], item[0]))[0][0]
    said = passed_text(box, f"came out, seen by {plain(observer)}, from {plain(source)}")
    word = Containment.ALLOWED if allowed else Containment.LEAKED
    return Ruling(word, observer, f"{word.read}: {said}", _count(box, twin, None, around))


def passed_text(box: Side, how: str) -> str:
    """How many packets passed of those that were sent, and what opened the way. `how`: what they did."""
    passed = {each.index for each in box.seen}
    tried = [each for each in box.launched if each.errno is None or each.index in passed]
    late = {each.index for each in tried if each.late}
    said = f"{len(passed)} of {len(tried)}{box.what} {how}"
    if passed <= late and len(late) < len(tried):
        said += "; none of those before allowed traffic of the same pair did, so that opened the way"
    return said


def _nothing_out(train: Train, box: Side, twin: Side | None, around: Surroundings) -> Ruling:
    whole = twin
    if twin is not None and train.form is Form.FRAGMENTED:
        twin = later_only(twin)
    observer, came = _deciding(twin, around) if twin is not None else (None, 0)
    why = _unshown(train, whole, twin, observer, around)
    if twin is None or observer is None or why is not None:
        said = f"unproven: nothing came out, and {why}"
        return Ruling(Containment.UNPROVEN, None, said, _count(box, twin, None, around))
    refused, counted = counting(box, around)
    if refused and (box.refused or all(each.errno in NOT_SENT for each in box.launched)):
        return _refused(train, box, twin, around, observer, came)
    if why := _in_its_name(train, around):
        said = f"unproven: none of {counted} came out, but {why}"
        return Ruling(Containment.UNPROVEN, observer, said, _count(box, twin, observer, around))
    sent = sum(each.errno is None for each in twin.launched)
    said = f"{counted} came out, while {came} of {sent} of its twin's came to {plain(observer)}"
    word, said = weighed(counted, came, sent, around, said)
    return Ruling(word, observer, said, _count(box, twin, observer, around))


def _in_its_name(train: Train, around: Surroundings) -> str | None:
    """Why what the box sends may have got out in the name of whoever speaks for it, without our bytes; None if not."""
    if train.form is not Form.WELLFORMED:
        return None
    if around.in_other_name and train.protocol == TCP:
        return (
            f"what the box sends comes from {plain(around.in_other_name)}, which is not its own address: who speaks in "
            "its name speaks TCP without our bytes, which nobody would know"
        )
    if around.asked and train.protocol == TCP:
        who, source = map(plain, around.asked)
        return (
            f"while the box sent {who} saw somebody else ask for a connection to our port, from {source}: that may be "
            "who speaks in the box's name, without our bytes"
        )
    if around.spoken and train.protocol in {UDP, of_version(around.version).icmp}:
        return (
            "somebody makes anew what the box sends (connections to our port did come out, without our bytes), and may "
            "take other ports or another pace"
        )
    if around.accepted and train.protocol == TCP:
        return (
            "somebody accepted the connection in the target's name: a proxy, which may carry on what it accepts, "
            "without our bytes"
        )
    return None


def weighed(counted: int, came: int, sent: int, around: Surroundings, said: str) -> tuple[Containment, str]:
    """Return what none of the box's `counted` means beside its twin's, of which `came` of `sent` did, and the sentence.

    `said`: how many of both came, in words.
    """
    chance = all_lost_by_chance(counted, sent - came, sent)
    if counted == 0 or chance > alpha_per_train(around.error_rate, around.trains):
        return Containment.UNPROVEN, f"unproven: none of the {said}: too little to tell that from chance"
    if around.bound is not None and (excluded := _excluded(counted, sent - came, sent)) > around.bound:
        asked = f"below {100 * excluded:.2g} %, and {100 * around.bound:.2g} % is asked for"
        return Containment.UNPROVEN, f"unproven: none of the {said}: so it passes with a probability {asked}"
    return Containment.CONTAINED, f"contained: none of {said}"


def _excluded(counted: int, lost: int, sent: int) -> float:
    """With what probability one may pass, at most: what leaves is seen only as often as its twin's are."""
    share = 1 - upper_bound(lost, sent)
    return min(1.0, upper_bound(0, counted) / share) if share > 0 else 1.0


def later_only(twin: Side) -> Side:
    """What of a twin's fragments shows that a later one by itself would be seen."""
    launched = tuple(each for each in twin.launched if each.later_only)
    indices = {each.index for each in launched}
    return replace(twin, launched=launched, seen=tuple(each for each in twin.seen if each.index in indices))


def _unshown(
    train: Train, whole: Side | None, twin: Side | None, observer: str | None, around: Surroundings
) -> str | None:
    """Why the twin does not show that what comes out of the box would be seen; None if it does.

    `whole`: all that it sent; `twin`: what of that shows it.
    """
    if twin is None or whole is None:
        return "no twin (--hdp-twin) shows that it would have been seen"
    sent = sum(each.errno is None for each in twin.launched)
    gone = f": {plain(around.gone)}" if around.gone else ""
    if not sent:
        said = twin.refused or next((each.errno for each in twin.launched), None)
        return f"its twin could not send it either ({plain(said or 'nothing was sent')}){gone}"
    if not twin.seen and whole.seen:
        return (
            f"its twin's fragments came, but none of {sent} later ones that were sent without a first: somebody before "
            "every eye puts fragments together, and would swallow a later one that gets out; put a --hdp-witness "
            "right behind the box"
        )
    if not twin.seen:
        return f"none of {sent} of its twin's arrived anywhere either{gone}"
    if observer is None:
        return (
            f"every eye saw its twin's packets translated (from {plain(twin.seen[0].source)}): behind one translator a "
            f"second host gets nothing through under {numbered(train.protocol)}, so silence is no proof; put a "
            "--hdp-witness before the translator, or send to two addresses of the far end (--hdp-target twice)"
        )
    return None


def _refused(train: Train, box: Side, twin: Side, around: Surroundings, observer: str, came: int) -> Ruling:
    """Of what the box's own kernel sends not at all, none of it: certain, but for other ways to send the same."""
    errno = box.refused or next(each.errno for each in box.launched if each.errno in NOT_SENT)
    what = "socket()" if box.refused else "sendto()"
    count = _count(box, twin, observer, around)
    if box.refused and (other := around.other_ways.get(train.protocol)):
        said = f"unproven: {what} refused it in the box ({plain(errno or '')}), but {other}, which was not tried"
        return Ruling(Containment.UNPROVEN, observer, said, count)
    sent = sum(each.errno is None for each in twin.launched)
    why = f"{plain(errno or '')}{NO_RIGHT if box.refused in {'EPERM', 'EACCES'} else ''}"
    said = f"contained: {what} refuses it in the box ({why}), while {came} of {sent} of its twin's came to"
    return Ruling(Containment.CONTAINED, observer, f"{said} {plain(observer)}", count)


def counting(box: Side, around: Surroundings) -> tuple[int, int]:
    """How many the box's kernel refused for good, and how many it took in rounds that count."""
    refused = sum(each.errno in NOT_SENT for each in box.launched) + (box.refused in NOT_SENT)
    counted = [each for each in box.launched if each.errno is None and each.round not in around.spoiled]
    return refused, sum(around.came.get(each.round, 0) > 0 for each in counted)


def _deciding(twin: Side, around: Surroundings) -> tuple[str | None, int]:
    """The observer that saw most of the twin's packets before any translator, and how many. None: no observer did.

    One that saw any under another address stands, for these, beyond it; where box and twin have different addresses to
    send to, a translator tells them apart.
    """
    untouched = {(each.observer, each.index) for each in twin.seen if around.apart or each.source == twin.address}
    seen = Counter(observer for observer, _ in untouched)
    if not seen:
        return None, 0
    observer, came = min(seen.items(), key=lambda item: (-item[1], item[0]))
    return observer, came


def _count(box: Side, twin: Side | None, observer: str | None, around: Surroundings) -> TwinCount | None:
    if twin is None:
        return None
    seen = {each.index for each in twin.seen if observer is None or each.observer == observer}
    sent = sum(each.errno is None for each in twin.launched)
    refused, counted = counting(box, around)
    return TwinCount(sent=sent, arrived=len(seen), counted=counted, refused=refused)
