"""The words of the ladder: verdicts, places, directions, forms, outcomes."""

from __future__ import annotations

from enum import StrEnum


class _Word(StrEnum):
    """A word that reads as itself in the explanation of an `assert` too: 'lost', not <Verdict.LOST: 'lost'>."""

    def __repr__(self) -> str:
        return repr(self.value)


class Verdict(_Word):
    """What the evidence of a train means, in the order of the ladder's rungs."""

    REFUSED_AT_SOCKET = "refused_at_socket"
    REFUSED_AT_SEND = "refused_at_send"
    HELD_BY_SENDER = "held_by_sender"
    RENUMBERED = "renumbered"
    REJECTED = "rejected"
    LOST = "lost"
    FIRST_ONLY = "first_only"
    LOSSY = "lossy"
    HELD_BY_RECEIVER = "held_by_receiver"
    MODIFIED = "modified"
    DELIVERED = "delivered"
    REACHED = "reached"
    SILENT = "silent"
    INCONCLUSIVE = "inconclusive"

    @property
    def outcome(self) -> Outcome:
        """The test outcome of this verdict where nothing in particular was expected."""
        if self in {Verdict.DELIVERED, Verdict.REACHED}:
            return Outcome.PASSED
        if self in {Verdict.SILENT, Verdict.INCONCLUSIVE}:
            return Outcome.SKIPPED
        return Outcome.FAILED


class Place(_Word):
    """The rung where the train ended."""

    SENDER_SOCKET = "sender's socket()"
    SENDER_SEND = "sender's sendto()"
    SENDER_KERNEL = "sender's kernel"
    HOP = "a hop"
    PATH = "on the path"
    RECEIVER_KERNEL = "receiver's kernel"
    RECEIVER_SOCKET = "receiver's socket"
    TARGET = "the target"
    UNKNOWN = "unknown"


class Direction(_Word):
    """`forward` is from source to target."""

    FORWARD = "forward"
    REVERSE = "reverse"


class Form(_Word):
    """`bare`: HDP right after the IP header. `wellformed`: inside the carrier that the number promises.

    Two more are asked of boxes alone, each with the carrier inside if there is one: `fragmented`, in two fragments that
    both bear our tag; `options`, behind options of IP that say nothing (IPv6: destination options).
    """

    BARE = "bare"
    WELLFORMED = "wellformed"
    FRAGMENTED = "fragmented"
    OPTIONS = "options"


BOTH_FORMS = (Form.BARE, Form.WELLFORMED)
SHAPED_FORMS = (Form.FRAGMENTED, Form.OPTIONS)


class Outcome(_Word):
    """What pytest reports."""

    PASSED = "passed"
    FAILED = "failed"
    XFAILED = "xfailed"
    SKIPPED = "skipped"


class Containment(_Word):
    """What became of what a box was not to let out, or, of what it may let out, was to; in reverse, to let in unasked.

    `contained`: nothing came out, while what its twin sent came. `leaked`: something came out (people read "got out").
    `unproven`: nothing came out, and nothing shows that it would have been seen. `allowed` and `blocked`: of what may
    leave, it did, or did not. In reverse `leaked` is "got in", and of what may pass nothing has to: none is `blocked`.
    """

    CONTAINED = "contained"
    LEAKED = "leaked"
    UNPROVEN = "unproven"
    ALLOWED = "allowed"
    BLOCKED = "blocked"

    @property
    def outcome(self) -> Outcome:
        """The test outcome: what is not proven fails too."""
        return Outcome.PASSED if self in {Containment.CONTAINED, Containment.ALLOWED} else Outcome.FAILED

    @property
    def read(self) -> str:
        """The word that people read of what leaves: `leaked` is what they know as a state of NAT."""
        return self.told(Direction.FORWARD)

    def told(self, direction: Direction) -> str:
        """The word that people read: forward something got out of the box, in reverse it got in."""
        if self is not Containment.LEAKED:
            return self.value
        return "got in" if direction is Direction.REVERSE else "got out"
