"""Text VAEs from lines of text to use, through the command line."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import pytest
from tiny_latents import config, pictures, table, texts

from qkvae import api
from qkvae.cli import main
from qkvae.config import LatentData, Vae, from_dict
from qkvae.data.documents import Documents
from qkvae.data.tokenizer import Tokenizer
from qkvae.run import Run
from qkvae.tasks.vae.corpus import read_corpus
from qkvae.tasks.vae.text_form import TextForm

TYPED = ("a man runs near water at 1.", "the girl sits near a tree at 2.")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("texts")
    return api.train("vae", config(texts(folder)), out=folder / "run", quiet=True).path


def lines(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    assert main(words) == 0
    return capsys.readouterr().out.splitlines()


def test_texts_are_drawn_kept_and_interpolated_as_lines(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = lines(["use", str(run), "--sample", "5"], capsys)
    assert len(drawn) == 5
    assert drawn == lines(["use", str(run), "--sample", "5"], capsys)
    exactly = ["use", str(run), "--sample", "5", "--drawn", "data", "--seed"]
    assert lines([*exactly, "1"], capsys) != lines([*exactly, "2"], capsys)
    way = lines(["use", str(run), "--interpolate", *TYPED, "--count", "4"], capsys)
    kept = lines(["use", str(run), "--reconstruct", *TYPED], capsys)
    assert len(way) == 4
    assert [way[0], way[-1]] == kept
    assert len(lines(["use", str(run), "--traverse", TYPED[0], "--count", "3"], capsys)) == 30


def test_an_empty_line_has_its_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed = (TYPED[0], "", TYPED[1])
    assert len(lines(["use", str(run), "--reconstruct", *typed], capsys)) == 3
    scores = lines(["use", str(run), "--score", *typed], capsys)
    assert [row.split(",")[0] for row in scores] == ["row", "1", "2", "3"]
    assert [line.split("\t")[0] for line in lines(["use", str(run), *typed], capsys)] == list(typed)
    alone = lines(["use", str(run), "--score", TYPED[1]], capsys)
    assert float(alone[1].split(",")[1]) == pytest.approx(float(scores[3].split(",")[1]), rel=1e-4)


def test_latents_and_figures(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = [json.loads(line) for line in lines(["use", str(run), "--encode", *TYPED, "--json"], capsys)]
    assert [len(record["vector"]) for record in records] == [32, 32]
    found = json.loads(
        "\n".join(lines(["eval", str(run), texts(tmp_path), "--samples", "3", "--json"], capsys))
    )
    assert found["texts"] == 90
    assert found["samples"] == 3
    assert found["perplexity"] == pytest.approx(math.exp(found["nll"] * 90 / found["tokens"]), rel=1e-4)
    assert found["elbo"] == pytest.approx(-found["distortion"] - found["kl"], rel=1e-4)
    page = tmp_path / "look.html"
    assert main(["look", str(run), TYPED[0], "--out", str(page)]) == 0
    assert "What single latents mean" in page.read_text(encoding="utf-8")
    report = (run / "report.html").read_text(encoding="utf-8")
    assert all(title in report for title in ("Drawn anew", "Reconstructions", "From one to another"))


def test_the_defaults_for_texts_are_kept_in_the_run(run: Path) -> None:
    settings = Run.open(run).config
    assert (settings.learning.free_nats, settings.generation.samples) == (0.25, 10)
    assert settings.model.word_dropout == 0.3
    assert settings.model.vocab > 0


def test_one_setting_of_texts_makes_the_model_one_of_texts() -> None:
    assert type(from_dict(Vae, {"model": {"word_dropout": 0.0}}).model).__name__ == "TextVAE"
    assert type(from_dict(Vae, {"model": {"latents": [3]}}).model).__name__ == "VAE"


@pytest.mark.parametrize("kind", ["gz", "column"])
def test_lines_are_read_out_of_archives_and_tables(kind: str, tmp_path: Path) -> None:
    plain = Path(texts(tmp_path))
    if kind == "gz":
        path = tmp_path / "captions.en.gz"
        path.write_bytes(gzip.compress(plain.read_bytes() + b"\n"))  # an empty line at the end
        data = LatentData(paths=(str(path),))
    else:
        path = tmp_path / "captions.tsv"
        rows = [f"{number}\t{line}" for number, line in enumerate(plain.read_text("utf-8").splitlines())]
        path.write_text("\n".join(["id\tsays", *rows]) + "\n", encoding="utf-8")
        data = LatentData(paths=(str(path),), text="says")
    corpus = read_corpus(data, 1)
    assert isinstance(corpus.train, Documents)
    assert sorted([*corpus.train.texts, *corpus.valid.texts]) == sorted(plain.read_text("utf-8").splitlines())


def test_what_is_too_long_is_cut_and_counted() -> None:
    form = TextForm(Tokenizer.train(["one two three"] * 2, "word"), longest=3)
    some = Documents(["one two three", "two", "one two"])
    assert form.stored(some).tolist() == [[4, 6, 2], [6, 2, -1], [4, 6, 2]]
    (note,) = form.notes(some)
    assert (note.count, note.examples) == (1, ("document 1",))
    assert "cut after 2 tokens" in str(note)


REFUSED = {
    "a column of a table": (lambda f: [texts(f), "--ignore", "age"], "no effect on texts"),
    "labels": (lambda f: [texts(f), "--condition", "label"], "no effect on texts"),
    "widths": (lambda f: [texts(f), "--model.widths", "40"], "no effect on texts"),
    "a text column of plain text": (lambda f: [texts(f), "--text", "says"], "has no columns"),
    "two kinds": (lambda f: [texts(f), pictures(f)], "give data of one kind"),
    "a model of texts": (
        lambda f: [table(f), "--model.word-dropout", "0"],
        "settings are those of one of texts",
    ),
    "a tokenizer of rows": (
        lambda f: [table(f), "--tokenizer", "char"],
        "tokenizer char has no effect on rows",
    ),
    "two levels": (lambda f: [texts(f), "--model.latents", "3", "3", "--model.dim", "16"], "one level"),
    "too few": (lambda f: [texts(f, count=5)], "at least 10 are needed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words, message = REFUSED[case]
    assert main(["train", "vae", *words(tmp_path), "--steps", "1", "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert message in error
    assert not (tmp_path / "run").exists()


def test_uses_that_have_no_effect_on_texts_are_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, message in (
        (["use", str(run), "--sample", "2", "--png", str(tmp_path / "a.png")], "no effect on texts"),
        (["use", str(run), "--interpolate", "one text"], "at least 2 are needed"),
        (["eval", str(run), table(tmp_path)], "the data are rows, but the run reads texts"),
    ):
        assert main(words) == 2
        assert message in capsys.readouterr().err


def test_a_run_of_texts_is_a_base_with_its_tokenizer(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, out = texts(tmp_path, count=40), tmp_path / "tuned"
    words = [
        "train",
        "vae",
        other,
        "--from",
        str(run),
        "--steps",
        "2",
        "--batch-tokens",
        "20",
        "--out",
        str(out),
    ]
    assert main([*words, "--model.word-dropout", "0.5"]) == 0
    assert (out / "tokenizer.json").read_bytes() == (run / "tokenizer.json").read_bytes()
    assert Run.open(out).config.model.word_dropout == 0.5
    assert main([*words, "--overwrite", "--tokenizer", "char"]) == 2
    assert "whose tokenizer is taken" in capsys.readouterr().err
    assert main([*words, "--overwrite", "--model.latents", "3"]) == 2
    assert "the architecture comes with the weights" in capsys.readouterr().err
