"""Every verb is a short Python call."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import qkvae
from qkvae import api
from qkvae.config import Block, Generation, Optimizer, Seq2Seq, Training, Translation, TranslationData
from qkvae.run import NotARun, Run, RunExists


def write_table(folder: Path, count: int = 100) -> str:
    draw = random.Random(0)
    words = ["".join(draw.choice("abcdefgh") for _ in range(3)) for _ in range(30)]
    lines = [f"{draw.choice(words)} {draw.choice(words)} {n}" for n in range(count)]
    path = folder / "pairs.tsv"
    rows = "".join(f"{line}\t{line.upper()}\n" for line in lines)
    path.write_text("en\tde\n" + rows, encoding="utf-8", newline="\n")
    return str(path)


def config_for(path: str) -> Translation:
    return Translation(
        data=TranslationData(paths=(path,), source="en", target="de", valid_fraction=0.2),
        model=Seq2Seq(block=Block(dim=16, heads=2, hidden=32), encoder_depth=1, decoder_depth=1),
        optimizer=Optimizer(lr=0.01),
        training=Training(steps=4, batch_tokens=120, validations=1, device="cpu", precision="fp32"),
        generation=Generation(beam=2),
    )


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("api")
    api.train("translation", config_for(write_table(folder)), out=folder / "run", quiet=True)
    return folder


@pytest.fixture
def trained(once: Path, tmp_path: Path) -> Path:
    shutil.copytree(once, tmp_path / "copy")
    return tmp_path / "copy"


def test_the_package_offers_the_verbs() -> None:
    """Again and again: the room that is called train as well must not take the verb's place."""
    from qkvae.train import loop

    assert loop.__name__ == "qkvae.train.loop"
    program = "import qkvae; first = qkvae.train; import qkvae.train.loop; assert qkvae.train is first"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert qkvae.train is api.train
    assert qkvae.load is api.load
    with pytest.raises(AttributeError, match="nothing"):
        _ = qkvae.nothing


def test_a_run_is_loaded_and_used(trained: Path) -> None:
    run = qkvae.load(trained / "run")
    assert run.path == trained / "run"
    assert isinstance(run.use("abc def"), str)
    answers = list(run.use(["abc def", "", "gh"], Generation(beam=3, nbest=2)))
    assert [answer.source for answer in answers] == ["abc def", "", "gh"]
    assert [len(answer.texts) for answer in answers] == [2, 1, 2]
    assert isinstance(run.model, torch.nn.Module)
    assert not run.model.training
    assert run.config.model.vocab == len(run.run.tokenizer)


def test_lines_are_answered_as_they_come(trained: Path) -> None:
    run, read = qkvae.load(trained / "run"), list[int]()

    def lines():  # type: ignore[no-untyped-def]
        for number in range(10):
            read.append(number)
            yield f"abc {number}"

    answers = run.use(lines(), Generation(beam=1, batch=1))
    next(answers)
    assert read == [0]


def test_measured_and_compared(trained: Path) -> None:
    run = qkvae.load(trained / "run")
    found = run.evaluate(trained / "pairs.tsv", source="en", target="de")
    assert found["pairs"] == 100
    assert found["notes"] == []
    both = api.compare(trained / "run", trained / "run", trained / "pairs.tsv", source="en", target="de")
    assert both["verdict"] == "cannot tell"
    assert both["runs"] == [str(trained / "run")] * 2
    json.dumps([found, both])


def test_looked_into(trained: Path) -> None:
    run = qkvae.load(trained / "run")
    page = run.look("abc def")
    assert page == trained / "run" / "look.html"
    assert page.read_text(encoding="utf-8").startswith("<!")
    with pytest.raises(FileNotFoundError, match="nowhere is no folder"):
        run.look("abc", trained / "nowhere" / "page.html")
    with pytest.raises(ValueError, match="a run of translation has no page: leave --report out"):
        run.evaluate([trained / "train.en", trained / "train.de"], trained / "page.html")
    with pytest.raises(ValueError, match="block 1 has no effect on the page of a run of translation"):
        run.look("abc", block=1)


def test_told(trained: Path) -> None:
    told = qkvae.load(trained / "run").info()
    assert told["task"] == "translation"
    assert told["steps"] == 4
    assert told["parameters"] == sum(p.numel() for p in qkvae.load(trained / "run").model.parameters())
    assert told["final"]["event"] == "final"
    json.dumps(told)


def test_checked(trained: Path) -> None:
    report = api.check("translation", trained / "pairs.tsv", source="en", target="de")
    assert report.pairs == 100
    with pytest.raises(ValueError, match='unknown task "translatoin": did you mean "translation"'):
        api.check("translatoin", trained / "pairs.tsv")


def test_resuming_what_is_finished_gives_the_run(trained: Path) -> None:
    before = (trained / "run" / "metrics.jsonl").read_bytes()
    assert isinstance(api.resume(trained / "run", quiet=True).use("abc"), str)
    assert (trained / "run" / "metrics.jsonl").read_bytes() == before


def test_paths_and_steps_suffice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The three-line call; the model is made small here by the defaults of the config."""
    monkeypatch.chdir(tmp_path)
    small = config_for(write_table(tmp_path))
    run = api.train("translation", small, steps=2, quiet=True)
    assert run.path == Path("runs/translation")
    assert run.config.training.steps == 2
    with pytest.raises(RunExists, match="already holds a run"):
        api.train("translation", small, steps=2, quiet=True)
    api.train("translation", small, minutes=0.02, quiet=True, overwrite=True)
    assert Run.open("runs/translation").config.training.minutes == 0.02


def test_the_command_that_repeats_a_run_is_kept(trained: Path) -> None:
    command = Run.open(trained / "run").resolved["command"]
    assert command.startswith("qkvae train translation ")
    assert "pairs.tsv" in command
    assert "--steps 4" in command


def test_refusals(trained: Path) -> None:
    with pytest.raises(NotARun):
        qkvae.load(trained)
    with pytest.raises(ValueError, match='unknown task "vea"'):
        api.train("vea")
    with pytest.raises(ValueError, match="give one of them"):
        api.train(
            "translation", config_for(str(trained / "pairs.tsv")), steps=2, minutes=1, out=trained / "new"
        )
    assert not (trained / "new").exists()
