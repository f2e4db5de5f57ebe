"""JSON objects of dataclasses: what is known of each field is compiled once, into plain loops that write and read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, TypeAlias

from pytest_hdp.untrusted.values import MISSING, NO_OBJECT, Kind, NotThisKindError, same

_Write: TypeAlias = Callable[[Any], Any]
_Read: TypeAlias = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a class. `above`: the objects that it is in; `name`: its name there.

    `inline`: the parts of a class whose fields stand among these, which has no name of its own. `left_out`: it is
    not written while it has its `default`.
    """

    attribute: str
    above: tuple[str, ...]
    name: str
    kind: Kind
    about: str | None
    may_be_missing: bool
    left_out: bool
    default: object
    inline: Sequence[Part] | None


def writer(parts: Sequence[Part], first: Sequence[str] = ()) -> _Write:
    """Return what writes an object of a class with these parts. `first`: how its names begin, the others follow."""
    places = {name: place for place, name in enumerate(first)}
    return _writer(sorted(_flat(parts), key=lambda part: places.get((*part.above, part.name)[0], len(places))))


def _flat(parts: Sequence[Part], prefix: str = "") -> list[Part]:
    """Return the parts with those of inlined classes in their places, and each attribute's path from the first object.

    Then a single `attrgetter` fetches all of them.
    """
    flat = []
    for part in parts:
        if part.inline is not None:
            flat += _flat(part.inline, f"{prefix}{part.attribute}.")
        else:
            flat.append(replace(part, attribute=prefix + part.attribute))
    return flat


def _writer(parts: Sequence[Part]) -> _Write:
    """Of parts without inlined ones.

    All values go into a dict at once, most of them as they are; then those that JSON does not know are written over,
    and those that are left out are removed, which keeps the order of the others.
    """
    attributes: dict[str, str] = {}
    for part in parts:  # of an inner object any attribute: its value takes the place below
        attributes.setdefault(part.above[0] if part.above else part.name, part.attribute)
    own = [part for part in parts if not part.above]
    left_out = [(part.name, part.default, part.kind.write) for part in own if part.left_out]
    changed = [(part.name, part.kind.write) for part in own if not part.left_out and part.kind.write is not same]
    names, inners = tuple(attributes), [(name, _writer(within)) for name, within in _inner(parts).items()]
    fetch = _fetcher(tuple(attributes.values()))

    def write(value: object) -> dict[str, Any]:
        written = dict(zip(names, fetch(value), strict=True))
        for name, write_one in changed:
            written[name] = write_one(written[name])
        for name, default, write_one in left_out:
            held = written[name]
            if held is default or held == default:
                del written[name]
            elif write_one is not same:
                written[name] = write_one(held)
        for name, write_one in inners:
            written[name] = write_one(value)
        return written

    return write


def _fetcher(attributes: tuple[str, ...]) -> Callable[[object], tuple[Any, ...]]:
    """Return what fetches attributes as a tuple; `attrgetter` returns the value itself where it is only one."""
    if len(attributes) > 1:
        return attrgetter(*attributes)
    fetch = attrgetter(*attributes)
    return lambda value: (fetch(value),)


_REQUIRED = object()


def reader(cls: type[Any], parts: Sequence[Part], fixed: dict[str, object]) -> _Read:
    """Return what reads an object of a class with these parts. `fixed`: the fields of which JSON says nothing."""
    inlined = [(part.attribute, part.kind.read) for part in parts if part.inline is not None]
    fill = _filler([part for part in parts if part.inline is None])

    def read(value: object) -> Any:
        made = dict(fixed)
        fill(value, made)
        for attribute, read_inlined in inlined:
            made[attribute] = read_inlined(value)
        return cls(**made)

    return read


def _filler(parts: Sequence[Part]) -> Callable[[object, dict[str, object]], None]:
    """Return what reads one JSON object's values into the arguments of a class; of parts without inlined ones."""
    steps = [
        (part.name, part.attribute, part.default if part.may_be_missing else _REQUIRED, part.kind.read)
        for part in parts
        if not part.above
    ]
    inners = [(name, _filler(within)) for name, within in _inner(parts).items()]

    def fill(value: object, made: dict[str, object]) -> None:
        if not isinstance(value, dict):
            raise NotThisKindError(NO_OBJECT)
        name = ""
        try:
            for name, attribute, missing, read in steps:
                if name in value:
                    made[attribute] = read(value[name])
                elif missing is _REQUIRED:
                    raise NotThisKindError(MISSING)
                else:
                    made[attribute] = missing
            for name, fill_inner in inners:
                if name not in value:
                    raise NotThisKindError(MISSING)
                fill_inner(value[name], made)
        except NotThisKindError as error:
            raise error.within(name) from None

    return fill


def _inner(parts: Sequence[Part]) -> dict[str, list[Part]]:
    """Return the parts that stand in objects of their own, by those objects' names."""
    inner: dict[str, list[Part]] = {}
    for part in parts:
        if part.above:
            inner.setdefault(part.above[0], []).append(replace(part, above=part.above[1:]))
    return inner


def schema(parts: Sequence[Part]) -> dict[str, Any]:
    """Return the JSON Schema of an object with these parts."""
    described = _empty()
    for part in _flat(parts):
        inner = described
        for name in part.above:
            inner["required"] += [name] if name not in inner["required"] else []
            inner = inner["properties"].setdefault(name, _empty())
        about = {} if part.about is None else {"description": part.about}
        inner["properties"][part.name] = {**part.kind.schema, **about}
        inner["required"] += [] if part.may_be_missing else [part.name]
    return described


def _empty() -> dict[str, Any]:
    return {"type": "object", "required": [], "properties": {}}
