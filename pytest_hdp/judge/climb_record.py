"""How the hop was looked for, as the JSON value `climb` of a record, and back; and the ICMP errors of both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pytest_hdp.judge.result import AtTtl, Climb, IcmpCount
from pytest_hdp.judge.untrusted import Fields


def to_climb(climb: Climb) -> dict[str, Any]:
    """Return JSON values; what is null, none or false is left out."""
    made: dict[str, Any] = {} if climb.by is None else {"with": climb.by}
    if climb.rungs:
        made["ttls"] = [_rung(rung) for rung in climb.rungs]
    return made


def read_climb(fields: Fields) -> Climb:
    """Return what `to_climb` made. Raises WrongValueError."""
    by = fields.number("with", -(2**31), 2**31 - 1) if "with" in fields.values else None
    return Climb(tuple(_read_rung(rung) for rung in fields.objects("ttls")), by)


def to_icmp(errors: Iterable[IcmpCount]) -> list[dict[str, Any]]:
    """Return ICMP errors as JSON values."""
    return [
        {"from": i.source, "type": i.type, "code": i.code, "count": i.count, "authenticated": i.authenticated}
        for i in errors
    ]


def read_icmp(fields: Fields) -> IcmpCount:
    """Return one of those. Raises WrongValueError."""
    return IcmpCount(
        fields.text("from"),
        fields.number("type", 0, 255),
        fields.number("code", 0, 255),
        fields.number("count", 1),
        fields.truth("authenticated"),
    )


def _rung(rung: AtTtl) -> dict[str, Any]:
    made: dict[str, Any] = {"ttl": rung.ttl, "sent": rung.sent}
    if rung.icmp:
        made["icmp"] = to_icmp(rung.icmp)
    seen = {"answered": rung.control, "from": rung.router, "arrived": rung.control_arrived}
    made["control"] = {name: value for name, value in seen.items() if value}
    return made | ({"silent": True} if rung.silent else {})


def _read_rung(fields: Fields) -> AtTtl:
    control = fields.fields("control")
    return AtTtl(
        ttl=fields.number("ttl", 0, 255),
        sent=fields.number("sent"),
        icmp=tuple(map(read_icmp, fields.objects("icmp"))),
        control=control.number("answered") if "answered" in control.values else 0,
        router=control.text("from") if "from" in control.values else None,
        control_arrived=control.number("arrived") if "arrived" in control.values else 0,
        silent=fields.truth("silent") if "silent" in fields.values else False,
    )
