# Where the extra is not installed its types are not known.
# pyright: reportMissingImports=false, reportUntypedBaseClass=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
"""Any family as a LightningModule, for those who live there (extra ``lightning``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from qkvae.config import Optimizer
from qkvae.train.objective import Objective
from qkvae.train.optimizer import Optimizers
from qkvae.train.precision import Weights
from qkvae.train.schedule import rate

try:
    from lightning import LightningModule
except ImportError:  # the module must import without the extra, and says so when it is used
    LightningModule = torch.nn.Module


class Module(LightningModule):  # pyright: ignore[reportGeneralTypeIssues]
    """An objective under Lightning's Trainer: the same loss, optimiser and schedule as in our own loop.

    Muon and AdamW step together, so optimisation is manual; the Trainer's own gradient clipping and
    accumulation are not used.  The schedule ends after ``steps``; Lightning counts the steps of each of the
    two optimisers, which is why `max_steps` gives what to tell the Trainer.

    Example::

        module = Module(objective, config.optimizer, steps=1000)
        Trainer(max_steps=module.max_steps, logger=CSVLogger("log")).fit(module, module.loader())
    """

    def __init__(self, objective: Objective, optimizer: Optimizer, steps: int) -> None:
        """
        Raises:
            ImportError: the extra is not installed.
        """
        if LightningModule is torch.nn.Module:
            raise ImportError('Lightning is not installed: pip install "qkvae[lightning]"')
        super().__init__()
        self.automatic_optimization = False
        self.objective, self.settings, self.steps = objective, optimizer, steps
        self.model = objective.model
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
        """One optimiser step on one batch."""
        assert self.weights is not None
        assert self.optimizer_pair is not None
        loss = self.objective.loss(batch)
        self.manual_backward(loss.total)
        self.weights.collect_gradients(1 / loss.count, self.settings.clip)
        optimizers = self.optimizers()
        assert isinstance(optimizers, list)
        factor = rate(self.settings, (self.global_step / 2 + 0.5) / self.steps)
        for optimizer, (_, lr) in zip(optimizers, self.optimizer_pair.optimizers, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = lr * factor
            optimizer.step()
        self.weights.publish()
        self.log("loss", loss.total.detach() / loss.count, prog_bar=True)
        self.log("nll", loss.nll / loss.count)

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


class _Stream(IterableDataset[Any]):
    """The endless course of batches."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    def __iter__(self) -> Iterator[Any]:
        return self.objective.batches(0)
