"""What goes on inside while a question is answered."""

from __future__ import annotations

from qkvae.data.squad import Question, Questions
from qkvae.inspect.look import LookFacts, look_at_reading
from qkvae.tasks.question_answering.corpus import windows_of
from qkvae.tasks.question_answering.reader import Reader, halves
from qkvae.tasks.reading import kinds_told


def look(reader: Reader, text: str, name: str) -> LookFacts:
    """Read a question, a tab and a text, answer it, and show all that attention computes over both.

    Raises:
        ValueError: there is no text to answer from, or question and text have more tokens than are read at
            once or the page can show.
    """
    question, context = halves(text)
    asked = Questions([context], [Question("0", question, 0, (), None)])
    windows = windows_of(asked, reader.tokenizer, reader.data)
    if len(windows) > 1:
        raise ValueError(
            f"question and text need {len(windows)} windows of {reader.data.max_length} tokens, but look "
            "shows one: give a shorter text"
        )
    (answer,) = reader.answer(asked)
    best = answer.spans[0] if answer.spans else None
    note = "No answer was found." if best is None else f"Characters {best.start} to {best.end} of the text."
    return look_at_reading(
        reader.model,
        reader.tokenizer,
        windows.sentences.ids[0].tolist(),
        kinds_told(reader.model, windows.sentences),
        sentence=f"{question} | {context}",
        answer=answer.text or "(no answer)",
        note=note,
        run=name,
    )
