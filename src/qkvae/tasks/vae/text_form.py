"""What texts are to a model: rows of token ids, each with what ends it; behind that stands padding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from qkvae.config import VAE, TextVAE, Vae, differences, to_dict
from qkvae.data.pairs import Note
from qkvae.data.ragged import spans
from qkvae.data.tokenizer import Tokenizer

PADDING = -1


@dataclass(frozen=True)
class TextForm:
    """Texts, one a line, of at most so many tokens.

    >>> form = TextForm(Tokenizer.train(["one two three"] * 2, "word"), longest=3)
    >>> from qkvae.data.documents import Documents
    >>> x = form.stored(Documents(["one two three", "two"]))
    >>> x.tolist(), form.texts(x)
    ([[4, 6, 2], [6, 2, -1]], ['one two', 'two'])
    """

    tokenizer: Tokenizer | None = None
    """What turns texts into ids; it is learned once the texts are known."""

    longest: int = 0
    """Tokens that the model reads at most, with what ends a text."""

    noun = "text"

    def encoding(self, tokenizer: Tokenizer | None, model: TextVAE) -> TextForm:
        """The same, with what turns the texts into ids for this model."""
        return replace(self, tokenizer=tokenizer, longest=model.max_length)

    def stored(self, part: Any) -> Int[Tensor, "count n"]:
        """The ids of the texts; what is longer than the model reads is cut (`notes` counts it)."""
        assert self.tokenizer is not None
        rows = self.tokenizer.encode_batch(part.texts)
        kept = np.minimum(rows.lengths, self.longest - 1)
        ids = np.full((len(rows), int(kept.max(initial=0)) + 1), PADDING, np.int32)
        ids[np.arange(ids.shape[1]) < kept[:, None]] = rows.flat[spans(rows.starts[:-1], kept)]
        ids[np.arange(len(rows)), kept] = self.tokenizer.marks.eos
        return torch.from_numpy(ids)

    def numbers(self, stored: Shaped[Tensor, "b n"]) -> Int[Tensor, "b m"]:
        """What a model reads: as many places as the longest of these texts has."""
        longest = int((stored >= 0).sum(1).max()) if len(stored) else 0
        return stored[:, :longest].long()

    def filled(self, model: VAE | TextVAE, train: Any) -> TextVAE:
        """The model's settings for such texts.

        Raises:
            ValueError: a setting that has no effect on texts.
        """
        if isinstance(model, VAE):
            usual = to_dict(Vae().model)
            for name, _, value in differences(usual, to_dict(model)):
                if name != "latents":
                    raise ValueError(
                        f"model.{name} {value} has no effect on texts, which Transformers read and write: "
                        "leave it out"
                    )
            model = TextVAE(latents=model.latents)
        if self.tokenizer is None:
            return model
        return replace(model, vocab=len(self.tokenizer), marks=self.tokenizer.marks)

    @property
    def decided(self) -> tuple[str, ...]:
        """What the training texts decided beside their vocabulary."""
        return ()

    def notes(self, part: Any) -> list[Note]:
        """How many texts are cut."""
        if self.tokenizer is None:
            return []
        lengths = self.tokenizer.encode_batch(part.texts).lengths
        cut = np.flatnonzero(lengths >= self.longest)
        if not len(cut):
            return []
        what = f"texts were cut after {self.longest - 1} tokens"
        return [Note("cut", len(cut), what, (str(part.where(int(cut[0]))),))]

    def where(self, part: Any, place: int) -> str:
        """Which datum it is, for a line of results: texts are counted from 1."""
        return str(place + 1)

    def texts(self, ids: Int[Tensor, "count n"]) -> list[str]:
        """What the ids say."""
        assert self.tokenizer is not None
        rows = cast("list[list[int]]", ids.tolist())
        return self.tokenizer.decode_batch([each for each in row if each >= 0] for row in rows)

    def to_dict(self) -> dict[str, Any]:
        """Nothing for the run's passport: the tokenizer has a file of its own, the model knows the length."""
        return {}


def padded(rows: list[list[int]]) -> Int[Tensor, "count n"]:
    """Rows of ids as one tensor.

    >>> padded([[4, 5], [6]])
    tensor([[ 4,  5],
            [ 6, -1]])
    """
    ids = torch.full((len(rows), max(map(len, rows), default=0)), PADDING)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
    return ids
