"""The text VAE: a Transformer reads a text into a few numbers, and another writes it again from these."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from qkvae import config
from qkvae.models.seq2seq import padding_mask
from qkvae.nn.blocks import Stack
from qkvae.nn.gaussian import Gaussian
from qkvae.nn.heads import Vector
from qkvae.nn.latents import Posterior, Prior, Standard
from qkvae.nn.masks import Mask
from qkvae.nn.projection import Projection
from qkvae.nn.taps import Tap
from qkvae.nn.tokens import TokenInput

_LOGITS = 2**25  # numbers that tell the texts of one piece at most


class TextVAE(nn.Module):
    """z ~ N(0, 1), p(text | z) = Π p(token_t | token_<t, z).  Bowman et al. 2016, arXiv:1511.06349.

    A text is its tokens and what ends it; places behind that are padding and hold a number below 0.  z is
    added to every vector that the decoder reads.  The bounds of `losses.bounds` are those of any model with
    latent variables, with the KL of each datum.

    Example:
        >>> block = config.Block(dim=8, heads=2, hidden=16)
        >>> model = TextVAE(config.TextVAE(block=block, latents=(3,), vocab=10))
        >>> x = torch.tensor([[4, 5, 2], [6, 2, -1]])
        >>> model(x).shape, model.log_likelihood(x, torch.zeros(5, 2, 3)).shape
        (torch.Size([2, 3, 10]), torch.Size([5, 2]))
    """

    def __init__(self, settings: config.TextVAE) -> None:
        super().__init__()
        self.settings = settings
        block, length, latent = settings.block, settings.max_length, settings.latents
        self.source = TokenInput(block, settings.vocab, length)
        self.encoder = Stack(block, settings.encoder_depth, length)
        self.vector = Vector("mean")
        self.posterior = Posterior(block.dim, latent, block.dim, "relu")
        self.prior = Prior(Standard(), latent, block.dim, "relu")
        self.told = Projection(settings.latent, (block.dim,))
        self.target = TokenInput(block, settings.vocab, length)
        self.decoder = Stack(block, settings.decoder_depth, length)
        self.head = nn.Linear(block.dim, settings.vocab, bias=False)
        self.head.weight = self.target.embedding.weight
        self.mask = Mask(causal=True, window=block.window)
        self.logits = Tap()

    def forward(self, x: Int[Tensor, "b n"]) -> Float[Tensor, "b n v"]:
        """Logits of each token given those before it and the mean of the posterior."""
        return self.logits(self.head(self.written(x, self.read(x).mu)))

    def features(
        self, x: Int[Tensor, "b n"], labels: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "b d"]:
        """What the posterior reads: the mean of the encoder's features, padding left out.

        Raises:
            ValueError: labels are told, of which the model knows none.
        """
        if labels is not None:
            raise ValueError("labels are told, but a text VAE knows none: leave them out")
        x = _trimmed(x)
        lengths = (x >= 0).sum(1)
        mask = padding_mask(x, lengths) & Mask(window=self.settings.block.window)
        return self.vector(self.encoder(self.source(x.clamp_min(0)), mask), lengths)

    def read(self, x: Int[Tensor, "b n"]) -> Gaussian:
        """q(z | text)."""
        return self.posterior.levels[0](self.features(x))

    def written(self, x: Int[Tensor, "b n"], z: Float[Tensor, "b latent"]) -> Float[Tensor, "b n d"]:
        """What the head reads: at each place, of the tokens before it and of z."""
        shown = F.pad(x[:, :-1], (1, 0), value=self.settings.marks.bos).clamp_min(0)
        embedded = self.target(self._hidden(shown))
        told = self.told(z.to(self.told.weight.dtype))[0]
        return self.decoder(embedded + told[:, None], self.mask)

    def phi(self) -> list[nn.Parameter]:
        """φ, what an E-step moves: the encoder and the posterior."""
        return [p for part in (self.source, self.encoder, self.posterior) for p in part.parameters()]

    def theta(self) -> list[nn.Parameter]:
        """θ, what an M-step moves: the decoder, whose head is its embedding, and what reads z."""
        return [p for part in (self.told, self.target, self.decoder, self.prior) for p in part.parameters()]

    def log_likelihood(
        self,
        x: Int[Tensor, "b n"],
        z: Float[Tensor, "*draws_b latent"],
        labels: Int[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "*draws_b"]:
        """ln p(text | z) = Σ ln p(token_t | token_<t, z) of each text, in nats.

        Some are told at a time, so that no more logits are held than need be.
        """
        rows, x = z.flatten(0, -2), _trimmed(x)
        texts = x.repeat(len(rows) // len(x), 1)
        some = max(1, _LOGITS // (x.shape[1] * self.settings.vocab))
        told = zip(torch.split(texts, some), torch.split(rows, some), strict=True)
        return torch.cat([self._log_p(*each) for each in told]).view(z.shape[:-1])

    def _log_p(self, texts: Int[Tensor, "b n"], z: Float[Tensor, "b latent"]) -> Float[Tensor, " b"]:
        there = texts >= 0
        logits = self.logits(self.head(self.written(texts, z)[there]))  # of tokens only, not of padding
        log_p = -F.cross_entropy(logits.float(), texts[there], reduction="none")
        return log_p.new_zeros(len(z)).index_add(0, there.nonzero()[:, 0], log_p)

    @torch.no_grad()
    def write(
        self, z: Float[Tensor, "b latent"], length: int, generator: torch.Generator | None = None
    ) -> list[list[int]]:
        """The most probable token at each place, or one drawn where there is a ``generator``, until the text
        ends: one text for each z.

        The texts are read anew for each token: for captions, not for books.
        """
        marks, ended = self.settings.marks, torch.zeros(len(z), dtype=torch.bool, device=z.device)
        texts = torch.full((len(z), 1), marks.pad, device=z.device)
        for _ in range(min(length, self.settings.max_length)):
            logits = self.head(self.written(texts, z)[:, -1])
            logits[:, [marks.pad, marks.bos]] = -torch.inf
            if generator is None:
                chosen = logits.argmax(-1)
            else:
                chosen = torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]
            texts[:, -1] = torch.where(ended, marks.eos, chosen)
            ended = ended | (texts[:, -1] == marks.eos)
            if bool(ended.all()):
                break
            texts = F.pad(texts, (0, 1), value=marks.pad)
        rows = cast("list[list[int]]", texts.tolist())
        return [row[: row.index(marks.eos)] if marks.eos in row else row[:length] for row in rows]

    def _hidden(self, shown: Int[Tensor, "b n"]) -> Int[Tensor, "b n"]:
        """Word dropout: while training, some words are not shown; the first place is no word.

        Bowman et al. 2016, section 3.1.2: what the decoder cannot see before it, it must ask z for.
        """
        if not (self.training and self.settings.word_dropout):
            return shown
        marks = self.settings.marks
        hides = torch.rand(shown.shape, device=shown.device) < self.settings.word_dropout
        hides[:, 0] = False
        return shown.masked_fill(hides, marks.pad if marks.unk is None else marks.unk)


def _trimmed(x: Int[Tensor, "b n"]) -> Int[Tensor, "b m"]:
    """The texts without places that are padding in all of them."""
    return x[:, : int((x >= 0).sum(1).max())]
