# Where the extra is not installed its types are not known.
# pyright: reportMissingImports=false, reportUntypedBaseClass=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
"""Any family as a LightningModule, for those who live there (extra ``lightning``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from qkvae.config import Optimizer, Training
from qkvae.train.buffers import Buffers
from qkvae.train.objective import Loss, Objective
from qkvae.train.optimizer import Optimizers
from qkvae.train.precision import Weights
from qkvae.train.processes import ALONE
from qkvae.train.schedule import rate

try:
    from lightning import LightningModule
except ImportError:  # the module must import without the extra, and says so when it is used
    LightningModule = torch.nn.Module


class Module(LightningModule):  # pyright: ignore[reportGeneralTypeIssues]
    """An objective under Lightning's Trainer: the same loss, optimiser and schedule as in our own loop.

    Muon and AdamW step together, so optimisation is manual: gradients are clipped and batches accumulated
    here and not by the Trainer.  The schedule ends after ``training.steps``; Lightning counts the steps of
    each of the two optimisers, which is why `max_steps` gives what to tell the Trainer.  Device, evaluations
    and saves are the Trainer's.

    Example::

        training = Training(steps=1000, average="none")
        module = Module(objective, config.optimizer, training)
        Trainer(max_steps=module.max_steps, logger=CSVLogger("log")).fit(module, module.loader())
    """

    def __init__(self, objective: Objective, optimizer: Optimizer, training: Training) -> None:
        """
        Raises:
            ImportError: the extra is not installed.
            ValueError: a setting that the Trainer cannot keep; its own way is named.
        """
        if LightningModule is torch.nn.Module:
            raise ImportError('Lightning is not installed: pip install "qkvae[lightning]"')
        super().__init__()
        self.automatic_optimization = False
        self.steps, self.seed = _steps(training), training.seed
        self.objective, self.settings, self.accumulate = objective, optimizer, training.accumulate
        self.losses: list[Loss] = []  # of the batches since the last step
        self.model = objective.model
        self.buffers = Buffers(self.model)
        self.weights: Weights | None = None
        self.optimizer_pair: Optimizers | None = None

    @property
    def max_steps(self) -> int:
        """What to tell the Trainer: it counts every optimiser's steps."""
        return self.steps * 2

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Our optimisers over the model's weights, in fp32."""
        self.weights = Weights(self.model, "fp32")
        self.optimizer_pair = Optimizers(self.settings, self.model, self.weights.masters)
        return [optimizer for optimizer, _ in self.optimizer_pair.optimizers]

    def training_step(self, batch: Any, batch_idx: int) -> None:
        """The gradient of one batch, and the optimisers' step when there are as many as make one."""
        assert self.weights is not None
        assert self.optimizer_pair is not None
        loss = self.objective.loss(batch)
        self.manual_backward(loss.total)
        self.losses.append(Loss(loss.total.detach(), loss.nll, loss.count))
        if len(self.losses) < self.accumulate:
            return
        count = sum(each.count for each in self.losses)
        self.weights.collect_gradients(1 / count, self.settings.clip)
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        factor = rate(self.settings, (self.global_step / 2 + 0.5) / self.steps)
        for optimizer, (_, lr) in zip(optimizers, self.optimizer_pair.optimizers, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = lr * factor
            optimizer.step()
        self.weights.publish()
        step = self.global_step // 2 - 1
        self.buffers.follow(step, self.seed + step, ALONE)
        self.log("loss", torch.stack([each.total for each in self.losses]).sum() / count, prog_bar=True)
        self.log("nll", torch.stack([each.nll for each in self.losses]).sum() / count)
        self.losses.clear()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """All figures of the validation data; they are of the whole set, so one call suffices."""
        if batch_idx == 0:
            self.log_dict(self.objective.validate(), batch_size=1)

    def loader(self) -> DataLoader[Any]:
        """The objective's batches, in its order."""
        return DataLoader(_Stream(self.objective), batch_size=None)

    def validation_loader(self) -> DataLoader[Any]:
        """One item, for `validation_step` to be called once."""
        return DataLoader(TensorDataset(torch.zeros(1)), batch_size=None)


def _steps(training: Training) -> int:
    """The steps to make, if the Trainer can keep all that was asked for.

    Raises:
        ValueError: it cannot.
    """
    if training.steps is None:
        raise ValueError(
            "the schedule must know its end, and Lightning's Trainer keeps no minutes: set steps"
        )
    if training.average != "none":
        raise ValueError(
            f'average {training.average} is not made under Lightning: set average "none", and give the '
            "Trainer its own callback EMAWeightAveraging for an average"
        )
    if training.precision == "bf16":
        raise ValueError(
            "precision bf16 keeps fp32 weights that Lightning's checkpoints would miss: leave precision out, "
            'and give the Trainer precision="bf16-mixed"'
        )
    if training.patience is not None:
        raise ValueError(
            f"patience {training.patience} is not kept under Lightning: leave it out, and give the Trainer "
            "its own callback EarlyStopping"
        )
    return training.steps


class _Stream(IterableDataset[Any]):
    """The endless course of batches."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    def __iter__(self) -> Iterator[Any]:
        return self.objective.batches(0)
