"""A process that is killed at any instant leaves a run that opens, with every file whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")

COMMON = """
import os, random, signal, sys, time
from pathlib import Path
import torch
from qkvae.config import Block, Seq2Seq, Translation
from qkvae.run import MissingPart, Run

torch.set_num_threads(1)
path = Path(sys.argv[1])

def weights(step, size=2000):
    return {"weight": torch.full((size,), float(step))}

def save(run, step):
    run.log({"step": step})
    run.save_model(weights(step))
    run.save_checkpoint(step, weights(step), keep=2)
    run.save_state(weights(step), {"step": step})

def the_step(tensors):
    values = tensors["weight"].unique().tolist()
    assert len(values) == 1, values
    return int(values[0])

def check(least):
    run = Run.open(path, resume=True)
    saved = run.load_state()
    step = 0 if saved is None else the_step(saved[0])
    assert saved is None or saved[1] == {"step": step}
    assert run.notes == [], run.notes
    assert step >= least, (step, least)
    try:
        assert the_step(run.load_model()) in (step, step + 1)
    except MissingPart:
        assert step == 0
    assert all(the_step(run.load_checkpoint(kept)) == kept for kept in run.checkpoints())
    assert len(run.checkpoints()) >= min(2, step), run.checkpoints()
    logged = [record["step"] for record in run.records()]
    assert logged in (list(range(1, step + 1)), list(range(1, step + 2))), logged
    assert not list(path.rglob(".*.tmp"))
    run.rewind(step)
    return run, step

def in_child(work):
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(7)
    return child

def stop_at(count):
    "End this process, as a power cut would, just before its count-th touch of the run's names."
    seen = 0
    def hook(event, arguments):
        nonlocal seen
        touches = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir")
        if event in touches and str(path) in str(arguments[0]):
            seen += 1
            if seen == count:
                os._exit(9)
    sys.addaudithook(hook)
"""

EVERY_INSTANT = (
    COMMON
    + """
run = Run.create(path, "translation", Translation())
for step in (1, 2, 3):
    save(run, step)
instants = 0
while True:
    run, step = check(least=3 + instants)
    instants += 1
    def work():
        stop_at(instants)
        save(run, step + 1)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(in_child(work), 0)[1]) == 0:
        break
    # What the kill prevented is now done whole, so that each instant is met from the same start.
    run, step = check(least=step)
    save(run, step + 1)
print(instants)
"""
)

OVERWRITING = (
    COMMON
    + """
import shutil
wide = Translation(model=Seq2Seq(block=Block(dim=512)))
instants = 0
while True:
    shutil.rmtree(path, ignore_errors=True)
    save(Run.create(path, "translation", Translation()), 1)
    instants += 1
    def work():
        stop_at(instants)
        Run.create(path, "translation", wide, overwrite=True)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(in_child(work), 0)[1])
    run = Run.open(path)
    if run.config == wide:
        assert not (path / "model.safetensors").exists() and run.load_state() is None
    else:
        assert len(list(path.rglob("model.safetensors"))) == 2  # weights, checkpoint
    assert Run.create(path, "translation", wide, overwrite=True).config == wide
    assert os.listdir(path) == ["config.json"], os.listdir(path)
    if code == 0:
        break
print(instants)
"""
)

RANDOM = (
    COMMON
    + """
random.seed(0)
run = Run.create(path, "translation", Translation())
step, steps = 0, 0
for _ in range(10):
    def work():
        at = step
        while True:
            at += 1
            save(run, at)
    child = in_child(work)
    time.sleep(random.uniform(0.0, 0.15))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    run, step = check(least=step)
print(step)
"""
)


def outcome(script: str, path: Path) -> int:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", script, str(path)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_kill_before_any_touch_of_the_disk_loses_nothing(tmp_path: Path) -> None:
    assert outcome(EVERY_INSTANT, tmp_path / "run") > 15


def test_a_kill_while_overwriting_leaves_the_old_run_or_the_new(tmp_path: Path) -> None:
    assert outcome(OVERWRITING, tmp_path / "run") > 8


def test_ten_kills_at_random_instants_lose_nothing(tmp_path: Path) -> None:
    assert outcome(RANDOM, tmp_path / "run") > 0
