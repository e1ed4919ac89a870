"""Question answering: from questions over texts to a reader that finds the answers."""

from qkvae.tasks.question_answering.reader import Reader as Answerer

__all__ = ["Answerer"]
