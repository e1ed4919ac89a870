"""From the user's questions and contexts to windows of token ids."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from qkvae.config import QuestionData
from qkvae.data.default_questions import default_questions
from qkvae.data.squad import Questions, read_squad, split_questions
from qkvae.data.tokenizer import Tokenizer
from qkvae.data.windows import Windows, cut_windows
from qkvae.tasks.reading import evenly

_DEFAULT_COUNT = 8_000  # questions of the embedded default
_BPE_SIZE = 8000
_MOST_VALID = 5_000  # questions that are split off, about
_WATCHED = 1_000  # validation questions that are answered at each evaluation


@dataclass(frozen=True)
class Corpus:
    """The questions of a training."""

    train: Questions
    valid: Questions
    left_out: int = 0
    """Training questions whose answers stand nowhere: they are not trained on."""

    @property
    def fingerprint(self) -> str:
        """Changes with any question, context or answer of either part."""
        return "".join(_digest(part)[:32] for part in (self.train, self.valid))

    @property
    def notes(self) -> list[str]:
        """What was handled while the files were read, misplaced answers among it."""
        return [str(note) for part in (self.train, self.valid) for note in part.notes]

    @property
    def passport(self) -> dict[str, Any]:
        """What is known of the data."""
        parts = {"training": self.train, "validation": self.valid}
        return {
            "fingerprint": self.fingerprint,
            **{
                name: {
                    "files": list(part.paths),
                    "questions": len(part),
                    "without_answer": sum(each.impossible for each in part.questions),
                }
                for name, part in parts.items()
            },
            "left_out": self.left_out,
            "notes": self.notes,
        }


def read_corpus(data: QuestionData, seed: int) -> Corpus:
    """The questions that the settings name, or the embedded default; split by context without ``valid``.

    Raises:
        ValueError, FileNotFoundError: what `data.squad.read_squad` raises.
    """
    found = read_squad(data.paths) if data.paths else default_questions(_DEFAULT_COUNT, seed)
    if data.valid:
        train, valid = found, read_squad(data.valid, minimum=1)
    else:
        share = min(data.valid_fraction_or_default, _MOST_VALID / len(found))
        train, valid = split_questions(found, share)
    kept = train.trainable()
    return Corpus(replace(kept, notes=found.notes), valid, len(train) - len(kept))


def _digest(part: Questions) -> str:
    digest = hashlib.sha256()
    for text in (part.contexts, [asdict(each) for each in part.questions]):
        for one in text:
            digest.update(json.dumps(one).encode() + b"\n")
    return digest.hexdigest()


def train_tokenizer(train: Questions, data: QuestionData) -> Tokenizer:
    """A vocabulary learned from the training part only: its questions and the contexts they ask about.

    Raises:
        ValueError: a vocabulary was asked for that the data cannot fill.
    """
    size = data.vocab_size or (_BPE_SIZE if data.tokenizer == "bpe" else None)
    asked = sorted({each.context for each in train.questions})
    texts = [each.question for each in train.questions] + [train.contexts[place] for place in asked]
    return Tokenizer.train(texts, data.tokenizer, size, data.min_frequency, exact=data.vocab_size is not None)


@dataclass(frozen=True)
class Encoded:
    """The corpus as rows of question and window."""

    train: Windows
    valid: Windows
    valid_questions: Questions
    watched: Windows
    """Rows of the validation questions that are answered at each evaluation."""

    watched_questions: Questions
    """Those, evenly spread over all of them."""

    always: bool
    """Whether every training question has an answer, so that one must always be given."""


def windows_of(questions: Questions, tokenizer: Tokenizer, data: QuestionData) -> Windows:
    """``<s> question </s> window </s>``, as many windows as each context needs."""
    marks = tokenizer.marks
    return cut_windows(
        questions,
        tokenizer,
        data.max_length,
        data.overlap,
        first=marks.bos,
        last=marks.eos,
        between=marks.between,
    )


def encode_corpus(corpus: Corpus, tokenizer: Tokenizer, data: QuestionData) -> Encoded:
    """Cut both parts into windows."""
    watched = corpus.valid.select(evenly(len(corpus.valid), _WATCHED).tolist())
    return Encoded(
        windows_of(corpus.train, tokenizer, data),
        windows_of(corpus.valid, tokenizer, data),
        corpus.valid,
        windows_of(watched, tokenizer, data),
        watched,
        not any(each.impossible for each in corpus.train.questions),
    )
