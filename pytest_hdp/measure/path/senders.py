"""Which socket of an end sends what, and whether it has a tap: also where no raw socket may be opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.verdict import SHAPED_FORMS, Form
from pytest_hdp.measure.path.endpoints import open_sender, refusal

if TYPE_CHECKING:
    from pytest_hdp.measure.path.endpoints import Endpoint
    from pytest_hdp.packet.family import Family
    from pytest_hdp.vantage.sockets import Program

UDP = 17


def open_tap(end: Endpoint, program: Program, buffer: int) -> int | None:
    """Open the tap of an end; None where there can be none, and need be none. Raises OSError."""
    try:
        return end.station.tap(None, program, buffer=buffer)
    except PermissionError:
        if end.raw:
            raise
        end.raw = False
        return None


def has_own_socket(end: Endpoint, protocol: int, form: Form) -> bool:
    """Whether another socket sends this form than the one that sends the number bare."""
    ordinary = protocol == UDP and end.raw is False
    return form in SHAPED_FORMS or (form is Form.WELLFORMED and (protocol == 0 or ordinary))


def wraps(end: Endpoint, protocol: int, form: Form, target: str) -> bool:
    """Whether an end's kernel seems to put packets of this number into others, as IPsec by its policies does.

    Then one of this number has less room than the control. Nothing of that is seen where they leave.
    """
    if form in SHAPED_FORMS:
        return False
    try:
        return end.station.route(target, protocol & 255)[2] < end.station.route(target)[2]
    except OSError:
        return False


def sender_at(end: Endpoint, control: int, protocol: int, family: Family, form: Form, *, routed: bool) -> int | str:
    """As `open_sender`, or the errno's name. `control`: the end's UDP socket, which sends UDP if no raw one may."""
    if form is Form.WELLFORMED and protocol == UDP and end.raw is False:
        return control
    try:
        return open_sender(end, protocol, family, routed=routed, form=form)
    except OSError as error:
        return refusal(error)
