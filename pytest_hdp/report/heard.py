"""One packet that `hdp listen` received, for reading: as lines, as a row of the article's table, as a JSON line.

It may be anybody's: nothing in it is trusted, nothing in it raises, and all of it is shown harmlessly.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pytest_hdp.packet import hdp, tag
from pytest_hdp.packet.encoding import Encoding, decode
from pytest_hdp.packet.ip import DONT_FRAGMENT, MORE_FRAGMENTS, IPv4, IPv6, parse_ipv4, parse_ipv6
from pytest_hdp.packet.registry import slug
from pytest_hdp.report.markdown import HEADS, YES, escaped
from pytest_hdp.untrusted.text import safe

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 100_000
"""Characters shown of a line: more than a packet holds."""

LARGEST_INDEX = 1 << 24
"""A tag has no magic number. Its index begins at 1 and is small, and four letters read as a number are not."""

AN_HOUR = 3600 * 10**9
_UDP = 17
_ADDED = frozenset({"Keyword", "Verdict", "Place"})
_COLUMNS = tuple(head for head in HEADS if head[0] not in _ADDED)


@dataclass(frozen=True, slots=True)
class Heard:
    """A packet at a raw socket. `time`: the kernel's receive time, ns since the epoch; `data`: from the IP header on.

    `udp`: source and destination port if it is a sound UDP datagram, whose payload is then read as HDP. `header` is
    None where there are fewer bytes than an HDP header has; `content` is what follows header and tag, as received;
    `decoded` is None where that is not in `encoding`.
    """

    time: int
    data: bytes
    encoding: Encoding
    ip: IPv4 | IPv6 | None
    udp: tuple[int, int] | None
    header: hdp.Header | None
    tag: tag.Tag | None
    content: bytes
    decoded: bytes | None

    @property
    def protocol(self) -> int | None:
        """The number under which it came: over IPv6 that of the fixed header, whatever it promises to follow."""
        return self.ip.next_header if isinstance(self.ip, IPv6) else self.ip.protocol if self.ip is not None else None

    @property
    def delay_us(self) -> float | None:
        """Microseconds from the header's timestamp to the arrival; None for clocks that can't agree, or no HDP."""
        delay = -1 if self.header is None else self.time - self.header.timestamp
        return delay / 1000 if 0 <= delay < AN_HOUR else None


def hear(time: int, data: bytes, encoding: Encoding = Encoding.PLAIN) -> Heard:
    """Read a packet; never raises."""
    ip = parse_ipv4(data) or parse_ipv6(data)
    payload = ip.body if isinstance(ip, IPv6) else ip.payload if ip is not None else data
    number = ip.next_header if isinstance(ip, IPv6) else ip.protocol if ip is not None else None
    udp = _datagram(payload) if number == _UDP else None
    parsed = hdp.parse(payload[8:] if udp is not None else payload)
    if parsed is None:
        return Heard(time, data, encoding, ip, udp, None, None, payload, None)
    header, content = parsed
    tagged = tag.parse(content)
    if tagged is not None and not 0 < tagged[0].index < LARGEST_INDEX:
        tagged = None
    content = tagged[1] if tagged is not None else content
    mark = tagged[0] if tagged is not None else None
    return Heard(time, data, encoding, ip, udp, header, mark, content, decode(content, encoding))


def _datagram(payload: bytes) -> tuple[int, int] | None:
    """The ports of a UDP datagram (RFC 768), or None if its length is not right: then it is no UDP."""
    if len(payload) < 8 or int.from_bytes(payload[4:6], "big") != len(payload):
        return None
    return int.from_bytes(payload[:2], "big"), int.from_bytes(payload[2:4], "big")


def as_lines(heard: Heard) -> list[str]:
    """Return IP header, HDP header and data, a line or more each."""
    if heard.ip is None:
        return [f"{len(heard.data)} bytes that are no IP packet", *_shown(heard.data)]
    lines = [_ipv6_line(heard.ip) if isinstance(heard.ip, IPv6) else _ipv4_line(heard.ip)]
    if heard.udp is not None:
        lines.append(f"  UDP {heard.udp[0]} > {heard.udp[1]}")
    if heard.header is None:
        return [*lines, f"  no HDP header: {len(heard.content)} bytes", *_shown(heard.content)]
    lines.append(f"  HDP {heard.header.source_port} > {heard.header.destination_port}  sent {_when(heard)}")
    if heard.tag is not None:
        lines.append(f"  tag of a probe: run {heard.tag.run_id.hex()}, index {heard.tag.index}")
    if heard.decoded is None:
        return [*lines, f"  {len(heard.content)} bytes that are not {heard.encoding}", *_shown(heard.content)]
    return [*lines, *_shown(heard.decoded)]


def _ipv4_line(ip: IPv4) -> str:
    more = f"  checksum {ip.checksum:04x}"
    more += "  DF" if ip.flags & DONT_FRAGMENT else ""
    more += f"  fragment at {ip.fragment_offset * 8}" if ip.fragment_offset or ip.flags & MORE_FRAGMENTS else ""
    more += f"  options {ip.options.hex()}" if ip.options else ""
    return (
        f"{ip.source} > {ip.destination}  protocol {ip.protocol} ({slug(ip.protocol)})  ttl {ip.ttl}  "
        f"id {ip.identification}  dscp {ip.dscp}  ecn {ip.ecn}  length {ip.total_length}{more}"
    )


def _ipv6_line(ip: IPv6) -> str:
    return (
        f"{ip.source} > {ip.destination}  protocol {ip.next_header} ({slug(ip.next_header)})  hop limit {ip.hop_limit}"
        f"  label {ip.flow_label:05x}  dscp {ip.traffic_class >> 2}  ecn {ip.traffic_class & 3}  "
        f"length {ip.payload_length}"
    )


def _shown(data: bytes) -> Iterator[str]:
    """Lines of text, each behind a bar; what does not print is escaped."""
    text = data.decode("utf-8", "backslashreplace")
    for line in text.removesuffix("\n").split("\n") if text else ():
        yield f"  | {safe(line.removesuffix(chr(13)).expandtabs(), limit=LONGEST)}"


def _when(heard: Heard) -> str:
    assert heard.header is not None
    stamp, delay = heard.header.timestamp, heard.delay_us
    if delay is None:
        return f"at {stamp} ns by a clock that is not ours"
    seconds, rest = divmod(stamp, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest:09d} UTC, {delay:.1f} us before it arrived"


def table_heads() -> list[str]:
    """Return the two lines that begin the article's table."""
    titles = " | ".join(title for title, _ in _COLUMNS)
    return [f"| {titles} |", f"| {' | '.join('---:' if numeric else ':---' for _, numeric in _COLUMNS)} |"]


def as_row(heard: Heard) -> str:
    """Return a row of the article's table: the server's columns, since a listener knows nothing of the client's."""
    number = heard.protocol if heard.ip is not None else "-"
    source = heard.ip.source if heard.ip is not None else "-"
    delay = "-" if heard.delay_us is None else f"{heard.delay_us:.1f}"
    cells = (number, source, len(heard.data), YES, "-", "-", "-", delay)
    return f"| {' | '.join(escaped(cell) for cell in cells)} |"


def as_json(heard: Heard) -> str:
    """Return one JSON object on one line of ASCII, without its line end. `content` is text, or null beside `hex`."""
    record: dict[str, Any] = {"time": heard.time, "length": len(heard.data), "ip": None}
    if isinstance(heard.ip, IPv6):
        ip = heard.ip
        record["ip"] = {
            "version": 6,
            "source": ip.source,
            "destination": ip.destination,
            "protocol": ip.next_header,
            "ttl": ip.hop_limit,
            "flow_label": ip.flow_label,
            "dscp": ip.traffic_class >> 2,
            "ecn": ip.traffic_class & 3,
            "payload_length": ip.payload_length,
        }
    elif heard.ip is not None:
        names = ("source", "destination", "protocol", "ttl", "identification", "dscp", "ecn", "flags")
        fields = {name: getattr(heard.ip, name) for name in (*names, "fragment_offset", "total_length", "checksum")}
        record["ip"] = fields | {"options": heard.ip.options.hex()}
    record["udp"] = (
        None if heard.udp is None else dict(zip(("source_port", "destination_port"), heard.udp, strict=True))
    )
    record["hdp"] = None
    if heard.header is not None:
        header = heard.header
        record["hdp"] = {
            "source_port": header.source_port,
            "destination_port": header.destination_port,
            "timestamp": header.timestamp,
        }
    mark = heard.tag
    record["tag"] = None if mark is None else {"run": mark.run_id.hex(), "index": mark.index, "mac": mark.mac.hex()}
    record["delay_us"] = heard.delay_us
    record["encoding"] = str(heard.encoding)
    try:
        record["content"] = None if heard.decoded is None else heard.decoded.decode("utf-8")
    except UnicodeDecodeError:
        record["content"] = None
    record["hex"] = heard.content.hex()
    return json.dumps(record)
