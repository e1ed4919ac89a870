"""A training that begins with the weights and the tokenizer of another run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from train_base_data import book, classes, labels, questions

import qkvae
from qkvae import api
from qkvae.config import (
    Block,
    Decoder,
    MaskedImage,
    Optimizer,
    Patches,
    TextData,
    TextGeneration,
    Training,
    Vision,
)
from qkvae.data.tokenizer import Tokenizer
from qkvae.run import Run
from qkvae.train.base import read_base
from qkvae.train.base_settings import configured, fitted
from qkvae.train.grid_base import with_body
from small_language import small_config, write_table

STEPS = Training(steps=4, batch_tokens=200, validations=2, device="cpu", precision="fp32", average="none")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small run of each family."""
    folder = tmp_path_factory.mktemp("bases")
    block = Block(dim=16, heads=2, hidden=32, positions="rotary", dropout=0.1)
    text = TextGeneration(
        data=TextData(paths=(book(folder),), length=32),
        model=Decoder(block=block, depth=2, max_length=32),
        training=STEPS,
    )
    api.train("text-generation", text, out=folder / "book", quiet=True)
    api.train("text-classification", classes(labels(folder)), out=folder / "labels", quiet=True)
    api.train("translation", small_config(write_table(folder)), out=folder / "pairs", quiet=True)
    return {name: folder / name for name in ("book", "labels", "pairs")}


def tune(task: str, data: Any, base: Path, out: Path, **asked: Any) -> Run:
    """So few steps of so small a rate that the weights stay what they were."""
    training = {"steps": 1, "batch_tokens": 100, "validations": 1, "device": "cpu", "precision": "fp32"}
    settings = {"optimizer": {"lr": 1e-9, "weight_decay": 0.0}, "data": data, "training": training} | asked
    qkvae.train(task, settings, base=base, out=out, quiet=True)
    return Run.open(out)


def far(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], names: list[str]) -> float:
    return max(float((one[name] - other[name]).abs().max()) for name in names)


def test_a_decoder_goes_on_with_every_weight(runs: dict[str, Path], tmp_path: Path) -> None:
    run = tune("text-generation", {"paths": [book(tmp_path, seed=3)]}, runs["book"], tmp_path / "out")
    before, after = Run.open(runs["book"]), run.load_model()
    assert run.config.model == before.config.model
    assert run.tokenizer.to_json() == before.tokenizer.to_json()
    assert far(before.load_model(), after, list(after)) < 1e-6
    known = run.resolved["from"]
    assert known["path"] == runs["book"].as_posix()
    assert known["anew"] == known["left_out"] == []
    assert run.passport["from"]["sha256"] == known["sha256"] == read_base(runs["book"]).digest
    assert f"a run of text-generation, {runs['book'].as_posix()}" in (run.path / "README.md").read_text()


def test_a_plain_tokenizer_learns_the_turns_of_a_chat(runs: dict[str, Path], tmp_path: Path) -> None:
    said = [{"role": "user", "content": "one two"}, {"role": "assistant", "content": "three"}]
    lines = [json.dumps({"messages": [{**said[0], "content": f"one {n}"}, said[1]]}) for n in range(20)]
    (tmp_path / "chats.jsonl").write_text("\n".join(lines), encoding="utf-8")
    data = {"paths": [str(tmp_path / "chats.jsonl")], "format": "chat"}
    run = tune("text-generation", data, runs["book"], tmp_path / "out")
    before, after = Run.open(runs["book"]), run.load_model()
    old, new = before.load_model()["input.embedding.weight"], after["input.embedding.weight"]
    first = len(before.tokenizer.specials)
    assert run.tokenizer.specials[first:] == ("<system>", "<user>", "<assistant>")
    assert run.config.model.vocab == len(run.tokenizer) == len(before.tokenizer) + 3
    text = "one two three"
    ids = [index + 3 if index >= first else index for index in before.tokenizer.encode(text)]
    assert run.tokenizer.encode(text) == ids
    assert float((new[:first] - old[:first]).abs().max()) < 1e-6
    assert float((new[first : first + 3] - old[first:].mean(0)).abs().max()) < 1e-6
    assert float((new[first + 3 :] - old[first:]).abs().max()) < 1e-6
    assert run.resolved["from"]["anew"] == run.resolved["from"]["left_out"] == []


@pytest.mark.parametrize("kind", ["bpe", "word", "char", "byte"])
def test_more_special_tokens_leave_every_text_as_it_was(kind: str) -> None:
    texts = ["the dog and the cat", "naïve <user> café"]
    tokenizer = Tokenizer.train(texts * 3, kind)
    longer = tokenizer.with_specials(["<user>", "[MASK]"])
    assert longer.specials == (*tokenizer.specials, "<user>", "[MASK]")
    assert len(longer) == len(tokenizer) + 2
    for text in texts:
        ids = [index + 2 if index > 3 else index for index in tokenizer.encode(text)]
        assert longer.encode(text) == ids
        assert longer.decode(ids) == tokenizer.decode(tokenizer.encode(text))
    with pytest.raises(ValueError, match="declared twice"):
        longer.with_specials(["<user>"])


def test_a_translator_goes_on_with_every_weight(runs: dict[str, Path], tmp_path: Path) -> None:
    run = tune("translation", {"paths": [write_table(tmp_path)]}, runs["pairs"], tmp_path / "out")
    before = Run.open(runs["pairs"]).load_model()
    assert far(before, run.load_model(), list(before)) < 1e-6
    assert run.resolved["from"]["numbers"] == sum({t.data_ptr(): t.numel() for t in before.values()}.values())


def test_an_encoder_changes_its_head(runs: dict[str, Path], tmp_path: Path) -> None:
    run = tune("question-answering", {"paths": [questions(tmp_path)]}, runs["labels"], tmp_path / "out")
    before, after = Run.open(runs["labels"]).load_model(), run.load_model()
    body = [name for name in before if not name.startswith("head.")]
    assert far(before, after, body) < 1e-6
    known = run.resolved["from"]
    assert known["anew"] == ["input.segments", "head.output"]
    assert sorted(known["left_out"]) == ["head.dense", "head.output"]
    assert run.config.model.segments == 4
    # back to labels, of another number of classes: what fits is taken, and the segments are kept
    third = tune(
        "text-classification",
        {"paths": [labels(tmp_path, several=3)], "text": "0", "label": "1"},
        run.path,
        tmp_path / "third",
    )
    assert third.config.model.segments == 4
    assert third.config.model.head.count == 3
    again = tune(
        "text-classification",
        {"paths": [labels(tmp_path)], "text": "0", "label": "1"},
        third.path,
        tmp_path / "again",
    )
    assert again.resolved["from"]["anew"] == ["head.output"]
    assert far(third.load_model(), again.load_model(), ["head.dense.weight"]) < 1e-6


def test_a_head_that_is_left_out_is_told_of_once(runs: dict[str, Path], tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("good a b\nbad b c\n" * 60, encoding="utf-8")
    words = tune("fill-mask", {"paths": [str(text)]}, runs["labels"], tmp_path / "words")
    assert {name.rpartition(".")[0] for name in words.load_model()} > {"head", "head.dense"}
    data = {"paths": [labels(tmp_path)], "text": "0", "label": "1"}
    told = tune("text-classification", data, words.path, tmp_path / "told").resolved["from"]
    assert told["left_out"] == ["head"]


def test_resuming_gives_the_same_bits(runs: dict[str, Path], tmp_path: Path, monkeypatch: Any) -> None:
    data = {"paths": [book(tmp_path, seed=3)]}
    training = {"steps": 6, "batch_tokens": 100, "validations": 2, "device": "cpu", "precision": "fp32"}
    asked = {"data": data, "training": training, "saving": {"save_every": 1e-6}}
    whole = qkvae.train("text-generation", asked, base=runs["book"], out=tmp_path / "whole", quiet=True)
    from qkvae.train.learner import Learner

    for steps in (0, 3):  # before the first save, where the base is read again, and after it
        out, take, taken = tmp_path / f"after-{steps}", Learner.take, []

        def stopping(
            self: Learner, *rest: Any, last: int = steps, taken: Any = taken, go_on: Any = take
        ) -> Any:
            if len(taken) == last:
                raise RuntimeError("killed")
            taken.append(1)
            return go_on(self, *rest)

        monkeypatch.setattr(Learner, "take", stopping)
        with pytest.raises(RuntimeError, match="killed"):
            qkvae.train("text-generation", asked, base=runs["book"], out=out, quiet=True)
        monkeypatch.setattr(Learner, "take", take)
        resumed = api.resume(out, quiet=True)
        expected = whole.run.load_model()
        assert all(torch.equal(expected[name], t) for name, t in resumed.run.load_model().items())


def test_a_base_that_changed_before_the_first_save_is_refused(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: Any
) -> None:
    base = tmp_path / "base"
    tune("text-generation", {"paths": [book(tmp_path)]}, runs["book"], base)
    from qkvae.train.learner import Learner

    take = Learner.take
    monkeypatch.setattr(Learner, "take", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tune("text-generation", {"paths": [book(tmp_path)]}, base, tmp_path / "out")
    monkeypatch.setattr(Learner, "take", take)
    run = Run.open(base)
    run.save_model({name: tensor + 1 for name, tensor in run.load_model().items()})
    with pytest.raises(ValueError, match="put them back, or start a new run"):
        api.resume(tmp_path / "out", quiet=True)


def test_what_may_be_changed_is_free_and_the_rest_refused(runs: dict[str, Path]) -> None:
    base = read_base(runs["book"])

    def asked(model: dict[str, Any] | None = None, **data: Any) -> Any:
        return configured("text-generation", base, {"model": model or {}, "data": data})

    assert asked({"block": {"dropout": 0.4}}).model.block.dropout == 0.4
    assert asked({"block": {"dim": 16}}).model == base.settings
    assert asked(length=20).model.max_length == 32
    assert asked(length=50).model.max_length == 50
    assert asked().data.length == 32
    assert asked().data.tokenizer == asked(tokenizer="char").data.tokenizer == "char"
    with pytest.raises(ValueError, match=r"model\.dim is 32, but .*book has 16: leave it out"):
        asked({"block": {"dim": 32}})
    with pytest.raises(ValueError, match=r"model\.depth is 6, but .*book has 2"):
        asked({"depth": 6})
    with pytest.raises(ValueError, match="vocab_size 500 has no effect with --from"):
        asked(vocab_size=500)
    with pytest.raises(ValueError, match="tokenizer bpe has no effect with --from"):
        asked(tokenizer="bpe")
    with pytest.raises(ValueError, match=r'unknown setting "model.depht"'):
        asked({"depht": 6})
    block = replace(base.settings.block, positions="learned")
    learned = replace(base, settings=replace(base.settings, block=block))
    with pytest.raises(ValueError, match=r"texts may have 50 tokens, but .* has learned 32 positions"):
        configured("text-generation", learned, {"data": {"length": 50}})
    with pytest.raises(ValueError, match="texts may have 50 tokens"):
        fitted(learned, replace(base.settings, max_length=50))


def test_a_whole_config_asks_for_what_is_unusual_in_it(runs: dict[str, Path], tmp_path: Path) -> None:
    data = TextData(paths=(book(tmp_path),))
    training = replace(STEPS, steps=1, batch_tokens=300)
    config = TextGeneration(data=data, training=training, optimizer=Optimizer(lr=1e-4))
    run = qkvae.train("text-generation", config, base=runs["book"], out=tmp_path / "out", quiet=True).run
    assert (run.config.model.block.dim, run.config.optimizer.lr) == (16, 1e-4)
    other = replace(config, model=replace(config.model, depth=9))
    with pytest.raises(ValueError, match=r"model\.depth is 9"):
        qkvae.train("text-generation", other, base=runs["book"], out=tmp_path / "other", quiet=True)


def test_what_is_no_base_is_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a run of text-generation and holds a Decoder, but translation"):
        qkvae.train("translation", base=runs["book"], out=tmp_path / "out", quiet=True)
    with pytest.raises(ValueError, match="no run"):
        qkvae.train("translation", base=tmp_path, out=tmp_path / "out", quiet=True)
    with pytest.raises(ValueError, match="cannot be where it ends"):
        qkvae.train("text-generation", base=runs["book"], out=runs["book"], overwrite=True, quiet=True)
    damaged = tmp_path / "damaged"
    tune("text-generation", {"paths": [book(tmp_path)]}, runs["book"], damaged)
    (damaged / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        qkvae.train("text-generation", base=damaged, out=tmp_path / "out", quiet=True)
    assert not (tmp_path / "out").exists()
    assert json.loads((runs["book"] / "config.json").read_text())["task"] == "text-generation"


@pytest.mark.parametrize("there", [Vision(conv_size=3), Vision(patches=Patches(embedding="deep-stem"))])
def test_what_sees_over_a_patchs_edge_is_no_base_for_hidden_patches(there: Vision) -> None:
    with pytest.raises(ValueError, match=r"--model\.conv-size 0 --model\.embedding linear"):
        with_body(there, MaskedImage())
    assert with_body(there, Vision()).conv_size == there.conv_size  # pyright: ignore
    assert with_body(MaskedImage(), Vision(conv_size=3)).conv_size == 0  # pyright: ignore
