"""A run killed at any instant and resumed gives the same bits as one that was never stopped."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qkvae import api
from qkvae.config import Block, Generation, Optimizer, Saving, Seq2Seq, Training, Translation, TranslationData
from qkvae.data.batches import Batches
from qkvae.run import Run
from qkvae.tasks.translation.corpus import encode_corpus, read_corpus
from qkvae.train import loop

STEPS = 24


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def corpus(folder: Path) -> tuple[str, ...]:
    """A small language: letters, answered in capitals and backwards."""
    draw = random.Random(0)
    words = ["".join(draw.choice("abcdefgh") for _ in range(draw.randint(2, 5))) for _ in range(40)]
    lines = [" ".join(draw.choice(words) for _ in range(draw.randint(1, 6))) for _ in range(160)]
    path = folder / "pairs.tsv"
    path.write_text("".join(f"{line}\t{line.upper()[::-1]}\n" for line in lines), encoding="utf-8")
    return (str(path),)


def settings(paths: tuple[str, ...], **training: object) -> Translation:
    # The arithmetic is said: two runs that each measure which is quicker may find differently.
    chosen: dict[str, object] = {"steps": STEPS, "batch_tokens": 120, "validations": 3, "device": "cpu"}
    chosen["precision"] = "fp32"
    return Translation(
        data=TranslationData(paths=paths, vocab_size=None, valid_fraction=0.2),
        model=Seq2Seq(
            block=Block(dim=16, heads=2, hidden=32, dropout=0.2),
            encoder_depth=1,
            decoder_depth=1,
            max_length=64,
        ),
        optimizer=Optimizer(lr=0.01),
        training=Training(**(chosen | training)),  # type: ignore[arg-type]
        saving=Saving(save_every=1e-6),
        generation=Generation(beam=2),
    )


def digests(run: Path) -> dict[str, str]:
    """What must be equal: the weights to use, and the tensors that resuming needs."""
    state, _ = Run.open(run).load_state() or ({}, {})
    parts = {name: hashlib.sha256(t.numpy().tobytes()).hexdigest() for name, t in sorted(state.items())}
    weights = {
        f"model.{n}": hashlib.sha256(t.numpy().tobytes()).hexdigest()
        for n, t in Run.open(run).load_model().items()
    }
    return parts | weights


def train_or_resume(config: Translation, out: Path) -> None:
    """Begin the run, or go on with what a kill has left of it."""
    if out.exists():
        api.resume(out, quiet=True)
    else:
        api.train("translation", config, out=out, quiet=True)


def kill_at(monkeypatch: pytest.MonkeyPatch, step: int, before_saving: bool) -> None:
    """Be killed at the end of a step, just before or just after the save."""
    kept = loop.Loop._after_step

    def after_step(self: loop.Loop, meter: object) -> None:
        if self.step == step and before_saving:
            raise Killed
        kept(self, meter)  # type: ignore[arg-type]
        if self.step == step:
            raise Killed

    monkeypatch.setattr(loop.Loop, "_after_step", after_step)


@pytest.mark.parametrize("before_saving", [True, False])
@pytest.mark.parametrize(
    "training",
    [
        {},
        {"average": "none"},
        {"accumulate": 2, "patience": 5},
        pytest.param({"workers": 2}, marks=pytest.mark.slow),
    ],
    ids=["plain", "no average", "accumulated", "two workers"],
)
def test_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, training: dict[str, object], before_saving: bool
) -> None:
    config = settings(corpus(tmp_path), **training)
    api.train("translation", config, out=tmp_path / "whole", quiet=True)
    for step in (1, 7, 16):
        with monkeypatch.context() as patch:
            kill_at(patch, step, before_saving)
            with pytest.raises(Killed):
                train_or_resume(config, tmp_path / "killed")
    api.resume(tmp_path / "killed", quiet=True)
    assert digests(tmp_path / "killed") == digests(tmp_path / "whole")
    assert steps_logged(tmp_path / "killed") == steps_logged(tmp_path / "whole")


def steps_logged(run: Path) -> list[int]:
    """Steps at which the run was evaluated: none lost, none twice."""
    return [record["step"] for record in Run.open(run).records() if "valid_loss" in record]


def test_same_bits_from_an_epoch_boundary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings(corpus(tmp_path))
    whole = api.train("translation", config, out=tmp_path / "whole", quiet=True)
    read = read_corpus(config.data, config.training.seed)
    encoded = encode_corpus(read, whole.run.tokenizer, config.data)
    boundary = Batches(encoded.train, config.training.batch_tokens, config.training.seed).batches_per_epoch
    assert 0 < boundary < STEPS
    with monkeypatch.context() as patch:
        kill_at(patch, boundary, before_saving=False)
        with pytest.raises(Killed):
            api.train("translation", config, out=tmp_path / "killed", quiet=True)
    api.resume(tmp_path / "killed", quiet=True)
    assert digests(tmp_path / "killed") == digests(tmp_path / "whole")


def test_minutes_are_replayed_from_the_log_bit_for_bit(tmp_path: Path) -> None:
    config = settings(corpus(tmp_path), steps=None, minutes=0.1)
    api.train("translation", config, out=tmp_path / "first", quiet=True)
    assert sum("event" in record for record in Run.open(tmp_path / "first").records()) >= 2, (
        "no plan was logged"
    )
    api.train("translation", config, out=tmp_path / "again", quiet=True, replay=tmp_path / "first")
    assert digests(tmp_path / "again") == digests(tmp_path / "first")


def test_changed_data_are_refused_on_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = corpus(tmp_path)
    with monkeypatch.context() as patch:
        kill_at(patch, 3, before_saving=False)
        with pytest.raises(Killed):
            api.train("translation", settings(paths), out=tmp_path / "run", quiet=True)
    Path(paths[0]).write_text(Path(paths[0]).read_text(encoding="utf-8") + "one\ttwo\n", encoding="utf-8")
    with pytest.raises(ValueError, match="fingerprint"):
        api.resume(tmp_path / "run", quiet=True)


def test_ctrl_c_saves_a_run_that_can_be_used_and_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(corpus(tmp_path))
    api.train("translation", config, out=tmp_path / "whole", quiet=True)
    kept = loop.Loop._train_step

    def press(self: loop.Loop, batches: object) -> object:
        if self.step == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return kept(self, batches)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(loop.Loop, "_train_step", press)
        with pytest.raises(KeyboardInterrupt):
            api.train("translation", config, out=tmp_path / "run", quiet=True)
    assert isinstance(api.load(tmp_path / "run").use("abc"), str)
    api.resume(tmp_path / "run", quiet=True)
    assert digests(tmp_path / "run") == digests(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_twenty_kills_at_random_instants(tmp_path: Path) -> None:
    """kill -9 from outside, at any instant: during saves, evaluations, at epoch boundaries."""
    (path,) = corpus(tmp_path)
    flags = [
        "--steps",
        "400",
        "--batch-tokens",
        "120",
        "--validations",
        "5",
        "--save-every",
        "0.000001",
        "--device",
        "cpu",
        "--precision",
        "fp32",
        "--model.dim",
        "16",
        "--model.heads",
        "2",
        "--model.hidden",
        "32",
        "--model.encoder-depth",
        "1",
        "--model.decoder-depth",
        "1",
        "--model.dropout",
        "0.2",
        "--quiet",
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "qkvae", "train", "translation", path, *flags, "--out"]
    subprocess.run(
        [*command, str(tmp_path / "whole")], check=True, env=environment, stdout=subprocess.DEVNULL
    )
    killed, draw, kills = tmp_path / "killed", random.Random(1), 0
    while kills < 20:
        begun = (killed / "config.json").exists()
        words = (
            [sys.executable, "-m", "qkvae", "resume", str(killed), "--quiet"]
            if begun
            else [*command, str(killed)]
        )
        process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
        wait_until_it_trains(process, killed)
        time.sleep(draw.uniform(0.0, 0.4))
        if process.poll() is not None:
            pytest.fail(f"the training ended after {kills} kills: make it longer")
        process.kill()
        process.wait()
        kills += 1
    subprocess.run(
        [sys.executable, "-m", "qkvae", "resume", str(killed), "--quiet"],
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    assert digests(killed) == digests(tmp_path / "whole")


def wait_until_it_trains(process: subprocess.Popen[bytes], run: Path) -> None:
    """Wait for the first line that this process adds to the log, or for its first save."""
    before = newest(run)
    while process.poll() is None and newest(run) == before:
        time.sleep(0.01)


def newest(run: Path) -> int:
    """When the state was saved last."""
    state = run / "state" / "training.safetensors"
    return state.stat().st_mtime_ns if state.exists() else 0


def test_log_is_json_lines(tmp_path: Path) -> None:
    api.train("translation", settings(corpus(tmp_path)), out=tmp_path / "run", quiet=True)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == {"event": "plan", "step": 0, "progress": 0.0, "steps": STEPS}
