"""The check of labelled texts: each planted fault is found, where it is, and clean data passes."""

from __future__ import annotations

import json

import pytest

from qkvae.data.check_labelled import ADVICE, check_labelled
from qkvae.data.findings import Report
from qkvae.data.labelled import Label, Labelled
from qkvae.data.tokenizer import Tokenizer


def clean(count: int = 300, start: int = 0, numbers: bool = False) -> Labelled:
    texts = [f"film {start + n} was seen by {(start + n) * 7919 % 1000} people" for n in range(count)]
    return Labelled(texts, [str(n % 3 + (0.5 if numbers else 0)) for n in range(count)])


def altered(found: Labelled, texts: dict[int, str], labels: dict[int, Label] | None = None) -> Labelled:
    changed = [texts.get(n, text) for n, text in enumerate(found.texts)]
    return Labelled(changed, [(labels or {}).get(n, label) for n, label in enumerate(found.labels)])


def kinds(report: Report) -> dict[tuple[str, str], int]:
    return {(each.kind, each.part): each.count for each in report.findings}


def test_clean_data_passes() -> None:
    report = check_labelled(clean(), clean(100, start=1000))
    assert report.findings == ()
    assert "300 texts, 100 to validate on" in str(report)
    assert "3 classes: 0 100 (33.3%), 1 100 (33.3%), 2 100 (33.3%)" in report.remarks[0]
    json.dumps(report.to_dict())


def test_faults_of_train() -> None:
    train = clean()
    train = altered(
        train,
        {
            10: train.texts[1].upper(),
            20: train.texts[2] + " ",
            30: "word " * 200,
            40: "das schÃ¶ne Haus",
            50: "one<br />two",
        },
        {60: "seldom"},
    )
    found = kinds(check_labelled(train))
    assert found == {
        ("duplicates", "train"): 2,
        ("very long", "train"): 1,
        ("encoding", "train"): 1,
        ("markup", "train"): 1,
        ("rare class", "train"): 1,
    }
    contradicted = altered(clean(), {4: clean().texts[0]})
    (report,) = check_labelled(contradicted).findings
    assert (report.kind, report.count, [each.line for each in report.examples]) == (
        "contradictions",
        2,
        [1, 5],
    )
    assert "1 texts" not in str(report)
    assert "contradictions: 2 texts (0.67%)" in str(report)


def test_faults_of_valid() -> None:
    train, valid = clean(), clean(100, start=1000)
    valid = altered(valid, {3: train.texts[3], 4: train.texts[5]}, {9: "new"})
    found = kinds(check_labelled(train, valid))
    assert found == {
        ("leaks", "valid"): 1,
        ("leaks (other label)", "valid"): 1,
        ("unknown label", "valid"): 1,
    }


def test_numbers_contradict_nobody() -> None:
    train = clean(numbers=True)
    report = check_labelled(
        altered(train, {4: train.texts[0]}), altered(clean(50, 1000, True), {0: train.texts[1]})
    )
    assert kinds(report) == {("leaks", "valid"): 1}
    assert report.remarks[0] == "numbers of mean 1.5 and standard deviation 0.8165"


def test_pairs_are_judged_together() -> None:
    texts, labels = ["a cat", "a cat", "a dog", "a cat"] * 5, ["1", "2", "1", "1"] * 5
    pairs = [f"it is {n}" for n in range(20)]
    assert check_labelled(Labelled(texts, list(labels), pairs)).findings == ()
    pairs[3] = pairs[0]
    (found,) = check_labelled(Labelled(texts, list(labels), pairs)).findings
    assert (found.kind, found.count) == ("duplicates", 1)
    assert found.examples[0].source == "a cat | it is 0"


def test_cut_counts_tokens() -> None:
    words = [" ".join(["word"] * (n % 30 + 1)) + f" {n}" for n in range(60)]
    texts = Labelled(words, [str(n % 2) for n in range(60)])
    tokenizer = Tokenizer.train(words, kind="word", min_frequency=1)
    found = {each.kind: each for each in check_labelled(texts, tokenizer=tokenizer, max_length=20).findings}
    assert found["cut"].count == sum(len(text.split()) + 2 > 20 for text in words)
    assert "max_length is 20" in str(found["cut"])
    assert "tokens were estimated" in check_labelled(texts).remarks[-1]


def test_nothing_to_check() -> None:
    with pytest.raises(ValueError, match="max_length is 0"):
        check_labelled(clean(), max_length=0)
    with pytest.raises(ValueError, match="valid holds no text"):
        check_labelled(clean(), Labelled([], []))
    with pytest.raises(ValueError, match="the only label"):
        check_labelled(Labelled(["a", "b"], ["x", "x"]))


def test_every_kind_has_advice() -> None:
    assert all(advice.endswith(".") for advice in ADVICE.values())
