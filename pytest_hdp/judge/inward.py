"""Does anything come into the box unasked? What was sent to the box and to its twin, and what both of them saw of it.

The far end sends, before the box or its twin has sent any packet of that number to it: what comes is no answer. What
was seen at the box's own interface came in, whatever the box's kernel made of it then: a filter behind that interface
is the box's own, and who is in the box may lift it. A box is *contained* under a number where none was seen there,
while the same packets to its twin were seen at the twin's.

Box and twin have different addresses, so what a translator knows of the one is nothing to the other. What would make
an open box look tight is asked of each number:

- **Nothing could have come.** The twin's did not either, or the far end could not send, or not to the box: unproven.
- **Nobody looked.** A box that may open no raw sockets has no tap, and one elsewhere whose tap has seen nothing at all
  in the run may be blind: unproven.
- **Chance.** As of what leaves: `containment.weighed`.
- **The wrong address.** Nobody but the box's own kernel says which it is. Where its twin has the same, or it has none,
  nothing was sent to it: unproven.

What may leave may come in, too, but need not: it is never blocked.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_hdp.judge.containment import Ruling, counting, later_only, passed_text, weighed
from pytest_hdp.judge.result import TwinCount
from pytest_hdp.judge.verdict import Containment, Direction, Form
from pytest_hdp.untrusted.text import plain

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train
    from pytest_hdp.judge.outside import Side, Surroundings


def admit(train: Train, box: Side, twin: Side | None, around: Surroundings, eyes: tuple[str, str]) -> Ruling:
    """Return whether what the far end sent of one train came into the box. `eyes`: the names of box and twin.

    `twin`: None where there is none. The same for any order of packets and sightings.
    """
    shown = later_only(twin) if twin is not None and train.form is Form.FRAGMENTED else twin
    count = _count(box, shown, around)
    if box.seen:
        return _got_in(box, eyes[0], count, allowed=train.protocol in around.allowed)
    why = _unshown(box, twin, shown, around, eyes[1])
    if why is not None or count is None:
        return Ruling(Containment.UNPROVEN, None, f"unproven: nothing came in, and {why}", count)
    both = f"{count.arrived} of {count.sent} of its twin's came to {plain(eyes[1])}"
    said = f"{count.counted} came in to {plain(eyes[0])}, while {both}"
    word, said = weighed(count.counted, count.arrived, count.sent, around, said)
    if word is Containment.UNPROVEN and around.withheld is not None:
        said += f" ({plain(around.withheld)})"
    return Ruling(word, eyes[0], said, count)


def _got_in(box: Side, observer: str, count: TwinCount | None, *, allowed: bool) -> Ruling:
    """Any copy at the box's interface is enough: it needs no twin and no control."""
    source = sorted(Counter(each.source for each in box.seen).items(), key=lambda item: (-item[1], item[0]))[0][0]
    said = passed_text(box, f"came in unasked, seen by {plain(observer)}, from {plain(source)}")
    word = Containment.ALLOWED if allowed else Containment.LEAKED
    return Ruling(word, observer, f"{word.told(Direction.REVERSE)}: {said}", count)


def _unshown(box: Side, whole: Side | None, twin: Side | None, around: Surroundings, there: str) -> str | None:
    """Why it is no sign that nothing came; None if it is. `whole`: all that went to the twin; `twin`: what shows it."""
    if around.blind is not None:
        return around.blind
    if twin is None or whole is None:
        return "no twin (--hdp-twin) shows that it would have been seen"
    if box.address == twin.address:
        return f"box and twin have one address, {plain(box.address)}: what is sent there says nothing of the box"
    if why := _lost_on_its_twin(whole, twin, around, there):
        return why
    if errno := _unsent(box):
        return around.withheld or f"the far end could not send it to the box ({plain(errno)}){_gone(around)}"
    return None


def _lost_on_its_twin(whole: Side, twin: Side, around: Surroundings, there: str) -> str | None:
    sent = sum(each.errno is None for each in twin.launched)
    nothing = f"nothing that was sent to {plain(there)} came there either{_gone(around)}"
    if errno := _unsent(twin):
        if around.withheld is not None and not whole.seen:
            return nothing
        return f"the far end could not send it to its twin either ({plain(errno)}){_gone(around)}"
    if not twin.seen and whole.seen:
        return (
            f"its twin's fragments came, but none of {sent} later ones that were sent without a first: somebody on the "
            "way puts fragments together, and would swallow a later one that gets in"
        )
    return None if twin.seen else nothing


def _unsent(side: Side) -> str | None:
    """What the far end's kernel said where none was sent there at all; None if any was."""
    if any(each.errno is None for each in side.launched):
        return None
    return side.refused or next((each.errno for each in side.launched if each.errno), "nothing was sent")


def _gone(around: Surroundings) -> str:
    return f": {plain(around.gone)}" if around.gone else ""


def _count(box: Side, twin: Side | None, around: Surroundings) -> TwinCount | None:
    if twin is None:
        return None
    sent = sum(each.errno is None for each in twin.launched)
    return TwinCount(sent=sent, arrived=len({each.index for each in twin.seen}), counted=counting(box, around)[1])
