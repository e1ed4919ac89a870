"""Every setting explains itself: its sentence is the documentation, and the help at the command line."""

from __future__ import annotations

import dataclasses
import inspect
import typing

import pytest

from qkvae import config
from qkvae.cli.flags import field_help

CLASSES = sorted(
    (kind for kind in vars(config).values() if dataclasses.is_dataclass(kind)),
    key=lambda kind: kind.__name__,
)
FIELDS = [(kind, field) for kind in CLASSES for field in dataclasses.fields(kind)]


def test_the_classes_are_found() -> None:
    assert {"Block", "Seq2Seq", "Translation", "Training", "Optimizer", "Generation"} <= {
        kind.__name__ for kind in CLASSES
    }


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_config_is_a_frozen_small_keyword_only_dataclass(kind: typing.Any) -> None:
    assert kind.__dataclass_params__.frozen
    assert all(field.kw_only for field in dataclasses.fields(kind))
    assert len(dataclasses.fields(kind)) <= 12
    assert inspect.getdoc(kind)
    kind()  # every setting has a default


@pytest.mark.parametrize(
    ("kind", "field"), FIELDS, ids=lambda part: getattr(part, "__name__", None) or part.name
)
def test_a_setting_has_its_sentence(kind: typing.Any, field: dataclasses.Field[typing.Any]) -> None:
    sentence = field_help(kind).get(field.name, "")
    assert sentence, f"{kind.__name__}.{field.name} has no docstring below it"
    assert sentence.endswith("."), sentence
    assert len(sentence) <= 160, f"{len(sentence)} characters are no one-line help: {sentence}"


@pytest.mark.parametrize(
    ("kind", "field"), FIELDS, ids=lambda part: getattr(part, "__name__", None) or part.name
)
def test_a_default_is_of_the_fields_type(kind: typing.Any, field: dataclasses.Field[typing.Any]) -> None:
    """What is written and read back is the same, so the default passes the strict parser too."""
    written = config.to_dict(kind())
    assert config.from_dict(kind, {field.name: written[field.name]}) == kind()
