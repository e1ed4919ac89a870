"""Listen to any named quantity inside a model, or put another one in its place."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from typing import cast

from torch import Tensor, nn

from qkvae.config import nearest
from qkvae.nn.taps import Tap


def taps(model: nn.Module) -> dict[str, Tap]:
    """Every tap of a model under its dotted name, in the order of the model's parts.

    >>> from torch import nn
    >>> list(taps(nn.ModuleDict({"weights": Tap(), "layer": nn.Linear(1, 1)})))
    ['weights']
    """
    modules = cast("Iterable[tuple[str, nn.Module]]", model.named_modules())
    return {name: module for name, module in modules if isinstance(module, Tap)}


@contextmanager
def record(model: nn.Module, names: Iterable[str]) -> Generator[dict[str, Tensor]]:
    """Keep what passes the taps whose names match, from the last pass through each of them.

    A name may hold ``*`` (any text, dots too) and ``?`` (any one character).  What is kept is detached from
    the gradient; it is the tensor itself, not a copy.  A tap that already has a listener is heard after it,
    so that what ``replace`` put in is what is recorded.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.ModuleDict({"weights": Tap()})
    >>> with record(model, ["weights"]) as seen:
    ...     _ = model["weights"](torch.ones(2))
    >>> seen
    {'weights': tensor([1., 1.])}

    Raises:
        ValueError: a name or pattern matches no tap; the nearest name is given.
    """
    seen: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[Tensor], Tensor]:
        def listener(x: Tensor) -> Tensor:
            seen[name] = x.detach()
            return x

        return listener

    with ExitStack() as stack:
        for name, tap in _matching(model, names).items():
            stack.enter_context(_listening(tap, keep(name)))
        yield seen


@contextmanager
def replace(model: nn.Module, name: str, function: Callable[[Tensor], Tensor]) -> Generator[None]:
    """Put ``function(x)`` in the place of the quantity ``x`` that passes one tap.

    >>> import torch
    >>> from torch import nn
    >>> model = nn.ModuleDict({"weights": Tap()})
    >>> with replace(model, "weights", torch.zeros_like):
    ...     model["weights"](torch.ones(2))
    tensor([0., 0.])

    Raises:
        ValueError: no tap bears the name (the nearest one is given), or the function returns another shape.
    """
    known = taps(model)
    if name not in known:
        raise ValueError(f'no tap is called "{name}": {nearest(name, known)}')

    def listener(x: Tensor) -> Tensor:
        other = function(x)
        if other.shape != x.shape:
            raise ValueError(
                f"what replaces {name} has shape {list(other.shape)}, but the quantity has {list(x.shape)}"
            )
        return other

    with _listening(known[name], listener):
        yield


def _matching(model: nn.Module, names: Iterable[str]) -> dict[str, Tap]:
    known = taps(model)
    chosen: set[str] = set()
    for pattern in names:
        matches = {name for name in known if fnmatchcase(name, pattern)}
        if not matches:
            raise ValueError(f'no tap is called "{pattern}": {nearest(pattern, known)}')
        chosen |= matches
    return {name: tap for name, tap in known.items() if name in chosen}


@contextmanager
def _listening(tap: Tap, listener: Callable[[Tensor], Tensor]) -> Generator[None]:
    """Add a listener after the one there is; leave the tap as it was."""
    before = tap.listener
    tap.listener = listener if before is None else lambda x: listener(before(x))
    try:
        yield
    finally:
        tap.listener = before
