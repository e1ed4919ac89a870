"""Text in, text out: pieces as they come, stop strings, conversations, what is said of the input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_texts import small_config, small_objective, write_book, write_chats, write_folder

from qkvae import config
from qkvae.config import Writing
from qkvae.data.tokenizer import BOS, EOS, Tokenizer
from qkvae.models import build
from qkvae.tasks.text_generation.unfolding import Unfolding, left_to_next
from qkvae.tasks.text_generation.writer import Chatter, Writer

GREEDY = Writing(tokens=20, temperature=0, precision="fp32")
DRAWN = Writing(tokens=20, temperature=1.5, seed=4, precision="fp32")


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    return shaken(small_objective(small_config(write_book(tmp_path), tokenizer="char"))[1])


@pytest.fixture
def chatter(tmp_path: Path) -> Chatter:
    one = shaken(small_objective(small_config(write_chats(tmp_path), format="chat", length=64))[1])
    return Chatter(one.model, one.tokenizer, GREEDY, begins=True)


def shaken(writer: Writer) -> Writer:
    """With weights that make it say this and that."""
    writer.model.eval()
    with torch.no_grad():
        for p in writer.model.parameters():
            p.copy_(0.5 * torch.randn_like(p))
    return writer


@pytest.mark.parametrize("settings", [GREEDY, DRAWN])
def test_pieces_are_the_text(writer: Writer, settings: Writing) -> None:
    (answer,) = writer.stream(["ab"], settings)
    (pieces,) = (list(each) for each in writer.speak(["ab"], settings))
    assert "".join(pieces) == "ab" + answer.text
    assert len(pieces) == 1 + answer.tokens == 21
    assert answer.ended == "limit"


def test_many_inputs_are_answered_in_order_as_each_alone(writer: Writer) -> None:
    inputs = ["ab", "", "a long beginning, longer than the context", "b"]
    settings = Writing(tokens=9, temperature=1.5, seed=4, batch=3, precision="fp32")
    together = [answer.text for answer in writer.stream(inputs, settings)]
    assert together == [next(writer.stream([text], settings)).text for text in inputs]


def test_without_a_seed_it_is_another_text_each_time(writer: Writer) -> None:
    settings = Writing(tokens=30, temperature=2.0, precision="fp32")
    first, second = (next(writer.stream(["ab"], settings)) for _ in range(2))
    assert first.text != second.text
    assert next(writer.stream(["ab"], replace(settings, seed=first.seed))).text == first.text


def test_a_stop_string_ends_the_text_and_is_no_part_of_it(writer: Writer) -> None:
    whole = next(writer.stream(["ab"], DRAWN)).text
    stop = whole[7:10]
    at = whole.index(stop)
    answer = next(writer.stream(["ab"], replace(DRAWN, stop=("never", stop))))
    assert (answer.text, answer.ended) == (whole[:at], "stop")
    assert answer.tokens == at + 3


def test_pieces_never_hold_the_beginning_of_a_stop_string() -> None:
    tokenizer = Tokenizer.train([], "byte")
    text = Unfolding(tokenizer.decoder(), [], stops=["END.", "né"])
    pieces: list[str] = []
    for token in tokenizer.encode("the EN of néver"):
        pieces.append(text.add(token))
        if text.ended == "stop":
            break
    assert "".join(pieces) == text.text == "the EN of "
    assert text.ended == "stop"


def test_half_a_character_at_the_limit_is_dropped_and_at_the_end_told() -> None:
    tokenizer = Tokenizer.train([], "byte")
    half = tokenizer.encode("aé")[:2]
    cut, ended = (Unfolding(tokenizer.decoder(), [], stops=[]) for _ in range(2))
    for token in half:
        cut.add(token)
        ended.add(token)
    cut.rest()
    ended.add(EOS)
    assert (cut.text, ended.text) == ("a", "a�")


def test_only_documents_begin_and_end(tmp_path: Path) -> None:
    book, folder = tmp_path / "one", tmp_path / "many"
    book.mkdir(), folder.mkdir()
    single = small_objective(small_config(write_book(book)))[1]
    many = small_objective(small_config(write_folder(folder)))[1]
    assert (single.begins, many.begins) == (False, True)
    assert single.prompt("ab")[0] != BOS
    assert many.prompt("ab")[0] == BOS
    with torch.no_grad():
        for one in (single, many):
            one.model.eval().head.weight.zero_()  # every token is as probable as any other
    loud = Writing(tokens=200, temperature=5.0, seed=1, precision="fp32")
    assert next(single.stream(["ab"], loud)).ended == "limit"
    assert next(many.stream(["ab"], loud)).ended == "end"


def test_what_is_not_read_is_said(writer: Writer) -> None:
    long, strange, plain = writer.stream(["a" * 40, "a€", "ab"], GREEDY)
    assert (long.cut, strange.cut, plain.cut) == (True, True, False)
    said = writer.said_of_cuts([long, strange])
    assert said is not None
    assert "looks back over 16 tokens: of the input up to 24 at the beginning were not read" in said
    assert "does not know were read as <unk>, 1 times" in said
    assert writer.said_of_cuts([plain]) is None


def test_an_answer_is_one_line(writer: Writer) -> None:
    answer = replace(next(writer.stream(["a\nb"], GREEDY)), text="c\nd")
    assert writer.lines(answer, 1) == ["a bc d"]


def test_a_conversation_remembers(chatter: Chatter) -> None:
    prompts: list[list[int]] = []
    kept = chatter.pen
    chatter.pen = lambda rows, *others: (prompts.extend(rows), kept(rows, *others))[1]  # type: ignore[method-assign]
    first, nothing, second = chatter.stream(["1 plus 2?", " ", "and 1?"], GREEDY)
    assert nothing.text == ""
    assert len(prompts) == 2
    if first.text.strip():
        assert prompts[1][: len(prompts[0])] == prompts[0]
        assert "1 plus 2?" in chatter.tokenizer.decode(prompts[1])
    assert chatter.tokenizer.tokens(prompts[1])[-1] == "<assistant>"
    assert "and 1?" in chatter.tokenizer.decode(prompts[1])
    again = list(chatter.speak(iter(["1 plus 2?"]), GREEDY))
    assert second.source == "and 1?"
    assert len(again) == 1


def test_roles_are_never_written(chatter: Chatter) -> None:
    loud = Writing(tokens=300, temperature=9.0, seed=1, precision="fp32")
    answer = next(chatter.stream(["1 plus 2?"], loud))
    assert "<" not in answer.text


def test_the_wrong_tokenizer_is_refused(writer: Writer) -> None:
    with pytest.raises(ValueError, match="the tokenizer has 260 tokens, but the model"):
        Writer(writer.model, Tokenizer.train([], "byte"))


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("two ", " "),
        ("two", ""),
        ("two  ", " "),
        ("two\n", ""),
        ("two\n\n", "\n"),
        ("two \t", "\t"),
        (" ", ""),
    ],
)
def test_white_space_that_begins_the_next_token_is_written_with_it(text: str, held: str) -> None:
    """A prompt is read in tokens that it would also have inside a longer text."""
    words = ["two", "words", "and", "more"] * 40
    tokenizer = Tokenizer.train([" ".join(words) + "\n\n" + "  ".join(words)] * 3, "bpe", 280, exact=False)
    settings = config.Decoder(block=config.Block(dim=16, heads=2, hidden=32), depth=1, vocab=len(tokenizer))
    writer = shaken(Writer(build(settings), tokenizer, DRAWN))
    assert left_to_next(text, "bpe") == held
    assert not left_to_next(text, "char")
    read = writer.prompt(text)
    for after in ("words", "and more") if text.strip() else ():
        assert tokenizer.encode(text + after)[: len(read)] == read
    answer = next(writer.stream([text]))
    (pieces,) = (list(each) for each in writer.speak([text]))
    assert "".join(pieces) == text + answer.text
    if held:  # what is shown is what the tokens say
        pen = writer.pen([read], DRAWN, DRAWN.seed or 0, {0: tokenizer.beginning_with(held)})
        while pen.live:
            pen.step()
        assert tokenizer.decode(pen.texts[0]).startswith(text + answer.text)
