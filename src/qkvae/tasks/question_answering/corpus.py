"""From the user's questions and contexts to windows of token ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qkvae.config import QuestionData
from qkvae.data.default_questions import default_questions
from qkvae.data.squad import Questions, read_squad, split_questions
from qkvae.data.tokenizer import Tokenizer
from qkvae.data.windows import Windows, cut_windows
from qkvae.tasks.corpus import Corpus, Tell, parts, unsaid
from qkvae.tasks.reading import evenly

_DEFAULT_COUNT = 8_000  # questions of the embedded default
_MOST_VALID = 5_000  # questions that are split off, about
_WATCHED = 1_000  # validation questions that are answered at each evaluation


@dataclass(frozen=True)
class QuestionCorpus(Corpus[Questions]):
    """The questions of a training."""

    left_out: int = 0
    """Training questions whose answers stand nowhere: they are not trained on."""

    @property
    def facts(self) -> dict[str, Any]:
        """How many questions are left out."""
        return {"left_out": self.left_out}


def read_corpus(data: QuestionData, seed: int) -> QuestionCorpus:
    """The questions that the settings name, or the embedded default; split by context without ``valid``.

    Raises:
        ValueError, FileNotFoundError: what `data.squad.read_squad` raises.
    """
    train, valid = parts(
        data,
        lambda paths, minimum: read_squad(paths, minimum=minimum),
        lambda: default_questions(_DEFAULT_COUNT, seed),
        split_questions,
        _MOST_VALID,
    )
    kept = train.trainable()
    return QuestionCorpus(kept, valid, len(train) - len(kept))


def train_tokenizer(train: Questions, data: QuestionData, say: Tell = unsaid) -> Tokenizer:
    """A vocabulary learned from the training part only: its questions and the contexts they ask about.

    Raises:
        ValueError: a vocabulary was asked for that the data cannot fill.
    """
    say("learning a vocabulary from the training questions and their texts")
    asked = sorted({each.context for each in train.questions})
    texts = [each.question for each in train.questions] + [train.contexts[place] for place in asked]
    return Tokenizer.train(texts, data.tokenizer, data.vocab_size, data.min_frequency)


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


def encode_corpus(corpus: QuestionCorpus, tokenizer: Tokenizer, data: QuestionData) -> Encoded:
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
