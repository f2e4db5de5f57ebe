"""Dataclasses as JSON values, by their annotations alone: written, strictly read, and described by a schema.

A field's type says what it may hold; what JSON needs to know beyond that stands in its `Annotated` (see `marks`):

    sent: Annotated[int, Whole(), At("control", "sent"), About("packets of the control")]

What is read may come from anywhere and from other versions. A value of the wrong type or out of its range raises
WrongValueError, whose text names the field; fields that are not known are ignored; texts and lists are bounded.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Generic, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from pytest_hdp.untrusted import objects, values
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
from pytest_hdp.untrusted.objects import Part
from pytest_hdp.untrusted.text import plain
from pytest_hdp.untrusted.values import Kind, NotThisKindError

T = TypeVar("T")


class Codec(Generic[T]):
    """Writes and reads one dataclass, and whatever is in it. `first`: how its names begin in JSON, the others follow.

    It is compiled when it is first used: a program that neither writes nor reads does not wait for it.
    """

    def __init__(self, cls: type[T], first: Sequence[str] = ()) -> None:
        self._cls = cls
        self._first = first

    @cached_property
    def _compiled(self) -> tuple[Kind, dict[str, Any]]:
        known = _Known()
        parts, fixed = known.parts_of(self._cls)
        read, write = objects.reader(self._cls, parts, fixed), objects.writer(parts, self._first)
        return Kind(write, read, objects.schema(parts)), known.definitions

    def encode(self, value: T) -> dict[str, Any]:
        """Return JSON values."""
        return cast("dict[str, Any]", self._compiled[0].write(value))

    def decode(self, value: object) -> T:
        """Return what a JSON value holds. Raises WrongValueError, whose text can be shown."""
        try:
            return cast("T", self._compiled[0].read(value))
        except NotThisKindError as error:
            raise WrongValueError(plain(f"{error.path or 'the record'} {error.what}")) from None

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of what `encode` returns and `decode` takes, with its `$defs`."""
        kind, definitions = self._compiled
        return {**kind.schema, "$defs": dict(sorted(definitions.items()))}


class _Known:
    """The kinds of the classes that were met so far, each described once."""

    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}
        self._kinds: dict[type[Any], Kind] = {}

    def parts_of(self, cls: type[Any]) -> tuple[list[Part], dict[str, object]]:
        """Return the fields of a dataclass, and the values of those that JSON says nothing of."""
        parts: list[Part] = []
        fixed: dict[str, object] = {}
        hints = get_type_hints(cls, include_extras=True)
        assert is_dataclass(cls), f"{cls} can't be written as JSON"
        for each in fields(cls):
            hint = hints[each.name]
            extras = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
            if (unwritten := _extra(extras, Unwritten)) is not None:
                fixed[each.name] = unwritten.value
            else:
                parts.append(self._part(each, hint, extras))
        return parts, fixed

    def _part(self, field: Field[Any], hint: Any, extras: tuple[Any, ...]) -> Part:
        left_out, at, about = _extra(extras, LeftOut), _extra(extras, At), _extra(extras, About)
        if left_out is not None and not left_out.null:
            hint = _without_none(hint)
        *above, name = (field.name,) if at is None else at.path
        inline = None
        if INLINE in extras:
            inline, fixed = self.parts_of(cls := get_args(hint)[0])
            kind = Kind(values.same, objects.reader(cls, inline, fixed), {})
        else:
            kind = self._kind_of(hint)
        return Part(
            attribute=field.name,
            above=tuple(above),
            name=name,
            kind=kind,
            about=None if about is None else about.text,
            may_be_missing=left_out is not None or SINCE in extras,
            left_out=left_out is not None,
            default=None if field.default is MISSING else field.default,
            inline=inline,
        )

    def _kind_of(self, annotation: Any, extras: tuple[Any, ...] = ()) -> Kind:
        """Return how values of an annotation's type are written and read."""
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            annotation, *more = arguments
            return self._kind_of(annotation, (*more, *extras))
        if (other := _extra(extras, As)) is not None:
            inner, convert = self._kind_of(other.kind), other.convert
            return Kind(lambda value: inner.write(convert(value)), inner.read, inner.schema)
        if origin in {types.UnionType, Union}:
            (one,) = (each for each in arguments if each is not types.NoneType)
            return values.or_null(self._kind_of(one, extras))
        if origin is not None:
            return self._several(origin, arguments)
        return _scalar(annotation, extras) or self._of_class(annotation)

    def _several(self, origin: Any, arguments: tuple[Any, ...]) -> Kind:
        """Return the kind of a dict by names, of a tuple of any length, or of one of a given length."""
        kinds = [self._kind_of(each) for each in arguments if each is not Ellipsis]
        if origin is dict:
            return values.mapping(kinds[1])
        assert origin is tuple, f"{origin} can't be written as JSON"
        return values.many(kinds[0]) if arguments[-1] is Ellipsis else values.fixed(kinds)

    def _of_class(self, cls: type[Any]) -> Kind:
        if cls not in self._kinds:
            self._kinds[cls] = values.word(cls) if issubclass(cls, StrEnum) else self._object(cls)
        name = cls.__name__[0].lower() + cls.__name__[1:]
        self.definitions[name] = self._kinds[cls].schema
        return Kind(self._kinds[cls].write, self._kinds[cls].read, {"$ref": f"#/$defs/{name}"})

    def _object(self, cls: type[Any]) -> Kind:
        parts, fixed = self.parts_of(cls)
        return Kind(objects.writer(parts), objects.reader(cls, parts, fixed), objects.schema(parts))


def _scalar(kind: type[Any], extras: tuple[Any, ...]) -> Kind | None:
    """Return the kind of a value that JSON knows, by its type and what is said beside it; None for another class."""
    if (one := _extra(extras, OneOf)) is not None:
        return values.one_of(one.values)
    if kind is int:
        bounds = _extra(extras, Whole) or Whole(-MOST, MOST)
        return values.whole(bounds.low, bounds.high)
    if kind is float:
        return values.number(nan=NAN in extras)
    if kind is bool:
        return values.truth()
    if kind is str:
        longest = _extra(extras, Longest)
        return values.text() if longest is None else values.text(longest.length)
    return None


def _extra(extras: tuple[Any, ...], kind: type[T]) -> T | None:
    return next((each for each in extras if isinstance(each, kind)), None)


def _without_none(hint: Any) -> Any:
    """Return the type without its None: `Annotated[str, ...]` of `Annotated[str | None, ...]`."""
    inner, *extras = get_args(hint)
    if get_origin(inner) in {types.UnionType, Union}:
        (inner,) = (each for each in get_args(inner) if each is not types.NoneType)
    return Annotated[(inner, *extras)]
