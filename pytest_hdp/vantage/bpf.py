"""Classic BPF programs for socket filters, as lists of (code, jt, jf, k) tuples. No I/O.

Offsets count from the end of the IP header, IPv4's options included, in every program here. A program sees what the
socket sees: the IP header on a raw IPv4 socket and on an AF_PACKET SOCK_DGRAM socket, what follows it on a raw IPv6
socket, the UDP header on a UDP socket.
A load beyond the packet's end ends a program with "drop" (kernel Documentation/networking/filter.rst), so each
comparison first asks whether the packet is long enough: a short packet must not hide a match at another place.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Sequence

from pytest_hdp.packet.family import IPV4, IPV6, Family, family_of, packed

Instruction = tuple[int, int, int, int]
Program = list[Instruction]

ACCEPT = 0x7FFFFFFF  # how many bytes of the packet to keep: all
SKF_AD_PROTOCOL = 0xFFFFF000  # SKF_AD_OFF + SKF_AD_PROTOCOL of linux/filter.h: the EtherType that the kernel noted

# linux/bpf_common.h: class | size or operation | addressing mode or source.
_LD_W_ABS, _LD_H_ABS, _LD_B_ABS = 0x20, 0x28, 0x30
_LD_W_IND, _LD_H_IND, _LD_B_IND = 0x40, 0x48, 0x50
_LD_IMM, _LD_LEN = 0x00, 0x80
_LDX_IMM, _LDX_MSH = 0x01, 0xB1
_ADD_K, _ADD_X, _SUB_X, _AND_K, _LSH_K, _RSH_K, _RSH_X = 0x04, 0x0C, 0x1C, 0x54, 0x64, 0x74, 0x7C
_JA, _JEQ, _JGE, _JSET = 0x05, 0x15, 0x35, 0x45
_RET, _TAX = 0x06, 0x07

_FRAGMENT_OFFSET = 0x1FFF
_ICMP_HEADER = 8


def drop_all() -> Program:
    """Accept nothing: for sockets that only send."""
    return [(_RET, 0, 0, 0)]


def accept_all() -> Program:
    """Accept everything that the socket would see without a filter."""
    return [(_RET, 0, 0, ACCEPT)]


def matching(
    needle: bytes,
    offsets: Sequence[int],
    *,
    family: Family = IPV4,
    tap: bool = True,
    protocols: Collection[int] | None = None,
    icmp_errors_to: str | None = None,
    fragments: bool = False,
) -> Program:
    """Accept the packets of one IP version that carry `needle`, on a tap, or on a raw socket.

    needle: 8 bytes; offsets: where it may stand, in bytes from the end of the IP header.
    protocols: only these numbers of the Protocol field; None: all.
    icmp_errors_to: also accept, whatever `protocols` says, ICMP errors whose quoted packet was sent to this address or
    quotes the needle at one of the offsets from the end of the quoted header. Over IPv4 what begins like such an error
    is judged by its quote alone; bare HDP does not, for its source port begins with 1.
    Later fragments of IPv4 are dropped, unless all `fragments` are wanted: what stands at an offset there is, mostly,
    not what was sent at it.
    Raises ValueError if the needle is not 8 bytes, or no offset, a negative one, or a malformed address is given.
    """
    places = _checked(needle, offsets)
    search = _needle_at_x(needle, places)
    if family is IPV6:
        return _matching_ipv6(needle, places, search, tap, protocols, icmp_errors_to)
    begin: Program = [(_LDX_MSH, 0, 0, 0)]
    if protocols is not None:
        begin = [*_skip_unless_protocol_in(protocols, len(begin) + len(search)), *begin]
    # One search for both: its length is bounded by net.core.optmem_max, 20 KiB before Linux 6.9 (sk_filter_charge).
    quoted = (
        _icmp_errors(int.from_bytes(packed(icmp_errors_to), "big"), len(begin)) if icmp_errors_to is not None else []
    )
    ours = _ipv4() if fragments else _first_fragment_of_ipv4()
    return [*ours, *quoted, *begin, *search, *drop_all()]


def answers(address: str, protocols: Collection[int], port: int) -> Program:
    """Accept, on a tap, what comes from this address under one of these numbers to this transport port.

    Raises ValueError for a malformed address, or a number that is not in 0..255.
    """
    family = family_of(address)
    verdict = _to_port(port, family)
    verdict = [*_same_address(packed(address), family.source_at, len(verdict)), *verdict]
    return _under(protocols, verdict, family)


def asks(protocols: Collection[int], port: int, family: Family = IPV4) -> Program:
    """As `answers`, from whatever address."""
    return _under(protocols, _to_port(port, family), family)


def _to_port(port: int, family: Family) -> Program:
    begin = (_LDX_IMM, 0, 0, IPV6.header_size) if family is IPV6 else (_LDX_MSH, 0, 0, 0)
    return [begin, (_LD_H_IND, 0, 0, 2), (_JEQ, 0, 1, port), (_RET, 0, 0, ACCEPT)]


def _under(protocols: Collection[int], verdict: Program, family: Family) -> Program:
    begin = _whole_ipv6() if family is IPV6 else _first_fragment_of_ipv4()
    return [*begin, *_skip_unless_protocol_in(protocols, len(verdict), family), *verdict, *drop_all()]


def matching_datagram(needle: bytes, offsets: Sequence[int]) -> Program:
    """Accept the datagrams that carry `needle`, on a UDP socket, whose filter sees the UDP header first.

    Offsets count from the end of the IP header here too: the UDP payload begins at 8. Also fits raw IPv6 sockets.
    Raises ValueError as `matching` does.
    """
    return [(_LDX_IMM, 0, 0, 0), *_needle_at_x(needle, _checked(needle, offsets)), *drop_all()]


def _matching_ipv6(
    needle: bytes,
    places: Sequence[int],
    search: Program,
    tap: bool,
    protocols: Collection[int] | None,
    icmp_errors_to: str | None,
) -> Program:
    """The header is of one size, so that X is a constant; a raw socket sees what follows it, and its number alone."""
    if not tap:
        return [(_LDX_IMM, 0, 0, 0), *search, *drop_all()]
    header = IPV6.header_size
    begin: Program = [(_LDX_IMM, 0, 0, header)]
    if protocols is not None:
        begin = [*_skip_unless_protocol_in(protocols, len(begin) + len(search), IPV6), *begin]
    quoted = _icmpv6_errors(needle, places[0], packed(icmp_errors_to), len(begin)) if icmp_errors_to else []
    return [*_whole_ipv6(), *quoted, *begin, *search, *drop_all()]


def _whole_ipv6() -> Program:
    drop = drop_all()
    return [
        (_LD_W_ABS, 0, 0, SKF_AD_PROTOCOL),
        (_JEQ, 1, 0, IPV6.ethertype),
        *drop,
        (_LD_B_ABS, 0, 0, 0),
        (_RSH_K, 0, 0, 4),
        (_JEQ, 1, 0, 6),
        *drop,
    ]


def _icmpv6_errors(needle: bytes, bare: int, address: bytes, skip: int) -> Program:
    """As `_icmp_errors`; what has the needle where bare HDP has it is none, though it reads like one: port 420 does.

    That is the first place of all.
    """
    header, quote = IPV6.header_size, IPV6.header_size + _ICMP_HEADER
    errors = sorted(IPV6.icmp_errors)
    accept: Program = [*_same_address(address, quote + IPV6.destination_at, 1), (_RET, 0, 0, ACCEPT)]
    told: Program = [
        (_LD_B_ABS, 0, 0, quote),
        (_RSH_K, 0, 0, 4),
        (_JEQ, 1, 0, 6),
        *drop_all(),
        *accept,
        (_LDX_IMM, 0, 0, quote + header),
        (_JA, 0, 0, skip),
    ]
    bare_test: Program = [
        (_LD_LEN, 0, 0, 0),
        (_JGE, 0, 3, header + bare + 4),
        (_LD_W_ABS, 0, 0, header + bare),
        (_JEQ, 0, 1, int.from_bytes(needle[:4], "big")),
        (_JA, 0, 0, len(told)),
    ]
    kinds: Program = [
        (_LD_B_ABS, 0, 0, header),
        *((_JEQ, len(errors) - index, 0, kind) for index, kind in enumerate(errors)),
        (_JA, 0, 0, len(bare_test) + len(told)),
    ]
    whole = [*kinds, *bare_test, *told]
    return [(_LD_B_ABS, 0, 0, IPV6.protocol_at), (_JEQ, 1, 0, IPV6.icmp), (_JA, 0, 0, len(whole)), *whole]


def _same_address(address: bytes, at: int, skip: int) -> Program:
    """Fall through if the address stands there; else skip so many instructions behind this."""
    words = struct.unpack(f"!{len(address) // 4}I", address)
    program: Program = []
    for index, word in enumerate(words):
        left = 2 * (len(words) - 1 - index)
        program += [(_LD_W_ABS, 0, 0, at + 4 * index), (_JEQ, 0, left + skip, word)]
    return program


def assemble(program: Iterable[Instruction]) -> bytes:
    """`struct sock_filter[]` of linux/filter.h in the machine's byte order: 8 bytes an instruction.

    Raises struct.error if a field is out of range.
    """
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _checked(needle: bytes, offsets: Sequence[int]) -> list[int]:
    if len(needle) != 8:
        raise ValueError(f"the needle must be 8 bytes, not {len(needle)}")
    if not offsets or min(offsets) < 0:
        raise ValueError("at least one offset is needed, and none below 0")
    return list(dict.fromkeys(offsets))


def _ipv4() -> Program:
    drop = drop_all()
    return [
        (_LD_W_ABS, 0, 0, SKF_AD_PROTOCOL),
        (_JEQ, 1, 0, IPV4.ethertype),
        *drop,
        (_LD_B_ABS, 0, 0, 0),
        (_RSH_K, 0, 0, 4),
        (_JEQ, 1, 0, 4),
        *drop,
    ]


def _first_fragment_of_ipv4() -> Program:
    return [*_ipv4(), (_LD_H_ABS, 0, 0, 6), (_JSET, 0, 1, _FRAGMENT_OFFSET), *drop_all()]


def _skip_unless_protocol_in(protocols: Collection[int], skip: int, family: Family = IPV4) -> Program:
    """Skip so many instructions unless the Protocol field is in the set: a bitmap of 8 words, for constant length."""
    words = [0] * 8
    for number in protocols:
        if not 0 <= number <= 255:
            raise ValueError(f"protocol {number} is not in 0..255")
        words[number >> 5] |= 1 << (number & 31)
    program: Program = [
        (_LD_B_ABS, 0, 0, family.protocol_at),
        (_AND_K, 0, 0, 31),
        (_TAX, 0, 0, 0),
        (_LD_B_ABS, 0, 0, family.protocol_at),
        (_RSH_K, 0, 0, 5),
    ]
    for index, word in enumerate(words[:-1]):
        program += [(_JEQ, 0, 2, index), (_LD_IMM, 0, 0, word), (_JA, 0, 0, 3 * (6 - index) + 1)]
    return [*program, (_LD_IMM, 0, 0, words[-1]), (_RSH_X, 0, 0, 0), (_JSET, 1, 0, 1), (_JA, 0, 0, skip)]


def _icmp_errors(address: int, skip: int) -> Program:
    """Accept an ICMP error that quotes a packet to the address; of another, skip so many with X at the quoted payload.

    What is no ICMP error falls through.
    """
    header, errors = _ICMP_HEADER, sorted(IPV4.icmp_errors)
    quote: Program = [
        (_LD_B_IND, 0, 0, header),
        (_RSH_K, 0, 0, 4),
        (_JEQ, 1, 0, 4),
        *drop_all(),
        (_LD_W_IND, 0, 0, header + 16),
        (_JEQ, 0, 1, address),
        (_RET, 0, 0, ACCEPT),
        (_LD_B_IND, 0, 0, header),
        (_AND_K, 0, 0, 0x0F),
        (_LSH_K, 0, 0, 2),
        (_ADD_X, 0, 0, 0),
        (_ADD_K, 0, 0, header),
        (_TAX, 0, 0, 0),
        (_JA, 0, 0, skip),
    ]
    whether: Program = [
        (_LDX_MSH, 0, 0, 0),
        (_LD_B_IND, 0, 0, 0),
        *((_JEQ, len(errors) - index, 0, kind) for index, kind in enumerate(errors)),
        (_JA, 0, 0, len(quote)),
    ]
    return [(_LD_B_ABS, 0, 0, 9), (_JEQ, 1, 0, 1), (_JA, 0, 0, len(whether) + len(quote)), *whether, *quote]


def _needle_at_x(needle: bytes, offsets: Iterable[int]) -> Program:
    """Accept if the needle stands at X plus one of the offsets, else fall through.

    The first place with its first half decides: one piece at the end compares the second half, for all of them.
    """
    high, low = struct.unpack("!II", needle)
    second_half: Program = [
        (_ADD_X, 0, 0, 0),
        (_TAX, 0, 0, 0),
        (_LD_W_IND, 0, 0, 4),
        (_JEQ, 0, 1, low),
        (_RET, 0, 0, ACCEPT),
    ]
    places = list(offsets)
    program: Program = []
    for left, offset in zip(reversed(range(len(places))), places, strict=True):
        program += [
            (_LD_LEN, 0, 0, 0),
            (_SUB_X, 0, 0, 0),  # below 0 it wraps, and the load below ends the program: no offset fits such a packet
            (_JGE, 0, 4, offset + 8),
            (_LD_W_IND, 0, 0, offset),
            (_JEQ, 0, 2, high),
            (_LD_IMM, 0, 0, offset),
            (_JA, 0, 0, 7 * left + 1),
        ]
    return [*program, (_JA, 0, 0, len(second_half)), *second_half]
