"""Texts to numbers, their loss and their figures, against the same written out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny_labels import rows, tiny, write_rows

from qkvae.config import LabelledData, Learning, TextClassification
from qkvae.data.encoded import Sentences, encode_texts
from qkvae.data.labelled import Labelled
from qkvae.data.labels import Labels
from qkvae.data.tokenizer import BOS, EOS, SPECIALS, UNK, Tokenizer
from qkvae.models import Encoder, build
from qkvae.tasks import find_task
from qkvae.tasks.label_figures import figures
from qkvae.tasks.reading import read_all
from qkvae.tasks.text_classification.classifier import Classifier
from qkvae.tasks.text_classification.corpus import (
    Encoded,
    encode_corpus,
    read_corpus,
    train_tokenizer,
)
from qkvae.tasks.text_classification.evaluate import compare, evaluate
from qkvae.tasks.text_classification.objective import ClassificationObjective

WORDS = Tokenizer.train([" ".join(f"w{n}" for n in range(40))], "word", 400, 1, exact=False)


def prepared(config: TextClassification) -> tuple[TextClassification, Encoder, Encoded]:
    corpus = read_corpus(config.data, 1)
    tokenizer = train_tokenizer(corpus.train, config.data)
    config = find_task("text-classification").filled(config, corpus, tokenizer)
    return config, build(config.model), encode_corpus(corpus, tokenizer, config.data)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(8, 30))
def test_of_a_long_pair_the_longer_text_is_cut_first(first: int, second: int, longest: int) -> None:
    texts = [" ".join(["w1"] * first)], [" ".join(["w2"] * second)]
    rows, cut = encode_texts(WORDS, *texts, longest)
    ids = rows.ids[0].tolist()
    one, other = (ids.count(WORDS.encode(word)[0]) for word in ("w1", "w2"))
    assert ids == [BOS, *WORDS.encode(" ".join(["w1"] * one)), EOS, *[WORDS.encode("w2")[0]] * other, EOS]
    assert len(ids) == min(longest, first + second + 3)
    assert cut.tolist() == [first + second + 3 > longest]
    if one < first:
        assert one >= other - 1
    if other < second:
        assert other >= one - 1


def alone_of(rows: Sentences, row: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The tokens of a pair, and of which text each is and whether it stands in the other, too."""
    ids, second = rows.ids[row].astype(np.int64), int(rows.second[row])
    one, other = set(ids[1 : second - 1]), set(ids[second:-1])
    kinds = [int(place >= second) + 2 * (token in one & other) for place, token in enumerate(ids)]
    return ids, np.array(kinds)


def test_a_text_alone_and_among_others_is_answered_the_same(tmp_path: Path) -> None:
    _, model, encoded = prepared(tiny(write_rows(tmp_path), pair="2"))
    told = read_all(model, encoded.valid)
    assert model.settings.segments == 4
    model.eval()
    for row in range(len(encoded.valid)):
        ids, segments = (torch.from_numpy(each)[None] for each in alone_of(encoded.valid, row))
        with torch.no_grad():
            alone = model(ids, segments=segments)
        assert torch.allclose(told[row], alone[0], atol=1e-5)


def test_the_loss_of_one_class_is_its_equation(tmp_path: Path) -> None:
    learning = Learning(class_weights="balanced", label_smoothing=0.2, word_dropout=0.0)
    config, model, encoded = prepared(tiny(write_rows(tmp_path), learning=learning))
    objective = ClassificationObjective(model.eval(), encoded, config)
    assert objective.metric == "macro_f1"
    batch = next(objective.batches(0))
    assert objective.size(batch) == len(batch.sentences)
    weights, expected = encoded.labels.weights(), 0.0
    for sentence in batch.sentences.tolist():
        with torch.no_grad():
            log_p = model(torch.from_numpy(encoded.train.ids[sentence]).long()[None])[0].log_softmax(0)
        target = int(encoded.train_targets[sentence])
        for c in range(2):
            expected -= float(weights[c] * (0.8 * (c == target) + 0.1) * log_p[c])
    assert objective.loss(batch).total.item() == pytest.approx(expected, rel=1e-4)
    halves = sum(objective.loss(part).total.item() for part in objective.parts(batch, 3))
    assert halves == pytest.approx(expected, rel=1e-4)


def test_words_are_hidden_while_training_and_special_tokens_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, model, encoded = prepared(tiny(write_rows(tmp_path), learning=Learning(word_dropout=0.5)))
    objective = ClassificationObjective(model, encoded, config)
    seen: list[torch.Tensor] = []
    kept = Encoder.forward
    monkeypatch.setattr(
        Encoder, "forward", lambda self, ids, *rest: (seen.append(ids), kept(self, ids, *rest))[1]
    )
    batch = next(objective.batches(0))
    objective.loss(batch)
    model.eval()
    objective.loss(batch)
    assert torch.equal(seen[1], batch.ids)
    special = batch.ids < len(SPECIALS)
    assert torch.equal(seen[0][special], batch.ids[special])
    hidden = (seen[0] == UNK)[~special].float().mean()
    assert 0.3 < float(hidden) < 0.7


def test_settings_without_effect_are_refused(tmp_path: Path) -> None:
    path = write_rows(tmp_path)
    numbers = {"label": "3", "kind": "number"}
    for learning, message in (
        (Learning(label_smoothing=0.1), "label_smoothing 0.1 has no effect"),
        (Learning(class_weights="balanced"), "class weights have no effect"),
    ):
        config, model, encoded = prepared(tiny(path, learning=learning, **numbers))
        with pytest.raises(ValueError, match=message):
            ClassificationObjective(model, encoded, config)
    with pytest.raises(ValueError, match="separator , has no effect with kind one"):
        LabelledData(kind="one", separator=",")


def test_a_label_of_the_validation_part_alone_is_refused_with_its_line(tmp_path: Path) -> None:
    train, valid = write_rows(tmp_path), tmp_path / "valid.tsv"
    valid.write_text("fine a b\tpos\nodd a b\todd\n", encoding="utf-8")
    config = tiny(train, valid=(str(valid),), valid_fraction=None)
    with pytest.raises(ValueError, match=r'valid.tsv: line 2: the label "odd" is not among the 2 classes'):
        prepared(config)


def test_the_figures_of_several_labels_by_hand() -> None:
    labels = Labels("several", ("a", "b"), (2, 2), 4)
    known = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [0.0, 1.0]])
    told = torch.tensor([[2.0, -2.0], [2.0, -2.0], [-2.0, -2.0], [2.0, 2.0]])
    found = figures(labels, known, told)
    assert found["accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert found["nll"] == pytest.approx(float(F.binary_cross_entropy_with_logits(told, known)) * 2)


def test_the_macro_f1_is_scikit_learns() -> None:
    """Of one class each those count that are known or told; of several labels all do."""
    theirs = pytest.importorskip("sklearn.metrics").f1_score
    draw = torch.Generator().manual_seed(0)
    told = torch.randn(40, 6, generator=draw)
    told[:, 4:] = -9  # neither known nor ever told
    known = torch.randint(4, (40,), generator=draw)
    names = tuple("abcdef")
    found = figures(Labels("one", names, (9,) * 6, 54), known, told)
    expected = theirs(known.numpy(), told.argmax(1).numpy(), average="macro")
    assert found["macro_f1"] == pytest.approx(expected)
    yes = torch.nn.functional.one_hot(known, 6).float()
    found = figures(Labels("several", names, (9,) * 6, 54), yes, told)
    expected = theirs(yes.numpy(), (told > 0).numpy(), average="macro", zero_division=0.0)
    assert found["macro_f1"] == pytest.approx(expected)


def test_the_figures_of_numbers_are_in_their_own_unit() -> None:
    labels = Labels("number", total=3, mean=3.0, scale=2.0)
    found = figures(labels, torch.tensor([0.0, 1.0, -1.0]), torch.tensor([[0.5], [1.5], [-0.5]]))
    assert found == pytest.approx({"pearson": 1.0, "spearman": 1.0, "mse": 1.0, "mae": 1.0})


def classifier(names: tuple[str, ...] = ("neg", "pos"), seed: int = 0, **data: object) -> Classifier:
    torch.manual_seed(seed)
    config = tiny(**data)  # type: ignore[arg-type]
    model = config.model
    head = type(model.head)(count=len(names))  # type: ignore[call-arg]
    settings = type(model)(block=model.block, depth=1, head=head, vocab=len(WORDS))
    return Classifier(build(settings).eval(), WORDS, Labels("one", names, (1,) * len(names), 2), config.data)


def test_an_evaluation_counts_every_text_once() -> None:
    some = Labelled([f"w{n} w{n + 1}" for n in range(20)], [("neg", "pos")[n % 2] for n in range(20)])
    reader = classifier()
    found = evaluate(reader, some)
    answers = [answer.labels[0] for answer in reader.stream(some.texts)]
    assert found["accuracy"] == np.mean([a == b for a, b in zip(answers, some.labels, strict=True)])
    assert sum(sum(row.values()) for row in found["taken_as"].values()) == found["texts"] == 20


def test_a_classifier_is_no_better_than_itself() -> None:
    some = Labelled([f"w{n} w{n + 1}" for n in range(20)], [("neg", "pos")[n % 2] for n in range(20)])
    found = compare(classifier(), classifier(), some, samples=100)
    assert (found["metric"], found["difference"], found["verdict"]) == ("accuracy", 0, "cannot tell")


def test_pairs_and_single_texts_are_not_taken_for_each_other() -> None:
    with pytest.raises(ValueError, match="reads single texts, but pairs are given"):
        classifier().read(["w1"], ["w2"])
    with pytest.raises(ValueError, match="holds no tab"):
        list(classifier(pair="2").stream(["w1 w2"]))


def test_inputs_are_answered_in_order_and_cuts_are_said() -> None:
    reader = classifier(max_length=8)
    answers = list(reader.stream(["w1", "", " ".join(["w2"] * 9)]))
    assert [answer.cut for answer in answers] == [False, False, True]
    assert reader.lines(answers[1], 2) == [""]
    assert "1 input has more than 8 tokens" in (reader.said_of_cuts(answers) or "")
    p = answers[0].probabilities
    assert sum(p.values()) == pytest.approx(1)
    assert list(p.values()) == sorted(p.values(), reverse=True)
    assert reader.lines(answers[0], 1) == [f"{answers[0].text}\t{max(p.values()):.4f}"]


def test_the_rows_have_what_is_learned_from() -> None:
    assert {label for _, label, _, _ in rows()} == {"neg", "pos"}
