"""Questions about stories, in the format of bAbI: numbered sentences, with questions between them.

    1 Mary moved to the bathroom.
    2 John went to the hallway.
    3 Where is Mary?	bathroom	1

A line that is numbered 1 begins a new story.  A question's line has the answer behind a tab, and behind a
second one the lines that it follows from, which are not looked at.  Weston et al. 2015, arXiv:1502.05698.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from qkvae.data.files import Lines, TextFile, read_head

_NUMBERED = re.compile(r"(\d+) (.*)")
STORY = re.compile(rb"(?:\xef\xbb\xbf)?1 [^\t\n]+\r?\n2 [^\n]+")
"""How a text begins that is a story: with a first sentence, without an answer, and a second line."""


def is_story(file: TextFile) -> bool:
    """Whether a text begins as a story does."""
    return STORY.match(read_head(file)) is not None


class Asked(NamedTuple):
    """A question of a story."""

    line: int
    """Where it stands in the file."""

    first: bool
    """Whether it is the first one about its story."""

    told: str
    """The sentences since the story began, or since the question before it; perhaps none."""

    question: str
    answer: str


def story_rows(lines: Lines) -> Iterator[tuple[int, dict[str, str]]]:
    """Every question with all that was told before it in its story; the line it stands in, and its columns.

    Raises:
        ValueError: what `questions_of` raises.

    >>> import pathlib, tempfile
    >>> from qkvae.data.pairs import Tally
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "qa1.txt"
    >>> told = "1 Mary went home.\\n2 John left.\\n3 Where is Mary?\\thome\\t1\\n"
    >>> _ = path.write_text(told, encoding="utf-8")
    >>> list(story_rows(Lines(TextFile(path), Tally())))
    [(3, {'story': 'Mary went home. John left.', 'question': 'Where is Mary?', 'answer': 'home'})]
    """
    story = ""
    for asked in questions_of(lines):
        story = asked.told if asked.first else f"{story} {asked.told}".rstrip()
        yield asked.line, {"story": story, "question": asked.question, "answer": asked.answer}


def questions_of(lines: Lines) -> Iterator[Asked]:
    """Every question, with what was told since the one before it.

    Raises:
        ValueError: a line has no number or a number out of order, or a question stands before any sentence.
    """
    told: list[str] = []
    last, asked = 0, 0
    for number, line in enumerate(lines, 1):
        where = f"{lines.file.name}: line {number}"
        if line is None or not line.strip():
            continue
        found = _NUMBERED.fullmatch(line)
        if found is None:
            raise ValueError(f"{where} has no number in front: lines of a story are numbered from 1")
        here, said = int(found[1]), found[2]
        if here == 1:
            told, asked = [], 0
        elif here != last + 1:
            raise ValueError(f"{where} is numbered {here}, but must be {last + 1}, or 1 in a new story")
        last = here
        question, tab, rest = said.partition("\t")
        if not tab:
            told.append(said.strip())
            continue
        if not (told or asked):
            raise ValueError(f"{where} is a question before anything was told: a story begins with sentences")
        asked += 1
        yield Asked(number, asked == 1, " ".join(told), question.strip(), rest.partition("\t")[0].strip())
        told = []
