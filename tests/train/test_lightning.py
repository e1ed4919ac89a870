"""Under Lightning's Trainer the losses are those of our own loop."""

from __future__ import annotations

import itertools
import math
import warnings
from pathlib import Path

import pytest
import torch
from small_language import small_config, small_objective, write_table

from qkvae.run import Run
from qkvae.train import lightning as ours
from qkvae.train.device import Machine
from qkvae.train.loop import Loop
from qkvae.train.progress import Silent

STEPS = 5


def test_without_the_extra_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "LightningModule", torch.nn.Module)
    config = small_config(write_table(tmp_path))
    objective, _ = small_objective(config)
    with pytest.raises(ImportError, match=r'pip install "qkvae\[lightning\]"'):
        ours.Module(objective, config.optimizer, steps=3)


@pytest.mark.peer
def test_losses_and_weights_are_those_of_our_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what other packages say while they are imported
        lightning = pytest.importorskip("lightning")
    config = small_config(write_table(tmp_path), steps=STEPS, validations=1, average="none")

    torch.manual_seed(1)
    objective, _ = small_objective(config)
    before = {name: p.detach().clone() for name, p in objective.model.named_parameters()}
    loop = Loop(
        objective, Run.create(tmp_path / "run", "translation", config), Machine("cpu", "fp32", 1), Silent()
    )
    batches = objective.batches(0)
    objective.model.train()
    expected: list[float] = []
    for _ in range(STEPS):
        expected.append(loop._train_step(batches)[0])
        loop.step += 1
    trained = {name: p.detach().clone() for name, p in objective.model.named_parameters()}
    assert any(not torch.equal(trained[name], before[name]) for name in before)

    torch.manual_seed(1)
    other, _ = small_objective(config)
    with torch.no_grad():
        for name, p in other.model.named_parameters():
            p.copy_(before[name])
    found: list[float] = []

    class Watched(ours.Module):
        def training_step(self, batch: object, batch_idx: int) -> None:
            super().training_step(batch, batch_idx)
            found.append(float(self.trainer.callback_metrics["loss"]))

    module = Watched(other, config.optimizer, steps=STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice on workers and loggers
        trainer = lightning.Trainer(
            max_steps=module.max_steps,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, module.loader())
    assert found == pytest.approx(expected, rel=1e-5)
    assert len(found) == STEPS
    for name, p in other.model.named_parameters():
        torch.testing.assert_close(p.detach(), trained[name], rtol=1e-5, atol=1e-5)
    assert not math.isclose(expected[0], expected[-1], rel_tol=1e-4), "nothing was learned"
    assert next(itertools.islice(module.loader(), 1)).tokens > 0
