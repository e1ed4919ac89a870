"""A run of format 1 is opened, used and gone on with, as if this qkvae had written it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from qkvae.config import (
    TASKS,
    Block,
    FillMask,
    ImageClassification,
    LinearClasses,
    Optimizer,
    Patches,
    Saving,
    Seq2Seq,
    TextGeneration,
    Training,
    Translation,
    TranslationData,
    Vision,
    to_dict,
)
from qkvae.models import build
from qkvae.run import DamagedPart, Run
from qkvae.run.manifest import FORMAT
from qkvae.run.older import brought_up_to_date
from qkvae.run.tensors import write_tensors

CONFIG = Translation(
    data=TranslationData(paths=("a.en", "a.de"), valid=("v.en", "v.de")),
    model=Seq2Seq(block=Block(positions="alibi"), vocab=300),
    optimizer=Optimizer(name="adamw", schedule="cosine"),
    training=Training(steps=5),
    saving=Saving(keep=1),
)


def settings_of_format_1() -> dict[str, Any]:
    """Every setting had a value, those without effect too."""
    settings = to_dict(CONFIG)
    settings["data"] |= {"valid_fraction": 0.05, "bpe_dropout": None}
    settings["model"]["block"]["base"] = 10000.0
    settings["optimizer"] |= {"momentum": 0.95, "cooldown": 0.3}
    return settings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A run as the first release left it in the middle of its training."""
    settings, weights = settings_of_format_1(), {"weight": torch.ones(2)}
    content = {
        "format": 1,
        "qkvae": "0.1.0",
        "task": "translation",
        "family": "seq2seq",
        "settings": settings,
    }
    (tmp_path / "config.json").write_text(json.dumps(content | {"resolved": {}}), encoding="utf-8")
    model = json.dumps(settings["model"])
    for folder in (tmp_path, tmp_path / "checkpoints" / "step-3"):
        folder.mkdir(parents=True, exist_ok=True)
        write_tensors(folder / "model.safetensors", weights, {"model": model})
    (tmp_path / "state").mkdir()
    decided = {name: dict(settings[name]) for name in ("data", "model", "optimizer", "training")}
    del decided["data"]["paths"], decided["data"]["valid"]  # which may change without harm
    facts = json.dumps({"step": 3, "settings": decided})
    write_tensors(tmp_path / "state" / "training.safetensors", weights, {"facts": facts})
    return tmp_path


def test_its_settings_weights_and_state_are_read(path: Path) -> None:
    run = Run.open(path)
    assert run.config == CONFIG
    assert run.load_model()["weight"].tolist() == [1, 1]
    assert run.load_checkpoint(3)["weight"].tolist() == [1, 1]
    _, facts = run.load_state() or ({}, {})
    assert facts["step"] == 3


def test_it_stays_readable_when_this_qkvae_has_written_to_it(path: Path) -> None:
    run = Run.open(path, resume=True)
    run.update_resolved({"threads": 1})
    run.save_state({"weight": torch.zeros(2)}, {"step": 4})
    run.save_model({"weight": torch.zeros(2)})
    again = Run.open(path)
    assert (again.config, again.resolved) == (CONFIG, {"threads": 1})
    assert again.load_checkpoint(3)["weight"].tolist() == [1, 1]
    assert again.load_model()["weight"].tolist() == [0, 0]
    assert (again.load_state() or ({}, {}))[1]["step"] == 4


def test_what_was_given_is_not_changed() -> None:
    settings = settings_of_format_1()
    brought_up_to_date(settings)
    assert settings == settings_of_format_1()


@pytest.mark.parametrize(("task", "version"), [(TextGeneration, 2), (FillMask, 2), (ImageClassification, 3)])
def test_older_models_have_no_short_convolution(
    task: type[TextGeneration | FillMask | ImageClassification], version: int, tmp_path: Path
) -> None:
    config = task()
    assert config.model.conv_size
    settings = to_dict(config)
    del settings["model"]["conv_size"]
    named = {
        "format": version,
        "qkvae": "0.1.0",
        "task": next(name for name, kind in TASKS.items() if kind is task),
        "family": "x",
        "settings": settings,
    }
    (tmp_path / "config.json").write_text(json.dumps(named), encoding="utf-8")
    write_tensors(
        tmp_path / "model.safetensors", {"w": torch.ones(2)}, {"model": json.dumps(settings["model"])}
    )
    run = Run.open(tmp_path)
    assert run.config == replace(config, model=replace(config.model, conv_size=0))
    assert run.load_model()["w"].tolist() == [1, 1]


@pytest.mark.parametrize("embedding", ["stem", "deep-stem"])
@pytest.mark.parametrize("patch", [(6, 5), (3, 2), (4, 7)])
def test_older_stems_of_odd_strides_answer_as_they_did(
    patch: tuple[int, int], embedding: Any, tmp_path: Path
) -> None:
    """Their windows were as long as the stride; what a training remembers of them is read as they are."""
    patches = Patches(size=(2 * patch[0], 3 * patch[1]), channels=2, patch=patch, embedding=embedding)
    block, head = Block(dim=8, heads=2, hidden=8), LinearClasses(count=3)
    config = ImageClassification(model=Vision(block=block, depth=1, patches=patches, head=head))
    older, grid = build(config.model).eval(), torch.randn(3, 2, *patches.size)
    for step in older.input.patches.steps:
        if isinstance(step, torch.nn.Conv2d) and step.stride != (1, 1):
            step.padding = tuple(side // 2 for side in step.stride)
            step.kernel_size = tuple(side if side % 2 else 3 for side in step.stride)
            down, across = step.kernel_size
            step.weight = torch.nn.Parameter(step.weight[:, :, :down, :across].detach().clone())
    told, state = older(grid), older.state_dict()
    run = Run.create(tmp_path / "run", "image-classification", config)
    run.save_model(state)
    run.save_state({f"optimizer.exp_avg.{name}": each for name, each in state.items()}, {"step": 3})
    newer = build(config.model).eval()
    run.load_into(newer)
    torch.testing.assert_close(newer(grid), told, rtol=0, atol=1e-6)
    remembered, facts = run.load_state() or ({}, {})
    assert facts["step"] == 3
    for name, each in newer.state_dict().items():
        assert torch.equal(remembered[f"optimizer.exp_avg.{name}"], each)


def test_in_a_run_of_this_format_a_setting_without_effect_is_refused(path: Path) -> None:
    content = json.loads((path / "config.json").read_text(encoding="utf-8"))
    (path / "config.json").write_text(json.dumps(content | {"format": FORMAT}), encoding="utf-8")
    with pytest.raises(DamagedPart, match="bpe_dropout is None, but must be of type float"):
        Run.open(path)
