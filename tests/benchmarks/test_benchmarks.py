"""Every benchmark runs, in its tiny form; the timing that they stand on counts right."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
PEERS = ("transformers", "ctranslate2")

# What must stand in the output of each.
SCRIPTS = {
    "train_speed.py": ["qkvae, Muon, fp32", "torch.nn.Transformer, bf16", "course code"],
    "language_speed.py": ["qkvae, Muon, bf16", "HF GPT-2, bf16"],
    "shakespeare_race.py": ["nats a character", "its own evaluation"],
    "write_speed.py": ["qkvae int8", "HF generate", "CTranslate2 int8", "agree on 100.0%"],
    "masked_speed.py": ["qkvae, Muon, bf16", "HF BERT, bf16"],
    "vae_speed.py": ["qkvae, AdamW, bf16", "torch example, DataLoader"],
    "vision_speed.py": ["qkvae, Muon, bf16", "HF ViT, fp32"],
    "decode_speed.py": ["beam 4, batch 1,", "beam 4, batch 32,", "CTranslate2 int8", "agree on 100.0%"],
    "cold_start.py": ["qkvae use", "HF generate", "CTranslate2 int8"],
    "memory.py": ["standard model", "1 GB of text again", "checking 2,000 pairs", "preparing 2,000 pairs"],
    "layer_types.py": ["self-attention", "recurrent (GRU)", "exponent", "times** as quick"],
}


def run(script: str, *words: str) -> str:
    """The output of a benchmark."""
    done = subprocess.run(
        [sys.executable, str(FOLDER / script), *words],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"},
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="what a process used is told by Linux and macOS only")
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_benchmark_runs(script: str) -> None:
    if script != "layer_types.py":
        for peer in PEERS:
            pytest.importorskip(peer)
    said = run(script, "--tiny")
    assert not [words for words in SCRIPTS[script] if words not in said], said
    assert f"benchmarks/{script} --tiny" in said


@pytest.mark.slow
def test_few_labels_are_judged(tmp_path: Path) -> None:
    said = run("few_labels.py", "--tiny", "--out", str(tmp_path))
    assert "from masked patches" in said
    assert "difference" in said


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_benchmark_says_how_it_is_run(script: str) -> None:
    text = (FOLDER / script).read_text(encoding="utf-8")
    assert f"python benchmarks/{script}" in text.split('"""')[1]


def test_whatever_stands_on_the_timing_is_tried_here() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.py")}
    runnable = {name for name, text in texts.items() if "from timing" in text and "__main__" in text}
    assert runnable == set(SCRIPTS)


SLEEPERS = """
import sys, time
from timing import Candidate, measure, parser, report

def sleeper(seconds, log):
    def work(number):
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"{number}:{seconds} ")
        time.sleep(seconds)
        return 6.0
    return work

def absent():
    import no_such_package

def broken():
    return lambda number: 1 / 0

if __name__ == "__main__":
    log = sys.argv.pop(1)
    options = parser("").parse_args()
    wanted = [Candidate("quick", sleeper, (0.02, log)), Candidate("absent", absent),
              Candidate("slow", sleeper, (0.06, log)), Candidate("broken", broken)]
    results = measure(wanted if "broken" in options.only else wanted[:-1], options, 3)
    print(report(results, options, "units/s"))
"""


def sleepers(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "sleepers.py").write_text(SLEEPERS, encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(folder / "sleepers.py"), str(folder / "log"), "--threads", "2", *words],
        env={**os.environ, "PYTHONPATH": str(FOLDER), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )


def test_candidates_take_turns_and_ratios_are_paired(tmp_path: Path) -> None:
    done = sleepers(tmp_path)
    assert done.returncode == 0, done.stderr
    turns = (tmp_path / "log").read_text(encoding="utf-8").split()
    assert turns == [f"{number}:{seconds}" for number in range(4) for seconds in (0.02, 0.06)]
    ratio = re.search(r"\| slow \|.*\| ([\d.]+) × \|", done.stdout)
    assert ratio is not None
    assert 1.0 < float(ratio[1]) < 10  # 3, if nobody else wants the machine
    assert "absent: left out, No module named 'no_such_package'" in done.stderr
    assert "wall clock" in done.stdout


def test_a_candidate_that_fails_is_an_error(tmp_path: Path) -> None:
    done = sleepers(tmp_path, "--only", "broken")
    assert done.returncode != 0
    assert "broken failed" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_the_peers_checkout_is_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    from timing import circumstances, commit

    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    who = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"]
    words = ["git", "-C", str(tmp_path), *who, "commit", "-q", "--allow-empty", "-m", "first"]
    subprocess.run(words, check=True)
    assert re.fullmatch("[0-9a-f]{12}", commit(tmp_path))
    options = argparse.Namespace(threads=1, peer=tmp_path)
    assert f"peer {tmp_path.name} at {commit(tmp_path)}" in circumstances(options)


def test_an_exponent_is_a_slope(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    from layer_types import exponent

    assert exponent([1, 2, 4, 8, 16, 32], [9, 9, 9, 64, 256, 1024]) == pytest.approx(2.0)
