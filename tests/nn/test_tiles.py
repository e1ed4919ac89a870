"""A processor that says it has matrix tiles, and ends the process that uses one."""

import os
import subprocess
import sys

import pytest
import torch

from qkvae.nn import tiles

PRODUCTS = """
import torch
from qkvae.nn.tiles import spare_failing_tiles

spare_failing_tiles()
x = torch.ones(64, 64, dtype=torch.bfloat16)
assert float((x @ x)[0, 0]) == 64
whole = torch.ones(64, 64, dtype=torch.int8)
assert int(torch._int_mm(whole, whole)[0, 0]) == 64
"""


def limit() -> str | None:
    return os.environ.get("ONEDNN_MAX_CPU_ISA")


@pytest.fixture(autouse=True)
def first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "to be put back")
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    tiles.spare_failing_tiles.cache_clear()


def test_products_come_out_on_this_machine() -> None:
    done = subprocess.run([sys.executable, "-c", PRODUCTS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("advertised", "survives", "wanted"),
    [(True, False, "AVX512_CORE_FP16"), (True, True, None), (False, False, None)],
)
def test_tiles_that_fail_are_spared(
    monkeypatch: pytest.MonkeyPatch, advertised: bool, survives: bool, wanted: str | None
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: advertised)
    monkeypatch.setattr(tiles, "_survives", lambda: survives)
    assert tiles.spare_failing_tiles() == (survives or not advertised)
    assert limit() == wanted


@pytest.mark.parametrize(
    ("advertised", "survives", "limit", "works"),
    [
        (True, True, None, True),
        (True, True, "AVX512_CORE_AMX", True),
        (True, True, "AVX2", False),
        (True, False, None, False),
        (False, True, None, False),
    ],
)
def test_whether_tiles_work(
    monkeypatch: pytest.MonkeyPatch, advertised: bool, survives: bool, limit: str | None, works: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: advertised)
    monkeypatch.setattr(tiles, "_survives", lambda: survives)
    if limit is not None:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert tiles.tiles_work() == works


def test_a_limit_that_was_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    monkeypatch.setattr(tiles, "_survives", lambda: False)
    tiles.spare_failing_tiles()
    assert limit() == "AVX2"


def test_a_trial_that_ends_badly_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "_multiply_and_leave", lambda: os.kill(os.getpid(), 9))
    assert not tiles._survives()


def test_the_trial_needs_no_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "_TRIAL", "raise SystemExit(0)")
    monkeypatch.delattr(os, "fork")
    assert tiles._survives()
    monkeypatch.setattr(tiles, "_TRIAL", "raise SystemExit(4)")
    assert not tiles._survives()


MACHINES = """
import torch
from qkvae.config import Training
from qkvae.train.device import choose_machine

x = torch.ones(64, 64)
early = x @ x if {early} else None
machine = choose_machine(Training())
x = x.to(torch.bfloat16 if machine.precision == "bf16" else torch.float32)
assert float((x @ x)[0, 0]) == 64
"""


@pytest.mark.parametrize("early", [False, True])
def test_a_machine_is_chosen_that_can_compute(monkeypatch: pytest.MonkeyPatch, early: bool) -> None:
    """Also with the number of threads left to us, which is measured by products."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    code = MACHINES.format(early=early)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
