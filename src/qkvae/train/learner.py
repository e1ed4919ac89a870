"""What a step changes, the weights, the optimiser's memory and their average; and how a step is made."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import torch
from torch import Tensor

from qkvae.config import Optimizer, Training
from qkvae.train.average import make_average
from qkvae.train.buffers import Buffers
from qkvae.train.device import Machine
from qkvae.train.interrupt import Interruption
from qkvae.train.memory import give_back, ran_out
from qkvae.train.objective import Objective
from qkvae.train.optimizer import Optimizers
from qkvae.train.plan import Plan
from qkvae.train.precision import Weights
from qkvae.train.processes import Processes
from qkvae.train.progress import Reporter
from qkvae.train.schedule import rate

_MOST_SPLITS = 64  # a batch cut into more parts than this would be rows alone


class Learner:
    """The model in training: it takes one optimiser step at a time.

    All randomness of a step is a pure function of (seed, step, process).

    Args:
        objective: what is trained, on what.
        training, optimizer: the settings.
        machine: where to compute, and in which arithmetic.
        reporter: told where memory runs out.
        processes: those that train together; each computes its share of a batch.
    """

    def __init__(
        self,
        objective: Objective,
        training: Training,
        optimizer: Optimizer,
        machine: Machine,
        reporter: Reporter,
        processes: Processes,
    ) -> None:
        self.objective, self.training, self.optimizer = objective, training, optimizer
        self.machine, self.reporter, self.processes = machine, reporter, processes
        model = objective.model.to(machine.device)
        self.weights = Weights(model, machine.precision)
        self.buffers = Buffers(model)
        self.optimizers = Optimizers(optimizer, model, self.weights.masters)
        kind = training.average if processes.leads else "none"
        self.average = make_average(kind, self.weights.masters)
        self.splits = 1  # parts that a batch is cut into to fit the memory

    @property
    def kept(self) -> dict[str, Tensor]:
        """The weights to be judged and kept: averaged if so asked, in fp32."""
        return self.average.weights if self.average is not None else self.weights.masters

    def mark(self, step: int) -> None:
        """The weights are about to be judged, after so many steps."""
        if self.average is not None:
            self.average.mark(self.weights.masters, step)

    def rate(self, plan: Plan, step: int) -> float:
        """The factor on the learning rate of a step: that of the middle of it."""
        return rate(self.optimizer, (plan.at(step) + plan.at(step + 1)) / 2)

    def take(
        self, together: list[Any], step: int, plan: Plan, interruption: Interruption
    ) -> tuple[float, int]:
        """Learn from some batches; the mean loss and the tokens it was over, those of all processes.

        Raises:
            ValueError: the gradient is infinite or not a number.
            MemoryError: not even single rows fit into memory.
        """
        tokens = sum(self.objective.size(batch) for batch in together)
        splits = self.splits
        total = self._gradient(together, step)
        total = self._exchange(total, interruption, ran_short=self.splits > splits)
        norm = self.weights.collect_gradients(1 / tokens, self.optimizer.clip)
        if not math.isfinite(norm):
            raise ValueError(
                f"the gradient of step {step + 1} is not finite (loss {total / tokens}): "
                f"try a lower --optimizer.lr than {self.optimizer.lr}, or look for broken data"
            )
        self.optimizers.step(self.rate(plan, step))
        self.weights.publish()
        self.buffers.follow(step, _seed(self.training.seed, step, 0), self.processes)
        if self.average is not None:
            self.average.update(self.weights.masters, plan.at(step + 1))
        return total / tokens, tokens

    def _exchange(self, total: float, interruption: Interruption, ran_short: bool) -> float:
        """Add up what the processes computed, and hear who was asked to stop or ran short of memory."""
        asked = interruption.asked
        total, all_asked, all_short = self.processes.total(total, asked, ran_short)
        if all_asked > asked:
            interruption.asked = True
        if all_short > ran_short:
            self.reporter.say("out of memory in another process: it computes its share in smaller parts now")
        self.weights.gather()
        self.processes.add_up(list(self.weights.masters.values()))
        return total

    def _gradient(self, together: list[Any], step: int) -> float:
        """The gradient of the batches' summed loss, and its value; in smaller parts where memory is short."""
        while True:
            self.buffers.forget()
            self._draw_from(_seed(self.training.seed, step, self.processes.rank))
            try:
                return sum(self._backward(batch) for batch in together)
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
                if self.splits >= _MOST_SPLITS:
                    raise MemoryError(
                        f"out of memory, even with each batch in {self.splits} parts: use a smaller "
                        f"--batch-tokens than {self.training.batch_tokens}, or a smaller model"
                    ) from error
            self.splits *= 2
            for p in self.objective.model.parameters():
                p.grad = None
            give_back(self.machine.device)
            self.reporter.say(
                f"out of memory: each batch is now computed in {self.splits} parts; a step learns from as "
                "many tokens as before"
            )

    def _draw_from(self, seed: int) -> None:
        """All randomness of a step follows from this seed."""
        if self.machine.device == "cpu":
            torch.default_generator.manual_seed(seed)  # torch.manual_seed notes a stack for each accelerator
        else:
            torch.manual_seed(seed)

    def _backward(self, batch: Any) -> float:
        """Add the gradient of the summed loss of this process's share, part by part; the value."""
        total = 0.0
        for share in self.processes.share(self.objective, batch):
            for part in self.objective.parts(share, self.splits):
                loss = self.objective.loss(part)
                loss.total.backward()
                total += float(loss.total.detach())
        return total

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything that resuming needs: tensors, and facts beside them."""
        tensors = {f"weights.{name}": w for name, w in self.weights.masters.items()} | self.optimizers.state()
        averaged, progress = ({}, None) if self.average is None else self.average.state()
        tensors |= {f"average.{name}": w for name, w in averaged.items()}
        tensors |= {f"buffers.{name}": b for name, b in self.buffers.state().items()}
        facts = {"average_progress": progress, "splits": self.splits}
        return {name: t.detach() for name, t in tensors.items()}, facts

    def load(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Be as when `state` was asked; the first process alone needs the tensors."""
        device, tensors = self.machine.device, self.processes.told_tensors(tensors)

        def named(prefix: str) -> dict[str, Tensor]:
            return {n.removeprefix(prefix): t.to(device) for n, t in tensors.items() if n.startswith(prefix)}

        self.weights.load(named("weights."))
        self.buffers.load(named("buffers."))
        self.optimizers.load_state(
            {n: t.to(device) for n, t in tensors.items() if n.startswith("optimizer.")}
        )
        if self.average is not None:
            self.average.load(named("average."), facts["average_progress"])
        self.splits = facts["splits"]

    def begin_alike(self) -> None:
        """The first process's weights and buffers are everybody's: processors that differ draw others."""
        self.weights.load(self.processes.told_tensors(self.weights.masters))
        self.buffers.load(self.processes.told_tensors(self.buffers.state()))


def _seed(seed: int, step: int, process: int) -> int:
    """A seed for the randomness of one step in one process; the first has that of a process alone."""
    text = f"{seed}/{step}/{process}" if process else f"{seed}/{step}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest(), "big")
