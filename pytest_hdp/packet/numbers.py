"""Lists of protocol numbers as users write them: `0-255`, `47,50-51,132`, `gre,esp`, `-1-263`."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from pytest_hdp.packet.registry import NUMBERS, Status, slug
from pytest_hdp.packet.registry import test_id as id_of

if TYPE_CHECKING:
    from collections.abc import Iterable

LOWEST, HIGHEST = -1024, 65535
SETS = {
    str(s): tuple(n.number for n in NUMBERS if n.status is s)
    for s in Status
    if s.value in ("assigned", "unassigned", "experimental")
}

NEEDS = {
    "ipsec": (50, 51),  # ESP and AH; IKE is UDP
    "overlay": (4, 41, 47, 137),  # IP and IPv6 in IP, GRE, MPLS in IP; VXLAN and Geneve are UDP
    "routing": (2, 88, 89, 103, 112),  # IGMP, EIGRP, OSPF, PIM, VRRP; BGP is TCP
    "sctp": (132,),
}
"""Sets of what two hosts may need to pass between them."""

_RANGE = re.compile(r"(-?[0-9]{1,9})(?:-(-?[0-9]{1,9}))?")
_ALIASES = {"icmp6": 58, "icmpv6": 58, "ospf": 89, "isis": 124, "mobility": 135}
_HELP = "write numbers, ranges (47,50-51), IANA keywords (gre) or sets (assigned, unassigned, experimental)"


def parse_protocols(text: str) -> tuple[int, ...]:
    """Return the numbers that `text` lists, sorted, each once.

    Pieces are separated by commas; names are IANA keywords, slugs or test ids in upper or lower case.
    ValueError with one sentence that names the bad piece and says what to write.
    """
    if not text.strip():
        raise ValueError(f"the list of protocols is empty: {_HELP}")
    numbers: set[int] = set()
    for piece in text.split(","):
        numbers.update(_parse_piece(piece.strip(), text))
    return tuple(sorted(numbers))


def parse_needs(text: str) -> tuple[int, ...]:
    """Return the numbers that `text` says have to pass: as `parse_protocols`, and the names of `NEEDS`.

    ValueError with one sentence, also for a number that no packet can have.
    """
    pieces = [piece.strip() for piece in text.split(",")]
    listed = [",".join(map(str, NEEDS[piece.lower()])) if piece.lower() in NEEDS else piece for piece in pieces]
    try:
        numbers = parse_protocols(",".join(listed))
    except ValueError as error:
        raise ValueError(f"{error}, or what is needed: {', '.join(NEEDS)}") from None
    outside = [number for number in numbers if not 0 <= number <= 255]
    if outside:
        raise ValueError(f"{outside[0]} can't pass: no packet has a protocol number below 0 or above 255")
    return numbers


def format_protocols(numbers: Iterable[int]) -> str:
    """Return the shortest list of ranges that `parse_protocols` reads back as `numbers`; "" for none."""
    pieces: list[str] = []
    ordered = sorted(set(numbers))
    start = 0
    for index, number in enumerate(ordered):
        if index + 1 < len(ordered) and ordered[index + 1] == number + 1:
            continue
        first = ordered[start]
        pieces.append(str(first) if first == number else f"{first}-{number}")
        start = index + 1
    return ",".join(pieces)


def _parse_piece(piece: str, text: str) -> Iterable[int]:
    if not piece:
        raise ValueError(f"{_quoted(text)} has an empty piece: remove the surplus comma")
    match = _RANGE.fullmatch(piece)
    if match is None:
        return _parse_name(piece)
    first = int(match[1])
    last = first if match[2] is None else int(match[2])
    if not (LOWEST <= first <= HIGHEST and LOWEST <= last <= HIGHEST):
        raise ValueError(
            f"{_quoted(piece)} is too far out: protocol numbers from {LOWEST} to {HIGHEST} can be asked for"
        )
    if first > last:
        raise ValueError(f"the range {_quoted(piece)} is reversed: write {last}-{first}")
    return range(first, last + 1)


def _parse_name(piece: str) -> Iterable[int]:
    name = piece.lower()
    if name in SETS:
        return SETS[name]
    number = _names().get(_squeezed(name))
    if number is not None:
        return (number,)
    if re.fullmatch(r"[-0-9\s]+", piece):
        raise ValueError(_bad_number(piece))
    known = [*{slug(n): None for n in _names().values()}, *SETS]
    import difflib

    near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    hint = f" (did you mean {' or '.join(near)}?)" if near else ""
    raise ValueError(f"{_quoted(piece)} names no protocol{hint}: {_HELP}")


def _bad_number(piece: str) -> str:
    if re.fullmatch(r"-?[0-9]{10,}", piece):
        return f"{_quoted(piece)} is too far out: protocol numbers from {LOWEST} to {HIGHEST} can be asked for"
    open_ended = re.fullmatch(r"(-?[0-9]{1,9})-", piece)
    if open_ended:
        return f"the range {_quoted(piece)} has no end: write its last number too, as in 250-255"
    return f"{_quoted(piece)} is neither a number nor a range: {_HELP}"


@cache
def _names() -> dict[str, int]:
    names = {_squeezed(alias): number for alias, number in _ALIASES.items()}
    for entry in NUMBERS:
        if entry.status is not Status.UNASSIGNED:
            names[_squeezed(entry.keyword)] = entry.number
        names[_squeezed(id_of(entry.number))] = entry.number
    return names


def _squeezed(name: str) -> str:
    """Letters and digits only, so that UDPLite, udp-lite and UDP Lite are one name."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _quoted(piece: str) -> str:
    return repr(piece if len(piece) <= 40 else piece[:37] + "...")
