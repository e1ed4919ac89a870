"""The settings of a fine-tuning: what comes with the weights it begins with, and what may be asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args, get_type_hints

from qkvae.config import TASKS, CodePrior, Encoder, GridFamily, TaskConfig, differences, from_dict, to_dict
from qkvae.train.base import Base
from qkvae.train.coded_base import Coded, adds_a_prior, require_shape, with_codes
from qkvae.train.grid_base import require_channels, with_body, with_size

FREE = ("block.dropout", "max_length", "head.pooling", "stochastic_depth", "word_dropout")
"""Settings of a model on which no learned weight depends; of learned positions the length is checked."""

_VOCABULARY = ("tokenizer", "vocab_size", "min_frequency")
"""Settings of ``data`` that the base's tokenizer has decided."""

_LENGTHS = ("length", "max_length")
"""Settings of ``data`` that say how long a text the model reads, by task."""


def asked_of(config: TaskConfig) -> dict[str, Any]:
    """The settings in which a config differs from its task's usual one, nested as `from_dict` takes them.

    >>> from qkvae.config import TextClassification, Training
    >>> asked_of(TextClassification(training=Training(steps=5)))
    {'training': {'steps': 5}}
    """
    found: dict[str, Any] = {}
    for name, _, value in differences(to_dict(type(config)()), to_dict(config)):
        group = found
        *path, last = name.split(".")
        for part in path:
            group = group.setdefault(part, {})
        group[last] = value
    return found


def configured(task: str, base: Base, asked: Mapping[str, Any]) -> Any:
    """A task's config with the base's architecture and, of the rest, what is asked for.

    Args:
        asked: settings by name, nested as the config classes are.

    Raises:
        ValueError: the base is of another family; a setting contradicts it or has no effect with it; a
            setting is unknown.
    """
    kind = TASKS[task]
    usual: Any = kind()
    if type(base.settings) in get_args(get_type_hints(kind)["model"]):  # one of several kinds of models
        usual = replace(usual, model=base.settings)
    paths = asked.get("data", {}).get("paths", ())
    settings: Any = with_codes(base.settings, usual.model)
    if isinstance(base.settings, GridFamily) and isinstance(usual.model, GridFamily):
        model = with_body(base.settings, usual.model)
        _refuse_changes(model, asked.get("model", {}), base.path)
        usual = replace(usual, data=with_size(usual.data, paths, base.settings.patches.size))
        return from_dict(kind, dict(asked), default=replace(usual, model=model))
    if type(settings) is not type(usual.model):
        there, here = type(base.settings).__name__, type(usual.model).__name__
        raise ValueError(
            f"{base.path} is {base.what} and holds a {there}, but {task} trains a {here}: "
            f"begin from a model of that family"
        )
    data, wanted = dict(asked.get("data", {})), asked.get("model", {})
    if isinstance(settings, Coded):
        _refuse_changes(settings, {} if adds_a_prior(base.settings, settings) else wanted, base.path)
        shape = settings.vq.shape if isinstance(settings, CodePrior) else settings.shape
        usual = replace(usual, data=with_size(usual.data, paths, shape))
        return from_dict(kind, dict(asked), default=replace(usual, model=settings))
    if isinstance(settings, Encoder) and type(settings.head) is not type(usual.model.head):
        settings = replace(settings, head=usual.model.head)
    assert base.tokenizer is not None
    for name in _VOCABULARY:
        if name in data and (name, data[name]) != ("tokenizer", base.tokenizer.kind):
            raise ValueError(
                f"{name} {data[name]} has no effect with --from {base.path}, whose tokenizer is taken: "
                "leave it out"
            )
    _refuse_changes(settings, wanted, base.path)
    longest = settings.max_length
    usual_data = _with_kind(usual.data, base.tokenizer.kind)
    for name in _LENGTHS:
        if hasattr(usual_data, name):
            usual_data = replace(usual_data, **{name: min(longest, getattr(usual_data, name))})
            longest = max(longest, int(data.get(name, 0)))
    settings = replace(settings, max_length=longest)
    _refuse_lengths(base, max(longest, int(wanted.get("max_length", 0))))
    return from_dict(kind, dict(asked), default=replace(usual, data=usual_data, model=settings))


def fitted(base: Base, model: Any) -> Any:
    """A model's settings, completed from the data, so that the base's weights fit them.

    Raises:
        ValueError: the data have texts longer than the base's learned positions, or other channels.
    """
    if isinstance(base.settings, GridFamily):
        require_channels(base.settings, model, base.path)
    require_shape(base.settings, model, base.path)
    if isinstance(base.settings, GridFamily | Coded):
        return model
    longest = max(model.max_length, base.settings.max_length)
    _refuse_lengths(base, longest)
    kept: dict[str, Any] = {"max_length": longest}
    kept |= {name: getattr(base.settings, name) for name in ("vocab", "marks")}
    if isinstance(base.settings, Encoder) and base.settings.segments:
        kept["segments"] = base.settings.segments
    return replace(model, **kept)


def _refuse_changes(settings: Any, wanted: Mapping[str, Any], path: Path) -> None:
    """Refuse another architecture than the base's."""
    known = dict(_leaves(to_dict(settings)))
    for name, value in _leaves(wanted):
        if name in known and name not in FREE and value != known[name]:
            raise ValueError(
                f"model.{name.removeprefix('block.')} is {value}, but {path} has {known[name]}: "
                "leave it out, the architecture comes with the weights"
            )


def _refuse_lengths(base: Base, longest: int) -> None:
    if base.settings.block.positions == "learned" and longest > base.settings.max_length:
        raise ValueError(
            f"texts may have {longest} tokens, but {base.path} has learned {base.settings.max_length} "
            f"positions: use at most {base.settings.max_length}"
        )


def _with_kind(data: Any, tokenizer: str) -> Any:
    """The task's data settings, with the kind of the base's tokenizer where they can name it."""
    known = get_args(get_type_hints(cast("type[Any]", type(data))).get("tokenizer"))
    return replace(data, tokenizer=tokenizer) if tokenizer in known else data


def _leaves(settings: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{where}{name}.")  # pyright: ignore[reportUnknownArgumentType]
        else:
            yield where + name, value
