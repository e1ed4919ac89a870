"""What a model begins with instead of fresh weights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Start:
    """What the embedding begins with."""

    words: str | None = None
    """A file of word vectors (GloVe, word2vec or fastText text) that the embedding begins with."""

    words_frozen: bool = False
    """Keep the vectors of that file as they are; only words that it does not have are learned."""

    def __post_init__(self) -> None:
        if self.words_frozen and self.words is None:
            raise ValueError("words_frozen has no effect without words: name the file, or leave it out")
