"""Which of their weights stand in which of ours, and what their settings must be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from qkvae import config
from qkvae.interop.huggingface.files import State

ACTIVATIONS = {
    "relu": "relu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu2": "relu2",
    "silu": "silu",
    "swish": "silu",
}
"""Their names of activations, and ours."""


def marks_in(settings: Mapping[str, Any], begin: str = "bos_token_id", between: int = 1) -> config.Marks:
    """The special tokens that their settings name; those they do not name are as with our own tokenizers.

    >>> marks_in({"eos_token_id": 7, "bos_token_id": 7})
    Marks(pad=7, bos=7, eos=7, unk=None, between=1)
    """
    ours = config.Marks()
    named = {name: settings.get(key) for name, key in _MARKS.items()} | {"bos": settings.get(begin)}
    # Llama 3 has several ends: the first one ends a text.
    ids: dict[str, int | None] = {
        name: cast("list[int]", each)[0] if isinstance(each, list) else each for name, each in named.items()
    }
    pad, bos, eos = ids["pad"], ids["bos"], ids["eos"]
    eos = ours.eos if eos is None else eos
    return config.Marks(
        pad=eos if pad is None else pad,
        bos=ours.bos if bos is None else bos,
        eos=eos,
        unk=ids["unk"],
        between=between,
    )


def marks_out(marks: config.Marks) -> dict[str, int | None]:
    """What the special tokens are called there."""
    return {key: getattr(marks, name) for name, key in _MARKS.items()}


_MARKS = {"pad": "pad_token_id", "bos": "bos_token_id", "eos": "eos_token_id", "unk": "unk_token_id"}


class Line(NamedTuple):
    """Their layers that stand stacked in one of ours."""

    ours: str
    theirs: tuple[str, ...]
    kinds: tuple[str, ...] = ("weight", "bias")
    turned: bool = False
    """Their matrices are [in, out], ours [out, in]."""

    sizes: tuple[int, ...] | None = None
    """Rows of each of theirs, where they are not all as many."""


def read_lines(lines: Iterable[Line], weights: State) -> State:
    """Our weights; theirs are taken out, so that what is left was not understood.

    >>> weights = {"q.weight": torch.zeros(2, 4), "k.weight": torch.ones(2, 4)}
    >>> read_lines([Line("qk", ("q", "k"), ("weight",))], weights)["qk.weight"].shape, weights
    (torch.Size([4, 4]), {})
    """
    state: State = {}
    for line in lines:
        for kind in line.kinds:
            parts = [taken(weights, f"{name}.{kind}") for name in line.theirs]
            parts = [part.T if line.turned and kind == "weight" else part for part in parts]
            state[f"{line.ours}.{kind}"] = torch.cat(parts).contiguous()
    return state


def write_lines(lines: Iterable[Line], state: Mapping[str, Tensor]) -> State:
    """Their weights, from ours.

    >>> list(write_lines([Line("qk", ("q", "k"), ("weight",))], {"qk.weight": torch.zeros(4, 4)}))
    ['q.weight', 'k.weight']
    """
    weights: State = {}
    for line in lines:
        for kind in line.kinds:
            tensor = state[f"{line.ours}.{kind}"].detach()
            sizes = line.sizes or (len(tensor) // len(line.theirs),) * len(line.theirs)
            for name, part in zip(line.theirs, tensor.split_with_sizes(sizes), strict=True):
                turned = part.T if line.turned and kind == "weight" else part
                weights[f"{name}.{kind}"] = turned.contiguous()
    return weights


def taken(weights: State, name: str) -> Tensor:
    """Take a weight out; what is left over at the end was not understood.

    Raises:
        ValueError: there is no such weight.
    """
    if name not in weights:
        raise ValueError(f"{name} is missing: these are not the weights of a model with this config")
    return weights.pop(name)


def without_prefix(weights: State, prefix: str) -> None:
    """Forget the name of the part that models with a head have and those without lack."""
    for name in [name for name in weights if name.startswith(prefix)]:
        weights[name.removeprefix(prefix)] = weights.pop(name)


def must(settings: Mapping[str, Any], name: str, wanted: Any, cure: str) -> None:
    """Refuse a setting of theirs that a model here cannot have; where it is left out it is as wanted.

    Raises:
        ValueError: it has another value.
    """
    value = settings.get(name, wanted)
    if value != wanted:
        raise ValueError(f"{name} is {value}, but a model here needs {wanted}: {cure}")


def activation(settings: Mapping[str, Any], name: str) -> Any:
    """Our name of their activation.

    Raises:
        ValueError: there is none.
    """
    if settings[name] not in ACTIVATIONS:
        raise ValueError(
            f'{name} is "{settings[name]}", but the feed-forward here knows {", ".join(sorted(ACTIVATIONS))}'
        )
    return ACTIVATIONS[settings[name]]


THEIR_ACTIVATIONS = dict(sorted({ours: theirs for theirs, ours in reversed(ACTIVATIONS.items())}.items()))
"""Our names of activations, and theirs; gelu first."""


Wanted = Mapping[str, tuple[Any, ...]]
"""Which values each of some settings may have; first of them the one that a cure names."""

Part = tuple[object, str, Wanted]
"""Settings, where they stand among the flags, and what is wanted of them."""


def only(shape: str, *parts: Part) -> None:
    """Refuse settings of ours that the shape cannot have, all at once, and say what to train instead.

    Args:
        shape: its name, as a reader knows it.
        parts: the settings that are asked of.

    Raises:
        ValueError: some have none of the values wanted.
    """
    wrong: list[str] = []
    given: list[str] = []
    dropped: list[str] = []
    for settings, place, wanted in parts:
        group = f"{place}.".removeprefix("model.").replace("-", "_")
        for name, values in wanted.items():
            value = getattr(settings, name)
            if value not in values:
                wrong.append(f"{group}{name} is {value}, but {shape} has {' or '.join(map(str, values))}")
                flag = f"--{place}.{name.replace('_', '-')}"
                if values[0] is None:
                    dropped.append(flag)
                else:
                    given.append(f"{flag} {values[0]}")
    if wrong:
        ways = (("with ", given), ("without ", dropped))
        cure = " and ".join(how + " ".join(each) for how, each in ways if each)
        raise ValueError(f"{'; '.join(wrong)}: it cannot be written so; train it {cure}")
