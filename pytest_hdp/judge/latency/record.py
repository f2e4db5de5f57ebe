"""A latency result as JSON values, and back. Reading is strict and raises nothing: a file may come from anywhere."""

from __future__ import annotations

import math
import types
from dataclasses import MISSING, asdict, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from pytest_hdp.judge.explain import plain
from pytest_hdp.judge.latency.result import LatencyResult

SCHEMA = 1
_LONGEST = 65536
_MOST = 100_000  # items of a list: a histogram has fewer than 300 bins


def to_record(result: LatencyResult) -> dict[str, Any]:
    """Return the result's fields as JSON values, by the names that they have here; NaN becomes null."""
    record = _plain(asdict(result))
    assert isinstance(record, dict)
    return record


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, StrEnum) else value


def from_record(record: object) -> LatencyResult | str:
    """Return the result that a JSON value holds, or one line that says what is wrong with it. Unknown fields pass."""
    try:
        result = _read(record, LatencyResult, "the record")
    except _WrongError as wrong:
        return plain(str(wrong))
    assert isinstance(result, LatencyResult)
    return result


class _WrongError(Exception):
    """What is wrong with a record."""


def _read(value: object, kind: Any, at: str) -> object:
    """Read a value as the type that a dataclass's annotation names."""
    if is_dataclass(kind):
        return _read_object(value, kind, at)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {types.UnionType, Union}:
        if value is None:
            return None
        (kind,) = (each for each in arguments if each is not types.NoneType)
        return _read(value, kind, at)
    if origin is tuple:
        return _read_tuple(value, arguments, at)
    if origin is dict:
        if not isinstance(value, dict) or len(value) > _MOST:
            raise _WrongError(f"{at} is not a JSON object")
        return {str(_read(k, str, at)): _read(v, arguments[1], f"{at}.{k}") for k, v in value.items()}
    return _read_plain(value, kind, at)


def _read_object(value: object, kind: Any, at: str) -> object:
    if not isinstance(value, dict):
        raise _WrongError(f"{at} is not a JSON object")
    read = {}
    for each in fields(kind):
        if each.name not in value and each.default is not MISSING:
            continue  # an older version knew nothing of it
        if each.name not in value:
            raise _WrongError(f"{at}.{each.name} is missing")
        read[each.name] = _read(value[each.name], _hints(kind)[each.name], f"{at}.{each.name}")
    return kind(**read)


def _read_tuple(value: object, arguments: tuple[Any, ...], at: str) -> tuple[object, ...]:
    if not isinstance(value, list) or len(value) > _MOST:
        raise _WrongError(f"{at} is not a list")
    if arguments[-1] is Ellipsis:
        return tuple(_read(each, arguments[0], f"{at}[{number}]") for number, each in enumerate(value))
    if len(value) != len(arguments):
        raise _WrongError(f"{at} is not a list of {len(arguments)}")
    return tuple(
        _read(each, wanted, f"{at}[{n}]") for n, (each, wanted) in enumerate(zip(value, arguments, strict=True))
    )


def _read_plain(value: object, kind: Any, at: str) -> object:
    if kind is float:
        if value is None:
            return math.nan
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e18:
            raise _WrongError(f"{at} is not a number")
        return float(value)
    if kind is int and (type(value) is not int or abs(value) >= 2**63):
        raise _WrongError(f"{at} is not a whole number")
    if kind is bool and not isinstance(value, bool):
        raise _WrongError(f"{at} is not true or false")
    if issubclass(kind, str) and (not isinstance(value, str) or len(value) > _LONGEST):
        raise _WrongError(f"{at} is not a text of at most {_LONGEST} characters")
    if issubclass(kind, StrEnum):
        if value not in set(kind):
            raise _WrongError(f"{at} is not one of: {', '.join(kind)}")
        return kind(value)
    return value


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)
