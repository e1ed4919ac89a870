"""A whole run from the command line: train, use, measure, compare, look, check; and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from small_texts import small_config, story, write_book, write_chats, write_folder

from qkvae import api
from qkvae.cli import main
from qkvae.config import Saving
from qkvae.run import Run
from qkvae.train import loop

TINY = [
    *(
        "--model.dim",
        "16",
        "--model.heads",
        "2",
        "--model.hidden",
        "32",
        "--model.depth",
        "1",
        "--length",
        "16",
    ),
    *("--batch-tokens", "64", "--validations", "2", "--valid-fraction", "0.2", "--device", "cpu"),
    *("--precision", "fp32", "--steps", "6", "--quiet"),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and two runs on them; not to be changed."""
    folder = tmp_path_factory.mktemp("texts")
    assert main(["train", "text-generation", write_book(folder), *TINY, "--out", str(folder / "book")]) == 0
    chats = ["train", "text-generation", write_chats(folder), "--format", "chat", *TINY]
    assert main([*chats, "--out", str(folder / "chats")]) == 0
    return folder


def test_a_run_tells_what_it_is(trained: Path) -> None:
    run = Run.open(trained / "book", "text-generation")
    assert run.config.model.max_length == run.config.data.length == 16
    final = run.records()[-1]
    assert final["event"] == "final"
    assert final["tokens"] == len(story()) - int(0.8 * len(story()))
    card = (trained / "book" / "README.md").read_text(encoding="utf-8")
    assert "| bits_per_byte |" in card
    assert "It looks back over 16 tokens at most." in card
    assert "It is hardly trained" in card  # after six steps
    page = (trained / "book" / "report.html").read_text(encoding="utf-8")
    assert "What it writes" in page
    assert "bits per byte" in page.lower()


def test_one_text_is_written_piece_by_piece(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["use", str(trained / "book"), "abc", "--tokens", "30", "--seed", "1", "--precision", "fp32"]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert shown == f"abc{record['text']}\n"
    assert (record["source"], record["tokens"], record["ended"]) == ("abc", 30, "limit")


def test_many_texts_are_a_line_each(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["use", str(trained / "book"), "abc", "de\nf", "", "--tokens", "60"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("abc")
    assert lines[1].startswith("de f")


def test_a_conversation_from_a_file_is_a_line_for_each_turn(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "said.txt").write_text("1 plus 2?\nand 1?\n", encoding="utf-8")
    words = ["use", str(trained / "chats"), "--file", str(tmp_path / "said.txt"), "--tokens", "9"]
    assert main([*words, "--temperature", "0"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main([*words, "--temperature", "0", "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["source"] for record in records] == ["1 plus 2?", "and 1?"]


def test_measures_on_other_text(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.txt"
    other.write_text(story(700, seed=5), encoding="utf-8")
    assert main(["eval", str(trained / "book"), str(other), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["tokens"] == len(story(700, seed=5))
    # A byte is a token here: bits per byte are nats per token in bits.
    assert found["bits_per_byte"] == pytest.approx(found["nll"] / 0.693147, rel=1e-4)
    assert main(["compare", str(trained / "book"), str(trained / "book"), str(other), "--json"]) == 0
    same = json.loads(capsys.readouterr().out)
    assert (same["metric"], same["difference"], same["verdict"]) == ("bits_per_byte", 0.0, "cannot tell")
    assert same["first"] == pytest.approx(found["bits_per_byte"], rel=1e-4)


def test_a_better_run_is_found_better(trained: Path, tmp_path: Path) -> None:
    config = small_config(str(trained / "book.txt"))
    longer = replace(config, training=replace(config.training, steps=150, validations=1))
    api.train("text-generation", longer, out=tmp_path / "longer", quiet=True)
    other = tmp_path / "other.txt"
    other.write_text(story(700), encoding="utf-8")
    found = api.compare(tmp_path / "longer", trained / "book", other)
    assert found["verdict"] == "the first is better"
    assert found["first"] < found["second"]
    assert found["interval"][1] < 0


def test_the_page_shows_every_head(trained: Path, tmp_path: Path) -> None:
    for name, text in (("book", "abc"), ("chats", "1 plus 2?")):
        page = tmp_path / f"{name}.html"
        assert main(["look", str(trained / name), text, "--out", str(page)]) == 0
        assert '"encoder":[]' in page.read_text(encoding="utf-8")
    assert main(["look", str(trained / "book"), "abc" * 9, "--out", str(page)]) == 2


def test_a_text_too_large_for_memory_gives_the_same_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QKVAE_CACHE", str(tmp_path / "cache"))
    config = small_config(write_book(tmp_path), tokenizer="char")
    api.train("text-generation", config, out=tmp_path / "held", quiet=True)
    monkeypatch.setattr("qkvae.data.large.LARGE", 100)
    for name in ("first", "again"):
        api.train("text-generation", config, out=tmp_path / name)
    said = capsys.readouterr().err
    assert "the token ids are kept in" in said
    assert "the text is encoded already" in said
    held, first, again = (Run.open(tmp_path / name).load_model() for name in ("held", "first", "again"))
    assert all(bool((held[name] == first[name]).all()) for name in held)
    assert all(bool((held[name] == again[name]).all()) for name in held)
    # A run whose files of ids are gone or changed goes on all the same; one whose text changed does not.
    api.resume(tmp_path / "first", quiet=True)
    (tmp_path / "first" / "README.md").unlink()
    (tmp_path / "book.txt").write_text(story() + "!", encoding="utf-8")
    with pytest.raises(ValueError, match="fingerprint"):
        api.resume(tmp_path / "first", quiet=True)


def test_three_lines_of_python(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import qkvae

    run = qkvae.load(trained / "book")
    assert isinstance(run.use("abc"), str)
    assert run.info()["task"] == "text-generation"
    assert run.evaluate(trained / "book.txt")["tokens"] == len(story())


@pytest.mark.parametrize("memory", [0, 24])
def test_killed_and_resumed_gives_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: int
) -> None:
    class Killed(BaseException):
        pass

    def die(self: loop.Loop, meter: object) -> None:
        kept(self, meter)  # type: ignore[arg-type]
        if self.step == 5:
            raise Killed

    config, kept = small_config(write_folder(tmp_path)), loop.Loop._after_step
    config = replace(config, saving=Saving(save_every=1e-6), model=replace(config.model, memory=memory))
    api.train("text-generation", config, out=tmp_path / "whole", quiet=True)
    with monkeypatch.context() as patch:
        patch.setattr(loop.Loop, "_after_step", die)
        with pytest.raises(Killed):
            api.train("text-generation", config, out=tmp_path / "killed", quiet=True)
    api.resume(tmp_path / "killed", quiet=True)
    runs = [Run.open(tmp_path / name) for name in ("whole", "killed")]
    whole, killed = (run.load_model() for run in runs)
    assert all(bool((whole[name] == killed[name]).all()) for name in whole)
    assert runs[0].config.model.max_length == 16 + memory
    whole_log, killed_log = (run.records() for run in runs)
    assert whole_log[-1] == killed_log[-1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no text"),
        (b"a", "too few"),
        (b"\x89PNG\x00\x00\x00 " * 9, "binary"),
        (b"caf\xe9 au lait, caf\xe9 noir, and so on", "UTF-8"),
    ],
    ids=["empty", "one letter", "binary", "latin-1"],
)
def test_bad_text_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    (tmp_path / "bad.txt").write_bytes(content)
    words = ["train", "text-generation", str(tmp_path / "bad.txt"), *TINY, "--out", str(tmp_path / "run")]
    assert main(words) == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1
    assert said in error
    assert not (tmp_path / "run").exists()


def test_a_missing_file_and_wrong_flags_are_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(trained / "book")
    for words, said in (
        (["train", "text-generation", str(tmp_path / "nothing.txt")], "nothing.txt"),
        (["use", run, "abc", "--beam", "3"], "--beam has no effect on a run of text-generation"),
        (["use", run, "abc", "--temperature", "0", "--top-p", "0.5"], "top_p has no effect"),
        (["eval", run, str(tmp_path / "nothing.txt")], "nothing.txt"),
        (["compare", run, str(trained / "chats"), str(trained / "book.txt")], "compare two of a kind"),
        (["compare", run, run, str(trained / "book.txt")], "are too few"),
    ):
        assert main(words) == 2, words
        assert said in capsys.readouterr().err


def test_changed_text_is_refused_on_resume(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "book", tmp_path / "run")
    (tmp_path / "run" / "README.md").unlink()
    config = json.loads((tmp_path / "run" / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "book.txt").write_text(story(70), encoding="utf-8")
    config["settings"]["data"]["paths"] = [str(tmp_path / "book.txt")]
    (tmp_path / "run" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ValueError, match="fingerprint"):
        api.resume(tmp_path / "run", quiet=True)


def test_with_a_draft_the_most_probable_text_is_the_same(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book, draft = str(trained / "book"), str(tmp_path / "draft")
    smaller = ["8" if word == "32" else word for word in TINY]  # --model.hidden
    assert main(["train", "text-generation", str(trained / "book.txt"), *smaller, "--out", draft]) == 0
    words = ["use", book, "abc", "--temperature", "0", "--tokens", "30"]
    capsys.readouterr()
    for more in ([], ["--draft", draft], ["--draft", draft, "--ahead", "7"]):
        assert main([*words, *more]) == 0
    alone, four, seven = capsys.readouterr().out.splitlines()
    assert alone == four == seven
    for more, said in (
        (["--draft", book], "a draft saves time only where it is smaller"),
        (["--draft", str(trained / "chats")], "another tokenizer"),
        (["--draft", str(tmp_path / "nothing")], "no such run"),
        (["--ahead", "3"], "ahead 3 has no effect without a draft"),
    ):
        assert main([*words, *more]) == 2, more
        assert said in capsys.readouterr().err
