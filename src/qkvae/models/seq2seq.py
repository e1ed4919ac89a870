"""The encoder-decoder Transformer: a sequence of tokens in, a sequence of tokens out."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, nn

from qkvae import config
from qkvae.nn.blocks import Stack
from qkvae.nn.cache import Cache, empty_past
from qkvae.nn.dropout import Dropout
from qkvae.nn.embedding import Embedding
from qkvae.nn.masks import Mask
from qkvae.nn.multihead import CrossAttention
from qkvae.nn.positions import make_absolute
from qkvae.nn.taps import Tap


class Seq2Seq(nn.Module):
    """p(target | source) = Π p(target_t | target_<t, source).  Vaswani et al. 2017, arXiv:1706.03762.

    Example:
        >>> import torch
        >>> model = Seq2Seq(config.Seq2Seq(block=config.Block(dim=8, heads=2, hidden=16), vocab=10))
        >>> source, target = torch.tensor([[4, 5, 2]]), torch.tensor([[1, 6]])
        >>> model(source, target).shape
        torch.Size([1, 2, 10])
    """

    def __init__(self, settings: config.Seq2Seq) -> None:
        super().__init__()
        if settings.vocab < 1:
            raise ValueError(
                "vocab is 0: it comes from the tokenizer and must be filled in before a model is built"
            )
        self.settings = settings
        block, length = settings.block, settings.max_length
        self.source_embedding = Embedding(settings.vocab, block.dim)
        self.target_embedding = (
            self.source_embedding if settings.tie == "all" else Embedding(settings.vocab, block.dim)
        )
        self.source_positions = make_absolute(block, length)
        self.target_positions = (
            self.source_positions if settings.tie == "all" else make_absolute(block, length)
        )
        self.dropout = Dropout(block.dropout)
        self.encoder = Stack(block, settings.encoder_depth, length)
        self.decoder = Stack(block, settings.decoder_depth, length, cross=CrossAttention)
        self.head = nn.Linear(block.dim, settings.vocab, bias=settings.head == "affine")
        if settings.tie != "none":
            self.head.weight = self.target_embedding.weight
        self.decoder_mask = Mask(causal=True, window=block.window)
        self.source_embedded, self.target_embedded, self.logits = Tap(), Tap(), Tap()

    def forward(
        self,
        source: Int[Tensor, "b n"],
        target: Int[Tensor, "b m"],
        source_lengths: Int[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "b m v"]:
        """Logits of the token after each of ``target``'s; what padding holds never matters."""
        return self.logits(self.head(self.features(source, target, source_lengths)))

    def features(
        self,
        source: Int[Tensor, "b n"],
        target: Int[Tensor, "b m"],
        source_lengths: Int[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "b m d"]:
        """What the head reads."""
        mask = padding_mask(source, source_lengths)
        memories = self.decoder.remember(self.encode(source, source_lengths), mask)
        return self.decoder(self._embed_target(target, 0), self.decoder_mask, memories)

    def encode(
        self, source: Int[Tensor, "b n"], source_lengths: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "b n d"]:
        """The encoder's output."""
        x = self.source_embedding(source)
        if self.source_positions is not None:
            x = (x + self.source_positions(source.shape[1])).to(x.dtype)
        mask = padding_mask(source, source_lengths) & Mask(window=self.settings.block.window)
        return self.encoder(self.source_embedded(self.dropout(x)), mask)

    def start(
        self,
        source: Int[Tensor, "b n"],
        source_lengths: Int[Tensor, " b"] | None = None,
        beam: int = 1,
        capacity: int = 64,
    ) -> Cache:
        """Read the sources; what comes back serves ``beam`` hypotheses for each (neighbouring rows)."""
        block = self.settings.block
        encoded = self.encode(source, source_lengths)
        memories = self.decoder.remember(encoded, padding_mask(source, source_lengths))
        room = (len(source), block.key_heads or block.heads, capacity * beam, block.width)
        pasts = [empty_past(*room, encoded) for _ in self.decoder.blocks]
        return Cache(pasts, memories, beam)

    def step(self, tokens: Int[Tensor, " rows"], cache: Cache) -> Float[Tensor, "rows v"]:
        """Logits of the token after ``tokens``, the newest of each hypothesis; the cache grows by them."""
        return self.predict(self.read(tokens, cache))

    def read(self, tokens: Int[Tensor, " rows"], cache: Cache) -> Float[Tensor, "rows d"]:
        """The first half of `step`: what the head reads."""
        x = self._embed_target(tokens[:, None], cache.length)
        return self.decoder(x, self.decoder_mask, cache.memories, cache)[:, 0]

    def predict(self, features: Float[Tensor, "rows d"]) -> Float[Tensor, "rows v"]:
        """The second half of `step`: the logits, for as many rows at a time as one likes."""
        return self.logits(self.head(features))

    def _embed_target(self, target: Int[Tensor, "b m"], offset: int) -> Float[Tensor, "b m d"]:
        x = self.target_embedding(target)
        if self.target_positions is not None:
            x = (x + self.target_positions(target.shape[1], offset)).to(x.dtype)
        return self.target_embedded(self.dropout(x))


def padding_mask(x: Int[Tensor, "b n"], lengths: Int[Tensor, " b"] | None) -> Mask:
    """Hide what lies at or after each row's length; nothing if all are full: the quickest kernel runs."""
    if lengths is None or int(lengths.min()) == x.shape[1]:
        return Mask()
    return Mask(key_lengths=lengths)
