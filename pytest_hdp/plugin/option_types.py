"""What an option's text means. Each reader raises ValueError with one line that says what to write instead."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_hdp.judge.expectations.packaged import builtin, builtin_names
from pytest_hdp.judge.expectations.profile import Profile, ProfileError
from pytest_hdp.judge.expectations.profile_file import load_profile
from pytest_hdp.judge.verdict import BOTH_FORMS, Form
from pytest_hdp.packet.encoding import Encoding
from pytest_hdp.packet.family import IPV4, IPV6, Family
from pytest_hdp.packet.numbers import parse_protocols
from pytest_hdp.plugin.inventory import Parsers, Target, from_file
from pytest_hdp.plugin.vantage_specs import VantageSpec, parse_vantage
from pytest_hdp.report.files import make_folder, open_folder
from pytest_hdp.vantage.names import numeric


def addresses(text: str) -> tuple[str, ...]:
    """Numeric addresses with commas between them."""
    return tuple(dict.fromkeys(map(address, text.split(","))))


def address(text: str) -> str:
    """One numeric address, of one host, as RFC 5952 writes it."""
    return numeric(text)


def sources(text: str) -> tuple[VantageSpec, ...]:
    """One vantage point, or two, a line each."""
    found = tuple(parse_vantage(line.strip()) for line in text.splitlines() if line.strip()) or (parse_vantage(text),)
    if len(found) > 2:
        raise ValueError(f"{len(found)} sources are given, and two are all that tests know what to do with")
    if len(set(found)) < len(found):
        raise ValueError("the second source is the first one: name another host")
    return found


def ip_version(text: str) -> tuple[Family, ...]:
    """One version of IP, or both."""
    known = {"4": (IPV4,), "6": (IPV6,), "both": (IPV4, IPV6)}
    if text not in known:
        raise ValueError(f"{text!r} is not one of 4, 6, both")
    return known[text]


def inventory(text: str) -> tuple[Target, ...]:
    """The targets of an inventory file."""
    return from_file(text, Parsers(address, parse_vantage, expect))


def labs(text: str) -> tuple[str, ...]:
    """Labs with commas between them, or all of them."""
    from pytest_hdp.lab.catalogue import SANDBOXES, make, names

    if text == "all":
        return (*names(), *SANDBOXES)
    labs = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for name in labs:
        _ = make(name).layout  # raises where the boxes make no path
    return labs


def locate(text: str) -> str:
    """For whom the hop is looked for."""
    if text not in {"groups", "all", "none"}:
        raise ValueError(f"{text!r} is not one of groups, all, none")
    return text


def direction(text: str) -> str:
    """What is judged of a box."""
    if text not in {"forward", "both"}:
        raise ValueError(f"{text!r} is not one of forward, both")
    return text


def unmeasured(text: str) -> str:
    """What it means that a path could not be measured."""
    if text not in {"error", "skip"}:
        raise ValueError(f"{text!r} is not one of error, skip")
    return text


def count(text: str) -> int:
    """How many rounds."""
    return _whole(text, 1, 10_000)


def pairs(text: str) -> int:
    """How many pairs of packets."""
    return _whole(text, 100, 100_000)


def _whole(text: str, least: int, most: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise ValueError(f"{text!r} is not a whole number from {least} to {most}")
    return number


def positive(text: str) -> float:
    """A number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError(f"{text!r} is not a number greater than 0")
    return number


def forms(text: str) -> tuple[Form, ...]:
    """Some of them, or both."""
    if text == "both":
        return BOTH_FORMS
    try:
        return tuple(dict.fromkeys(Form(each.strip()) for each in text.split(",")))
    except ValueError:
        raise ValueError(
            f"{text!r} is not one of bare, wellformed, both; of a box a list of bare, wellformed, fragmented, options"
        ) from None


def share(text: str) -> float:
    """A probability: `2%` or `0.02`."""
    try:
        found = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        found = 0.0
    if not 0.0005 <= found < 1:
        raise ValueError(f"{text!r} is not a probability from 0.05% to below 100%, such as 2%")
    return found


def allow(text: str) -> tuple[tuple[int, int | None], ...]:
    """What may leave a box: numbers, each with the version of IP by which it may, or None: `tcp,udp/4`."""
    found: dict[tuple[int, int | None], None] = {}
    for piece in map(str.strip, text.split(",")):
        numbers, slash, version = piece.partition("/")
        if slash and version not in {"4", "6"}:
            raise ValueError(f"{piece!r}: after the slash comes the version of IP, as in tcp/4")
        for number in parse_protocols(numbers):
            if not 0 <= number <= 255:
                raise ValueError(f"{number} can't leave: no packet has a protocol number below 0 or above 255")
            found[number, int(version) if version else None] = None
    return tuple(found)


def encoding(text: str) -> Encoding:
    """An encoding of the content."""
    try:
        return Encoding(text)
    except ValueError:
        raise ValueError(f"{text!r} is not one of {', '.join(Encoding)}") from None


def seed(text: str) -> int:
    """A seed."""
    return _whole(text, 0, 2**32 - 1)


def buffer(text: str) -> int:
    """Bytes of a receive buffer."""
    return _whole(text, 1, 2**30)


def expect(text: str) -> Profile | str:
    """A profile from a file or by its name, or "none"."""
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


def record(text: str) -> Path:
    """A file that can be written."""
    path = Path(text)
    if path.is_dir() or not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise ValueError(f"{text!r} can't be written; name a file in a folder that exists and that you may write to")
    try:
        with open_folder(path.parent):
            return path
    except OSError as error:
        raise ValueError(f"{text!r} can't be written ({error.strerror})") from None


def report(text: str) -> Path:
    """A folder that can be written; it is made."""
    if not text:
        raise ValueError("'' names no folder; for this one write .")
    path = Path(text)
    try:
        make_folder(path)
    except OSError as error:
        raise ValueError(f"{text!r} cannot be created as a directory ({error.strerror}); name another one") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise ValueError(f"{text!r} can't be written; name a folder that you may write to")
    return path
