"""Text in, a vector out; two texts in, how alike they are out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from qkvae.config import Comparing, SimilarityData
from qkvae.data.tokenizer import Tokenizer
from qkvae.data.vectors import Floats
from qkvae.models import Encoder
from qkvae.run import Run
from qkvae.tasks.answering import kept_model, windows
from qkvae.tasks.embedder import Embedder
from qkvae.tasks.feature_extraction.evaluate import cosines
from qkvae.tasks.task import settled


@dataclass(frozen=True, eq=False)
class Answer:
    """What was made of one input."""

    source: str
    """The input."""

    vector: Floats
    """Its vector, or that of the text before the tab, float32[dim]."""

    similarity: float | None = None
    """The cosine of the two vectors, where a tab separates two texts."""

    cut: bool = False
    """Whether an end was not read, because it has more tokens than the run reads."""

    @property
    def text(self) -> str:
        """The cosine, or the numbers of the vector."""
        if self.similarity is not None:
            return f"{self.similarity:.4f}"
        return " ".join(f"{number:.6g}" for number in self.vector.tolist())

    def record(self) -> dict[str, Any]:
        """Source, and the cosine or the vector."""
        if self.similarity is not None:
            return {"source": self.source, "similarity": self.similarity}
        return {"source": self.source, "vector": self.vector.tolist()}


class Similarity(Embedder):
    """A model that says how alike two texts are."""

    def __init__(
        self,
        model: Encoder,
        tokenizer: Tokenizer,
        data: SimilarityData | None = None,
        generation: Comparing | None = None,
        scale: tuple[float, float] | None = None,
    ) -> None:
        """
        Args:
            model: with weights in fp32; it is used where it is (CPU, CUDA, MPS).
            tokenizer: the one that the model was trained with.
            data: how texts are read: up to how many tokens, and from which columns of a table.
            generation: how inputs are answered, unless a call says otherwise.
            scale: the lowest and the highest grade that it was trained on.
        """
        self.encoder, self.data = model, data or SimilarityData()
        self.generation, self.scale = generation or Comparing(), scale
        super().__init__(model, tokenizer, self.data.max_length)

    @classmethod
    def from_run(cls, run: Run) -> Similarity:
        """The weights that a run keeps for use, and its tokenizer.

        Raises:
            RunError: a part of the run is missing or damaged.
        """
        config: Any = settled(run)
        scale: list[float] | None = run.passport["scale"]
        low_high = None if scale is None else (scale[0], scale[1])
        return cls(kept_model(run), run.tokenizer, config.data, config.generation, low_high)

    def stream(self, inputs: Iterable[str], settings: Comparing | None = None) -> Iterator[Answer]:
        """An answer to each input, in their order; two texts are separated by a tab."""
        for window in windows(inputs, (settings or self.generation).batch):
            halves = [line.partition("\t") for line in window]
            paired = np.array([bool(tab) for _, tab, _ in halves])
            vectors, cut = self.texts([first for first, _, _ in halves])
            others, other_cut = self.texts([second for _, _, second in halves])
            told = cosines(vectors, others)
            for place, line in enumerate(window):
                alike = float(told[place]) if paired[place] else None
                yield Answer(line, vectors[place], alike, bool(cut[place] or other_cut[place]))

    def lines(self, answer: Answer, number: int, settings: Comparing | None = None) -> list[str]:
        """One line: the cosine, or the numbers of the vector."""
        return [answer.text]

    def said_of_cuts(self, answers: Iterable[Answer]) -> str | None:
        """What a person must be told if anything was cut, in one line."""
        return self.said_of(sum(answer.cut for answer in answers))
