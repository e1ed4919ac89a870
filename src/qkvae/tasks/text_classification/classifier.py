"""Text in, labels out: a model, its tokenizer and its labels as a classifier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from qkvae.config import Choosing, LabelledData
from qkvae.data.encoded import encode_texts
from qkvae.data.labels import Labels
from qkvae.data.tokenizer import Tokenizer
from qkvae.models import Encoder
from qkvae.run import Run
from qkvae.tasks.answering import kept_model, said_of_long, windows
from qkvae.tasks.labelling import Answer, line_of, refuse, told_of
from qkvae.tasks.reading import read_all
from qkvae.tasks.task import settled


class Classifier:
    """A model that labels text."""

    def __init__(
        self,
        model: Encoder,
        tokenizer: Tokenizer,
        labels: Labels,
        data: LabelledData | None = None,
        generation: Choosing | None = None,
    ) -> None:
        """
        Args:
            model: with weights in fp32; it is used where it is (CPU, CUDA, MPS).
            tokenizer: the one that the model was trained with.
            labels: likewise.
            data: how texts are read: up to how many tokens, and whether they come in pairs.
            generation: how labels are chosen, unless a call says otherwise.

        Raises:
            ValueError: the model's vocabulary or classes are not those of tokenizer and labels.
        """
        count = max(1, len(labels.names))
        if len(tokenizer) != model.settings.vocab or getattr(model.settings.head, "count", None) != count:
            raise ValueError(
                f"the model is not for these {len(tokenizer)} tokens and {count} labels: use the tokenizer "
                "and the labels that it was trained with"
            )
        self.model, self.tokenizer, self.labels = model, tokenizer, labels
        self.data = data or LabelledData()
        self.max_length, self.paired = self.data.max_length, self.data.pair is not None
        self.generation = generation or Choosing()

    @classmethod
    def from_run(cls, run: Run) -> Classifier:
        """The weights that a run keeps for use, its tokenizer and its labels.

        Raises:
            RunError: a part of the run is missing or damaged.
        """
        config: Any = settled(run)
        labels = Labels.from_dict(run.passport["labels"])
        return cls(kept_model(run), run.tokenizer, labels, config.data, config.generation)

    def read(self, texts: Sequence[str], pairs: Sequence[str] | None) -> tuple[Tensor, NDArray[np.bool_]]:
        """What the model tells of each text, [texts, classes], and which of them were cut.

        Raises:
            ValueError: there are pairs where single texts are read, or the other way round.
        """
        if self.paired != (pairs is not None):
            reads = (
                "pairs of texts: name the column of the second (--pair)" if self.paired else "single texts"
            )
            raise ValueError(f"this run reads {reads}, but {'pairs' if pairs else 'single texts'} are given")
        rows, cut = encode_texts(self.tokenizer, texts, pairs, self.max_length)
        return read_all(self.model, rows), cut

    def stream(self, inputs: Iterable[str], settings: Choosing | None = None) -> Iterator[Answer]:
        """An answer to each input, in their order; the two texts of a pair are separated by a tab.

        Raises:
            ValueError: a pair is expected and there is no tab, or a setting has no effect on these labels.
        """
        chosen = settings or self.generation
        refuse(self.labels, chosen)
        for window in windows(inputs, chosen.batch):
            yield from self._labelled(window, chosen)

    def lines(self, answer: Answer, number: int, settings: Choosing | None = None) -> list[str]:
        """One line: each label told and its probability, or the number, all separated by tabs."""
        return [line_of(answer)]

    def said_of_cuts(self, answers: Iterable[Answer]) -> str | None:
        """What a person must be told if anything was cut, in one line."""
        return said_of_long(sum(answer.cut for answer in answers), self.max_length)

    def _labelled(self, lines: list[str], settings: Choosing) -> list[Answer]:
        answers = [Answer(line, (), {}) for line in lines]
        asked = [place for place, line in enumerate(lines) if line.strip()]
        if not asked:
            return answers
        both = [halves(lines[place]) for place in asked] if self.paired else None
        texts = [lines[place] for place in asked] if both is None else [first for first, _ in both]
        told, cut = self.read(texts, None if both is None else [second for _, second in both])
        for place, row, was_cut in zip(asked, told, cut.tolist(), strict=True):
            answers[place] = told_of(self.labels, lines[place], row, settings, was_cut)
        return answers


def halves(line: str) -> tuple[str, str]:
    """The two texts of a pair, which a tab separates.

    Raises:
        ValueError: there is no tab.
    """
    first, tab, second = line.partition("\t")
    if not tab:
        raise ValueError(f'"{line[:60]}" holds no tab: this run reads pairs, two texts separated by a tab')
    return first, second
