"""What each verdict means, in a line of the page's legend."""

from __future__ import annotations

from collections.abc import Collection

from pytest_hdp.judge.verdict import Containment, Direction, Verdict

MEANINGS: dict[str, str] = {
    Verdict.REFUSED_AT_SOCKET: "the sender's kernel gave no socket for this number",
    Verdict.REFUSED_AT_SEND: "the sender's kernel or firewall refused to send it",
    Verdict.HELD_BY_SENDER: "the kernel took it, and nothing left the interface",
    Verdict.RENUMBERED: "it left, but under another number",
    Verdict.REJECTED: "a router or the target answered with an ICMP error",
    Verdict.LOST: "it left and never arrived, while the control did",
    Verdict.FIRST_ONLY: "the first packet arrived, and none after it",
    Verdict.LOSSY: "clearly more was lost than of the control",
    Verdict.HELD_BY_RECEIVER: "it arrived at the interface, and never at the socket",
    Verdict.MODIFIED: "it arrived with bytes changed that nobody may change",
    Verdict.DELIVERED: "it arrived as sent",
    Verdict.REACHED: "the target itself answered",
    Verdict.SILENT: "no reply came back, and there is no agent at the target",
    Verdict.INCONCLUSIVE: "the measurement could not tell",
    Containment.CONTAINED: "it stayed in the box, while what its twin sent came",
    Containment.LEAKED: "it was seen outside the box, and may not leave it",
    Containment.UNPROVEN: "nothing came out, and nothing shows that it would have been seen",
    Containment.ALLOWED: "it came out of the box, and may",
    Containment.BLOCKED: "it may leave the box, and did not",
}
_INWARD = {
    Containment.CONTAINED: "none came to the box's interface, while what was sent to its twin came",
    Containment.LEAKED: "it came to the box's interface unasked, and may not",
    Containment.UNPROVEN: "nothing came in, and nothing shows that it would have been seen",
    Containment.ALLOWED: "it came to the box's interface unasked, and may",
}


def meaning(verdict: Verdict | Containment, ways: Collection[Direction]) -> str:
    """Return what it means of trains that ran these ways."""
    if Direction.REVERSE not in ways or not isinstance(verdict, Containment) or verdict not in _INWARD:
        return MEANINGS[verdict]
    inward = _INWARD[verdict]
    return inward if len(ways) == 1 else f"{MEANINGS[verdict]}; in reverse: {inward}"
