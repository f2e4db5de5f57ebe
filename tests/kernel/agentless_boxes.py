"""Boxes and hosts that a target without an agent is asked behind."""

import shutil
from dataclasses import dataclass
from typing import ClassVar

from pytest_hdp.lab.boxes import Box, Router, Where, filter_chain


class Quiet(Router):
    """A router that lets a TTL expire without a word."""

    @property
    def rules(self):
        return filter_chain("output", "icmp type time-exceeded drop")


@dataclass(frozen=True, slots=True)
class Remarking(Box):
    """Sets the DSCP of 253."""

    @property
    def rules(self):
        return filter_chain("forward", "ip protocol 253 ip dscp set af11")


@dataclass(frozen=True, slots=True)
class StockReject(Box):
    """A router whose firewall rejects these, with the system's own limit on ICMP errors."""

    numbers: tuple[int, ...]

    @property
    def rules(self):
        listed = ", ".join(map(str, self.numbers))
        return filter_chain("forward", f"ip protocol {{ {listed} }} reject with icmp type admin-prohibited")


@dataclass(frozen=True, slots=True)
class Prohibiting(Box):
    """A router that has a rule of its routes prohibit these, with the system's own limits. `prohibit` sets them."""

    numbers: tuple[int, ...]

    def prohibit(self, router):
        for number in self.numbers:
            status, printed = router.run([shutil.which("ip"), "rule", "add", "ipproto", str(number), "prohibit"])
            assert status == 0, printed


@dataclass(frozen=True, slots=True)
class Rejecting(Box):
    """A host whose firewall rejects aloud what netfilter's reject answers."""

    where: ClassVar[Where] = Where.TARGET

    @property
    def rules(self):
        return filter_chain("input", "ip protocol 50 reject with icmp type admin-prohibited")
