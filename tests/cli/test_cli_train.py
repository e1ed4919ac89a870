"""``qkvae train`` and ``resume``: what is typed and what a recipe says reach the config."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pytest

from qkvae.cli import main
from qkvae.cli.flags import flags_of
from qkvae.cli.train import combine
from qkvae.config import Translation, from_dict

RECIPE = """
task = "translation"
licence = "CC0"
[data]
paths = ["toy/train.en", "toy/train.it"]
valid = ["toy/valid.en", "toy/valid.it"]
[model]
encoder_depth = 2
[model.block]
dim = 64
heads = 2
[training]
minutes = 3
seed = 7
"""


def trained(api: types.SimpleNamespace, *words: str) -> Translation:
    """The config that ``qkvae train translation`` hands on."""
    assert main(["train", "translation", *words]) == 0
    return api.calls[-1][1]


def test_what_is_typed_reaches_the_config(api: types.SimpleNamespace) -> None:
    config = trained(
        api,
        *(
            "a.en",
            "a.de",
            "--valid",
            "v.en",
            "v.de",
            "--minutes",
            "30",
            "--seed",
            "4",
            "--vocab-size",
            "4000",
        ),
        *("--source", "en", "--target", "1", "--model.dim", "128", "--model.encoder-depth", "2"),
        *("--optimizer.lr", "0.001", "--generation.beam", "3"),
    )
    assert config.data.paths == ("a.en", "a.de")
    assert config.data.valid == ("v.en", "v.de")
    assert (config.data.source, config.data.target, config.data.vocab_size) == ("en", "1", 4000)
    assert (config.training.minutes, config.training.seed) == (30, 4)
    assert (config.model.block.dim, config.model.encoder_depth) == (128, 2)
    assert (config.optimizer.lr, config.generation.beam) == (0.001, 3)


def test_nothing_typed_is_the_default(api: types.SimpleNamespace) -> None:
    assert trained(api) == Translation()


@pytest.mark.parametrize("flag", flags_of(Translation), ids=lambda flag: flag.name)
def test_every_setting_has_a_flag_that_sets_it(api: types.SimpleNamespace, flag: Any) -> None:
    choices = getattr(flag.hint, "__args__", ())
    other = {
        "--valid": "v.tsv",
        "--tokenizer": "word",
        "--model.heads": "8",
        "--model.key-heads": "2",
        "--generation.nbest": "2",
        "--generation.sample": None,
        "--words-frozen": None,
    }
    if flag.name in other:
        value = other[flag.name]
    elif flag.hint in (int, int | None, float, float | None):
        value = "8" if flag.name == "--model.dim" else "0.5" if float in (flag.hint, *choices) else "300"
    else:
        value = next((str(c) for c in choices if c not in (flag.default, type(None)) and c is not str), "en")
    words = [flag.name] if value is None else [flag.name, value]
    if flag.name == "--valid":
        words = ["d.tsv", *words]
    if flag.name.removeprefix("--generation.") in ("temperature", "top-k", "top-p", "min-p"):
        words += ["--generation.sample", "--generation.beam", "1"]
    if flag.name == "--generation.sample":
        words += ["--generation.beam", "1"]
    if flag.name == "--words-frozen":
        words += ["--words", "words.vec"]
    if flag.name == "--optimizer.cooldown":
        words += ["--optimizer.schedule", "wsd"]
    found: Any = trained(api, *words)
    for part in flag.path:
        found = getattr(found, part)
    assert found != flag.default


def test_flags_are_typed_once() -> None:
    names = [flag.name for flag in flags_of(Translation)]
    assert len(set(names)) == len(names)
    assert "--model.vocab" not in names
    assert "--paths" not in names


def test_options_of_the_run(api: types.SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--out", "runs/x", "--overwrite", "--quiet", "--replay", "runs/y", "--licence", "CC BY 4.0"]
    trained(api, *words)
    assert api.calls[-1][2] == {
        "out": Path("runs/x"),
        "overwrite": True,
        "quiet": True,
        "replay": Path("runs/y"),
        "licence": "CC BY 4.0",
        "base": None,
    }
    said = capsys.readouterr()
    assert said.out == f"{Path('runs/x')}\n"
    assert said.err == ""


def test_the_default_folder_is_new_and_said(
    api: types.SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    trained(api)
    first = api.calls[-1][2]["out"]
    assert first.parent == Path("runs")
    assert str(first) in capsys.readouterr().err
    first.mkdir(parents=True)
    trained(api)
    assert api.calls[-1][2]["out"] == first.with_name(first.name + "-2")


def test_valid_takes_as_many_as_data() -> None:
    typed = {"data": {"valid": ("v.en", "v.de", "a.en", "a.de")}}
    assert combine((), typed, {})["data"] == {"paths": ("a.en", "a.de"), "valid": ("v.en", "v.de")}
    for data in ((), ("a", "b")):
        with pytest.raises(ValueError, match=f"--valid has 1 paths and DATA {len(data)}"):
            from_dict(Translation, combine(data, {"data": {"valid": ("v",)}}, {}))


def test_a_setting_of_several_numbers_takes_those_that_follow(api: types.SimpleNamespace) -> None:
    assert main(["train", "vae", "--model.widths", "20", "10", "--model.latents", "3", "--seed", "2"]) == 0
    config = api.calls[-1][1]
    assert (config.model.widths, config.model.latents, config.data.paths) == ((20, 10), (3,), ())


def test_ctrl_c_says_how_to_resume(api: types.SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    def stopped(task: str, config: Any, *, out: Path, **options: Any) -> None:
        out.mkdir(parents=True)
        (out / "config.json").write_text("{}", encoding="utf-8")
        raise KeyboardInterrupt

    api.train = stopped
    assert main(["train", "translation", "--out", "runs/x"]) == 130
    assert "qkvae resume runs/x\n" in capsys.readouterr().err
    assert main(["train", "translation", "--out", "runs/my x"]) == 130
    assert "qkvae resume 'runs/my x'\n" in capsys.readouterr().err


def test_what_is_suggested_can_be_copied(
    api: types.SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "translation", "--out", "runs/my first run"]) == 0
    said = capsys.readouterr()
    place = Path("runs/my first run")
    assert f"try it: qkvae use 'runs/my first run' \"…\"   see it: {place / 'report.html'}" in said.err
    assert said.out == f"{place}\n"


def test_resume(api: types.SimpleNamespace) -> None:
    assert main(["resume", "runs/x", "--quiet"]) == 0
    assert api.calls == [("resume", Path("runs/x"), True)]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "toy.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def test_a_recipe_and_what_is_typed_over_it(
    api: types.SimpleNamespace, recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = trained(api, "--config", str(recipe), "--model.heads", "4")
    assert config.data.paths == ("toy/train.en", "toy/train.it")
    assert (config.model.block.dim, config.model.block.heads, config.model.encoder_depth) == (64, 4, 2)
    assert (config.training.minutes, config.training.seed) == (3.0, 7)
    assert api.calls[-1][2]["licence"] == "CC0"

    config = trained(api, "--config", str(recipe), "--steps", "5", "--licence", "mine")
    assert (config.training.minutes, config.training.steps) == (None, 5)
    assert api.calls[-1][2]["licence"] == "mine"

    capsys.readouterr()
    config = trained(api, "own.tsv", "--config", str(recipe))
    assert (config.data.paths, config.data.valid) == (("own.tsv",), ())
    assert "left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("task = ", "is no recipe in TOML"),
        ('task = "vae"', 'is a recipe for the task "vae"'),
        ("[trainin]\nseed = 1", 'unknown setting "trainin": did you mean "training"?'),
        ("[training]\nsed = 1", 'unknown setting "training.sed": did you mean "seed"?'),
        ('[training]\nseed = "1"', "training.seed is '1', but must be of type int"),
        ("training = 3", "training is 3, but is a table"),
        ("[model]\nvocab = 3", "model.vocab comes from the tokenizer"),
        ("licence = 3", "licence is 3, but must be text"),
    ],
)
def test_a_wrong_recipe_is_refused(
    api: types.SimpleNamespace, recipe: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe.write_text(text, encoding="utf-8")
    assert main(["train", "translation", "--config", str(recipe)]) == 2
    assert said in capsys.readouterr().err
    assert not api.calls
