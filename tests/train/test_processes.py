"""N processes = 1: the same steps, whatever the shares; only the first writes, and no end is a hang."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from one_of_several import scene

from qkvae.config import Training
from qkvae.run import Run
from qkvae.train import processes
from qkvae.train.device import Machine, choose_machine, same_machine
from qkvae.train.processes import Processes

SCENARIOS: dict[str, dict[str, Any]] = {
    "plain": {},
    "accumulated": {"accumulate": 2, "average": "ema"},
    "fewer rows than processes": {"rows": 1},
    "patient": {"patience": 1},
    "fault": {"fault": True},
    "stopped": {"stop": 5},
    "gone on with": {},
    "killed": {"kill": 5},
}


def free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every scenario, trained by two processes: one launch, because importing takes the longest."""
    folder = tmp_path_factory.mktemp("together")
    scene(folder / "gone on with", stop=3)
    script = Path(__file__).with_name("one_of_several.py")
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    started = [
        subprocess.Popen(
            [sys.executable, str(script), str(folder), json.dumps(SCENARIOS)],
            env=os.environ | common | {"RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        for rank in range(2)
    ]
    said = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [1, 9], said
    assert "another process of this training has ended" in said[0]
    return folder


def found(folder: Path, name: str, rank: int) -> dict[str, Any]:
    return json.loads((folder / f"{name}-{rank}.json").read_text(encoding="utf-8"))


def apart(one: dict[str, Any], other: dict[str, Any]) -> float:
    """The largest difference of two trainings' weights."""
    assert one["weights"].keys() == other["weights"].keys()
    return max(
        float((torch.tensor(w) - torch.tensor(other["weights"][name])).abs().max())
        for name, w in one["weights"].items()
    )


@pytest.mark.parametrize("name", ["plain", "accumulated", "fewer rows than processes", "gone on with"])
def test_several_processes_take_the_steps_of_one(together: Path, tmp_path: Path, name: str) -> None:
    alone = scene(tmp_path, **SCENARIOS[name])
    first, second = found(together, name, 0), found(together, name, 1)
    assert first["step"] == second["step"] == 8
    assert first["weights"] == second["weights"]
    assert apart(first, alone) < 1e-5
    assert alone["weights"]["unused"] == first["weights"]["unused"] == [1.0, 1.0]
    assert second["losses"] == []


@pytest.mark.parametrize("name", ["plain", "accumulated", "fewer rows than processes"])
def test_the_loss_told_is_that_of_the_whole_batch(together: Path, tmp_path: Path, name: str) -> None:
    alone = scene(tmp_path, **SCENARIOS[name])
    assert found(together, name, 0)["losses"] == pytest.approx(alone["losses"], rel=1e-5)


def test_each_computes_its_share_only_and_draws_its_own_noise(together: Path, tmp_path: Path) -> None:
    alone = scene(tmp_path)
    first, second = found(together, "plain", 0), found(together, "plain", 1)
    assert [a + b for a, b in zip(first["rows"], second["rows"], strict=True)] == alone["rows"]
    assert first["rows"] == [4, 4, 3, 4, 4, 3, 4, 4]
    assert first["drawn"] == alone["drawn"]
    assert not set(second["drawn"]) & set(alone["drawn"])
    assert found(together, "fewer rows than processes", 1)["rows"] == []


def test_a_mean_per_process_is_noticed(together: Path, tmp_path: Path) -> None:
    assert apart(found(together, "fault", 0), scene(tmp_path)) > 1e-4


def test_the_first_evaluates_and_all_end_by_its_patience(together: Path) -> None:
    assert found(together, "patient", 0)["step"] == found(together, "patient", 1)["step"] == 4
    records = Run.open(together / "patient").records()
    assert [r["step"] for r in records if "score" in r] == [2, 4]


def test_ctrl_c_at_any_process_stops_all_at_one_step(together: Path, tmp_path: Path) -> None:
    for rank in range(2):
        assert found(together, "stopped", rank)["ended"].startswith("KeyboardInterrupt")
        assert found(together, "stopped", rank)["step"] == 6
    assert apart(scene(together / "stopped"), scene(tmp_path)) < 1e-5


def test_a_process_that_dies_ends_all_and_nothing_is_lost(together: Path, tmp_path: Path) -> None:
    left = found(together, "killed", 0)
    assert left["ended"].startswith("LostProcess: another process of this training has ended")
    assert left["step"] == 5
    alone = scene(together / "killed")  # in one process now
    assert alone["rows"] == [6, 8, 7]
    assert apart(alone, scene(tmp_path)) < 1e-5


def test_cores_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_cores", lambda: 8)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)  # torchrun sets one for all it starts
    two = Processes(rank=1, count=2, local_rank=1, local_count=2)
    assert choose_machine(Training(device="cpu", precision="fp32"), two) == Machine("cpu", "fp32", 4, 2)
    facts = {"device": "cpu", "precision": "fp32", "threads": 8}
    assert same_machine(facts) == Machine("cpu", "fp32", 8)
    assert same_machine(facts, two) == Machine("cpu", "fp32", 4, 2)
    assert same_machine({**facts, "processes": 2}, Processes()).processes == 1
    sixteen = Processes(rank=0, count=16, local_rank=0, local_count=16)
    assert same_machine({**facts, "processes": 16}, sixteen).threads == 1


def test_each_process_needs_a_graphics_processor_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    two = Processes(rank=0, count=2, local_rank=0, local_count=2)
    with pytest.raises(
        ValueError, match=r"2 processes on this machine, but 1 cuda device.*--nproc-per-node 1"
    ):
        same_machine({"device": "cuda", "precision": "fp32", "threads": 1}, two)
