"""Word vectors made elsewhere as the embedding that a training begins with, frozen or trained further."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from qkvae.data.tokenizer import Tokenizer
from qkvae.data.vectors import Match, match, read_vectors, words_of
from qkvae.nn.embedding import Embedding
from qkvae.run import Mismatch
from qkvae.train.base import Base
from qkvae.train.progress import Reporter


@dataclass(frozen=True)
class Words:
    """The vectors that a file has for the tokens of a tokenizer."""

    file: str
    """Where they are from."""

    found: Match
    frozen: bool
    """Whether they stay as they are."""

    def record(self) -> dict[str, Any]:
        """What a run remembers of them."""
        digest = hashlib.sha256(self.found.ids.tobytes() + self.found.rows.tobytes()).hexdigest()
        return {"file": self.file, "tokens": len(self.found.ids), "sha256": digest}

    def __str__(self) -> str:
        kept = "frozen" if self.frozen else "trained further"
        return f"{self.file}: {'; '.join(map(str, self.found.notes))}; {kept}"


def read_words(
    config: Any,
    tokenizer: Tokenizer | None,
    base: Base | None,
    reporter: Reporter,
    known: Mapping[str, Any] | None = None,
) -> Words | None:
    """The vectors that the settings name, None if they name none; how many words have one is said.

    Args:
        base: what the training begins with besides.
        known: what a run remembers of the vectors that it was begun with.

    Raises:
        ValueError: the embedding comes with a base; the tokens are no words; the vectors have another width
            than the model; whatever `data.vectors.read_vectors` and `data.vectors.match` raise.
        Mismatch: the file now holds other vectors.
    """
    file, dim = config.start.words, config.model.block.dim
    if file is None:
        return None
    kind = "none" if tokenizer is None else tokenizer.kind
    if tokenizer is None or kind not in ("word", "bpe"):
        raise ValueError(
            f"words {file} has no effect with tokenizer {kind}, whose tokens are no words: use tokenizer "
            "word, or leave it out"
        )
    if base is not None:
        raise ValueError(
            f"words {file} has no effect with --from {base.path}, whose embedding is taken: leave it out"
        )
    ids = words_of(tokenizer)
    vectors = read_vectors(file, {*ids, *(word.lower() for word in ids)})
    if vectors.dim != dim:
        raise ValueError(
            f"{file} has vectors of {vectors.dim} numbers, but model.dim is {dim}: use --model.dim "
            f"{vectors.dim}, or vectors of {dim}"
        )
    found = match(vectors, ids)
    words = Words(file, found, config.start.words_frozen)
    if known is not None and words.record()["sha256"] != known["sha256"]:
        raise Mismatch(
            f"{file} has {len(found.ids):,} vectors for this run, but it was begun with {known['tokens']:,} "
            f"of sha256 {known['sha256'][:12]}: put the file back"
        )
    for note in vectors.notes:
        reporter.say(f"note: {note}")
    reporter.say(f"words of {words}")
    return words


@torch.no_grad()
def begin_with(words: Words, model: nn.Module, vocab: int) -> None:
    """Put the vectors into every embedding of the vocabulary, all multiplied with one number.

    It makes them as large as a fresh embedding's, 1/√dim in the quadratic mean, and leaves every cosine as
    it is.  Of frozen ones the gradient is zero.

    >>> found = Match(torch.tensor([1]).numpy(), torch.tensor([[6.0, 8.0]]).numpy(), ())
    >>> model = nn.Sequential(Embedding(3, 2))
    >>> begin_with(Words("two.vec", found, frozen=True), model, vocab=3)
    >>> model[0].weight[1]
    tensor([0.6000, 0.8000], grad_fn=<SelectBackward0>)
    >>> model(torch.tensor([1, 2])).sum().backward()
    >>> model[0].weight.grad[:, 0]
    tensor([0.0000, 0.0000, 1.4142])
    """
    ids, rows = torch.from_numpy(words.found.ids), torch.from_numpy(words.found.rows.copy())
    rows *= rows.shape[1] ** -0.5 / float(rows.square().mean().sqrt().clamp_min(1e-12))
    for embedding in model.modules():
        if isinstance(embedding, Embedding) and len(embedding.weight) == vocab:
            embedding.weight[ids] = rows.to(embedding.weight)
            if words.frozen:
                embedding.weight.register_hook(_without(ids))


def _without(ids: Tensor) -> Any:
    """What leaves these rows out of a gradient."""

    def zeroed(gradient: Tensor) -> Tensor:
        return gradient.index_fill(0, ids.to(gradient.device), 0.0)

    return zeroed
