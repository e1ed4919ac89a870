"""Translation as the loop sees it: data, loss, parts and figures."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from qkvae.config import Generation, TranslationData
from qkvae.data.pairs import Pairs
from qkvae.data.tokenizer import EOS, PAD
from qkvae.generate import generate
from qkvae.metrics import bleu
from qkvae.tasks.corpus import Corpus
from qkvae.tasks.translation.corpus import encode_corpus, read_corpus, train_tokenizer
from qkvae.tasks.translation.objective import TranslationObjective
from small_language import letters, small_config, small_objective, write_table


@pytest.fixture
def objective(tmp_path: Path) -> TranslationObjective:
    return small_objective(small_config(write_table(tmp_path)))[0]


def test_the_loss_is_smoothed_cross_entropy_over_what_is_not_padding(objective: TranslationObjective) -> None:
    batch = next(objective.batches(0))
    loss = objective.loss(batch)
    logits = objective.seq2seq(batch.source, batch.target_in, batch.source_lengths)
    for smoothing, found in ((0.1, loss.total), (0.0, loss.nll)):
        expected = F.cross_entropy(
            logits.flatten(0, 1),
            batch.target_out.flatten().long(),
            ignore_index=PAD,
            label_smoothing=smoothing,
            reduction="sum",
        )
        assert_close(found, expected, rtol=1e-5, atol=1e-3)
    assert loss.count == int((batch.target_out != PAD).sum()) == objective.size(batch)
    assert int((batch.target_out == EOS).sum()) == len(batch.source), "every sentence's end is learned"


def test_parts_add_up_to_the_batch(objective: TranslationObjective) -> None:
    batch = next(objective.batches(0))
    objective.loss(batch).total.backward()
    whole = {name: p.grad.clone() for name, p in objective.model.named_parameters() if p.grad is not None}
    for count in (2, 3, 1000):
        objective.model.zero_grad()
        parts = objective.parts(batch, count)
        assert sum(map(objective.size, parts)) == objective.size(batch)
        assert len(parts) <= count
        for part in parts:
            objective.loss(part).total.backward()
        for name, p in objective.model.named_parameters():
            assert p.grad is not None
            assert_close(p.grad, whole[name], rtol=1e-4, atol=1e-4)


def test_a_batch_depends_on_its_number_alone(objective: TranslationObjective) -> None:
    straight = list(itertools.islice(objective.batches(0), 9))
    for start in (1, 5):
        for batch, same in zip(objective.batches(start), straight[start:], strict=False):
            assert torch.equal(batch.source, same.source)
            assert torch.equal(batch.target_out, same.target_out)


def test_accumulation_cuts_the_batch_and_not_the_step(tmp_path: Path) -> None:
    path = write_table(tmp_path)
    one, _ = small_objective(small_config(path, batch_tokens=200))
    four, _ = small_objective(small_config(path, batch_tokens=200, accumulate=4))
    sizes = [one.size(batch) for batch in itertools.islice(one.batches(0), 8)]
    quarters = [four.size(batch) for batch in itertools.islice(four.batches(0), 32)]
    assert sum(quarters) == pytest.approx(sum(sizes), rel=0.3)
    assert max(quarters) <= 50 + max(len(line) for line in letters().targets)


def test_the_figures_are_those_of_the_validation_pairs(objective: TranslationObjective) -> None:
    figures = objective.validate()
    assert list(figures) == ["valid_loss", "valid_nll", "perplexity", "bleu"]
    valid = objective.encoded.valid
    nll = tokens = 0.0
    for i in range(len(valid)):
        source = torch.tensor([[*valid.sources[i], EOS]])
        target = [*map(int, valid.targets[i]), EOS]
        with torch.no_grad():
            logits = objective.seq2seq.eval()(source, torch.tensor([[1, *target[:-1]]]))
        nll -= float(logits[0].log_softmax(-1)[range(len(target)), target].sum())
        tokens += len(target)
    assert figures["valid_nll"] == pytest.approx(nll / tokens, rel=1e-4)
    assert figures["perplexity"] == pytest.approx(2.718281828 ** (nll / tokens), rel=1e-3)
    greedy = generate(
        objective.seq2seq, [valid.sources[i] for i in range(len(valid))], Generation(beam=1), 64
    )
    texts = [objective.tokenizer.decode(best[0].ids) for best in greedy]
    assert figures["bleu"] == pytest.approx(bleu(texts, objective.encoded.valid_texts.targets).score)


def test_the_vocabulary_is_learned_from_the_training_part_alone() -> None:
    train = Pairs(["red dog"] * 20, ["roter Hund"] * 20)
    valid = Pairs(["zebra zebra"] * 5, ["Zebra Zebra"] * 5)
    tokenizer = train_tokenizer(train, TranslationData(tokenizer="word"))
    assert len(tokenizer.encode("dog Hund")) == 2
    assert tokenizer.decode(tokenizer.encode("zebra dog")) == "<unk> dog"
    encoded = encode_corpus(Corpus(train, valid), tokenizer, TranslationData(tokenizer="word"))
    assert list(encoded.valid.sources[0]) == [3, 3]


@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_long_pairs_are_left_out_and_counted(dropout: float) -> None:
    pairs = letters(40)
    long = Pairs([*pairs.sources, "abc " * 99], [*pairs.targets, "ABC"])
    data = TranslationData(bpe_dropout=dropout, max_length=50)
    tokenizer = train_tokenizer(long, data)
    encoded = encode_corpus(Corpus(long, long), tokenizer, data)
    assert (encoded.left_out, encoded.valid_left_out) == (1, 1)
    assert len(encoded.train) == len(encoded.valid) == len(encoded.valid_texts) == 40
    with pytest.raises(
        ValueError, match=r"every training pair is longer than max_length 2 tokens .*raise --max-length"
    ):
        encode_corpus(Corpus(long, long), tokenizer, replace(data, max_length=2))


def test_no_sentence_is_on_both_sides_of_the_split(tmp_path: Path) -> None:
    table = Path(write_table(tmp_path))
    table.write_text(table.read_text(encoding="utf-8") * 2, encoding="utf-8", newline="\n")
    corpus = read_corpus(TranslationData(paths=(str(table),), valid_fraction=0.2), seed=1)
    assert not set(corpus.train.sources) & set(corpus.valid.sources)
    assert len(corpus.train) + len(corpus.valid) == 240
    assert [note.split(" (")[0] for note in corpus.notes][
        -1
    ] == "120 exact duplicates of an earlier pair were kept"


def test_the_fingerprint_knows_which_part_a_sentence_is_in() -> None:
    one, two = letters(20), letters(22)
    assert Corpus(one, two).fingerprint != Corpus(two, one).fingerprint
    assert Corpus(one, two).fingerprint == Corpus(letters(20), letters(22)).fingerprint


def test_passes_without_dropout_are_already_consistent(tmp_path: Path) -> None:
    config = small_config(write_table(tmp_path))
    twice = replace(config, data=replace(config.data, consistency=5.0))
    losses = []
    for each in (config, twice):
        torch.manual_seed(0)
        objective, _ = small_objective(each)
        losses.append(objective.loss(next(objective.batches(0))))
    assert_close(losses[1].total, losses[0].total, rtol=1e-5, atol=1e-5)
    assert losses[1].count == losses[0].count


def test_dropout_drives_the_two_passes_apart(tmp_path: Path) -> None:
    config = small_config(write_table(tmp_path))
    block = replace(config.model.block, dropout=0.5)
    config = replace(config, model=replace(config.model, block=block))
    found = []
    for consistency in (1e-9, 5.0):
        torch.manual_seed(0)
        objective, _ = small_objective(replace(config, data=replace(config.data, consistency=consistency)))
        objective.model.train()
        torch.manual_seed(1)
        found.append(objective.loss(next(objective.batches(0))))
    assert_close(found[0].nll, found[1].nll)
    assert found[1].total > found[0].total + 0.01 * found[0].count
