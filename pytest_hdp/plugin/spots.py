"""How the user names a vantage point: `ssh=user@host`, `netns=NAME`, `popen`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a vantage point is: `how` to reach it ("ssh", "netns", "popen"), and its name there."""

    how: str
    name: str = ""


def spot(text: str) -> Spot:
    """A vantage point."""
    how, _, name = text.partition("=")
    if how == "ssh":
        from pytest_hdp.vantage.remote.ssh import parse

        parse(name)
        return Spot(how, name)
    if (how == "netns" and name) or (how == "popen" and text == "popen"):
        return Spot(how, name)
    raise ValueError(f"{text!r} is not one of ssh=user@host, netns=NAME, netns=pid:NUMBER, popen (this host)")
