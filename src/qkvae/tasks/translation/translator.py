"""Text in, text out: a model and its tokenizer as a translator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from qkvae.config import Generation
from qkvae.config.generation import Precision
from qkvae.data.tokenizer import Tokenizer
from qkvae.generate import Hypothesis, generate
from qkvae.generate.quick import FEW, quick
from qkvae.generate.search import rows_of
from qkvae.models import Seq2Seq
from qkvae.run import Run
from qkvae.tasks.answering import kept_model, require_vocabulary, windows
from qkvae.tasks.task import settled


@dataclass(frozen=True)
class Answer:
    """What was answered to one input."""

    source: str
    """The input."""

    texts: tuple[str, ...]
    """The answers, best first."""

    scores: tuple[float, ...]
    """What they were ranked by: log-probability (nats) / length ** length_penalty."""

    hypotheses: tuple[Hypothesis, ...] = ()
    """The answers as token ids, with their log-probabilities; none for an empty input."""

    source_cut: bool = False
    """Whether the end of the input was not read, because it has more tokens than the model takes."""

    @property
    def text(self) -> str:
        """The best answer."""
        return self.texts[0]

    @property
    def cut(self) -> bool:
        """Whether anything was cut: the end of the input, or the best answer at its maximum length."""
        return self.source_cut or (bool(self.hypotheses) and self.hypotheses[0].cut)

    def record(self) -> dict[str, Any]:
        """Source, texts (best first) and scores."""
        return {"source": self.source, "texts": self.texts, "scores": self.scores}


class Translator:
    """A model that translates text.

    >>> from qkvae.config import Block, Seq2Seq
    >>> from qkvae.models import build
    >>> tokenizer = Tokenizer.train(["two dogs play"] * 2, vocab_size=270, exact=False)
    >>> model = build(Seq2Seq(block=Block(dim=8, heads=2, hidden=16), vocab=len(tokenizer)))
    >>> translator = Translator(model, tokenizer, Generation(beam=2, max_length=3))
    >>> [len(answer.texts) for answer in translator.translate(["two dogs", ""])]
    [1, 1]
    """

    def __init__(self, model: Seq2Seq, tokenizer: Tokenizer, generation: Generation | None = None) -> None:
        """
        Args:
            model: with weights in fp32; it is used where it is (CPU, CUDA, MPS), as it is when first asked.
            tokenizer: the one that the model was trained with.
            generation: how answers are chosen, unless a call says otherwise.

        Raises:
            ValueError: the vocabularies of model and tokenizer differ.
        """
        require_vocabulary(model, tokenizer)
        self.model, self.tokenizer = model, tokenizer
        self.generation = generation or Generation()
        self._ready: dict[tuple[Precision, bool], Seq2Seq] = {}

    @classmethod
    def from_run(cls, run: Run) -> Translator:
        """The weights that a run keeps for use, its tokenizer, its settings as chosen on validation data.

        Raises:
            RunError: a part of the run is missing or damaged.
        """
        return cls(kept_model(run), run.tokenizer, settled(run).generation)

    def translate(self, lines: Sequence[str], generation: Generation | None = None) -> list[Answer]:
        """An answer to each line, in their order; a line without text is answered by an empty one."""
        settings = generation or self.generation
        longest = self.model.settings.max_length
        asked = [place for place, line in enumerate(lines) if line.strip()]
        sources = self.tokenizer.encode_batch(lines[place] for place in asked)
        cut = sources.lengths >= longest  # EOS needs a place too
        rows = rows_of(settings)
        asked_for = (settings.precision, rows <= FEW)
        model = self._ready.get(asked_for) or quick(self.model, settings.precision, rows)
        self._ready[asked_for] = model
        found = generate(model, [ids[: longest - 1] for ids in sources], settings, longest)
        answers = [Answer(line, ("",), (0.0,)) for line in lines]
        for place, hypotheses, was_cut in zip(asked, found, cut.tolist(), strict=True):
            answers[place] = Answer(
                lines[place],
                tuple(self.tokenizer.decode(each.ids) for each in hypotheses),
                tuple(each.score for each in hypotheses),
                tuple(hypotheses),
                was_cut,
            )
        return answers

    def stream(self, inputs: Iterable[str], settings: Generation | None = None) -> Iterator[Answer]:
        """Answers as they are ready, in the order of the inputs.

        As many at a time as `answering.windows` gives: from a file ``Generation(batch=1)`` answers each line
        before the next is read.
        """
        for window in windows(inputs, (settings or self.generation).batch):
            yield from self.translate(window, settings)

    def lines(self, answer: Answer, number: int, settings: Generation | None = None) -> list[str]:
        """The answer as one line; with ``nbest`` above 1, a line each of input number, score and text, by
        tabs."""
        flat = [" ".join(text.splitlines()) for text in answer.texts]
        if (settings or self.generation).nbest == 1:
            return flat[:1]
        return [f"{number}\t{score:.4f}\t{text}" for text, score in zip(flat, answer.scores, strict=True)]

    def said_of_cuts(self, answers: Iterable[Answer]) -> str | None:
        """What a person must be told if anything was cut, in one line."""
        answers = list(answers)
        sources = sum(answer.source_cut for answer in answers)
        targets = sum(answer.cut and not answer.source_cut for answer in answers)
        said: list[str] = []
        if sources:
            inputs = (
                "1 input was longer than the model takes: its end was"
                if sources == 1
                else (f"{sources} inputs were longer than the model takes: their ends were")
            )
            said.append(f"{inputs} not read")
        if targets:
            said.append(f"{targets} answer{'s' * (targets > 1)} reached the maximum length and stopped there")
        return "; ".join(said) or None
