"""Dataclasses as JSON values, by their annotations alone: written, strictly read, and described by a schema.

A field's type says what it may hold; what JSON needs to know beyond that stands in its `Annotated` (see `marks`):

    sent: Annotated[int, Whole(), At("control", "sent"), About("packets of the control")]

What is read may come from anywhere and from other versions. A value of the wrong type or out of its range raises
WrongValueError, whose text names the field; fields that are not known are ignored; texts and lists are bounded.
"""

from __future__ import annotations

import types
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from pytest_hdp.untrusted import values
from pytest_hdp.untrusted.marks import (
    INLINE,
    MOST,
    NAN,
    SINCE,
    About,
    As,
    At,
    LeftOut,
    Longest,
    OneOf,
    Unwritten,
    Whole,
    WrongValueError,
)
from pytest_hdp.untrusted.values import Kind

T = TypeVar("T")


class Codec(Generic[T]):
    """Writes and reads one dataclass, and whatever is in it."""

    def __init__(self, cls: type[T]) -> None:
        self._definitions: dict[str, Any] = {}
        self._kind = _object(cls, self._definitions)

    def encode(self, value: T) -> dict[str, Any]:
        """Return JSON values."""
        return cast("dict[str, Any]", self._kind.write(value))

    def decode(self, value: object) -> T:
        """Return what a JSON value holds. Raises WrongValueError."""
        return cast("T", self._kind.read(value, ""))

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what `encode` returns and `decode` takes, with its `$defs`."""
        return {**self._kind.schema, "$defs": dict(sorted(self._definitions.items()))}


@dataclass(frozen=True, slots=True)
class _Part:
    """One field of a dataclass. `above`: the objects that it is in; `name`: its name there."""

    attribute: str
    above: tuple[str, ...]
    name: str
    kind: Kind
    about: str | None
    may_be_missing: bool
    left_out: bool
    default: object
    inline: bool


def _kind_of(annotation: Any, extras: tuple[Any, ...], definitions: dict[str, Any]) -> Kind:
    """Return how values of an annotation's type are written and read."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        annotation, *more = arguments
        return _kind_of(annotation, (*more, *extras), definitions)
    if (other := _extra(extras, As)) is not None:
        inner, convert = _kind_of(other.kind, (), definitions), other.convert
        return Kind(lambda value: inner.write(convert(value)), inner.read, inner.schema)
    if origin in {types.UnionType, Union}:
        (one,) = (each for each in arguments if each is not types.NoneType)
        return values.or_null(_kind_of(one, extras, definitions))
    if origin is not None:
        return _several(origin, arguments, definitions)
    if INLINE in extras:
        return _object(annotation, definitions)
    return _of_class(annotation, extras, definitions)


def _of_class(cls: type[Any], extras: tuple[Any, ...], definitions: dict[str, Any]) -> Kind:
    if is_dataclass(cls):
        return _defined(cls, _object(cls, definitions), definitions)
    if issubclass(cls, StrEnum):
        return _defined(cls, values.word(cls), definitions)
    if issubclass(cls, tuple):
        hints = get_type_hints(cls, include_extras=True)
        return values.named(cls, {name: _kind_of(hint, (), definitions) for name, hint in hints.items()})
    return _scalar(cls, extras)


def _several(origin: Any, arguments: tuple[Any, ...], definitions: dict[str, Any]) -> Kind:
    """Return the kind of a dict by names, of a tuple of any length, or of one of a given length."""
    kinds = [_kind_of(each, (), definitions) for each in arguments if each is not Ellipsis]
    if origin is dict:
        return values.mapping(kinds[1])
    assert origin is tuple, f"{origin} can't be written as JSON"
    return values.many(kinds[0]) if arguments[-1] is Ellipsis else values.fixed(kinds)


def _scalar(kind: type[Any], extras: tuple[Any, ...]) -> Kind:
    if (one := _extra(extras, OneOf)) is not None:
        return values.one_of(one.values)
    if kind is int:
        bounds = _extra(extras, Whole) or Whole(-MOST, MOST)
        return values.whole(bounds.low, bounds.high)
    if kind is float:
        return values.number(nan=NAN in extras)
    if kind is bool:
        return values.truth()
    assert kind is str, f"{kind} can't be written as JSON"
    longest = _extra(extras, Longest)
    return values.text() if longest is None else values.text(longest.length)


def _extra(extras: tuple[Any, ...], kind: type[T]) -> T | None:
    return next((each for each in extras if isinstance(each, kind)), None)


def _defined(cls: type[Any], kind: Kind, definitions: dict[str, Any]) -> Kind:
    """Return the same, described once in `$defs`, under the name of its class."""
    name = cls.__name__[0].lower() + cls.__name__[1:]
    definitions[name] = kind.schema
    return Kind(kind.write, kind.read, {"$ref": f"#/$defs/{name}"})


def _object(cls: type[Any], definitions: dict[str, Any]) -> Kind:
    """Return how a dataclass is written and read: as an object of its fields."""
    parts: list[_Part] = []
    fixed: dict[str, object] = {}
    hints = get_type_hints(cls, include_extras=True)
    for each in fields(cls):
        hint = hints[each.name]
        extras = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        if (unwritten := _extra(extras, Unwritten)) is not None:
            fixed[each.name] = unwritten.value
        else:
            parts.append(_part(each, hint, extras, definitions))

    def read(value: object, at: str) -> Any:
        if not isinstance(value, dict):
            raise WrongValueError(f"{at or 'the record'} is not a JSON object")
        return cls(**fixed, **{part.attribute: _read_part(part, value, at) for part in parts})

    return Kind(lambda value: _write_object(value, parts), read, _schema_of(parts))


def _part(each: Field[Any], hint: Any, extras: tuple[Any, ...], definitions: dict[str, Any]) -> _Part:
    left_out, at, about = _extra(extras, LeftOut), _extra(extras, At), _extra(extras, About)
    if left_out is not None and not left_out.null:
        hint = _without_none(hint)
    *above, name = (each.name,) if at is None else at.path
    return _Part(
        attribute=each.name,
        above=tuple(above),
        name=name,
        kind=_kind_of(hint, (), definitions),
        about=None if about is None else about.text,
        may_be_missing=left_out is not None or SINCE in extras,
        left_out=left_out is not None,
        default=each.default if each.default is not MISSING else None,
        inline=INLINE in extras,
    )


def _without_none(hint: Any) -> Any:
    """Return the type without its None: `Annotated[str, ...]` of `Annotated[str | None, ...]`."""
    inner, *extras = get_args(hint)
    if get_origin(inner) in {types.UnionType, Union}:
        (inner,) = (each for each in get_args(inner) if each is not types.NoneType)
    return Annotated[(inner, *extras)]


def _write_object(value: object, parts: list[_Part]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for part in parts:
        held = getattr(value, part.attribute)
        if part.inline:
            written |= part.kind.write(held)
            continue
        inner = written
        for name in part.above:
            inner = inner.setdefault(name, {})
        if not part.left_out or held != part.default:
            inner[part.name] = part.kind.write(held)
    return written


def _read_part(part: _Part, value: dict[object, object], at: str) -> object:
    if part.inline:
        return part.kind.read(value, at)
    for name in part.above:
        at = f"{at}.{name}" if at else name
        inner = _found(value, name, at)
        if not isinstance(inner, dict):
            raise WrongValueError(f"{at} is not a JSON object")
        value = inner
    if part.may_be_missing and part.name not in value:
        return part.default
    at = f"{at}.{part.name}" if at else part.name
    return part.kind.read(_found(value, part.name, at), at)


def _found(value: dict[object, object], name: str, at: str) -> object:
    if name not in value:
        raise WrongValueError(f"{at} is missing")
    return value[name]


def _schema_of(parts: list[_Part]) -> dict[str, Any]:
    schema: dict[str, Any] = _empty()
    for part in parts:
        if part.inline:
            schema["required"] += part.kind.schema["required"]
            schema["properties"] |= part.kind.schema["properties"]
            continue
        inner = schema
        for name in part.above:
            inner["required"] += [name] if name not in inner["required"] else []
            inner = inner["properties"].setdefault(name, _empty())
        about = {} if part.about is None else {"description": part.about}
        inner["properties"][part.name] = {**part.kind.schema, **about}
        inner["required"] += [] if part.may_be_missing else [part.name]
    return schema


def _empty() -> dict[str, Any]:
    return {"type": "object", "required": [], "properties": {}}
