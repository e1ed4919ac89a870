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

from qkvae.data.files import Lines, TextFile, read_head

_NUMBERED = re.compile(r"(\d+) (.*)")
STORY = re.compile(rb"(?:\xef\xbb\xbf)?1 [^\t\n]+\r?\n2 [^\n]+")
"""How a text begins that is a story: with a first sentence, without an answer, and a second line."""


def is_story(file: TextFile) -> bool:
    """Whether a text begins as a story does."""
    return STORY.match(read_head(file)) is not None


def story_rows(lines: Lines) -> Iterator[tuple[int, dict[str, str]]]:
    """Every question with what was told before it in its story; the line it stands in, and its columns.

    Raises:
        ValueError: a line has no number or a number out of order, or a question stands before any sentence.

    >>> import pathlib, tempfile
    >>> from qkvae.data.pairs import Tally
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "qa1.txt"
    >>> told = "1 Mary went home.\\n2 John left.\\n3 Where is Mary?\\thome\\t1\\n"
    >>> _ = path.write_text(told, encoding="utf-8")
    >>> list(story_rows(Lines(TextFile(path), Tally())))
    [(3, {'story': 'Mary went home. John left.', 'question': 'Where is Mary?', 'answer': 'home'})]
    """
    told: list[str] = []
    last = 0
    for number, line in enumerate(lines, 1):
        where = f"{lines.file.name}: line {number}"
        if line is None or not line.strip():
            continue
        found = _NUMBERED.fullmatch(line)
        if found is None:
            raise ValueError(f"{where} has no number in front: lines of a story are numbered from 1")
        here, said = int(found[1]), found[2]
        if here == 1:
            told = []
        elif here != last + 1:
            raise ValueError(f"{where} is numbered {here}, but must be {last + 1}, or 1 in a new story")
        last = here
        question, tab, rest = said.partition("\t")
        if not tab:
            told.append(said.strip())
            continue
        if not told:
            raise ValueError(f"{where} is a question before anything was told: a story begins with sentences")
        answer = rest.partition("\t")[0].strip()
        yield number, {"story": " ".join(told), "question": question.strip(), "answer": answer}
