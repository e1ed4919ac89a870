"""Config objects to and from plain dictionaries (JSON, TOML), strictly: nothing unknown passes unseen."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from qkvae.config.names import nearest

T = TypeVar("T")


KIND = "kind"
"""Where a group may be of several classes, the name under which it says of which."""


def to_dict(config: Any) -> dict[str, Any]:
    """Every setting of a config, nested as its classes are; tuples become lists.

    >>> from qkvae.config import Classes, Encoder, Generation
    >>> to_dict(Generation(beam=3))["beam"]
    3
    >>> to_dict(Encoder(head=Classes(count=2)))["head"]
    {'kind': 'Classes', 'count': 2, 'pooling': 'mean'}
    """
    hints = get_type_hints(cast("type[Any]", type(config)))
    written: dict[str, Any] = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        written[field.name] = _plain(value)
        if _classes(hints[field.name]):
            written[field.name] = {KIND: type(value).__name__} | written[field.name]
    return written


def from_dict(kind: type[T], values: dict[str, Any], where: str = "", default: T | None = None) -> T:
    """The config that ``to_dict`` wrote, or that a recipe describes.

    What is left out is as in ``default``, which is ``kind()`` if not given; so a group keeps what the class
    around it chose for it.

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
    base = kind() if default is None else default
    parsed = {
        name: _parse(hints[name], value, where + name, getattr(base, name)) for name, value in values.items()
    }
    return cast("T", dataclasses.replace(cast("Any", base), **parsed))


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


def _classes(hint: Any) -> dict[str, type[Any]]:
    """The classes that a group of settings may be of, by name; none if there is no choice."""
    choices: tuple[Any, ...] = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else ()
    kinds = [cast("type[Any]", choice) for choice in choices if dataclasses.is_dataclass(choice)]
    return {kind.__name__: kind for kind in kinds}


def _group(hint: Any, value: Any, where: str, default: Any) -> Any:
    """A group of settings; where it may be of several classes, that of the default unless it says which."""
    if not isinstance(value, dict):
        raise ValueError(f"{where} is {value!r}, but is a group of settings")
    settings, classes = cast("dict[str, Any]", value), _classes(hint)
    kind = cast("type[Any]", type(default))
    if classes and "." not in where:
        kind = _meant(classes, kind, settings)
    if classes and KIND in settings:
        name = str(settings[KIND])
        if name not in classes:
            raise ValueError(f'{where}.{KIND} is "{name}": {nearest(name, classes)}')
        kind, settings = classes[name], {key: each for key, each in settings.items() if key != KIND}
    return from_dict(kind, settings, where + ".", default if kind is type(default) else None)


def _meant(classes: dict[str, type[Any]], usual: type[Any], settings: dict[str, Any]) -> type[Any]:
    """The class of a task's group by the settings that are given: the usual one if it knows all of them, or
    else the first that does."""
    for kind in (usual, *classes.values()):
        if settings.keys() <= {field.name for field in dataclasses.fields(kind)}:
            return kind
    return usual


def _parse(hint: Any, value: Any, where: str, default: Any = None) -> Any:
    if dataclasses.is_dataclass(hint) or _classes(hint):
        return _group(hint, value, where, default)
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
