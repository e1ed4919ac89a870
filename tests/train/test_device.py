"""Where is computed: what was asked for, or what is there and quick."""

from __future__ import annotations

import pytest
import torch

from qkvae.config import Training
from qkvae.train import device
from qkvae.train.device import Machine, choose_machine, keep_freed_memory, same_machine


@pytest.fixture(autouse=True)
def only_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_what_is_asked_for_is_taken() -> None:
    machine = choose_machine(Training(device="cpu", precision="fp32"))
    assert machine == Machine("cpu", "fp32", 1)
    assert machine.describe().endswith("processor, 1 thread, fp32")
    assert choose_machine(Training(device="auto", precision="bf16")).precision == "bf16"


def test_the_best_device_there_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_machine(Training()).device == "cpu"  # an Apple GPU is taken when asked for
    assert choose_machine(Training(device="mps")).device == "mps"
    assert choose_machine(Training(device="mps")).precision == "fp32"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    assert choose_machine(Training()).device == "cuda"
    assert choose_machine(Training()).precision == "bf16"


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"device {name} is not there \(found: cpu\)"):
        choose_machine(Training(device=name))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=rf"device {name} is not there"):
        same_machine({"device": name, "precision": "fp32", "threads": 1})


def test_a_run_goes_on_as_it_began() -> None:
    facts = {"device": "cpu", "precision": "bf16", "threads": 3}
    assert same_machine(facts) == Machine("cpu", "bf16", 3)
    with pytest.raises(ValueError, match="does not say what machine it was begun on"):
        same_machine({"device": "cpu"})


@pytest.mark.parametrize(("quick", "chosen"), [(1.0, "bf16"), (1.9, "fp32")])
def test_bf16_must_be_clearly_quicker(monkeypatch: pytest.MonkeyPatch, quick: float, chosen: str) -> None:
    times = iter([2.0, quick])
    monkeypatch.setattr(device, "_seconds", lambda *_, **__: next(times))
    assert choose_machine(Training(device="cpu")).precision == chosen


@pytest.mark.parametrize(("several", "chosen"), [(1.0, 4), (3.0, 1)])
def test_one_thread_where_several_wait_for_each_other(
    monkeypatch: pytest.MonkeyPatch, several: float, chosen: int
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    times = iter([2.0, several])
    monkeypatch.setattr(device, "_seconds", lambda *_, **__: next(times))
    assert choose_machine(Training(device="cpu", precision="fp32")).threads == chosen


def test_keeping_memory_never_fails() -> None:
    keep_freed_memory()
