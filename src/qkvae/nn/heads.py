"""What encoders end in: from the features of every token to an answer.

Every head is called with the features and, as the model was, with what tells the tokens of one text from
padding and from other texts: ``lengths`` where each row is a text, ``documents`` where several stand in a
row.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from qkvae import config
from qkvae.nn.dropout import Dropout
from qkvae.nn.feedforward import ACTIVATIONS
from qkvae.nn.masks import real_places
from qkvae.nn.norms import make_norm
from qkvae.nn.taps import Tap


class MaskedWords(nn.Module):
    """Logits of every token at every place: norm(act(h W + b)) Eᵀ + c, E being the embedding's matrix.

    Devlin et al. 2019, arXiv:1810.04805, in the form of their program.  A gated activation has no place here,
    so that GELU takes its.  A loss over few places takes `hidden` of these and the head's ``weight`` and
    ``bias``.

    >>> head = MaskedWords(config.Block(dim=8, heads=2), nn.Embedding(10, 8))
    >>> head(torch.zeros(1, 5, 8)).shape
    torch.Size([1, 5, 10])
    """

    def __init__(self, block: config.Block, embedding: nn.Embedding) -> None:
        super().__init__()
        self.dense = nn.Linear(block.dim, block.dim)
        nn.init.xavier_uniform_(self.dense.weight)
        nn.init.zeros_(self.dense.bias)
        activation, maps = ACTIVATIONS[block.activation]
        self.activation = activation if maps == 1 else F.gelu
        self.norm = make_norm(block)
        self.weight = embedding.weight
        self.bias = nn.Parameter(torch.zeros(len(self.weight)))
        self.logits = Tap()

    def hidden(self, features: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        """What is multiplied with the embedding's matrix."""
        return self.norm(self.activation(self.dense(features)))

    def forward(
        self, features: Float[Tensor, "b n d"], lengths: Tensor | None = None, documents: Tensor | None = None
    ) -> Float[Tensor, "b n v"]:
        return self.logits(F.linear(self.hidden(features), self.weight, self.bias))


class Spans(nn.Module):
    """Scores of each token as the first, and as the last, of an answer: [b, n, 2].

    Devlin et al. 2019, section 4.2.  Where a class token stands in front, its scores are those of no answer.

    >>> Spans(config.Block(dim=8, heads=2))(torch.zeros(1, 5, 8)).shape
    torch.Size([1, 5, 2])
    """

    def __init__(self, block: config.Block) -> None:
        super().__init__()
        self.output = nn.Linear(block.dim, 2)
        self.logits = Tap()

    def forward(
        self, features: Float[Tensor, "b n d"], lengths: Tensor | None = None, documents: Tensor | None = None
    ) -> Float[Tensor, "b n 2"]:
        return self.logits(self.output(features))


class Vector(nn.Module):
    """One vector of each text: the mean of its tokens' features, or those of its first or its last token.

    >>> h = torch.tensor([[[1.0], [3.0], [9.0]]])
    >>> Vector("mean")(h, torch.tensor([2])), Vector("class")(h), Vector("last")(h, torch.tensor([2]))
    (tensor([[2.]]), tensor([[1.]]), tensor([[3.]]))
    >>> Vector("mean")(h, documents=torch.tensor([[0, 1, 1]]))
    tensor([[1.],
            [6.]])
    """

    def __init__(self, pooling: Literal["mean", "class", "last"]) -> None:
        super().__init__()
        self.pooling = pooling
        self.pooled = Tap()

    def forward(
        self,
        features: Float[Tensor, "b n d"],
        lengths: Int[Tensor, " b"] | None = None,
        documents: Int[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "texts d"]:
        """Packed texts come in the order in which they stand in the rows."""
        if documents is not None:
            return self.pooled(_of_documents(features, documents, self.pooling))
        if self.pooling == "class":
            return self.pooled(features[:, 0])
        if self.pooling == "last":
            ends = None if lengths is None else (lengths - 1).clamp_min(0)[:, None, None]
            return self.pooled(features[:, -1] if ends is None else features.take_along_dim(ends, 1)[:, 0])
        if lengths is None:
            return self.pooled(features.mean(1))
        there = real_places(lengths, features.shape[1])
        total = features.masked_fill(~there[..., None], 0.0).sum(1)
        return self.pooled(total / lengths[:, None].clamp_min(1).to(total.dtype))


class Classes(nn.Module):
    """Logits of each text's class: tanh(h W + b) V + c, h its vector.

    The form of BERT and RoBERTa, with dropout before each map; with one class, the number that is told.

    >>> Classes(config.Block(dim=8, heads=2), config.Classes(count=3))(torch.zeros(2, 5, 8)).shape
    torch.Size([2, 3])
    """

    def __init__(self, block: config.Block, settings: config.Classes) -> None:
        super().__init__()
        if settings.count < 1:
            raise ValueError(
                "count is 0 classes: it comes from the labels and must be filled in before a model is built"
            )
        self.vector = Vector(settings.pooling)
        self.dense = nn.Linear(block.dim, block.dim)
        self.output = nn.Linear(block.dim, settings.count)
        self.dropout = Dropout(block.dropout)
        self.logits = Tap()

    def forward(
        self,
        features: Float[Tensor, "b n d"],
        lengths: Int[Tensor, " b"] | None = None,
        documents: Int[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "texts classes"]:
        pooled = self.dropout(self.vector(features, lengths, documents))
        return self.logits(self.output(self.dropout(self.dense(pooled).tanh())))


Head = MaskedWords | Spans | Vector | Classes
"""What an encoder ends in."""


def make_head(settings: config.Head, block: config.Block, embedding: nn.Embedding) -> Head:
    """The head that the config names; one that predicts tokens shares the embedding's matrix.

    >>> embedding = nn.Embedding(10, 8)
    >>> make_head(config.MaskedWords(), config.Block(dim=8, heads=2), embedding).weight is embedding.weight
    True
    """
    match settings:
        case config.MaskedWords():
            return MaskedWords(block, embedding)
        case config.Spans():
            return Spans(block)
        case config.Vector():
            return Vector(settings.pooling)
        case config.Classes():
            return Classes(block, settings)


def _of_documents(
    features: Float[Tensor, "b n d"], documents: Int[Tensor, "b n"], pooling: str
) -> Float[Tensor, "texts d"]:
    """The vector of every document; tokens numbered below 0 are padding."""
    there = documents >= 0
    changes = documents[:, 1:] != documents[:, :-1]
    first = F.pad(changes, (1, 0), value=True) & there
    if pooling == "class":
        return features[first]
    if pooling == "last":
        return features[F.pad(changes, (0, 1), value=True) & there]
    numbers, known = first.flatten().cumsum(0)[there.flatten()] - 1, features[there]
    texts = int(first.sum())
    total = known.new_zeros(texts, known.shape[1]).index_add(0, numbers, known)
    return total / torch.bincount(numbers, minlength=texts)[:, None].to(total.dtype)
