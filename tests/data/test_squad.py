"""Questions in SQuAD's format: exact offsets, misplaced answers counted and named, other formats refused."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from qkvae.data.squad import Question, Questions, read_squad, split_questions

CONTEXT = "  Ünïcode: the 😀 sky is blue.\r\nGrass is green. "


def asked(name: str, *answers: str, shift: int = 0, **more: Any) -> dict[str, Any]:
    found = [{"text": text, "answer_start": CONTEXT.index(text) + shift} for text in answers]
    return {"id": name, "question": f"What {name}?", "answers": found, **more}


def write(path: Path, qas: list[dict[str, Any]], context: str = CONTEXT) -> Path:
    whole = {"version": "2.0", "data": [{"title": "t", "paragraphs": [{"context": context, "qas": qas}]}]}
    data = json.dumps(whole).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def refusal(path: Path) -> str:
    with pytest.raises((ValueError, OSError)) as caught:
        read_squad(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def some(count: int = 10) -> list[dict[str, Any]]:
    return [asked(f"q{n}", "sky", "blue") for n in range(count)]


@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "a.zip", "a.jsonl"])
def test_every_container(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(write(tmp_path / "inner.json", some()), "inner.json")
    elif name == "a.jsonl":
        answers = {"text": ["sky"], "answer_start": [CONTEXT.index("sky")]}
        lines = [
            {"id": f"q{n}", "question": "What?", "context": CONTEXT, "answers": answers} for n in range(10)
        ]
        path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    else:
        write(path, some())
    found = read_squad(path)
    assert found.contexts == [CONTEXT]
    assert [found.answer(n) for n in range(10)] == ["sky"] * 10


def test_all_answers_are_kept_and_the_first_that_stands_is_learned(tmp_path: Path) -> None:
    wrong = asked("half", "green", "blue")
    wrong["answers"][0]["answer_start"] += 1
    found = read_squad(write(tmp_path / "a.json", [*some(), wrong]))
    last = found.questions[10]
    assert last.answers == ("green", "blue")
    assert found.answer(10) == "blue"
    assert [str(note) for note in found.notes] == [
        "1 answers do not stand at their answer_start and are not trained on (half)"
    ]


def test_misplaced_answers_are_named_and_not_trained_on(tmp_path: Path) -> None:
    rows = [
        *some(),
        asked("early", "sky", shift=-1),
        asked("late", "sky", shift=500),
        asked("minus", "sky", shift=-99),
    ]
    found = read_squad(write(tmp_path / "a.json", rows))
    notes = {note.kind: (note.count, note.examples) for note in found.notes}
    assert notes["misplaced answer"] == notes["not trained on"] == (3, ("early", "late", "minus"))
    assert [each.trainable for each in found.questions[10:]] == [False] * 3
    assert found.questions[10].answers == ("sky",)
    assert len(found.trainable()) == 10


def test_impossible_questions(tmp_path: Path) -> None:
    rows = [*some(), asked("none"), asked("marked", "sky", is_impossible=True)]
    found = read_squad(write(tmp_path / "a.json", rows))
    assert [each.impossible for each in found.questions[9:]] == [False, True, True]
    assert found.answer(10) is None
    assert found.questions[11].trainable
    assert {note.kind: note.count for note in found.notes} == {"no answer": 2}


def test_ids_given_twice_and_empty_questions(tmp_path: Path) -> None:
    rows = [*some(), asked("q0", "sky"), {**asked("empty", "sky"), "question": " "}]
    found = read_squad(write(tmp_path / "a.json", rows))
    assert len({each.id for each in found.questions}) == len(found) == 11
    assert {note.kind for note in found.notes} == {"id again", "empty"}


@pytest.mark.parametrize(
    ("whole", "message"),
    [
        ("{", "a.json is not JSON"),
        ("[1]", 'a.json has no list "data"'),
        ('{"data": [5]}', "a.json: data[0] is 5, but must be an object"),
        ('{"data": [{"paragraphs": [{"qas": []}]}]}', 'a.json: data[0].paragraphs[0] has no text "context"'),
        (
            '{"data": [{"paragraphs": [{"context": "a", '
            '"qas": [{"question": "b", "answers": [{"text": "a"}]}]}]}]}',
            'a.json: data[0].paragraphs[0].qas[0] has no whole number "answer_start"',
        ),
        ('{"data": []}', "0 questions, but at least 10 are needed"),
    ],
)
def test_other_formats_are_refused_with_their_place(tmp_path: Path, whole: str, message: str) -> None:
    (tmp_path / "a.json").write_text(whole, encoding="utf-8")
    assert message in refusal(tmp_path / "a.json")


def test_offsets_that_count_bytes_are_refused_together(tmp_path: Path) -> None:
    rows = [asked(f"q{n}", "sky") for n in range(10)]
    for row in rows:
        row["answers"][0]["answer_start"] = CONTEXT.encode().index(b"sky")
    assert "do the offsets count characters?" in refusal(write(tmp_path / "a.json", rows))
    assert "is no .json or .jsonl file" in refusal(write(tmp_path / "a.txt", rows))
    assert "is a folder" in refusal(tmp_path)


def test_split_goes_by_context() -> None:
    contexts = [f"Text {n}" for n in range(50)]
    questions = [Question(str(n), "What?", n % 50, ("Text",), (0, 4)) for n in range(200)]
    train, valid = split_questions(Questions(contexts, questions), 0.2)
    assert len(train) + len(valid) == 200
    assert not {each.context for each in train.questions} & {each.context for each in valid.questions}
    with pytest.raises(ValueError, match="about one context cannot be split"):
        split_questions(Questions(["a"], questions[:1]), 0.5)
