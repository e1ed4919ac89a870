"""Whatever a task learns: no datum is counted twice or lost, in parts of a batch or among processes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from qkvae.config import TASKS
from qkvae.models import build
from qkvae.tasks import find_task
from qkvae.tasks.preparing import prepare
from qkvae.train.processes import Processes
from qkvae.train.progress import make_reporter

ELSEWHERE = {"translation", "image-generation"}
"""Translation's gradients are proven against their equation (`qkvae.prove`); the other begins with a run."""

WHOLE = {"feature-extraction"}
"""Tasks whose batches cannot be cut: each text is told from all others of the batch."""

PARTS, PROCESSES = 4, 3


@pytest.fixture(scope="module", params=[name for name in TASKS if name not in ELSEWHERE])
def task(request: pytest.FixtureRequest) -> str:
    """The name of a task."""
    return request.param


@pytest.fixture(scope="module")
def objective(task: str) -> Any:
    """What the task would train on its embedded data: a small model that drops nothing."""
    settings: Any = TASKS[task]()
    if hasattr(settings.model, "block"):
        block = replace(settings.model.block, dim=32, heads=2, hidden=64, dropout=0.0)
        settings = replace(settings, model=replace(settings.model, block=block))
    prepared = prepare(find_task(task), settings, None, Processes(), make_reporter(quiet=True))
    torch.manual_seed(0)
    model = build(prepared.config.model).eval()
    return prepared.task.objective(model, prepared.tokenizer, prepared.examples, prepared.config)


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise that is drawn within a loss would differ from part to part."""
    monkeypatch.setattr(torch, "randn", torch.zeros)


def learned(objective: Any, batches: Callable[[], list[Any]]) -> tuple[Tensor, float, int]:
    """Gradient, loss and count of all these batches together."""
    model = objective.model
    model.zero_grad(set_to_none=True)
    total, count = 0.0, 0
    for batch in batches():
        loss = objective.loss(batch)
        loss.total.backward()
        total, count = total + float(loss.total.detach()), count + loss.count
    grads = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    return torch.cat(grads), total, count


def assert_alike(one: tuple[Tensor, float, int], other: tuple[Tensor, float, int]) -> None:
    gradient, total, count = one
    assert other[2] == count
    assert other[1] == pytest.approx(total, rel=1e-5)
    torch.testing.assert_close(
        other[0] / gradient.abs().max(), gradient / gradient.abs().max(), atol=1e-5, rtol=0
    )


def test_parts_of_a_batch_make_its_gradient(task: str, objective: Any) -> None:
    batch = next(objective.batches(0))
    whole = learned(objective, lambda: [batch])
    assert objective.size(batch) == whole[2]
    parts = objective.parts(batch, PARTS)
    assert len(parts) == (1 if task in WHOLE else PARTS)
    assert sum(objective.size(part) for part in parts) == whole[2]
    assert_alike(whole, learned(objective, lambda: parts))


def test_the_shares_of_processes_make_its_gradient(objective: Any) -> None:
    batch = next(objective.batches(0))
    shares = [
        share for rank in range(PROCESSES) for share in Processes(rank, PROCESSES).share(objective, batch)
    ]
    assert_alike(learned(objective, lambda: [batch]), learned(objective, lambda: shares))


def test_a_batch_follows_from_its_number(objective: Any) -> None:
    stream = objective.batches(0)
    early = [next(stream) for _ in range(3)][2]
    late = next(objective.batches(2))
    model = copy.deepcopy(objective.model.state_dict())
    assert_alike(learned(objective, lambda: [early]), learned(objective, lambda: [late]))
    assert all(
        torch.equal(before, after)
        for before, after in zip(model.values(), objective.model.state_dict().values(), strict=True)
    )
