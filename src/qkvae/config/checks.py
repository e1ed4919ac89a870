"""The checks that config classes share; each message names the field, both numbers and the cure."""

from __future__ import annotations

import math
from typing import Any, cast, get_args, get_type_hints

from qkvae.config.names import nearest


def at_least(config: object, low: float, *fields: str) -> None:
    """Refuse a field below ``low``.  A field that is None was not asked for and passes.

    Raises:
        ValueError: a field is smaller than ``low``.
    """
    for field in fields:
        value = getattr(config, field)
        if value is not None and not value >= low:
            raise ValueError(f"{field} is {value}, but must be at least {low}")


def above_zero(config: object, *fields: str) -> None:
    """Refuse a field that is not greater than zero, or has no end.

    Raises:
        ValueError: a field is zero, negative, infinite or not a number.
    """
    for field in fields:
        value = getattr(config, field)
        if value is not None and not value > 0:
            raise ValueError(f"{field} is {value}, but must be greater than 0")
        if value == math.inf:
            raise ValueError(f"{field} is {value}, but must be a finite number")


def fraction(config: object, *fields: str) -> None:
    """Refuse a field outside [0, 1).

    Raises:
        ValueError: a field is negative, one or more.
    """
    for field in fields:
        value = getattr(config, field)
        if value is not None and not 0 <= value < 1:
            raise ValueError(f"{field} is {value}, but must be at least 0 and less than 1")


def inner_fraction(config: object, *fields: str) -> None:
    """Refuse a field outside (0, 1): a part that is neither nothing nor all.

    Raises:
        ValueError: a field is zero or less, one or more.
    """
    for field in fields:
        value = getattr(config, field)
        if value is not None and not 0 < value < 1:
            raise ValueError(f"{field} is {value}, but must be greater than 0 and less than 1")


def odd(config: object, *fields: str) -> None:
    """Refuse an even number above 0: as many places are meant on each side.

    Raises:
        ValueError: a field is even and not 0.
    """
    for field in fields:
        value = getattr(config, field)
        if value and value % 2 == 0:
            raise ValueError(f"{field} is {value}, but must be odd, as many on each side: use {value + 1}")


def in_effect(config: object, field: str, when: str, *values: object) -> None:
    """Refuse a field that was given without effect: it has one only where ``when`` is one of ``values``.

    A field that is None was not given.

    Raises:
        ValueError: the field has no effect.
    """
    value, decides = getattr(config, field), getattr(config, when)
    if value is not None and decides not in values:
        several = cast("tuple[object, ...]", decides if isinstance(decides, tuple) else (decides,))
        said = " ".join(str(each) for each in several)
        raise ValueError(f"{field} {value} has no effect with {when} {said}: leave it out")


def one_of(config: object, *fields: str) -> None:
    """Refuse a value that the field's ``Literal`` does not name.  None was not given, where it may be that.

    Raises:
        ValueError: the value is not one of the literal's; the nearest known one is named.
    """
    hints: dict[str, Any] = get_type_hints(type(config))
    for field in fields:
        value = getattr(config, field)
        parts = get_args(hints[field])
        if value is None and type(None) in parts:
            continue
        known = [str(arg) for part in parts for arg in get_args(part) or (part,)]
        if value not in known:
            raise ValueError(f'{field} is "{value}": {nearest(str(value), known)}')
