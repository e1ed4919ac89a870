"""Under Lightning's Trainer the losses are those of our own loop."""

from __future__ import annotations

import itertools
import math
import warnings
from pathlib import Path

import pytest
import torch

from qkvae.config import Training
from qkvae.run import Run
from qkvae.train import lightning as ours
from qkvae.train.device import Machine
from qkvae.train.loop import Loop
from qkvae.train.progress import Silent
from small_language import small_config, small_objective, write_table

STEPS = 5


def test_without_the_extra_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "LightningModule", torch.nn.Module)
    config = small_config(write_table(tmp_path))
    objective, _ = small_objective(config)
    with pytest.raises(ImportError, match=r'pip install "qkvae\[lightning\]"'):
        ours.Module(objective, config.optimizer, config.training)


@pytest.mark.parametrize(
    ("training", "words"),
    [
        (Training(minutes=3.0, average="none"), "Trainer keeps no minutes: set steps"),
        (Training(steps=3), 'average ema is not made under Lightning: set average "none"'),
        (Training(steps=3, average="none", precision="bf16"), 'give the Trainer precision="bf16-mixed"'),
        (Training(steps=3, average="none", patience=2), "patience 2 is not kept under Lightning"),
    ],
)
def test_what_the_trainer_cannot_keep_is_refused(training: Training, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ours._steps(training)


@pytest.mark.peer
@pytest.mark.parametrize("accumulate", [1, 2])
def test_losses_and_weights_are_those_of_our_loop(tmp_path: Path, accumulate: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what other packages say while they are imported
        lightning = pytest.importorskip("lightning")
    config = small_config(write_table(tmp_path), steps=STEPS, accumulate=accumulate, average="none")

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
            before = self.global_step
            super().training_step(batch, batch_idx)
            if self.global_step > before:
                found.append(float(self.trainer.callback_metrics["loss"]))

    module = Watched(other, config.optimizer, config.training)
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
