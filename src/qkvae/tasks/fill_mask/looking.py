"""What goes on inside while a text is read: its blanks filled, its words by themselves and here."""

from __future__ import annotations

from dataclasses import replace

from qkvae.data.encoded import Sentences
from qkvae.data.ragged import Ragged
from qkvae.inspect.look import LookFacts, look_at_reading
from qkvae.inspect.sections import Section, Table
from qkvae.tasks.fill_mask.corpus import MASK
from qkvae.tasks.fill_mask.filler import Answer, Filler
from qkvae.tasks.fill_mask.senses import Senses, cosine

_BEST = 5


def look(filler: Filler, text: str, name: str) -> LookFacts:
    """Read a text, fill its blanks if there are any, and show all that attention computes, and what every
    word is near to by itself and where it stands.

    Raises:
        ValueError: it is empty, or has more tokens than the run reads at once or the page can show.
    """
    ids = filler.ids(text)
    if not ids:
        raise ValueError("there is no text to look at: give one")
    if len(ids) > filler.length - 2:
        raise ValueError(
            f"the text has {len(ids)} tokens, but the run reads {filler.length - 2} at once: shorten it"
        )
    answer, marks = None, filler.tokenizer.marks
    if MASK in text:
        (answer,) = filler.stream([text], replace(filler.generation, best=_BEST))
    facts = look_at_reading(
        filler.model,
        filler.tokenizer,
        [marks.bos, *ids, marks.eos],
        sentence=text,
        answer=answer.text if answer else "(no blank to fill)",
        note=_told(answer) if answer else f"{MASK} in the text would be filled.",
        run=name,
    )
    return replace(facts, sections=(_words(filler, ids),))


def _told(answer: Answer) -> str:
    blanks = (", ".join(f"{word.word} {word.probability:.1%}" for word in words) for words in answer.blanks)
    return f"{'; '.join(blanks)}."


def _words(filler: Filler, ids: list[int]) -> Section:
    """Every word of a text: what it is near to by itself, and here."""
    senses = Senses(filler)
    marks = filler.tokenizer.marks
    passage = Sentences.framed(Ragged.from_lists([ids]), first=marks.bos, last=marks.eos)
    rows = [
        (
            each.word,
            ", ".join(senses.near(each.word, each.alone)),
            ", ".join(senses.near(each.word, each.here)),
            round(cosine(each.alone, each.here), 3),
        )
        for each in senses.occurrences(passage)
    ]
    headings = ("word", "near it by itself", "near it here", "cosine of the two")
    return Section(
        title="Words by themselves and here",
        note="The embedding has one vector for a word wherever it stands; the last block makes one of it in "
        "this text. Each is shown by the words whose embeddings are nearest (cosine); the word is left out.",
        tables=[Table(headings=headings, rows=rows)],
    )
