"""The options: each is `--hdp-NAME`, the environment's HDP_NAME and the ini value hdp_NAME, in this order."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_hdp.judge.expectations.profile import Profile
from pytest_hdp.judge.verdict import Form
from pytest_hdp.packet.encoding import Encoding
from pytest_hdp.packet.family import IPV4, Family
from pytest_hdp.packet.numbers import parse_needs, parse_protocols
from pytest_hdp.plugin import option_types as values
from pytest_hdp.plugin.chains import parse_chains
from pytest_hdp.plugin.inventory import Target
from pytest_hdp.plugin.vantage_specs import VantageSpec, parse_vantage, parse_vantages
from pytest_hdp.untrusted.text import safe


@dataclass(frozen=True, slots=True)
class Settings:
    """The options as parsed. None: not given, and the path's or the system's default holds.

    `rate`: packets a second; `timeout`: seconds; `buffer`: bytes; `expect`: a profile, "none", or None for the default.
    """

    target: tuple[str, ...] = ()
    inventory: tuple[Target, ...] = ()
    agent: VantageSpec | None = None
    source: tuple[VantageSpec, ...] = ()
    lab: tuple[str, ...] = ()
    protocols: tuple[int, ...] | None = None
    count: int | None = None
    form: tuple[Form, ...] | None = None
    encoding: Encoding = Encoding.PLAIN
    rate: float | None = None
    timeout: float | None = None
    locate: str = "groups"
    seed: int | None = None
    buffer: int | None = None
    expect: Profile | str | None = None
    record: Path | None = None
    report: Path | None = None
    latency_margin: float | None = None
    latency_pairs: int | None = None
    unmeasured: str = "error"
    needs: tuple[int, ...] | None = None
    ip_version: tuple[Family, ...] | None = None
    twin: VantageSpec | None = None
    witness: tuple[VantageSpec, ...] = ()
    allow: tuple[tuple[int, int | None], ...] = ()
    bound: float | None = None
    direction: str | None = None
    extension_headers: tuple[str, ...] | None = None
    typed: tuple[str, ...] = ()
    """Those that stand on the command line itself, of those that some tests can't use."""

    @property
    def families(self) -> tuple[Family, ...]:
        """The versions of IP by which loopback and labs are measured."""
        return self.ip_version or (IPV4,)

    @property
    def second(self) -> VantageSpec | None:
        """Where probes start from a second host, if one is given."""
        return self.source[1] if len(self.source) > 1 else None

    @property
    def targets(self) -> tuple[Target, ...]:
        """Every host that is sent to: those of the command line, then those of the inventory."""
        named = (*(Target(address, address, self.agent) for address in self.target), *self.inventory)
        return tuple(each for each in named if self.ip_version is None or each.family in self.ip_version)


@dataclass(frozen=True, slots=True)
class _Option:
    name: str
    metavar: str
    help: str
    parse: Callable[[str], Any]

    @property
    def field(self) -> str:
        """Its name in `Settings`, in the ini file, and in capitals in the environment."""
        return self.name.replace("-", "_")


OPTIONS = (
    _Option(
        "target",
        "ADDR",
        "target of the internet and cloud suites, a numeric address; may be repeated",
        values.addresses,
    ),
    _Option(
        "inventory",
        "FILE",
        "targets from a TOML file: [[target]] tables with name, address, and if wanted agent, profile, tags",
        values.inventory,
    ),
    _Option(
        "agent",
        "SPEC",
        "agent at the target: ssh=user@host, docker=NAME, podman=NAME, lxc=NAME, kubectl=POD, command=WORDS, "
        "netns=NAME, netns=pid:NUMBER, popen (this host); default: none",
        parse_vantage,
    ),
    _Option(
        "source",
        "SPEC",
        "where probes start: as --hdp-agent (default: this host); twice: from a second host behind the NAT too",
        values.sources,
    ),
    _Option(
        "lab",
        "NAME",
        "emulate the path instead, or a box beside its twin: one or more names, or all; see hdp lab list",
        values.labs,
    ),
    _Option(
        "protocols",
        "LIST",
        "protocol numbers: 0-255 (default), 47,50-51,132, names (gre), sets (assigned, unassigned, experimental)",
        parse_protocols,
    ),
    _Option("count", "N", "rounds sent for every number (default: 3 on loopback, 7 elsewhere)", values.count),
    _Option(
        "form",
        "FORM",
        "bare (default), wellformed, both; of a box a list of bare, wellformed (default: both), fragmented, options",
        values.forms,
    ),
    _Option("encoding", "NAME", "payload encoding: plain (default), base64, base128", values.encoding),
    _Option(
        "rate",
        "PPS",
        "packets a second, at most (default: 50000 on loopback, 20000 between namespaces, 4000 to a far host, else "
        "as the target answers)",
        values.positive,
    ),
    _Option(
        "timeout", "S", "longest wait for one probe (default: from the control's round-trip time)", values.positive
    ),
    _Option(
        "locate",
        "HOW",
        "find the hop where trains died: groups (default, a few of each verdict), all, none",
        values.locate,
    ),
    _Option("seed", "N", "seed for the shuffled order in each round (default: a new one, printed)", values.seed),
    _Option("buffer", "BYTES", "receive buffer of each socket (default: the system's)", values.buffer),
    _Option("expect", "FILE|NAME|none", "a profile (default on loopback: the running system's own)", values.expect),
    _Option("record", "FILE", "write what was observed as a profile, for the next run to expect", values.record),
    _Option("report", "DIR", "write results.jsonl, results.md, report.html and capture.pcapng there", values.report),
    _Option(
        "latency-margin",
        "US",
        "fail if HDP is slower than UDP by more than this many microseconds, in median or p99, or loses more",
        values.positive,
    ),
    _Option(
        "latency-pairs",
        "N",
        "pairs of packets in the latency experiment (default: 2000 on loopback, 1000 in a lab, else 300)",
        values.pairs,
    ),
    _Option(
        "needs",
        "LIST",
        "what has to pass between two hosts, in suites/cloud: numbers, names (esp,gre,vrrp), sets (ipsec, overlay, "
        "routing, sctp)",
        parse_needs,
    ),
    _Option(
        "ip-version",
        "4|6|both",
        "versions of IP (default: the target's; 4 on loopback and in labs)",
        values.ip_version,
    ),
    _Option(
        "extension-headers",
        "LIST",
        "over IPv6, also ask what passes behind extension headers: all, or some of hbh, dst, rt, frag, dst64, ... "
        "(suites/internet/test_extension_headers.py; named by itself, it asks all)",
        parse_chains,
    ),
    _Option(
        "twin",
        "SPEC",
        "in suites/containment: what is like the box (--hdp-source) without its policy, as --hdp-agent: what leaves it "
        "shows that what leaves the box would be seen",
        parse_vantage,
    ),
    _Option(
        "witness",
        "SPEC",
        "in suites/containment: a tap outside the box that sends nothing, as --hdp-agent; may be repeated",
        parse_vantages,
    ),
    _Option(
        "allow",
        "LIST",
        "in suites/containment: what may leave the box: numbers, names or sets, by both versions of IP or "
        "one (tcp,udp/4)",
        values.allow,
    ),
    _Option(
        "bound",
        "P",
        "in suites/containment: how small a probability of passing is to be excluded for each number, at 95 %: it sets "
        "how many packets are sent (2% takes 165 of each, 0.1% takes 3328)",
        values.share,
    ),
    _Option(
        "direction",
        "forward|both",
        "in suites/containment: what is judged, what leaves the box (forward, the default), or also what gets in",
        values.direction,
    ),
    _Option(
        "unmeasured",
        "error|skip",
        "what it means that a path could not be measured at all: exit status 4 (error, the default), or nothing (skip)",
        values.unmeasured,
    ),
)


REPEATED = {"target": ",", "lab": ",", "source": "\n", "witness": "\n"}
"""What may be given several times, and what stands between two in the environment and the ini file."""


def add_options(parser: pytest.Parser) -> None:
    """Declare each option for the command line and the ini file."""
    group = parser.getgroup("hdp", "IP protocol numbers (pytest-hdp)")
    for option in OPTIONS:
        group.addoption(
            f"--hdp-{option.name}",
            dest=f"hdp_{option.field}",
            metavar=option.metavar,
            help=option.help.replace("%", "%%"),  # argparse fills in what stands there
            default=None,
            action="append" if option.name in REPEATED else "store",
        )
        parser.addini(f"hdp_{option.field}", help=option.help, type="string", default=None)


def read_settings(config: pytest.Config) -> Settings:
    """The options' values. Raises pytest.UsageError with one line for a value that can't be used."""
    found: dict[str, Any] = {}
    for option in OPTIONS:
        for origin, text in _given(config, option):
            if text is not None:
                try:
                    found[option.field] = option.parse(text)
                except ValueError as error:
                    raise pytest.UsageError(f"{origin}: {safe(error)}") from None
                break
    return Settings(**found)


def _given(config: pytest.Config, option: _Option) -> list[tuple[str, str | None]]:
    variable = f"HDP_{option.field.upper()}"
    typed = config.getoption(f"hdp_{option.field}")
    return [
        (f"--hdp-{option.name}", REPEATED[option.name].join(typed) if isinstance(typed, list) else typed),
        (variable, os.environ.get(variable)),
        (f"hdp_{option.field} (ini)", config.getini(f"hdp_{option.field}") or None),
    ]
