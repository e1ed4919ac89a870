"""What is odd about questions, before a training is spent on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from qkvae.data.check import BYTES_PER_TOKEN
from qkvae.data.findings import Example, Finding, Report, short
from qkvae.data.pairs import EXAMPLES
from qkvae.data.splits import normalised
from qkvae.data.squad import Questions

_ADVICE = {
    "duplicates": "The same question about the same text again: it weighs more than once.",
    "leaks": "Their text stands in train too, so the score flatters: split by text.",
    "windows": "Their text is longer than max_length and is read in windows; raise it if memory allows.",
    "not trained on": "No answer stands at its answer_start: mend the offsets (characters from 0).",
}


def check_questions(train: Questions, valid: Questions | None = None, max_length: int = 256) -> Report:
    """Look for what spoils a training; nothing is changed.

    Misplaced answers and ids given twice are among the notes of the reading.

    >>> from qkvae.data.squad import Question
    >>> asked = [Question(str(n), "Which colour?", 0, ("blue",), (11, 15)) for n in range(2)]
    >>> (found,) = check_questions(Questions(["The sky is blue."], asked)).findings
    >>> found.kind, found.count
    ('duplicates', 1)
    """
    findings = list(_of_one(train, "train", max_length))
    if valid is not None:
        findings += _of_one(valid, "valid", max_length)
        known = {normalised(train.contexts[each.context]) for each in train.questions}
        leaked = [i for i in range(len(valid)) if normalised(valid.context(i)) in known]
        findings += _finding("leaks", "valid", valid, leaked)
    none = sum(each.impossible for each in train.questions)
    contexts = len({each.context for each in train.questions})
    remarks = (
        f"{len(train):,} questions about {contexts:,} texts; {none:,} of them have no answer",
        f"no tokenizer was given: tokens were estimated at {BYTES_PER_TOKEN} bytes each",
    )
    notes = tuple(note for part in (train, valid) if part is not None for note in part.notes)
    return Report(len(train), len(valid or ()), tuple(findings), notes, remarks, noun="question")


def _of_one(part: Questions, name: str, max_length: int) -> Iterator[Finding]:
    asked = [(each.context, normalised(each.question)) for each in part.questions]
    seen: Counter[tuple[int, str]] = Counter()
    again: list[int] = []
    for place, key in enumerate(asked):
        if seen[key]:
            again.append(place)
        seen[key] += 1
    yield from _finding("duplicates", name, part, again)
    lost = [place for place, each in enumerate(part.questions) if not each.trainable]
    yield from _finding("not trained on", name, part, lost)
    room = max_length * BYTES_PER_TOKEN
    long = [
        place
        for place, each in enumerate(part.questions)
        if len(part.context(place).encode()) + len(each.question.encode()) > room
    ]
    yield from _finding("windows", name, part, long)


def _finding(kind: str, part: str, questions: Questions, places: Sequence[int]) -> Iterator[Finding]:
    if places:
        examples = tuple(
            Example(place + 1, short(questions.questions[place].question), short(questions.context(place)))
            for place in places[:EXAMPLES]
        )
        share = len(places) / len(questions)
        yield Finding(kind, part, len(places), share, _ADVICE[kind], examples=examples, noun="question")
