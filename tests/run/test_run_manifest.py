"""config.json: written whole, read strictly, and read for ever."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import qkvae
from qkvae.config import Block, Seq2Seq, Training, Translation, TranslationData
from qkvae.run import DamagedPart, NotARun
from qkvae.run.manifest import FORMAT, Manifest, read_manifest, write_manifest

FORMAT_1 = """{
  "format": 1,
  "qkvae": "0.1.0",
  "task": "translation",
  "family": "seq2seq",
  "settings": {
    "data": {"paths": ["train.en", "train.de"], "tokenizer": "word", "vocab_size": 900},
    "model": {"block": {"dim": 128, "heads": 2}, "encoder_depth": 2, "vocab": 900},
    "training": {"steps": 10, "seed": 3}
  },
  "resolved": {"precision": "bf16"}
}
"""
"""What the first release wrote, with only the settings that no release may rename or drop."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.json"


def written(path: Path) -> dict[str, Any]:
    write_manifest(path, Manifest(task="translation", config=Translation(), resolved={"threads": 2}))
    return json.loads(path.read_text(encoding="utf-8"))


def refusal(path: Path, content: object) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DamagedPart) as raised:
        read_manifest(path)
    message = str(raised.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def test_every_setting_comes_back(path: Path) -> None:
    config = Translation(
        data=TranslationData(paths=("a", "b"), source="en"),
        model=Seq2Seq(block=Block(dim=64, window=3, eps=1e-7), vocab=77),
        training=Training(minutes=0.1),
    )
    write_manifest(path, Manifest(task="translation", config=config, resolved={"device": "cpu"}))
    manifest = read_manifest(path)
    assert manifest == Manifest(task="translation", config=config, resolved={"device": "cpu"})
    assert manifest.version == qkvae.__version__


def test_the_file_says_what_a_reader_of_another_program_needs(path: Path) -> None:
    values = written(path)
    assert {key: values[key] for key in ("format", "qkvae", "task", "family", "resolved")} == {
        "format": FORMAT,
        "qkvae": qkvae.__version__,
        "task": "translation",
        "family": "seq2seq",
        "resolved": {"threads": 2},
    }


def test_a_run_of_format_1_is_read_and_newer_settings_take_their_defaults(path: Path) -> None:
    path.write_text(FORMAT_1, encoding="utf-8")
    manifest = read_manifest(path)
    assert manifest.resolved == {"precision": "bf16"}
    assert manifest.config == Translation(
        data=TranslationData(paths=("train.en", "train.de"), tokenizer="word", vocab_size=900),
        model=Seq2Seq(block=Block(dim=128, heads=2, hidden=512), encoder_depth=2, decoder_depth=4, vocab=900),
        training=Training(steps=10, seed=3),
    )


def test_settings_that_had_no_effect_in_format_1_are_left_out(path: Path) -> None:
    """Format 1 wrote the value of every setting; now those without effect are refused."""
    settings = json.loads(FORMAT_1)["settings"]
    settings["data"] |= {"valid": ["v.en", "v.de"], "valid_fraction": 0.05, "bpe_dropout": None}
    settings["model"]["block"] |= {"positions": "alibi", "base": 10000.0}
    settings["optimizer"] = {"name": "adamw", "momentum": 0.95, "schedule": "linear", "cooldown": 0.3}
    path.write_text(json.dumps(json.loads(FORMAT_1) | {"settings": settings}), encoding="utf-8")
    config = read_manifest(path).config
    assert (config.data.valid_fraction, config.data.bpe_dropout) == (None, 0.0)
    assert (config.model.block.base, config.optimizer.momentum, config.optimizer.cooldown) == (None,) * 3
    refusal(path, json.loads(FORMAT_1) | {"format": FORMAT, "settings": settings})


def test_settings_of_format_1_that_had_an_effect_are_kept(path: Path) -> None:
    settings = json.loads(FORMAT_1)["settings"]
    settings["data"] |= {"valid": [], "valid_fraction": 0.1}
    settings["model"]["block"] |= {"positions": "rotary", "base": 500.0}
    settings["optimizer"] = {"name": "muon", "momentum": 0.9, "schedule": "wsd", "cooldown": 0.2}
    path.write_text(json.dumps(json.loads(FORMAT_1) | {"settings": settings}), encoding="utf-8")
    config = read_manifest(path).config
    assert (config.data.valid_fraction, config.model.block.base) == (0.1, 500.0)
    assert (config.optimizer.momentum, config.optimizer.cooldown) == (0.9, 0.2)


def test_what_is_no_setting_in_an_older_config_is_refused_and_not_crashed_on(path: Path) -> None:
    for settings in ({"data": 3}, {"model": {"block": []}}, {"optimizer": None}):
        refusal(path, json.loads(FORMAT_1) | {"settings": settings})


def test_a_newer_format_asks_for_a_newer_qkvae(path: Path) -> None:
    values = written(path) | {"format": FORMAT + 1, "qkvae": "9.0", "novelty": True}
    message = refusal(path, values)
    assert f"format {FORMAT + 1}, written by qkvae 9.0" in message
    assert "pip install --upgrade qkvae" in message


@pytest.mark.parametrize(
    ("where", "name", "value", "words"),
    [
        ((), "reolved", {}, 'unknown field "reolved": did you mean "resolved"?'),
        (("settings",), "modle", {}, 'unknown setting "modle": did you mean "model"?'),
        (
            ("settings", "model", "block"),
            "dimm",
            3,
            'unknown setting "model.block.dimm": did you mean "dim"?',
        ),
        (("settings", "model", "block"), "dim", "256", "model.block.dim is '256', but must be of type int"),
        (("settings", "model", "block"), "heads", 3, "dim is 128 and heads is 3: heads must divide dim"),
        (("settings", "model"), "block", 5, "model.block is 5, but is a group of settings"),
        (("settings", "optimizer"), "name", "moun", 'did you mean "muon"?'),
        ((), "task", "translatoin", 'unknown task "translatoin": did you mean "translation"?'),
        ((), "task", 3, "task is 3, but must be of type str"),
        ((), "format", True, "format is True, but must be of type int"),
        ((), "format", "1", "format is '1', but must be of type int"),
        ((), "settings", [], "settings is [], but must be of type dict"),
    ],
)
def test_an_edited_config_is_refused_by_name(
    path: Path, where: tuple[str, ...], name: str, value: object, words: str
) -> None:
    values = written(path)
    group = values
    for key in where:
        group = group[key]
    group[name] = value
    message = refusal(path, values)
    assert words in message
    assert message.endswith("put it back as qkvae wrote it")


def test_text_that_is_not_json_is_refused_with_its_line(path: Path) -> None:
    written(path)
    assert "line 3, column" in refusal(
        path, path.read_text(encoding="utf-8").replace(":", ";", 2).replace(";", ":", 1)
    )
    assert "line 1, column 1: not JSON" in refusal(path, "")
    assert "must be a JSON object" in refusal(path, "[1, 2]")


def test_bytes_that_are_no_text_are_refused(path: Path) -> None:
    path.write_bytes(b'{"format": "\xff"}')
    with pytest.raises(DamagedPart, match=r"not UTF-8 text \(byte 12\)"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"model_type": "marian", "architectures": ["MarianMTModel"]},
            "of a Hugging Face model: qkvae import",
        ),
        ({"compilerOptions": {}}, "is no config of a qkvae run: give"),
    ],
)
def test_another_programs_config_is_no_run(path: Path, values: object, words: str) -> None:
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(NotARun, match=words):
        read_manifest(path)
