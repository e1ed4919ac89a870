"""The checker that the import hook of ``conftest.py`` puts on every function of qkvae."""

from typing import Any, Self

from beartype import BeartypeConf, beartype

# An int may stand where a float is annotated, as every type checker for Python has it.
_CHECK = beartype(conf=BeartypeConf(is_pep484_tower=True))


def checked(function: Any) -> Any:
    """The function with its arguments and result checked, but for ``Self``, unknown outside its class."""
    hints = getattr(function, "__annotations__", {})
    for name in [name for name, hint in hints.items() if hint in ("Self", Self)]:
        del hints[name]
    return _CHECK(function)
