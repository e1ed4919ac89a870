"""Questions about sentences in the format of QAMR: a table of questions, whose answers are places of words.

The sentences stand in a table of their own beside it, ``wiki-sentences.tsv``, cut into words by spaces.
Michael et al. 2018, arXiv:1711.05885.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from qkvae.data.archives import COMPRESSIONS
from qkvae.data.files import Lines, TextFile
from qkvae.data.pairs import Tally
from qkvae.data.tables import records

SENTENCES = "wiki-sentences.tsv"
"""The table of the sentences: an id and the words."""

_COLUMNS = 9
"""Sentence, target words, worker, number, target, question, answer, and what two others took for it."""


def qamr_questions(file: TextFile, tally: Tally) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every question: where it stands, its sentence, and what SQuAD would say of it.

    The answer of the one who asked comes first, then those of the two others.  One whose words are no single
    stretch of the sentence has the place -1, and is its words one after the other.

    Raises:
        FileNotFoundError: the sentences are not beside the questions.
        ValueError: another table, an unknown sentence, a word that the sentence does not have.
    """
    sentences = _sentences(file, tally)
    for number, cells in records(Lines(file, tally)):
        where = f"{file.name}: line {number}"
        if len(cells) != _COLUMNS:
            raise ValueError(
                f"{where} has {len(cells)} columns, but questions in the format of QAMR have {_COLUMNS}"
            )
        if cells[0] not in sentences:
            raise ValueError(f'{where}: there is no sentence "{cells[0]}" in {SENTENCES}')
        words = sentences[cells[0]].split(" ")
        chosen = [cells[6], *(cell.partition(":")[2] for cell in cells[7:])]
        answers = [_answer(words, each, where) for each in chosen if _is_places(each)]
        asked = {"id": "/".join(cells[:4]), "question": cells[5], "answers": answers}
        yield where, sentences[cells[0]], asked


def _sentences(file: TextFile, tally: Tally) -> dict[str, str]:
    folder = file.path.parent
    for suffix in ("", *COMPRESSIONS):
        if (folder / f"{SENTENCES}{suffix}").is_file():
            return _known(TextFile(folder / f"{SENTENCES}{suffix}"), tally)
    raise FileNotFoundError(
        f"{file.name} is a table, which is read as QAMR's, but {folder} has no {SENTENCES} (or .gz, .xz): "
        "put the sentences beside it, or give questions in the format of SQuAD (.json or .jsonl)"
    )


def _known(table: TextFile, tally: Tally) -> dict[str, str]:
    """The sentences by id; rows of more or fewer columns are left out and counted."""
    found: dict[str, str] = {}
    for number, cells in records(Lines(table, tally)):
        if len(cells) == 2:
            found[cells[0]] = cells[1]
        else:
            what = "rows of sentences were left out, which have not two columns"
            tally.add("sentences", what, f"{table.name}:{number}")
    return found


def _is_places(cell: str) -> bool:
    """Whether a cell holds places of words; the unfiltered set has judgments such as ``Invalid``, too."""
    return bool(cell.strip()) and all(each.isdecimal() for each in cell.split())


def _answer(words: list[str], cell: str, where: str) -> dict[str, Any]:
    places = sorted({int(each) for each in cell.split()})
    if places[-1] >= len(words):
        raise ValueError(f"{where}: the answer holds word {places[-1]}, but its sentence has {len(words)}")
    text = " ".join(words[place] for place in places)
    whole = places[-1] - places[0] + 1 == len(places)
    starts = list(accumulate((len(word) + 1 for word in words), initial=0))
    return {"text": text, "answer_start": starts[places[0]] if whole else -1}
