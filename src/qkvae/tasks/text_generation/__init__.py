"""Text generation: from plain text or conversations to a model that continues them."""

from qkvae.tasks.text_generation.writer import Writer as Answerer

__all__ = ["Answerer"]
