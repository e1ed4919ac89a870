"""A run folder as its users meet it: made, opened, refused, written to."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
import torch

from qkvae.config import Block, Seq2Seq, Translation
from qkvae.data.tokenizer import Tokenizer
from qkvae.run import (
    DamagedPart,
    DiskFull,
    Mismatch,
    MissingPart,
    NotARun,
    NotWritable,
    Run,
    RunExists,
    WrongTask,
    folder,
)


def make(path: Path, overwrite: bool = False, dim: int = 32) -> Run:
    config = Translation(model=Seq2Seq(block=Block(dim=dim)))
    return Run.create(path, "translation", config, overwrite, resolved={"threads": 1})


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make(tmp_path / "runs" / "mine")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(["one two three"] * 3, kind="word", vocab_size=7)


def fill(run: Run, value: float) -> None:
    run.save_model({"weight": torch.full((3,), value)})
    run.save_state({"weight": torch.full((3,), value)}, {"step": 1})
    run.save_checkpoint(1, {"weight": torch.full((3,), value)}, keep=1)
    run.log({"step": 1})
    run.save_text("README.md", "card")


# Making a run


def test_a_new_run_opens_as_it_was_made(run: Run) -> None:
    opened = Run.open(run.path, task="translation")
    assert (opened.task, opened.config, opened.resolved) == ("translation", run.config, {"threads": 1})
    assert opened.config.model.block.dim == 32
    assert opened.load_state() is None
    assert opened.records() == []
    assert opened.checkpoints() == []
    assert opened.notes == []


def test_a_folder_that_holds_a_run_is_refused_with_the_three_ways_out(run: Run) -> None:
    fill(run, 1.0)
    with pytest.raises(RunExists) as raised:
        make(run.path)
    for way in (f"`qkvae resume {run.path}`", "--out", "--overwrite"):
        assert way in str(raised.value)
    assert run.load_model()["weight"].tolist() == [1, 1, 1]


def test_overwriting_leaves_nothing_of_the_old_run_and_everything_of_the_user(run: Run) -> None:
    fill(run, 1.0)
    (run.path / "notes.txt").write_text("mine", encoding="utf-8")
    new = make(run.path, overwrite=True, dim=64)
    assert Run.open(run.path).config.model.block.dim == 64
    assert sorted(os.listdir(run.path)) == ["config.json", "notes.txt"]
    with pytest.raises(MissingPart):
        new.load_model()
    assert (new.load_state(), new.records()) == (None, [])


def test_overwriting_what_is_not_there_yet_makes_it(tmp_path: Path) -> None:
    assert make(tmp_path / "new", overwrite=True).path.is_dir()


def test_an_overwriting_that_cannot_begin_leaves_the_old_run_whole(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(run, 1.0)
    before = sorted(path.relative_to(run.path) for path in run.path.rglob("*"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folder, "write_manifest", full)
    with pytest.raises((DiskFull, OSError)):
        make(run.path, overwrite=True, dim=64)
    monkeypatch.undo()
    assert sorted(path.relative_to(run.path) for path in run.path.rglob("*")) == before
    old = Run.open(run.path)
    assert old.config.model.block.dim == 32
    assert old.load_model()["weight"].tolist() == [1, 1, 1]
    assert old.load_state() is not None


def test_a_damaged_run_may_be_overwritten(run: Run) -> None:
    (run.path / "config.json").write_text('{"format": 1, "task": "translation", ', encoding="utf-8")
    with pytest.raises(RunExists):
        make(run.path)
    assert make(run.path, overwrite=True).config == Run.open(run.path).config


@pytest.mark.parametrize("overwrite", [False, True])
def test_another_programs_files_are_never_written_over(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "README.md").write_text("my project", encoding="utf-8")
    with pytest.raises(RunExists, match=r"is no run, but holds README\.md"):
        make(tmp_path, overwrite)
    (tmp_path / "config.json").write_text('{"model_type": "marian"}', encoding="utf-8")
    with pytest.raises(RunExists, match=r"another program's config\.json"):
        make(tmp_path, overwrite)
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "my project"


def test_a_file_is_no_place_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunExists, match="is a file, and a run is a folder"):
        make(tmp_path / "file")


def test_a_place_that_may_not_be_written_is_said_before_anything_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", forbidden)
    with pytest.raises(NotWritable, match="no permission to write it: choose another place with --out"):
        make(tmp_path / "run")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(NotWritable):
        make(tmp_path / "run")
    tmp_path.chmod(0o700)


# Opening a run


def test_what_is_no_run_is_refused_and_the_near_one_named(run: Run) -> None:
    with pytest.raises(NotARun, match=f'no such run: in {run.path.parent}: did you mean "mine"'):
        Run.open(run.path.with_name("mien"))
    with pytest.raises(NotARun, match=f"no such run: in {run.path.parent}: known: mine$"):
        Run.open(run.path.with_name("xyz"))
    with pytest.raises(NotARun, match="qkvae train --out makes one"):
        Run.open(run.path / "deeper")
    with pytest.raises(
        NotARun, match=r"is no run \(it has no config.json\): give one of the runs in it: mine"
    ):
        Run.open(run.path.parent)
    with pytest.raises(NotARun, match="is a file"):
        Run.open(Path(__file__))


def test_a_run_of_another_task_is_refused(run: Run) -> None:
    with pytest.raises(WrongTask, match="is a run of translation, but text-generation is asked for"):
        Run.open(run.path, task="text-generation")


def test_only_opening_to_resume_removes_leftovers(run: Run) -> None:
    fill(run, 1.0)
    leftover = run.path / "state" / ".training.safetensors.123.tmp"
    leftover.write_bytes(b"half")
    Run.open(run.path)
    assert leftover.exists()
    Run.open(run.path, resume=True)
    assert not leftover.exists()


def test_resolved_facts_are_added_and_kept(run: Run) -> None:
    run.update_resolved({"precision": "bf16"})
    assert run.resolved == Run.open(run.path).resolved == {"threads": 1, "precision": "bf16"}


# Weights


def test_weights_come_back_tied(run: Run) -> None:
    table = torch.rand(4, 2)
    run.save_model({"embedding.weight": table, "head.weight": table})
    loaded = Run.open(run.path).load_model()
    assert loaded["embedding.weight"] is loaded["head.weight"]
    assert torch.equal(loaded["head.weight"], table)


def test_missing_damaged_and_unfitting_weights_are_told_apart(run: Run) -> None:
    path = run.path / "model.safetensors"
    with pytest.raises(MissingPart, match="is missing"):
        run.load_model()
    run.save_model({"weight": torch.ones(3)})
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"\x01")
    with pytest.raises(DamagedPart, match="checksum does not match"):
        run.load_model()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DamagedPart, match="is damaged"):
        run.load_model()
    path.write_bytes(content)
    values = json.loads((run.path / "config.json").read_text(encoding="utf-8"))
    values["settings"]["model"]["block"]["dim"] = 64
    (run.path / "config.json").write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(
        Mismatch, match=r"holds a model with block\.dim 32, but the run's config\.json says 64"
    ):
        Run.open(run.path).load_model()


def test_a_state_is_no_model(run: Run) -> None:
    fill(run, 1.0)
    os.replace(run.path / "state" / "training.safetensors", run.path / "model.safetensors")
    with pytest.raises(DamagedPart, match="holds no model's weights"):
        run.load_model()


def test_a_model_takes_all_its_weights_or_none(run: Run) -> None:
    model = torch.nn.Linear(3, 2)
    run.save_model(model.state_dict())
    fresh = torch.nn.Linear(3, 2)
    run.load_into(fresh)
    assert torch.equal(fresh.weight, model.weight)
    with pytest.raises(
        Mismatch, match=r"weight is of shape \(2, 3\) there and of shape \(2, 4\) in the model"
    ):
        run.load_into(torch.nn.Linear(4, 2))
    with pytest.raises(Mismatch, match=r"bias is of shape \(2,\) there and missing in the model"):
        run.load_into(torch.nn.Linear(3, 2, bias=False))


def test_the_newest_checkpoints_are_kept(run: Run) -> None:
    for step in (5, 9, 10, 100):
        run.save_checkpoint(step, {"weight": torch.full((2,), float(step))}, keep=2)
    assert run.checkpoints() == [10, 100]
    assert sorted(os.listdir(run.path / "checkpoints")) == ["step-10", "step-100"]
    assert run.load_checkpoint(10)["weight"].tolist() == [10, 10]
    with pytest.raises(MissingPart):
        run.load_checkpoint(9)
    with pytest.raises(ValueError, match="keep is 0, but must be at least 1"):
        run.save_checkpoint(11, {}, keep=0)


# Tokenizer and passport


def test_the_tokenizer_comes_back(run: Run, tokenizer: Tokenizer) -> None:
    run.save_tokenizer(tokenizer)
    assert run.tokenizer is tokenizer
    opened = Run.open(run.path)
    assert opened.tokenizer.encode("two one") == tokenizer.encode("two one")
    assert opened.tokenizer is opened.tokenizer


def test_a_missing_and_a_damaged_tokenizer_are_told_apart(run: Run, tokenizer: Tokenizer) -> None:
    with pytest.raises(MissingPart, match=r"tokenizer\.json is missing"):
        _ = run.tokenizer
    (run.path / "tokenizer.json").write_bytes(tokenizer.to_json().encode()[:-20])
    with pytest.raises(DamagedPart, match=r"tokenizer\.json is damaged"):
        _ = run.tokenizer


@pytest.mark.parametrize("passport_first", [False, True])
def test_another_tokenizer_is_refused(run: Run, tokenizer: Tokenizer, passport_first: bool) -> None:
    if passport_first:
        run.save_passport({"fingerprint": "abc"})
    run.save_tokenizer(tokenizer)
    if not passport_first:
        run.save_passport({"fingerprint": "abc"})
    assert len(Run.open(run.path).tokenizer) == 7
    other = Tokenizer.train(["other words here"] * 3, kind="word", vocab_size=7)
    (run.path / "tokenizer.json").write_text(other.to_json(), encoding="utf-8")
    with pytest.raises(Mismatch, match="not the tokenizer that the run was trained with"):
        _ = Run.open(run.path).tokenizer


def test_other_data_is_refused(run: Run) -> None:
    with pytest.raises(MissingPart, match=r"data\.json is missing"):
        run.check_data("abc")
    run.save_passport({"fingerprint": "abc", "pairs": 7})
    assert run.passport["pairs"] == 7
    run.check_data("abc")
    with pytest.raises(Mismatch, match="data of fingerprint abc, but this data has abd"):
        run.check_data("abd")


# Everything together


def test_the_journal_is_the_runs(run: Run) -> None:
    run.log({"step": 1})
    run.log({"step": 2})
    run.rewind(1)
    assert Run.open(run.path).records() == [{"step": 1}]


def test_nothing_in_a_run_is_a_pickle(run: Run, tokenizer: Tokenizer) -> None:
    fill(run, 1.0)
    run.save_tokenizer(tokenizer)
    run.save_passport({"fingerprint": "abc"})
    kinds = {path.suffix for path in run.path.rglob("*") if path.is_file()}
    assert kinds == {".json", ".jsonl", ".safetensors", ".md"}
    run.save_state({}, {})
    for path in run.path.rglob("*.safetensors"):
        path.write_bytes(b"\x80\x04cos\nsystem\n.")  # a pickle that would call the shell
    with pytest.raises(DamagedPart):
        run.load_model()
    with pytest.raises(DamagedPart):
        run.load_state()
