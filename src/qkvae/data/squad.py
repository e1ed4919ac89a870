"""Questions over contexts, with answers at exact character offsets: SQuAD 1.1 and 2.0, QAMR, stories."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any, cast

import numpy as np

from qkvae.data.archives import member_names
from qkvae.data.files import Lines, TextFile, decoded, inside_archive, locate, read_whole
from qkvae.data.pairs import Note, Tally
from qkvae.data.qamr import qamr_questions
from qkvae.data.splits import chosen_by_hash, source_hashes
from qkvae.data.stories import is_story, story_rows
from qkvae.data.tables import json_cells, shortened

MINIMUM_QUESTIONS = 10
"""Fewer questions than this are refused: nothing can be learned from them."""


@dataclass(frozen=True)
class Question:
    """One question about one context."""

    id: str
    question: str
    context: int
    """Which of ``Questions.contexts`` it asks about."""

    answers: tuple[str, ...]
    """All accepted answers, for evaluation; none if the context does not answer it."""

    span: tuple[int, int] | None
    """Characters of the context that the first answer to stand there covers, for training."""

    @property
    def impossible(self) -> bool:
        """Whether the context holds no answer."""
        return not self.answers

    @property
    def trainable(self) -> bool:
        """Whether it is known where the answer stands, or that there is none."""
        return self.impossible or self.span is not None


@dataclass(frozen=True)
class Questions:
    """Questions over contexts; several may share one.

    >>> some = Questions(["The sky is blue."], [Question("a", "Which colour?", 0, ("blue",), (11, 15))])
    >>> some.answer(0), some.context(0), len(some)
    ('blue', 'The sky is blue.', 1)
    """

    contexts: list[str]
    questions: list[Question]
    notes: tuple[Note, ...] = ()
    paths: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.questions)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over contexts, questions and answers, in their order; file names do not matter."""
        digest = sha256()
        for part in (self.contexts, [asdict(each) for each in self.questions]):
            for one in part:
                digest.update(json.dumps(one).encode() + b"\n")
        return digest.hexdigest()

    @property
    def figures(self) -> dict[str, Any]:
        """What the passport of a run says of these questions."""
        unanswerable = sum(each.impossible for each in self.questions)
        return {"files": list(self.paths), "questions": len(self), "without_answer": unanswerable}

    def context(self, index: int) -> str:
        """The text that question ``index`` asks about."""
        return self.contexts[self.questions[index].context]

    def answer(self, index: int) -> str | None:
        """The characters of its training span, if it has one."""
        span = self.questions[index].span
        return None if span is None else self.context(index)[slice(*span)]

    def select(self, indices: Iterable[int]) -> Questions:
        """The questions at these places, in this order, over the same contexts; the notes stay with the
        whole."""
        return Questions(self.contexts, [self.questions[i] for i in indices], paths=self.paths)

    def trainable(self) -> Questions:
        """Those to train on: without the ones whose answers stand nowhere."""
        kept = self.select(place for place, each in enumerate(self.questions) if each.trainable)
        return replace(kept, notes=self.notes)


def read_squad(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, minimum: int = MINIMUM_QUESTIONS
) -> Questions:
    """Read questions in the format of SQuAD, or in that of QAMR or bAbI.

    Each of ``paths`` is a .json file ``{"data": [{"paragraphs": [{"context", "qas": [{"id", "question",
    "answers": [{"text", "answer_start"}], "is_impossible"}]}]}]}`` (Rajpurkar et al. 2016, 2018), or a .jsonl
    file with one object ``{"id", "question", "context", "answers": {"text": […], "answer_start": […]}}`` per
    line; also compressed (.gz, .xz) or alone in a .zip.  Offsets count characters (code points), so contexts
    are kept exactly as they are.  A .tsv is read as QAMR's (see ``qamr``), a .txt as stories (see
    ``stories``), whose answers stand where their word was said last.

    Counted and named in ``notes``: answers whose text does not stand at its offset (a question left without
    any is not trained on, but still evaluated), ids given twice (the later ones get a number), questions
    without an answer, empty ones (dropped).

    Raises:
        FileNotFoundError: a path does not exist; the nearest existing name is suggested.
        ValueError: not JSON, another format (the place in it is named), fewer than ``minimum`` questions,
        or not
            one that can be trained on.

    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "sky.json"
    >>> answers = [{"text": "blue", "answer_start": 11}]
    >>> asked = [{"id": str(n), "question": f"Colour {n}?", "answers": answers} for n in range(10)]
    >>> article = {"paragraphs": [{"context": "The sky is blue.", "qas": asked}]}
    >>> _ = path.write_text(json.dumps({"data": [article]}), encoding="utf-8")
    >>> read_squad(path).questions[3].span
    (11, 15)
    """
    names = [os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    gathered = _Gathered()
    for name in names:
        for file in _files(name):
            gathered.read(file)
    found = Questions(gathered.contexts, gathered.questions, gathered.tally.notes(), tuple(names))
    label = " and ".join(os.path.basename(name) for name in names)
    if len(found) < minimum:
        raise ValueError(f"{label}: {len(found)} questions, but at least {minimum} are needed")
    if not any(each.trainable for each in found.questions):
        raise ValueError(
            f"{label}: not one answer stands at its answer_start: do the offsets count characters?"
        )
    return found


def _files(name: str) -> list[TextFile]:
    files = inside_archive(name)
    if not files:
        path = locate(name)
        if path.is_dir():
            raise ValueError(f"{path} is a folder: give the .json file of the questions")
        files = [TextFile(path)]
        if path.suffix.lower() == ".zip":
            inside = [each for each in member_names(path) if each.lower().endswith((".json", ".jsonl"))]
            if len(inside) != 1:
                raise ValueError(f"{path.name} holds {len(inside)} .json files, but must hold one: unpack it")
            files = [TextFile(path, inside[0])]
    for file in files:
        if file.suffix not in _NOWHERE and not (file.suffix == ".txt" and is_story(file)):
            raise ValueError(
                f"{file.name} is no .json or .jsonl file, nor a story: give questions in the format of "
                "SQuAD, QAMR (.tsv) or bAbI (.txt)"
            )
    return files


_NOWHERE = {
    ".json": "answers do not stand at their answer_start and are not trained on",
    ".jsonl": "answers do not stand at their answer_start and are not trained on",
    ".tsv": "answers are no single stretch of their sentence and are not trained on",
}
"""What is said of answers without a place."""


class _Gathered:
    """The questions of several files; equal contexts are held once."""

    def __init__(self) -> None:
        self.contexts: list[str] = []
        self.questions: list[Question] = []
        self.tally = Tally()
        self._number: dict[str, int] = {}
        self._ids: set[str] = set()

    def read(self, file: TextFile) -> None:
        for where, context, asked in _asked(file, self.tally):
            question = _of(asked, "question", str, where)
            answers = _answers(asked.get("answers"), where)
            if asked.get("is_impossible"):
                answers = []
            if not question.strip() or not context.strip():
                self.tally.add("empty", "questions without a text or a context were dropped", where)
                continue
            nowhere = _NOWHERE.get(file.suffix, "answers do not stand in their story and are not trained on")
            self._add(str(asked.get("id", where)), question.strip(), context, answers, nowhere)

    def _add(
        self, name: str, question: str, context: str, answers: list[tuple[str, int]], nowhere: str
    ) -> None:
        tally = self.tally
        if name in self._ids:
            tally.add("id again", "ids were given twice; a number was added to the later ones", name)
            name = f"{name}#{len(self._ids)}"
        self._ids.add(name)
        standing = [(start, start + len(text)) for text, start in answers if _stands(text, start, context)]
        if len(standing) < len(answers):
            tally.add("misplaced answer", nowhere, name, len(answers) - len(standing))
        if answers and not standing:
            tally.add("not trained on", "questions are not trained on: none of their answers stands", name)
        if not answers:
            tally.add("no answer", "questions have no answer in their context", name)
        accepted = tuple(dict.fromkeys(text for text, _ in answers))
        number = self._number.setdefault(context, len(self.contexts))
        if number == len(self.contexts):
            self.contexts.append(context)
        self.questions.append(Question(name, question, number, accepted, standing[0] if standing else None))


def _stands(text: str, start: int, context: str) -> bool:
    return bool(text.strip()) and start >= 0 and context.startswith(text, start)


def _asked(file: TextFile, tally: Tally) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every question as it stands in the file: where, its context, its fields."""
    if file.suffix == ".tsv":
        yield from qamr_questions(file, tally)
        return
    if file.suffix == ".txt":
        for number, row in story_rows(Lines(file, tally)):
            said, answer = row["story"], row["answer"]
            found = [each.start() for each in re.finditer(rf"\b{re.escape(answer)}\b", said)]
            answers = [{"text": answer, "answer_start": found[-1] if found else -1}]
            yield f"{file.name}: line {number}", said, {"question": row["question"], "answers": answers}
        return
    if file.suffix == ".jsonl":
        for number, line in enumerate(Lines(file, tally), 1):
            if line is not None and line.strip():
                where = f"{file.name}: line {number}"
                cells = json_cells(line, where)
                yield where, _of(cells, "context", str, where), cells
        return
    try:
        whole = json.loads(decoded(read_whole(file), file.name, tally))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{file.name} is not JSON ({error}): copy or download it again") from error
    for article, one in _numbered(whole, "data", file.name):
        for paragraph, each in _numbered(one, "paragraphs", article):
            context = _of(each, "context", str, paragraph)
            for where, asked in _numbered(each, "qas", paragraph):
                yield where, context, asked


def _numbered(holder: Any, key: str, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a list, each with its place in the file."""
    colon = ": " if "[" not in where else "."
    for place, one in enumerate(_of(holder, key, list, where)):
        here = f"{where}{colon}{key}[{place}]"
        if not isinstance(one, dict):
            raise ValueError(f"{here} is {shortened(json.dumps(one))}, but must be an object")
        yield here, cast(dict[str, Any], one)


def _of(holder: Any, key: str, kind: type, where: str) -> Any:
    if not isinstance(holder, dict) or not isinstance(cast(dict[str, Any], holder).get(key), kind):
        noun = {list: "list", str: "text", int: "whole number"}[kind]
        raise ValueError(f'{where} has no {noun} "{key}": questions must be in the format of SQuAD')
    return cast(dict[str, Any], holder)[key]


def _answers(value: Any, where: str) -> list[tuple[str, int]]:
    """The texts and offsets of a list of objects, or of an object of lists (as data-set libraries write
    it)."""
    if value is None:
        return []
    if isinstance(value, dict):
        columns = cast(dict[str, Any], value)
        texts, starts = _of(columns, "text", list, where), _of(columns, "answer_start", list, where)
        if len(texts) != len(starts):
            raise ValueError(f"{where} has {len(texts)} answers, but {len(starts)} answer_start")
        value = [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=True)]
    if not isinstance(value, list):
        raise ValueError(f'{where} has "answers" that are no list')
    found: list[tuple[str, int]] = []
    for one in cast(list[Any], value):
        start = _of(one, "answer_start", int, where)
        found.append((_of(one, "text", str, where), start))
    return found


def split_questions(found: Questions, fraction: float) -> tuple[Questions, Questions]:
    """Split into (train, valid) by where the hash of the normalised context falls, see
    ``splits.split_pairs``.

    All questions about a context fall on one side.

    Raises:
        ValueError: the fraction is not inside (0, 1), or there are fewer than two different contexts.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction is {fraction}, but must be greater than 0 and less than 1")
    hashes = source_hashes(found.contexts)[[each.context for each in found.questions]]
    if len(np.unique(hashes)) < 2:
        raise ValueError(
            f"{len(found)} questions about one context cannot be split: give at least two contexts"
        )
    chosen = chosen_by_hash(hashes, fraction)
    train, valid = (found.select(np.flatnonzero(part).tolist()) for part in (~chosen, chosen))
    return replace(train, notes=found.notes), valid
