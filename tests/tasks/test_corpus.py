"""What is learned from and what is held out: one class for all tasks, and the words that runs keep."""

from __future__ import annotations

from typing import Any

import pytest

from qkvae.config import TranslationData
from qkvae.data.labelled import Labelled
from qkvae.data.labels import Labels
from qkvae.data.pairs import Note, Pairs
from qkvae.data.splits import split_pairs
from qkvae.data.squad import Question, Questions
from qkvae.tasks.corpus import Corpus, Part, parts
from qkvae.tasks.feature_extraction.corpus import SimilarCorpus
from qkvae.tasks.question_answering.corpus import QuestionCorpus
from qkvae.tasks.text_classification.corpus import LabelledCorpus

PAIRS = Pairs([f"{n} dogs" for n in range(40)], [f"{n} Hunde" for n in range(40)], paths=("a", "b"))
TEXTS = Labelled(["one", "two"], ["a", "b"], paths=("t.tsv",))
LABELS = Labels("one", ("a", "b"))
SIMILAR = Labelled(["one", "two"], ["1", "2"], ["eins", "zwei"], paths=("t.tsv",))
ASKED = Questions(["The sky is blue."], [Question("1", "Why?", 0, (), None)], paths=("q.json",))


@pytest.mark.parametrize(
    ("corpus", "training", "facts"),
    [
        (Corpus(PAIRS, PAIRS), {"files": ["a", "b"], "pairs": 40}, []),
        (
            LabelledCorpus(TEXTS, TEXTS, Labels("one", ("a", "b"))),
            {"files": ["t.tsv"], "texts": 2},
            ["labels"],
        ),
        (SimilarCorpus(SIMILAR, SIMILAR, (1.0, 2.0)), {"files": ["t.tsv"], "pairs": 2}, ["scale"]),
        (
            QuestionCorpus(ASKED, ASKED, 3),
            {"files": ["q.json"], "questions": 1, "without_answer": 1},
            ["left_out"],
        ),
    ],
)
def test_the_words_that_runs_keep_stay(
    corpus: Corpus[Any], training: dict[str, Any], facts: list[str]
) -> None:
    passport = corpus.passport
    assert list(passport) == ["fingerprint", "training", "validation", *facts, "notes"]
    assert passport["training"] == training
    assert isinstance(corpus.train, Part)
    assert len(passport["fingerprint"]) == 64


def test_a_part_is_split_off_unless_one_is_given_and_notes_stay_with_what_is_learned_from() -> None:
    noted = Pairs(PAIRS.sources, PAIRS.targets, notes=(Note("a", 1, "thing was found"),))
    asked: list[tuple[Any, int]] = []

    def read(paths: Any, minimum: int) -> Pairs:
        asked.append((paths, minimum))
        return noted

    data = TranslationData(paths=("a", "b"), valid_fraction=0.5)
    train, valid = parts(data, read, lambda: PAIRS, split_pairs, most=4)
    assert len(train) + len(valid) == 40
    assert len(valid) < 15  # 4 of 40 at most, on average
    assert (train.notes, valid.notes) == (noted.notes, ())
    given = TranslationData(paths=("a", "b"), valid=("c", "d"))
    assert parts(given, read, lambda: PAIRS, split_pairs, most=4) == (noted, noted)
    assert asked == [(("a", "b"), 10), (("a", "b"), 10), (("c", "d"), 1)]
    assert len(parts(TranslationData(), read, lambda: PAIRS, split_pairs, most=4)[0]) > 20
    assert len(asked) == 3
