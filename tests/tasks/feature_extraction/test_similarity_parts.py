"""What is learned of pairs, and what their vectors are worth, against the same written out."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_similar import tiny, write_partners, write_rows

from qkvae.config import FeatureExtraction, Likeness, SimilarityData
from qkvae.data.labelled import Labelled
from qkvae.metrics.retrieval import partner_ranks
from qkvae.models import Encoder, build
from qkvae.tasks import find_task
from qkvae.tasks.feature_extraction.corpus import Encoded, encode_corpus, read_corpus, train_tokenizer
from qkvae.tasks.feature_extraction.evaluate import compare, figures
from qkvae.tasks.feature_extraction.objective import SimilarityObjective
from qkvae.tasks.feature_extraction.similarity import Similarity
from qkvae.train.processes import Processes


def prepared(config: FeatureExtraction) -> tuple[FeatureExtraction, Encoder, Encoded]:
    corpus = read_corpus(config.data, 1)
    tokenizer = train_tokenizer(corpus.train, config.data)
    config = find_task("feature-extraction").filled(config, corpus, tokenizer)
    torch.manual_seed(0)
    return config, build(config.model), encode_corpus(corpus, tokenizer, config)  # type: ignore[arg-type]


def alone(model: Encoder, encoded: Encoded, row: int) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.from_numpy(encoded.train.ids[row]).long()[None])[0]


def chance(vectors: dict[int, torch.Tensor], asks: int, own: int, others: list[int]) -> float:
    """With which probability a row finds its own among others."""

    def power(row: int) -> float:
        one, other = vectors[asks], vectors[row]
        return math.exp(float(one @ other / (one.norm() * other.norm())) / 0.05)

    return power(own) / sum(power(row) for row in others)


def test_the_loss_of_graded_pairs_is_its_equation(tmp_path: Path) -> None:
    config, model, encoded = prepared(tiny(write_rows(tmp_path)))
    objective = SimilarityObjective(model.eval(), encoded, config)
    assert objective.metric == "pearson"
    batch = next(objective.batches(0))
    expected = 0.0
    for row in torch.cat([group.sentences for group in batch]).tolist():
        if row % 2 == 0:
            one, other = alone(model, encoded, row), alone(model, encoded, row + 1)
            cosine = float(one @ other / (one.norm() * other.norm()))
            expected += (cosine - float(encoded.known[row // 2])) ** 2 / 2  # type: ignore[index]
    assert objective.loss(batch).total.item() == pytest.approx(expected, rel=1e-5)
    assert encoded.known is not None
    assert (float(encoded.known.min()), float(encoded.known.max())) == (0.0, 1.0)


def test_the_loss_of_pairs_is_its_equation_within_each_group(tmp_path: Path) -> None:
    config, model, encoded = prepared(
        tiny(write_partners(tmp_path), graded=False, learning=Likeness(group=8, word_dropout=0.0))
    )
    objective = SimilarityObjective(model.eval(), encoded, config)
    assert objective.metric == "retrieval_accuracy"
    batch = next(objective.batches(0))
    assert len(batch) > 2
    assert objective.size(batch) == sum(len(group.sentences) for group in batch) // 2
    expected = 0.0
    for group in batch:
        firsts = sorted(row for row in group.sentences.tolist() if row % 2 == 0)
        vectors = {row: alone(model, encoded, row) for first in firsts for row in (first, first + 1)}
        text = {row: encoded.train.ids[row].tolist() for row in vectors}

        for first in firsts:
            shared = [
                other
                for other in firsts
                if other != first
                and not {str(text[first]), str(text[first + 1])} & {str(text[other]), str(text[other + 1])}
            ]
            kept = [first, *shared]
            forward = chance(vectors, first, first + 1, [row + 1 for row in kept])
            expected -= (math.log(forward) + math.log(chance(vectors, first + 1, first, kept))) / 2
    assert objective.loss(batch).total.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("graded", [True, False])
def test_a_batch_in_parts_or_among_processes_has_the_same_gradient(tmp_path: Path, graded: bool) -> None:
    path = write_rows(tmp_path) if graded else write_partners(tmp_path)
    config, model, encoded = prepared(tiny(path, graded=graded))
    if not graded:
        config, model, encoded = prepared(
            tiny(path, graded=False, learning=Likeness(group=5, word_dropout=0.0))
        )
    objective = SimilarityObjective(model.eval(), encoded, config)
    batch = next(objective.batches(3))

    def gradient(parts: list[object]) -> torch.Tensor:
        model.zero_grad()
        for part in parts:
            objective.loss(part).total.backward()  # type: ignore[arg-type]
        return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])

    whole = gradient([batch])
    for count in (2, 3, 100):
        torch.testing.assert_close(gradient(list(objective.parts(batch, count))), whole, atol=1e-5, rtol=1e-4)
        shares = [share for rank in range(count) for share in Processes(rank, count).share(objective, batch)]
        assert sum(objective.size(share) for share in shares) == objective.size(batch)
        torch.testing.assert_close(gradient(shares), whole, atol=1e-5, rtol=1e-4)


def test_every_pair_is_seen_once_an_epoch(tmp_path: Path) -> None:
    config, model, encoded = prepared(
        tiny(write_partners(tmp_path), graded=False, learning=Likeness(group=7))
    )
    objective, seen = SimilarityObjective(model, encoded, config), list[int]()
    batches = objective.batches(0)
    while len(seen) < len(encoded.train):
        seen += torch.cat([group.sentences for group in next(batches)]).tolist()
    assert sorted(seen) == list(range(len(encoded.train)))


def test_single_texts_are_read_twice_with_other_dropout(tmp_path: Path) -> None:
    config, model, encoded = prepared(tiny(write_rows(tmp_path), learning=Likeness(signal="texts", group=8)))
    assert encoded.known is None
    assert torch.equal(encoded.numbers[0::2], encoded.numbers[1::2])
    assert len(encoded.numbers.unique()) == len(encoded.train) // 2
    objective = SimilarityObjective(model.train(), encoded, config)
    assert objective.loss(next(objective.batches(0))).total.item() > 0


def test_of_graded_pairs_those_of_high_grade_belong_together(tmp_path: Path) -> None:
    learning = Likeness(signal="pairs", group=8)
    _, _, encoded = prepared(tiny(write_rows(tmp_path), learning=learning))
    _, _, graded = prepared(tiny(write_rows(tmp_path)))
    assert graded.known is not None
    assert len(encoded.train) // 2 == int((graded.known >= 0.8).sum())


def test_the_figures_by_hand() -> None:
    first = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]], np.float32)
    second = np.array([[1.0, 0.1], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], np.float32)
    texts = Labelled(["a", "b", "c", "a"], ["5", "4", "1", "1"], ["d", "e", "f", "f"])
    known = np.array([1.0, 0.8, 0.0, 0.0], np.float32)
    found = figures(first, second, texts, known)
    cosines = [1 / math.hypot(1, 0.1), 0.0, math.sqrt(0.5), 0.0]
    assert found["pearson"] == pytest.approx(np.corrcoef(known, cosines)[0, 1])
    assert found["retrieval_accuracy"] == 0.0  # of a, e is nearer than d; of b, both others are nearer than e
    assert found["mrr"] == pytest.approx((1 / 2 + 1 / 3) / 2)
    whole = figures(first, second, Labelled(texts.texts, [""] * 4, texts.pairs), None)
    assert "pearson" not in whole
    assert whole["retrieval_accuracy"] == pytest.approx(0.0)


def test_vectors_that_are_all_the_same_find_nothing() -> None:
    same = np.ones((5, 3))
    ranks = partner_ranks(same, same, np.stack([np.arange(5)] * 2, 1))
    assert ranks.tolist() == [5] * 5


def test_a_run_is_no_better_than_itself(tmp_path: Path) -> None:
    config = tiny(write_rows(tmp_path))
    corpus = read_corpus(config.data, 1)
    tokenizer = train_tokenizer(corpus.train, config.data)
    model = build(find_task("feature-extraction").filled(config, corpus, tokenizer).model)
    one = Similarity(model.eval(), tokenizer, config.data)  # type: ignore[arg-type]
    for texts, metric in (
        (corpus.valid, "pearson"),
        (Labelled(corpus.valid.texts, [""] * len(corpus.valid), corpus.valid.pairs), "retrieval_accuracy"),
    ):
        found = compare(one, one, texts, corpus.scale, samples=50)
        assert (found["metric"], found["difference"], found["verdict"]) == (metric, 0, "cannot tell")


def test_what_has_no_effect_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="group 8 has no effect with signal scores"):
        prepared(tiny(write_rows(tmp_path), learning=Likeness(group=8)))
    with pytest.raises(ValueError, match=r"temperature 0\.1 has no effect with signal scores"):
        Likeness(signal="scores", temperature=0.1)
    with pytest.raises(ValueError, match="signal is scores, but the pairs are not graded"):
        prepared(tiny(write_partners(tmp_path), graded=False, learning=Likeness(signal="scores")))
    with pytest.raises(ValueError, match="no column of the second is given: add --pair"):
        SimilarityData(label="score")
    bad = tmp_path / "bad.tsv"
    bad.write_text("".join(f"a {n}\tb {n}\t{'x' if n == 7 else n}\n" for n in range(20)), encoding="utf-8")
    with pytest.raises(ValueError, match=r'bad.tsv: line 8: the label "x" is no finite number'):
        prepared(tiny(str(bad), text="0", pair="1", label="2"))
