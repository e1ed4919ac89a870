"""Word vectors made elsewhere: they are what the embedding begins with, and stay it where they are frozen."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from qkvae import api, config
from qkvae.cli import main
from qkvae.config import (
    Block,
    Classes,
    Encoder,
    LabelledData,
    Optimizer,
    Saving,
    Start,
    TextClassification,
    Training,
)
from qkvae.data.tokenizer import Tokenizer
from qkvae.data.vectors import match, read_vectors
from qkvae.models import build
from qkvae.run import Run
from qkvae.train import loop
from qkvae.train.precision import Weights
from qkvae.train.progress import make_reporter
from qkvae.train.words import Words, begin_with, read_words

KNOWN = ["good", "bad", "film", "the"]


def write(path: Path, dim: int = 8, header: str = "") -> str:
    draw = np.random.default_rng(0)
    rows = [f"{word} {' '.join(f'{x:.3f}' for x in draw.normal(size=dim))}" for word in KNOWN]
    path.write_text("".join(f"{line}\n" for line in ([header] if header else []) + rows), encoding="utf-8")
    return str(path)


def classification(folder: Path, words: str, frozen: bool = False, **training: Any) -> TextClassification:
    path = folder / "train.tsv"
    lines = [f"the {('good', 'bad')[n % 2]} Film number {n % 9}\t{n % 2}\n" for n in range(90)]
    path.write_text("".join(lines), encoding="utf-8")
    settings = {"steps": 5, "validations": 1, "device": "cpu", "precision": "fp32", "average": "none"}
    return TextClassification(
        data=LabelledData(paths=(str(path),), text="0", label="1", tokenizer="word"),
        model=Encoder(block=Block(dim=8, heads=2, hidden=16), depth=1, head=Classes()),
        start=Start(words=words, words_frozen=frozen),
        optimizer=Optimizer(lr=0.05),
        training=Training(**(settings | training)),  # type: ignore[arg-type]
    )


def rows_of(run: Any, words: list[str]) -> Tensor:
    tokenizer = run.run.tokenizer
    return run.model.input.embedding.weight[[tokenizer.encode(word)[0] for word in words]].detach()


def cosines(x: Tensor | Any) -> Tensor:
    unit = torch.nn.functional.normalize(torch.as_tensor(x), dim=1)
    return unit @ unit.T


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_vectors_stay_and_others_are_learned(tmp_path: Path, frozen: bool) -> None:
    file = write(tmp_path / "words.vec")
    out = tmp_path / "run"
    run = api.train("text-classification", classification(tmp_path, file, frozen), out=out, quiet=True)
    given = cosines(read_vectors(file).matrix)
    same = torch.allclose(cosines(rows_of(run, ["good", "bad", "Film", "the"])), given, atol=1e-5)
    assert same is frozen
    assert run.run.resolved["words"]["tokens"] == 4
    assert run.run.passport["words"]["file"] == file


def test_the_embedding_is_as_large_as_a_fresh_one(tmp_path: Path) -> None:
    tokenizer = Tokenizer.train([" ".join(KNOWN)] * 2, "word")
    found = match(read_vectors(write(tmp_path / "words.vec", 16)), tokenizer)
    block = Block(dim=16, heads=2, hidden=32)
    for settings in (
        config.Decoder(block=block, depth=1, vocab=len(tokenizer)),
        config.Seq2Seq(block=block, encoder_depth=1, decoder_depth=1, vocab=len(tokenizer), tie="none"),
        config.Encoder(block=block, depth=1, vocab=len(tokenizer), segments=2),
    ):
        torch.manual_seed(0)
        model = build(settings)
        fresh = {name: p.detach().clone() for name, p in model.named_parameters()}
        begin_with(Words("words.vec", found, frozen=False), model, len(tokenizer))
        changed = {name for name, p in model.named_parameters() if not torch.equal(p, fresh[name])}
        expected = {"source_embedding.weight", "target_embedding.weight"}
        assert changed == (expected if settings.__class__ is config.Seq2Seq else {"input.embedding.weight"})
        for name in changed:
            rows = model.get_parameter(name)[torch.from_numpy(found.ids)].detach()
            assert rows.square().mean().sqrt().item() == pytest.approx(1 / 4, rel=1e-4)
            torch.testing.assert_close(cosines(rows), cosines(found.rows), atol=1e-5, rtol=0)


def test_frozen_vectors_have_no_gradient_in_bf16_either(tmp_path: Path) -> None:
    tokenizer = Tokenizer.train([" ".join(KNOWN)] * 2, "word")
    found = match(read_vectors(write(tmp_path / "words.vec", 16)), tokenizer)
    model = build(config.Decoder(block=Block(dim=16, heads=2, hidden=32), depth=1, vocab=len(tokenizer)))
    begin_with(Words("words.vec", found, frozen=True), model, len(tokenizer))
    weights = Weights(model, "bf16")
    model.input.embedding(torch.arange(len(tokenizer))).sum().backward()
    weights.collect_gradients(1.0, 0.0)
    gradient = weights.masters["input.embedding.weight"].grad
    assert gradient is not None
    moved = gradient.abs().sum(1) > 0
    assert moved.tolist() == [index not in found.ids for index in range(len(tokenizer))]


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def test_a_run_goes_on_with_the_same_vectors_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "words.vec")
    asked = replace(classification(tmp_path, file, frozen=True), saving=Saving(save_every=1e-6))
    api.train("text-classification", asked, out=tmp_path / "whole", quiet=True)
    kept = loop.Loop._after_step

    def after_step(self: loop.Loop, meter: object) -> None:
        kept(self, meter)  # type: ignore[arg-type]
        if self.step == 3:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(loop.Loop, "_after_step", after_step)
        with pytest.raises(Killed):
            api.train("text-classification", asked, out=tmp_path / "killed", quiet=True)
    original = Path(file).read_text(encoding="utf-8")
    Path(file).write_text(original.replace("the ", "the 9", 1), encoding="utf-8")
    with pytest.raises(ValueError, match=r"begun with 4 of sha256 \w{12}: put the file back"):
        api.resume(tmp_path / "killed", quiet=True)
    Path(file).write_text(original, encoding="utf-8")
    api.resume(tmp_path / "killed", quiet=True)
    whole, killed = (Run.open(tmp_path / name).load_model() for name in ("whole", "killed"))
    assert all(torch.equal(whole[name], killed[name]) for name in whole)


def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    words, chars = (Tokenizer.train([" ".join(KNOWN)] * 2, kind) for kind in ("word", "char"))
    file = write(tmp_path / "words.vec")
    asked = classification(tmp_path, file)
    say = make_reporter(quiet=True)
    wide = replace(asked, model=replace(asked.model, block=replace(asked.model.block, dim=16)))
    with pytest.raises(ValueError, match=r"vectors of 8 numbers, but model\.dim is 16: use --model\.dim 8"):
        read_words(wide, words, None, say)
    with pytest.raises(ValueError, match="no effect with tokenizer char, whose tokens are no words"):
        read_words(asked, chars, None, say)
    lies = write(tmp_path / "lies.vec", header="2519370 8")
    with pytest.raises(ValueError, match="line 1 says 2,519,370 words of 8 values, but 4 follow"):
        read_words(replace(asked, start=Start(words=lies)), words, None, say)
    with pytest.raises(ValueError, match="words_frozen has no effect without words"):
        Start(words_frozen=True)
    other = Tokenizer.train(["nothing of this"] * 2, "word")
    with pytest.raises(ValueError, match="no vector of the 3 words asked for"):
        read_words(asked, other, None, say)


def test_how_many_words_are_known_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    classification(tmp_path, "")
    flags = ["--text", "0", "--label", "1", "--tokenizer", "word", "--steps", "2", "--validations", "1"]
    small = ["--model.dim", "8", "--model.heads", "2", "--model.hidden", "16", "--model.depth", "1"]
    asked = ["train", "text-classification", str(tmp_path / "train.tsv"), *flags, *small, "--device", "cpu"]
    start = ["--words", write(tmp_path / "words.vec"), "--words-frozen", "--precision", "fp32"]
    assert main([*asked, *start, "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().err
    assert re.search(r"4 of 1\d words have a vector \(1 in lower case\); \d+ words have none \(", said)
    assert "; frozen" in said
    assert main([*asked, "--words", "missing.vec", "--out", str(tmp_path / "other")]) == 2
    assert not (tmp_path / "other").exists()
