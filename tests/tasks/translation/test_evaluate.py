"""The figures of an evaluation against the same sums written out."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from qkvae import metrics
from qkvae.config import Block, Generation, Seq2Seq
from qkvae.data.batches import SentencePairs
from qkvae.data.pairs import Pairs
from qkvae.data.ragged import Ragged
from qkvae.data.tokenizer import Tokenizer
from qkvae.models import Seq2Seq as Model
from qkvae.models import build
from qkvae.tasks.translation.evaluate import compare, evaluate, validation_loss
from qkvae.tasks.translation.translator import Translator

SOURCES = ["two dogs play", "a man reads a book in the snow", "snow", "the dogs read", "a book and a man"]
TARGETS = [
    "zwei Hunde spielen",
    "ein Mann liest im Schnee ein Buch",
    "Schnee",
    "die Hunde lesen",
    "ein Buch, ein Mann",
]
PAIRS = Pairs(SOURCES, TARGETS)
SEARCH = Generation(beam=2, max_length=8, batch=2)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train((SOURCES + TARGETS) * 2, vocab_size=320, exact=False)


@pytest.fixture
def model(tokenizer: Tokenizer) -> Model:
    return fresh(tokenizer, 0)


def fresh(tokenizer: Tokenizer, seed: int) -> Model:
    torch.manual_seed(seed)
    block = Block(dim=16, heads=2, hidden=32)
    return build(Seq2Seq(block=block, encoder_depth=1, decoder_depth=1, vocab=len(tokenizer), max_length=64))


def encoded(tokenizer: Tokenizer, pairs: Pairs) -> SentencePairs:
    return SentencePairs(tokenizer.encode_batch(pairs.sources), tokenizer.encode_batch(pairs.targets))


def by_hand(model: Model, pairs: SentencePairs, smoothing: float) -> tuple[float, float, int]:
    """One pair at a time, no padding, the equation as it is written."""
    loss = nll = 0.0
    tokens = 0
    model.eval()
    for source, target in zip(pairs.sources.to_lists(), pairs.targets.to_lists(), strict=True):
        with torch.no_grad():
            log_p = (
                model(torch.tensor([[*source, 2]]), torch.tensor([[1, *target]])).log_softmax(-1)[0].double()
            )
        wanted = torch.full_like(log_p, smoothing / log_p.shape[1])
        wanted[torch.arange(len(target) + 1), torch.tensor([*target, 2])] += 1 - smoothing
        loss -= float((wanted * log_p).sum())
        nll -= float(log_p[torch.arange(len(target) + 1), torch.tensor([*target, 2])].sum())
        tokens += len(target) + 1
    return loss, nll, tokens


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_validation_loss_is_the_mean_over_target_tokens(
    model: Model, tokenizer: Tokenizer, smoothing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = encoded(tokenizer, PAIRS)
    loss, nll, tokens = by_hand(model, pairs, smoothing)
    expected = pytest.approx((loss / tokens, nll / tokens), abs=1e-5)
    model.train()
    assert validation_loss(model, pairs, smoothing) == expected
    assert model.training
    monkeypatch.setattr("qkvae.tasks.translation.evaluate._TOKENS", 16)  # several batches
    assert validation_loss(model, pairs, smoothing) == expected


def test_nothing_to_evaluate_on_is_refused(model: Model, tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="no sentence pairs"):
        validation_loss(model, SentencePairs(Ragged.from_lists([]), Ragged.from_lists([])), 0.1)
    with pytest.raises(ValueError, match="no sentence pairs"):
        evaluate(model, tokenizer, Pairs([], []))


def test_every_figure(model: Model, tokenizer: Tokenizer) -> None:
    found = evaluate(model, tokenizer, PAIRS, SEARCH, smoothing=0.1)
    loss, nll, tokens = by_hand(model, encoded(tokenizer, PAIRS), 0.1)
    texts = [answer.texts[0] for answer in Translator(model, tokenizer, SEARCH).translate(SOURCES)]
    bleu = metrics.bleu(texts, TARGETS)
    assert found["bleu"] == bleu.score
    assert found["signature"] == bleu.signature
    assert found["length_ratio"] == bleu.length_ratio
    assert found["chrf"] == metrics.chrf(texts, TARGETS)
    assert found["loss"] == pytest.approx(loss / tokens, abs=1e-5)
    assert found["nll"] == pytest.approx(nll / tokens, abs=1e-5)
    assert found["perplexity"] == pytest.approx(math.exp(nll / tokens), rel=1e-4)
    text = "".join(TARGETS).encode()
    assert found["bits_per_byte"] == pytest.approx(nll / math.log(2) / len(text), rel=1e-5)
    assert (found["pairs"], found["tokens"]) == (5, tokens)
    assert (found["left_out"], found["sources_cut"]) == (0, 0)


def test_what_is_too_long_is_counted(model: Model, tokenizer: Tokenizer) -> None:
    long = " ".join(["Schnee"] * 100)
    longer = Pairs([*SOURCES, "snow", long], [*TARGETS, long, "Schnee"])
    found = evaluate(model, tokenizer, longer, SEARCH)
    assert (found["pairs"], found["left_out"], found["sources_cut"]) == (7, 2, 1)
    assert found["nll"] == pytest.approx(evaluate(model, tokenizer, PAIRS, SEARCH)["nll"], abs=1e-5)
    with pytest.raises(ValueError, match="longer than the 64 tokens"):
        evaluate(model, tokenizer, Pairs([long], [long]), SEARCH)


def test_words_have_no_bits_per_byte() -> None:
    words = Tokenizer.train((SOURCES + TARGETS) * 2, kind="word", exact=False)
    assert evaluate(fresh(words, 0), words, PAIRS, SEARCH)["bits_per_byte"] is None


def test_comparing(model: Model, tokenizer: Tokenizer) -> None:
    one = Translator(model, tokenizer, SEARCH)
    other = Translator(fresh(tokenizer, 1), tokenizer, replace(SEARCH, beam=1))
    same = compare(one, one, PAIRS, samples=50)
    assert same["verdict"] == "cannot tell"
    assert same["difference"] == 0
    found = compare(one, other, PAIRS, samples=50)
    assert found["first"] == pytest.approx(evaluate(model, tokenizer, PAIRS, SEARCH)["bleu"])
    assert found["segments"] == 5
    assert found["chrf_second"] != found["chrf_first"]
