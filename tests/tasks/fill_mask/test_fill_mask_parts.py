"""Which words are hidden, the loss of telling them, its figures, and blanks, against the same written out."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_blanks import lines, prepared, tiny, write_book, write_rows

from qkvae.config import Block, Classes, Encoder, Filling, FillMask, Masking, PassageData
from qkvae.data.documents import Documents
from qkvae.data.tokenizer import BOS, EOS, Tokenizer
from qkvae.models import build
from qkvae.tasks.corpus import Corpus
from qkvae.tasks.fill_mask.corpus import MASK, Encoded, encode_documents
from qkvae.tasks.fill_mask.evaluate import compare, evaluate, figures, tell
from qkvae.tasks.fill_mask.filler import Filler
from qkvae.tasks.fill_mask.objective import MaskedWordObjective
from qkvae.tasks.fill_mask.senses import Senses, cosine
from qkvae.tasks.texts import read_split

BPE = Tokenizer.train(lines(), "bpe", 420, exact=False, specials=[MASK])


def filler(seed: int = 0, length: int = 32) -> Filler:
    torch.manual_seed(seed)
    settings = Encoder(block=Block(dim=16, heads=2, hidden=24), depth=1, vocab=len(BPE))
    return Filler(build(settings).eval(), BPE, length)


def test_the_loss_is_the_sum_over_the_hidden_tokens_of_every_passage_alone(tmp_path: Path) -> None:
    objective, _, _ = prepared(tiny(write_rows(tmp_path)))
    batch = next(objective.batches(0))
    packed, expected = batch.packed, 0.0
    flat, documents = packed.ids.flatten(), packed.documents
    rows = torch.arange(len(documents))[:, None].expand_as(documents).flatten()
    names = torch.where(documents.flatten() < 0, -1, rows * 1000 + documents.flatten())
    for name in names[names >= 0].unique().tolist():
        places = torch.nonzero(names == name).flatten()
        with torch.no_grad():
            log_p = objective.encoder(flat[places][None])[0].log_softmax(-1)
        for place, target in zip(batch.places.tolist(), batch.targets.tolist(), strict=True):
            if names[place] == name:
                expected -= float(log_p[place - int(places[0]), target])
    loss = objective.loss(batch)
    assert loss.count == objective.size(batch) == len(batch.targets)
    assert float(loss.nll) == pytest.approx(expected, rel=1e-5)
    parts = [objective.loss(part) for part in objective.parts(batch, 3)]
    assert sum(part.count for part in parts) == loss.count
    assert sum(float(part.nll) for part in parts) == pytest.approx(expected, rel=1e-5)


def test_what_is_hidden_is_a_function_of_seed_and_step(tmp_path: Path) -> None:
    config = tiny(write_rows(tmp_path))
    objective = prepared(config)[0]
    course = objective.batches(0)
    third = [next(course) for _ in range(3)][2]
    again = next(objective.batches(2))
    assert torch.equal(third.packed.ids, again.packed.ids)
    assert torch.equal(third.places, again.places)
    other = prepared(replace(config, training=replace(config.training, seed=2)))[0]
    assert not torch.equal(next(other.batches(2)).packed.ids, again.packed.ids)


@pytest.mark.parametrize("learning", [Masking(), Masking(mask_rate=0.4, random_rate=0.0, kept_rate=0.5)])
def test_of_what_is_chosen_the_parts_are_as_asked(tmp_path: Path, learning: Masking) -> None:
    objective = prepared(tiny(write_rows(tmp_path), learning=learning))[0]
    mask = objective.corruption.mask
    chosen = masked = kept = ordinary = 0
    for _, batch in zip(range(12), objective.batches(0), strict=False):
        there = batch.packed.ids.flatten()[batch.places]
        chosen += len(there)
        masked += int((there == mask).sum())
        kept += int((there == batch.targets).sum())
        ordinary += int((batch.packed.ids >= mask).sum())
    assert chosen / ordinary == pytest.approx(learning.mask_rate, abs=0.01)
    assert masked / chosen == pytest.approx(learning.masked_rate, abs=0.02)
    # a random token may be the one that stood there: one in about thirty
    assert kept / chosen == pytest.approx(learning.kept_rate, abs=0.03)


def test_whole_words_are_hidden_or_not() -> None:
    rows = Documents(["unbelievable " * 60] * 2 + lines(20))
    config = tiny("x", tokenizer="bpe", length=64, learning=Masking(mask="words"))
    encoded = encode_documents(rows, BPE, 64)
    model = build(replace(config.model, vocab=len(BPE)))
    both = Encoded(encoded, encoded, Corpus(rows, rows))
    batch = next(MaskedWordObjective(model, BPE, both, config).batches(0))
    whole = batch.packed.ids.flatten().clone()
    whole[batch.places] = batch.targets
    hidden = torch.zeros(len(whole), dtype=torch.bool)
    hidden[batch.places] = True
    shown = BPE.tokens(whole.tolist())
    for place in range(1, len(whole)):
        inside = shown[place].isalpha() and shown[place - 1].lstrip("▁").isalpha()
        assert not inside or hidden[place] == hidden[place - 1]


def test_every_run_is_asked_the_same(tmp_path: Path) -> None:
    path = write_rows(tmp_path)
    one, other = tiny(path), tiny(path, learning=Masking(mask_rate=0.5, mask="words"))
    told = []
    for config in (one, other):
        _, reader, encoded = prepared(config)
        with torch.no_grad():
            reader.model.input.embedding.weight.zero_()  # every token is as probable as any other
        told.append(tell(reader.model, reader.tokenizer, encoded.valid))
        assert figures(told[-1])["perplexity"] == pytest.approx(len(reader.tokenizer), rel=1e-5)
    assert np.array_equal(told[0].passage, told[1].passage)
    tokens = encoded.valid.ids
    assert len(told[0].nll) == pytest.approx(6 * 0.15 * (len(tokens.flat) - 2 * len(tokens)), rel=0.05)
    assert set(told[0].passage.tolist()) == set(range(len(encoded.valid)))


def test_watching_is_measuring_where_the_text_is_short(tmp_path: Path) -> None:
    objective, reader, encoded = prepared(tiny(write_rows(tmp_path)))
    watched = objective.validate()
    measured = evaluate(reader, encoded.corpus.valid)
    assert watched["valid_nll"] == pytest.approx(measured["nll"])
    assert watched["accuracy"] == measured["accuracy"]
    assert measured["texts"] == len(encoded.corpus.valid)


def test_a_text_of_unknown_words_cannot_be_measured(tmp_path: Path) -> None:
    reader = prepared(tiny(write_rows(tmp_path)))[1]
    with pytest.raises(ValueError, match="nothing in this text can be hidden"):
        evaluate(reader, Documents(["quite another language"]))


def test_a_part_without_hidden_tokens_adds_nothing(tmp_path: Path) -> None:
    objective = prepared(tiny(write_rows(tmp_path)))[0]
    batch = next(objective.batches(0))
    loss = objective.loss(replace(batch, places=batch.places[:0], targets=batch.targets[:0]))
    loss.total.backward()
    assert (float(loss.nll), loss.count) == (0.0, 0)
    assert all(p.grad is None or not p.grad.any() for p in objective.model.parameters())


def test_a_run_compared_with_itself_and_with_another_vocabulary(tmp_path: Path) -> None:
    documents = Documents(lines(40))
    found = compare(filler(), filler(), documents)
    assert (found["metric"], found["difference"], found["verdict"]) == ("nll", 0.0, "cannot tell")
    other = prepared(tiny(write_rows(tmp_path)))[1]
    with pytest.raises(ValueError, match="the runs have different tokenizers"):
        compare(filler(), other, documents)


def test_passages_are_in_the_form_of_every_encoder(tmp_path: Path) -> None:
    config = tiny(write_book(tmp_path), tokenizer="bpe", length=24)
    encoded = prepared(config)[2]
    rows = encoded.train.ids.to_lists()
    assert all(row[0] == BOS and row[-1] == EOS and len(row) <= 24 for row in rows)
    text = " ".join(read_split(config.data).train.texts[0].split())
    tokenizer = prepared(config)[1].tokenizer
    assert [index for row in rows for index in row[1:-1]] == tokenizer.encode(text)


@pytest.mark.parametrize("best", [1, 3])
def test_blanks_are_told_as_each_alone_and_in_order(best: int) -> None:
    inputs = ["The [MASK] purrs.", "", "un[MASK] [MASK]", "[MASK]", "a  b\n[MASK] " + "c " * 12]
    settings = Filling(best=best, batch=2)
    together = list(filler().stream(inputs, settings))
    for text, answer in zip(inputs, together, strict=True):
        (alone,) = filler().stream([text], settings)
        assert answer.source == text
        assert len(answer.blanks) == text.count(MASK)
        assert [[word.word for word in words] for words in answer.blanks] == [
            [word.word for word in words] for words in alone.blanks
        ]
        for words in answer.blanks:
            found = [word.probability for word in words]
            assert found == sorted(found, reverse=True)
            assert len(words) == best


def test_a_blank_is_filled_where_it_stands() -> None:
    for text in ("The [MASK] purrs.", "un[MASK]ing", "[MASK], [MASK]", "so ([MASK])"):
        (answer,) = filler().stream([text])
        before, *others = text.split(MASK)
        expected = before + "".join(
            words[0].word + part for words, part in zip(answer.blanks, others, strict=True)
        )
        assert answer.text == expected
        assert all(words[0].word and not words[0].word.startswith((" ", "<", "▁")) for words in answer.blanks)


def test_a_blank_of_a_long_text_is_read_with_what_is_around_it() -> None:
    reader = filler(length=16)
    text = "The cat purrs. " * 9 + "The [MASK] barks." + " The cow moos." * 9
    (answer,) = reader.stream([text])
    assert answer.cut
    ids = reader.ids(text)
    place = ids.index(BPE.special(MASK))
    with torch.no_grad():
        window = torch.tensor([[BOS, *ids[place - 7 : place + 7], EOS]])
        p = reader.model(window)[0, 8].softmax(0)
    (word,) = answer.blanks[0]
    assert BPE.encode(word.word) == [int(p.masked_fill(~reader._fits[True], 0.0).argmax())]
    assert word.probability == pytest.approx(float(p[BPE.encode(word.word)]), rel=1e-4)
    assert "each blank was read with those around it" in (reader.said_of_cuts([answer]) or "")


def test_a_text_without_a_blank_is_refused() -> None:
    with pytest.raises(ValueError, match=r'"The \[mask\] purrs" holds no blank: write \[MASK\]'):
        next(filler().stream(["The [mask] purrs"]))


def test_words_stand_where_they_stood() -> None:
    reader = filler()
    senses = Senses(reader)
    passages = encode_documents(Documents(["The cat purrs, unbelievably. But the cat hums again."]), BPE, 64)
    found = list(senses.occurrences(passages))
    words = ["The", "cat", "purrs", "unbelievably", "But", "the", "cat", "hums", "again"]
    assert [each.word for each in found] == words
    whole = "The cat purrs, unbelievably. But the cat hums again."
    for each in found:
        before, after = each.passage
        assert f"{before}{each.word}{after}".strip() == whole
    first, second = found[1], found[6]
    assert np.array_equal(first.alone, second.alone)
    assert cosine(first.here, second.here) < 1 - 1e-4
    near = senses.near("cat", first.alone)
    assert near == [word for word, _ in senses.known.neighbours("cat", 6)]
    assert "cat" not in {word.casefold() for word in near}


REFUSED = [
    (lambda: Masking(mask_rate=0.0), "mask_rate is 0.0"),
    (lambda: Masking(random_rate=0.6, kept_rate=0.6), "random_rate 0.6 and kept_rate 0.6 are more"),
    (lambda: PassageData(length=4), "length is 4"),
    (lambda: PassageData(vocab_size=200), "vocab_size is 200"),
    (lambda: PassageData(valid=("x",)), "--valid is given without DATA"),
    (lambda: Filling(best=0), "best is 0"),
    (lambda: FillMask(model=Encoder(head=Classes())), "this task ends in MaskedWords"),
    (lambda: Filler(filler().model, Tokenizer.train([], "byte")), "the tokenizer has 260 tokens"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_settings_that_cannot_be(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


def test_perplexity_is_e_to_the_nll(tmp_path: Path) -> None:
    found = evaluate(filler(), Documents(lines(30)))
    assert found["perplexity"] == pytest.approx(math.exp(found["nll"]))
    assert 0 <= found["accuracy"] <= 1
