"""Translation: from sentence pairs to a translator."""

from qkvae.tasks.translation.translator import Translator as Answerer

__all__ = ["Answerer"]
