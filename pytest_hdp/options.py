"""The options: each is `--hdp-NAME`, the environment's HDP_NAME and the ini value hdp_NAME, in this order."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from pytest_hdp.inventory import Parsers, Target, from_file
from pytest_hdp.judge.expect import Profile, ProfileError, builtin, builtin_names, load_profile
from pytest_hdp.judge.verdict import Form
from pytest_hdp.packet.encoding import Encoding
from pytest_hdp.packet.numbers import parse_protocols
from pytest_hdp.report.files import make_folder
from pytest_hdp.report.safe import safe


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a vantage point is: `how` to reach it ("netns", "popen"), and its name there."""

    how: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """The options as parsed. None: not given, and the path's or the system's default holds.

    `rate`: packets a second; `timeout`: seconds; `buffer`: bytes; `expect`: a profile, "none", or None for the default.
    """

    target: tuple[str, ...] = ()
    inventory: tuple[Target, ...] = ()
    agent: Spot | None = None
    source: Spot | None = None
    lab: tuple[str, ...] = ()
    protocols: tuple[int, ...] | None = None
    count: int | None = None
    form: tuple[Form, ...] = (Form.BARE,)
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

    @property
    def targets(self) -> tuple[Target, ...]:
        """Every host that is sent to: those of the command line, then those of the inventory."""
        return (*(Target(address, address, self.agent) for address in self.target), *self.inventory)


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


def _addresses(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(_address, text.split(","))))


def _address(text: str) -> str:
    try:
        address = IPv4Address(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv4 address such as 198.51.100.2") from None
    if address.is_multicast or address.is_unspecified or address == IPv4Address("255.255.255.255"):
        raise ValueError(f"{text!r} is not the address of one host")
    return str(address)


def _spot(text: str) -> Spot:
    how, _, name = text.partition("=")
    if (how == "netns" and name) or (how == "popen" and text == "popen"):
        return Spot(how, name)
    raise ValueError(f"{text!r} is not one of netns=NAME, netns=pid:NUMBER, popen (this host)")


def _inventory(text: str) -> tuple[Target, ...]:
    return from_file(text, Parsers(_address, _spot, _expect))


def _labs(text: str) -> tuple[str, ...]:
    from pytest_hdp.lab.catalogue import make, names

    if text == "all":
        return tuple(names())
    labs = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in labs:
        make(name)
    return labs


def _locate(text: str) -> str:
    if text not in {"groups", "all", "none"}:
        raise ValueError(f"{text!r} is not one of groups, all, none")
    return text


def _count(text: str) -> int:
    return _whole(text, 1, 10_000)


def _pairs(text: str) -> int:
    return _whole(text, 100, 100_000)


def _whole(text: str, least: int, most: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise ValueError(f"{text!r} is not a whole number from {least} to {most}")
    return number


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError(f"{text!r} is not a number greater than 0")
    return number


def _forms(text: str) -> tuple[Form, ...]:
    if text == "both":
        return (Form.BARE, Form.WELLFORMED)
    try:
        return (Form(text),)
    except ValueError:
        raise ValueError(f"{text!r} is not one of bare, wellformed, both") from None


def _encoding(text: str) -> Encoding:
    try:
        return Encoding(text)
    except ValueError:
        raise ValueError(f"{text!r} is not one of {', '.join(Encoding)}") from None


def _seed(text: str) -> int:
    return _whole(text, 0, 2**32 - 1)


def _buffer(text: str) -> int:
    return _whole(text, 1, 2**30)


def _expect(text: str) -> Profile | str:
    if text == "none":
        return text
    if text in builtin_names():
        return builtin(text)
    try:
        return load_profile(Path(text).read_text(encoding="utf-8"), text)
    except OSError as error:
        known = ", ".join(builtin_names())
        raise ValueError(
            f"{text!r} is neither a profile of pytest-hdp ({known}), nor 'none', nor a file that can be read "
            f"({error.strerror})"
        ) from None
    except UnicodeDecodeError:
        raise ValueError(f"{text}: not a text file in UTF-8") from None
    except ProfileError as error:
        raise ValueError(str(error)) from None


def _record(text: str) -> Path:
    path = Path(text)
    if path.is_dir() or not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise ValueError(f"{text!r} can't be written; name a file in a folder that exists and that you may write to")
    return path


def _report(text: str) -> Path:
    path = Path(text)
    try:
        make_folder(path)
    except OSError as error:
        raise ValueError(f"{text!r} can't be made a folder ({error.strerror}); name another one") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise ValueError(f"{text!r} can't be written; name a folder that you may write to")
    return path


OPTIONS = (
    _Option("target", "ADDR", "target of the internet and cloud suites, an IPv4 address; may be repeated", _addresses),
    _Option(
        "inventory",
        "FILE",
        "targets from a TOML file: [[target]] with name, address, agent, profile, tags; see docs/targets.md",
        _inventory,
    ),
    _Option(
        "agent", "SPEC", "eyes at the target: netns=NAME, netns=pid:NUMBER, popen (this host); default: none", _spot
    ),
    _Option("source", "SPEC", "where probes start: netns=NAME, netns=pid:NUMBER (default: this host)", _spot),
    _Option("lab", "NAME", "emulate the path instead: one or more names, or all; see hdp lab list", _labs),
    _Option(
        "protocols",
        "LIST",
        "protocol numbers: 0-255 (default), 47,50-51,132, names (gre), sets (assigned, unassigned, experimental)",
        parse_protocols,
    ),
    _Option("count", "N", "rounds for everyone (default: 3 on loopback, 5 elsewhere)", _count),
    _Option("form", "FORM", "bare (default), wellformed, both", _forms),
    _Option("encoding", "NAME", "of the content: plain (default), base64, base128", _encoding),
    _Option(
        "rate",
        "PPS",
        "packets a second, at most (default: 50000 on loopback, 20000 with an agent, else as the target answers)",
        _positive,
    ),
    _Option("timeout", "S", "longest wait for one probe (default: from the control's round-trip time)", _positive),
    _Option(
        "locate", "HOW", "find the hop where trains died: groups (default, one of each verdict), all, none", _locate
    ),
    _Option("seed", "N", "of the shuffled order in each round (default: a new one, printed)", _seed),
    _Option("buffer", "BYTES", "receive buffer of each socket (default: the system's)", _buffer),
    _Option("expect", "FILE|NAME|none", "a profile (default on loopback: the running system's own)", _expect),
    _Option("record", "FILE", "write what was observed as a profile, for the next run to expect", _record),
    _Option("report", "DIR", "write results.jsonl, results.md, report.html and capture.pcapng there", _report),
    _Option("latency-margin", "US", "fail if HDP is slower than UDP by more than so many microseconds", _positive),
    _Option(
        "latency-pairs",
        "N",
        "pairs of packets in the latency experiment (default: 2000 on loopback, 1000 in a lab, else 300)",
        _pairs,
    ),
)


REPEATED = frozenset({"target", "lab"})


def add_options(parser: pytest.Parser) -> None:
    """Declare each option for the command line and the ini file."""
    group = parser.getgroup("hdp", "IP protocol numbers (pytest-hdp)")
    for option in OPTIONS:
        group.addoption(
            f"--hdp-{option.name}",
            dest=f"hdp_{option.field}",
            metavar=option.metavar,
            help=option.help,
            default=None,
            action="append" if option.name in REPEATED else "store",
        )
        parser.addini(f"hdp_{option.field}", help=option.help, type="string", default=None)


def read_settings(config: pytest.Config) -> Settings:
    """The options' values. Raises pytest.UsageError with one line for a value that can't be used."""
    values: dict[str, Any] = {}
    for option in OPTIONS:
        for origin, text in _given(config, option):
            if text is not None:
                try:
                    values[option.field] = option.parse(text)
                except ValueError as error:
                    raise pytest.UsageError(f"{origin}: {safe(error)}") from None
                break
    settings = Settings(**values)
    _check_together(settings)
    return settings


def _check_together(settings: Settings) -> None:
    if settings.lab and (settings.targets or settings.agent or settings.source):
        raise pytest.UsageError("--hdp-lab has a source, a target and an agent of its own: leave the other options out")
    if settings.agent and len(settings.target) > 1:
        raise pytest.UsageError("--hdp-agent is the eyes at one target: give one --hdp-target, or no agent")
    if settings.agent and settings.inventory:
        raise pytest.UsageError("--hdp-agent is the eyes at one target: an inventory names each target's own agent")
    if twice := {target.name for target in settings.inventory} & set(settings.target):
        raise pytest.UsageError(f"{min(twice)} is in the inventory and also a --hdp-target: leave one out")
    if (settings.agent or settings.source) and not settings.targets:
        raise pytest.UsageError("--hdp-agent and --hdp-source need --hdp-target=ADDR")


def _given(config: pytest.Config, option: _Option) -> list[tuple[str, str | None]]:
    variable = f"HDP_{option.field.upper()}"
    typed = config.getoption(f"hdp_{option.field}")
    return [
        (f"--hdp-{option.name}", ",".join(typed) if isinstance(typed, list) else typed),
        (variable, os.environ.get(variable)),
        (f"hdp_{option.field} (ini)", config.getini(f"hdp_{option.field}") or None),
    ]
