"""Dataclasses ↔ JSON by their type hints. Pure; knows no record by name.

Writing turns integer keys into strings, as JSON wants; reading turns them back, passes over keys it doesn't know, and refuses
with ValueError, naming the place, what is missing or of another type.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache, partial
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")
_Read = Callable[[Any, str], Any]  # Any: JSON values in, typed values out


def to_json(value: Any) -> Any:  # Any: a dataclass or a plain value in, JSON values out
    """Dicts, lists, strings, numbers, booleans and None, ready for json.dumps."""
    if is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(inner) for inner in value]
    return value


def from_json(kind: type[T], document: Any) -> T:  # Any: JSON values
    """The record that `document` holds; ValueError `hops.0.calls: 'x' is no whole number` if it holds none."""
    record: T = _reader(cast("Any", kind))(document, "")
    return record


@cache
def _reader(hint: Any) -> _Read:  # Any: a type hint may be any object
    if is_dataclass(hint):
        return partial(_dataclass, hint)
    origin, args = get_origin(hint), get_args(hint)
    if origin is dict:
        return partial(_dict, _KEYS[args[0]], _reader(args[1]))
    if origin in (list, tuple):
        return partial(_sequence, origin, _reader(args[0]))
    if origin is Literal:
        return partial(_choice, args)
    if origin in (Union, UnionType) and len(args) == 2 and args[1] is NoneType:
        return partial(_optional, _reader(args[0]))
    return _SCALARS[hint]


def _dataclass(kind: Any, document: Any, place: str) -> Any:
    if not isinstance(document, dict):
        raise ValueError(f"{place or 'the record'}: {_short(document)} is no object")  # noqa: TRY004 - one kind of refusal
    values = {}
    for field, read in _field_readers(kind):
        where = f"{place}.{field.name}" if place else field.name
        if field.name in document:
            values[field.name] = read(document[field.name], where)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{where} is missing")
    return kind(**values)


@cache
def _field_readers(kind: Any) -> list[tuple[Field[Any], _Read]]:
    hints = get_type_hints(kind)
    return [(field, _reader(hints[field.name])) for field in fields(kind)]


def _dict(key: Callable[[str, str], Any], read: _Read, document: Any, place: str) -> Any:
    if not isinstance(document, dict):
        raise ValueError(f"{place}: {_short(document)} is no object")  # noqa: TRY004 - one kind of refusal
    return {key(name, place): read(value, f"{place}.{name}") for name, value in document.items()}


def _sequence(build: Callable[[Any], Any], read: _Read, document: Any, place: str) -> Any:
    if not isinstance(document, list):
        raise ValueError(f"{place}: {_short(document)} is no list")  # noqa: TRY004 - one kind of refusal
    return build([read(value, f"{place}.{index}") for index, value in enumerate(document)])


def _optional(read: _Read, document: Any, place: str) -> Any:
    return None if document is None else read(document, place)


def _choice(allowed: tuple[Any, ...], value: Any, place: str) -> Any:
    if value not in allowed:
        raise ValueError(f"{place}: {_short(value)} is none of {', '.join(map(repr, allowed))}")
    return value


def _scalar(kinds: tuple[type, ...], name: str, value: Any, place: str) -> Any:
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise ValueError(f"{place}: {_short(value)} is no {name}")
    return value


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "…"


def _whole(name: str, place: str) -> int:
    if not name.isdecimal():
        raise ValueError(f"{place}: {_short(name)} is no whole number")
    return int(name)


_KEYS: dict[Any, Callable[[str, str], Any]] = {str: lambda name, _place: name, int: _whole}
_SCALARS: dict[Any, _Read] = {
    int: partial(_scalar, (int,), "whole number"),
    float: partial(_scalar, (int, float), "number"),
    str: partial(_scalar, (str,), "text"),
    bool: partial(_scalar, (bool,), "true or false"),
    Any: lambda value, _place: value,
}
