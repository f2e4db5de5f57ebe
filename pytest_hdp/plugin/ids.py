"""Test ids: what stands for a path and for a train in them. Those by IPv6 end in `v6`; IPv4's never move."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_hdp.judge.path_keys import bare_key, family_in
from pytest_hdp.judge.verdict import Form
from pytest_hdp.packet.family import IPV6
from pytest_hdp.packet.registry import test_id

if TYPE_CHECKING:
    from pytest_hdp.judge.evidence import Train


def path_id(key: str) -> str:
    """What stands for a path in test ids: the lab's name as it was asked for, or the target."""
    return bare_key(key).partition(":")[2]


def case_id(key: str, train: Train, named: list[bool]) -> str:
    """The id of a train's test. `named`: whether its path, its direction and its form are parts of it."""
    parts = [*([path_id(key)] if named[0] else []), test_id(train.transport)]
    if train.behind is not None:
        parts += ["behind", train.behind.name]
    if named[1]:
        parts.append(train.direction)
    if train.behind is not None:  # all of them are well-formed
        return "-".join([*parts, *_of_ipv6(key)])
    if named[2] or train.form is not Form.BARE:
        parts.append(train.form)
    return "-".join([*parts, *_of_ipv6(key)])


def only_route_id(key: str, *, named: bool) -> str:
    """The id of a test of a path as a whole; "" where there is nothing to tell."""
    return "-".join([*([path_id(key)] if named else []), *_of_ipv6(key)])


def _of_ipv6(key: str) -> list[str]:
    """The last part of an id of a test by IPv6; none by IPv4, whose ids are as they always were."""
    return ["v6"] if family_in(key) is IPV6 else []
