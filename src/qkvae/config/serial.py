"""Config objects to and from plain dictionaries (JSON, TOML), strictly: nothing unknown passes unseen."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from qkvae.config.names import nearest

T = TypeVar("T")


def to_dict(config: Any) -> dict[str, Any]:
    """Every setting of a config, nested as its classes are; tuples become lists.

    >>> from qkvae.config import Generation
    >>> to_dict(Generation(beam=3))["beam"]
    3
    """
    return {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config)}


def from_dict(kind: type[T], values: dict[str, Any], where: str = "") -> T:
    """The config that ``to_dict`` wrote, or that a recipe describes; what is left out keeps its default.

    >>> from qkvae.config import Generation
    >>> from_dict(Generation, {"beams": 3})
    Traceback (most recent call last):
    ValueError: unknown setting "beams": did you mean "beam"?

    Raises:
        ValueError: an unknown setting, or a value of another type than the field's.
    """
    hints = get_type_hints(kind)
    known = {field.name for field in dataclasses.fields(cast(Any, kind))}
    for name in values:
        if name not in known:
            raise ValueError(f'unknown setting "{where}{name}": {nearest(name, known)}')
    return kind(**{name: _parse(hints[name], value, where + name) for name, value in values.items()})


def differences(
    one: dict[str, Any], other: dict[str, Any], where: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """The settings in which two configs, written by ``to_dict``, differ: name, value here, value there.

    >>> list(differences({"block": {"dim": 8, "heads": 2}}, {"block": {"dim": 16, "heads": 2}}))
    [('block.dim', 8, 16)]
    """
    for name in one | other:
        here, there = one.get(name), other.get(name)
        if isinstance(here, dict) and isinstance(there, dict):
            yield from differences(
                cast("dict[str, Any]", here), cast("dict[str, Any]", there), f"{where}{name}."
            )
        elif here != there:
            yield where + name, here, there


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in cast("tuple[Any, ...]", value)]
    return value


def _parse(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise ValueError(f"{where} is {value!r}, but is a group of settings")
        return from_dict(cast("type[Any]", hint), cast("dict[str, Any]", value), where + ".")
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        if value not in args:
            raise ValueError(f'{where} is "{value}": {nearest(str(value), [str(arg) for arg in args])}')
        return value
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        return _parse(next(arg for arg in args if arg is not type(None)), value, where)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{where} is {value!r}, but is a list")
        return tuple(_parse(args[0], item, where) for item in cast("list[Any]", value))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise ValueError(f"{where} is {value!r}, but must be of type {hint.__name__}")
    return value
