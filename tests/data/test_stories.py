"""bAbI's stories and QAMR's tables as questions, and stories as labelled texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from qkvae.config import LabelledData, TextClassification
from qkvae.data.chat import Turn, read_chats
from qkvae.data.labelled import read_labelled, split_labelled
from qkvae.data.squad import read_squad
from qkvae.tasks import find_task
from qkvae.tasks.text_classification.corpus import read_corpus, train_tokenizer

STORY = """1 Mary moved to the bathroom.
2 John went to the hallway.
3 Where is Mary? \tbathroom\t1
4 Is John in the garden?\tno\t2
5 Mary went to the garden.
6 Where is Mary?\tgarden\t5
"""
SENTENCES = "s1\tThe cat sat on the mat .\ns2\tDogs bark .\n"
QUESTION = "s1\t1 2\t7\t0\t1\tWhat sat?\t0 1\t3:0 1\t4:1\n"


def stories(folder: Path, count: int = 10) -> Path:
    path = folder / "qa1_train.txt"
    texts = (STORY.replace("Mary", f"Mary{n}") for n in range(count))
    path.write_text("".join(texts), encoding="utf-8")
    return path


def test_a_question_and_all_that_was_told_before_it(tmp_path: Path) -> None:
    found = read_labelled(stories(tmp_path))
    assert len(found) == 30
    assert found.pairs is not None
    assert found.texts[1] == "Mary0 moved to the bathroom. John went to the hallway."
    assert (found.pairs[1], found.labels[1]) == ("Is John in the garden?", "no")
    assert found.texts[2].endswith("John went to the hallway. Mary0 went to the garden.")
    assert found.where(2) == "qa1_train.txt: line 6"
    assert "Mary0" not in found.texts[3]  # a new story
    asked = read_labelled(stories(tmp_path), text="question", label="answer")
    assert (asked.texts[2], asked.pairs) == ("Where is Mary0?", None)


def test_a_story_is_split_as_a_whole(tmp_path: Path) -> None:
    train, valid = split_labelled(read_labelled(stories(tmp_path, 40)), 0.3)
    names = [{text.split()[0] for text in part.texts} for part in (train, valid)]
    assert names[0]
    assert names[1]
    assert not names[0] & names[1]


def test_a_story_is_a_conversation(tmp_path: Path) -> None:
    found = read_chats(stories(tmp_path))
    assert (len(found), found.where(1)) == (10, "qa1_train.txt:9")
    assert found.conversations[0][2:4] == (Turn("user", "Is John in the garden?"), Turn("assistant", "no"))
    assert found.conversations[0][4].content == "Mary0 went to the garden. Where is Mary0?"


def test_an_answer_is_where_its_word_was_said_last(tmp_path: Path) -> None:
    found = read_squad(stories(tmp_path))
    assert [found.answer(place) for place in range(3)] == ["bathroom", None, "garden"]
    assert found.questions[2].span == (73, 79)
    assert "10 answers do not stand in their story" in str(found.notes[0])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1 A sat.\n2 B sat.\nC sat.\n", "line 3 has no number in front"),
        ("1 A sat.\n2 B sat.\n4 C sat.\n", "line 3 is numbered 4, but must be 3"),
        ("1 A sat.\n2 B sat.\n1 Who?\tA\t1\n", "line 3 is a question before anything was told"),
    ],
)
def test_what_is_no_story_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "odd.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=why):
        read_labelled(path)


def test_answers_are_words_of_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "wiki-sentences.tsv").write_text(SENTENCES + "s3 no tab\n", encoding="utf-8")
    path = tmp_path / "dev.tsv"
    rows = [QUESTION.replace("\t7\t", f"\t{n}\t") for n in range(10)]
    rows.append("s2\t0\t7\t0\t0\tWhat is there?\t0 2\t3:0\t4:Invalid\n")
    path.write_text("".join(rows), encoding="utf-8")
    found = read_squad(path)
    assert found.contexts == ["The cat sat on the mat .", "Dogs bark ."]
    first, last = found.questions[0], found.questions[10]
    assert (first.id, first.answers, first.span) == ("s1/1 2/0/0", ("The cat", "cat"), (0, 7))
    assert (last.answers, found.answer(10)) == (("Dogs .", "Dogs"), "Dogs")
    notes = " ".join(map(str, found.notes))
    assert "1 answers are no single stretch of their sentence" in notes
    assert "which have not two columns (wiki-sentences.tsv:3)" in notes


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (QUESTION.replace("s1", "s3"), 'there is no sentence "s3"'),
        (QUESTION.replace("0 1\t3", "0 9\t3"), "holds word 9, but its sentence has 7"),
        ("a question\tan answer\n", "has 2 columns, but questions in the format of QAMR have 9"),
    ],
)
def test_a_table_that_is_not_qamrs_is_refused(tmp_path: Path, row: str, why: str) -> None:
    (tmp_path / "wiki-sentences.tsv").write_text(SENTENCES, encoding="utf-8")
    (tmp_path / "dev.tsv").write_text(row, encoding="utf-8")
    with pytest.raises(ValueError, match=why):
        read_squad(tmp_path / "dev.tsv")


def test_the_sentences_stand_beside_the_questions(tmp_path: Path) -> None:
    (tmp_path / "dev.tsv").write_text(QUESTION, encoding="utf-8")
    with pytest.raises(FileNotFoundError, match="put the sentences beside it"):
        read_squad(tmp_path / "dev.tsv")


def test_a_classifier_of_stories_knows_that_it_reads_pairs(tmp_path: Path) -> None:
    config = TextClassification(data=LabelledData(paths=(str(stories(tmp_path, 40)),), tokenizer="word"))
    corpus = read_corpus(config.data, 1)
    filled = find_task("text-classification").filled(
        config, corpus, train_tokenizer(corpus.train, config.data)
    )
    assert (filled.data.text, filled.data.pair, filled.data.label) == ("story", "question", "answer")
    assert filled.model.segments == 4
    again = read_corpus(filled.data, 1)
    assert again.fingerprint == corpus.fingerprint
