"""Question and context in, answer out: a model and its tokenizer as a reader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qkvae.config import Answering, QuestionData
from qkvae.data.squad import Question, Questions
from qkvae.data.tokenizer import Tokenizer
from qkvae.models import Encoder
from qkvae.run import Run
from qkvae.tasks.answering import kept_model, require_vocabulary, said_of_long, windows
from qkvae.tasks.question_answering.corpus import windows_of
from qkvae.tasks.question_answering.spans import Span, best_spans, read_windows
from qkvae.tasks.task import settled


@dataclass(frozen=True)
class Answer:
    """What was answered to one question."""

    question: str
    spans: tuple[Span, ...]
    """The answers, best first; none where the context holds none."""

    cut: bool = False
    """Whether the end of the question was not read, because it is longer than half of a window."""

    @property
    def text(self) -> str:
        """The best answer, the context's own characters; empty if there is none."""
        return self.spans[0].text if self.spans else ""

    def record(self) -> dict[str, Any]:
        """The question and its answers, each with its characters' places in the context."""
        return {"question": self.question, "answers": [span.record() for span in self.spans]}


def answered(spans: Sequence[Span], margin: float | None) -> str:
    """The best answer's text; empty if it is not more probable than none by the margin."""
    kept = above(spans, margin)
    return kept[0].text if kept else ""


def above(spans: Sequence[Span], margin: float | None) -> tuple[Span, ...]:
    """The spans that are more probable than no answer by the margin; all where an answer is always given."""
    return tuple(span for span in spans if margin is None or span.score > margin)


class Reader:
    """A model that finds answers in texts."""

    def __init__(
        self,
        model: Encoder,
        tokenizer: Tokenizer,
        data: QuestionData | None = None,
        generation: Answering | None = None,
    ) -> None:
        """
        Args:
            model: with weights in fp32; it is used where it is (CPU, CUDA, MPS).
            tokenizer: the one that the model was trained with.
            data: how contexts are cut into windows.
            generation: how answers are chosen, unless a call says otherwise.

        Raises:
            ValueError: the vocabularies of model and tokenizer differ.
        """
        require_vocabulary(model, tokenizer)
        self.model, self.tokenizer = model, tokenizer
        self.data, self.generation = data or QuestionData(), generation or Answering()

    @classmethod
    def from_run(cls, run: Run) -> Reader:
        """The weights that a run keeps for use, its tokenizer, its settings as chosen on validation data.

        Raises:
            RunError: a part of the run is missing or damaged.
        """
        config: Any = settled(run)
        return cls(kept_model(run), run.tokenizer, config.data, config.generation)

    def answer(self, questions: Questions, settings: Answering | None = None) -> list[Answer]:
        """An answer to each question, in their order."""
        chosen = settings or self.generation
        windows = windows_of(questions, self.tokenizer, self.data)
        scores, most = read_windows(self.model, windows), self.data.max_length // 2 - 2
        lengths = self.tokenizer.encode_batch([each.question for each in questions.questions]).lengths
        return [
            Answer(
                each.question,
                above(best_spans(windows, scores, number, chosen.longest, chosen.nbest), chosen.margin),
                bool(lengths[number] > most),
            )
            for number, each in enumerate(questions.questions)
        ]

    def stream(self, inputs: Iterable[str], settings: Answering | None = None) -> Iterator[Answer]:
        """An answer to each input, in their order: a question about ``settings.context``, or a question, a
        tab and its own context.

        Raises:
            FileNotFoundError: the context's file does not exist.
            ValueError: there is no context.
        """
        chosen = settings or self.generation
        shared = None if chosen.context is None else read_context(chosen.context)
        for lines in windows(inputs, chosen.batch):
            asked = [place for place, line in enumerate(lines) if line.strip()]
            both = [(lines[place], shared) if shared else halves(lines[place]) for place in asked]
            questions = [Question(str(n), question, n, (), None) for n, (question, _) in enumerate(both)]
            found = iter(
                self.answer(Questions([text for _, text in both], questions), chosen) if both else ()
            )
            yield from (next(found) if line.strip() else Answer(line, ()) for line in lines)

    def lines(self, answer: Answer, number: int, settings: Answering | None = None) -> list[str]:
        """The answer as one line, empty if there is none; with ``nbest`` above 1, a line each of input
        number, score and text, by tabs."""
        if (settings or self.generation).nbest == 1:
            return [" ".join(answer.text.split())]
        return [f"{number}\t{span.score:.4f}\t{' '.join(span.text.split())}" for span in answer.spans]

    def said_of_cuts(self, answers: Iterable[Answer]) -> str | None:
        """What a person must be told if anything was cut, in one line."""
        count = sum(answer.cut for answer in answers)
        return said_of_long(count, self.data.max_length // 2 - 2, "question")


def halves(line: str) -> tuple[str, str]:
    """Question and context, which a tab separates.

    Raises:
        ValueError: there is no tab, or nothing beyond it.
    """
    question, _, context = line.partition("\t")
    if not context.strip():
        raise ValueError(
            f'"{question[:60]}" has no text to answer from: give --context FILE, or add a tab and the text'
        )
    return question, context


def read_context(path: str) -> str:
    """The text of a file, exactly as it is.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is empty, or no UTF-8 text.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{path} is no file: give the text to answer from")
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 (byte {error.start + 1}): convert it to UTF-8 first"
        ) from error
    if not text.strip():
        raise ValueError(f"{path} holds no text: give the text to answer from")
    return text
