"""Families of what strangers do on the path: they make packets up, and send again what they saw."""

from __future__ import annotations

from sim.blueprint import FAR, Blueprint
from sim.elements import Forger, Imitator, NumberFilter, Replayer
from sim.families.registry import MS, family, own
from sim.host import Bucket


@family()
def forged_errors(print_: Blueprint) -> None:
    """Somebody answers some numbers with ICMP errors that prove nothing."""
    numbers, chance = print_.some_numbers() - {1, 17}, print_.chance
    style, source = chance.choice(("tag", "short", "bare")), chance.choice((FAR, "10.1.0.1", "203.0.113.99"))
    kind, code = chance.choice(((3, 13), (3, 2), (3, 3), (11, 0), (12, 0)))
    print_.extra.append((1, Forger("forger", numbers, own(print_), style, source, kind, code)))
    print_.notes.append(f"forged errors {kind}/{code} about {sorted(numbers)}: {style}")


@family()
def forged_probes(print_: Blueprint) -> None:
    """Somebody sends packets beside some probes that look like ours."""
    numbers, style = print_.some_numbers() - {1, 17}, print_.chance.choice(("mac", "index", "number"))
    print_.extra.append((1, Imitator("imitator", numbers, own(print_), style)))
    print_.notes.append(f"forged probes beside {sorted(numbers)}: {style}")


@family()
def replays(print_: Blueprint) -> None:
    """Somebody sends some probes again, once or often, soon or late."""
    count, later = print_.chance.choice((1, 3, 40)), print_.chance.choice((1, 30, 400)) * MS
    numbers = print_.some_numbers()
    print_.extra.append((1, Replayer("replayer", numbers, count, later)))
    print_.notes.append(f"{sorted(numbers)} are replayed {count} times, {later / MS:g} ms apart")


@family()
def crowd_of_quotes(print_: Blueprint) -> None:
    """Forty forged errors come before the router's own word about some numbers."""
    numbers = print_.some_numbers() - {1, 17}
    print_.extra.append((0, Forger("forger", numbers, own(print_), "tag", "", count=40)))
    router = print_.a_router()
    router.bucket = Bucket(0, 6)
    router.rules.append(NumberFilter(numbers, frozenset({1}), "reject 3 13"))
    print_.notes.append(f"a crowd of forged errors before {router.name} rejects {sorted(numbers)}")
