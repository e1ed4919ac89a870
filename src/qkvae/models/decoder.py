"""The decoder-only Transformer: a sequence of tokens, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from qkvae import config
from qkvae.nn.blocks import Stack
from qkvae.nn.cache import Cache, empty_past
from qkvae.nn.carried import Carried
from qkvae.nn.masks import Mask
from qkvae.nn.positions import places_within
from qkvae.nn.projection import Projection
from qkvae.nn.short_conv import ShortConv
from qkvae.nn.taps import Tap
from qkvae.nn.tokens import TokenInput


class Decoder(nn.Module):
    """p(tokens) = Π p(token_t | token_<t).  Radford et al. 2018, "Improving language understanding".

    Several documents may stand in a row, told apart by ``documents``: none sees another, and each one's
    places count from 0.  A number below 0 is padding, at either end; after the text it needs no number.

    Example:
        >>> model = Decoder(config.Decoder(block=config.Block(dim=8, heads=2, hidden=16), depth=2, vocab=10))
        >>> model(torch.tensor([[1, 4, 5, 2]])).shape
        torch.Size([1, 4, 10])
    """

    def __init__(self, settings: config.Decoder) -> None:
        super().__init__()
        self.settings = settings
        block, length = settings.block, settings.max_length
        conv = ShortConv(block.dim, settings.conv_size, causal=True) if settings.conv_size else None
        self.input = TokenInput(block, settings.vocab, length, settings.embedding, conv=conv)
        self.stack = Stack(block, settings.depth, length)
        if settings.biases == "none":
            _remove_biases(self.stack)
        self.head = nn.Linear(block.dim, settings.vocab, bias=False)
        if settings.tie == "embedding":
            self.head.weight = self.input.embedding.weight
        self.mask = Mask(causal=True, window=block.window)
        self.logits = Tap()

    def forward(
        self,
        tokens: Int[Tensor, "b n"],
        documents: Int[Tensor, "b n"] | None = None,
        carried: Carried | None = None,
    ) -> Float[Tensor, "b n v"]:
        """Logits of the token after each."""
        return self.logits(self.head(self.features(tokens, documents, carried)))

    def features(
        self,
        tokens: Int[Tensor, "b n"],
        documents: Int[Tensor, "b n"] | None = None,
        carried: Carried | None = None,
    ) -> Float[Tensor, "b n d"]:
        """What the head reads.  With ``carried`` the rows continue those that it remembers."""
        places = None if documents is None else places_within(documents)
        if carried is not None:
            before, told = carried.beside(tokens, documents, self._back)
            x = self.input(tokens, places, documents=told, before=before)
            return carried.read(self.stack, x, self.mask, documents)
        x = self.input(tokens, places, documents=documents)
        return self.stack(x, self.mask if documents is None else self.mask & Mask(documents=documents))

    @property
    def _back(self) -> int:
        """How many tokens before another one are joined to it."""
        return max(0, self.settings.conv_size - 1)

    def carry(self) -> Carried:
        """An empty memory of ``settings.memory`` tokens: for `features` of one segment after another.

        Raises:
            ValueError: the model was made to carry nothing.
        """
        if not self.settings.memory:
            raise ValueError("memory is 0: this model carries nothing from one segment into the next")
        return Carried(self.settings.memory)

    def start(
        self,
        prompt: Int[Tensor, "b n"],
        lengths: Int[Tensor, " b"] | None = None,
        beam: int = 1,
        capacity: int = 64,
    ) -> Prompted:
        """Read the prompts, of any lengths at once; what comes back serves ``beam`` hypotheses for each.

        The hypotheses go on with whatever token they are given first: where that is the prompt's last one,
        give the prompt without it.
        """
        block, (b, n) = self.settings.block, prompt.shape
        begin = None if lengths is None or bool((lengths == n).all()) else n - lengths
        pasts = [
            empty_past(
                b, block.key_heads or block.heads, n + capacity, block.width, self.input.embedding.weight
            )
            for _ in range(self.settings.depth)
        ]
        cache = Prompted(pasts, [], begin=begin)
        if n:
            # The prompts end together, so that all their hypotheses go on at the same place of the cache.
            self.read_on(prompt if begin is None else _ending_together(prompt, begin), cache)
        cache.branch(beam)
        return cache

    def step(self, tokens: Int[Tensor, " rows"], cache: Prompted) -> Float[Tensor, "rows v"]:
        """Logits of the token after ``tokens``, the newest of each hypothesis; the cache grows by them."""
        return self.predict(self.read(tokens, cache))

    def read(self, tokens: Int[Tensor, " rows"], cache: Prompted) -> Float[Tensor, "rows d"]:
        """The first half of `step`: what the head reads."""
        return self.read_on(tokens[:, None], cache)[:, 0]

    def predict(self, features: Float[Tensor, "rows d"]) -> Float[Tensor, "rows v"]:
        """The second half of `step`: the logits, for as many rows at a time as one likes."""
        return self.logits(self.head(features))

    def read_on(self, tokens: Int[Tensor, "rows n"], cache: Prompted) -> Float[Tensor, "rows n d"]:
        """The features of tokens that follow those in the cache."""
        n = tokens.shape[1]
        before, known = cache.beside(tokens, self._back)
        places, offset = cache.places(n), cache.length
        x = self.input(tokens, places, offset=offset, documents=known, before=before)
        return self.stack(x, self.mask & cache.padding(n), cache=cache)


@dataclass
class Prompted(Cache):
    """What a decoder remembers between steps: the prompts, which end together, and what was written since.

    Every hypothesis is a row with keys and values of its own.
    """

    begin: Int[Tensor, " rows"] | None = None
    """The place of each row's first token; before it there is padding.  None: all begin at 0."""

    hypotheses: int = 1
    """Neighbouring rows that go on from one prompt."""

    _tokens: Int[Tensor, "rows places"] | None = field(default=None, repr=False)
    """All that was read, where the model joins neighbouring tokens."""

    def branch(self, hypotheses: int) -> None:
        """So many rows go on from each."""
        if hypotheses > 1:
            rows = torch.arange(len(self.pasts[0].keys), device=self.pasts[0].keys.device)
            self.reorder(rows.repeat_interleave(hypotheses))
        self.hypotheses = hypotheses

    def reorder(self, rows: Int[Tensor, " rows"]) -> None:
        """Row r goes on with what row ``rows[r]`` remembered."""
        self._pick(rows)
        if self.begin is not None:
            self.begin = self.begin.index_select(0, rows)
        if self._tokens is not None:
            self._tokens = self._tokens.index_select(0, rows)

    def keep(self, sentences: Int[Tensor, " kept"]) -> None:
        """Forget all prompts but these."""
        hypotheses = torch.arange(self.hypotheses, device=sentences.device)
        self.reorder((sentences[:, None] * self.hypotheses + hypotheses).flatten())

    def places(self, n: int) -> Int[Tensor, "rows n"] | None:
        """Where in its text each of the next n tokens stands; None: where it stands in the cache."""
        if self.begin is None:
            return None
        there = torch.arange(self.length, self.length + n, device=self.begin.device)
        return (there - self.begin[:, None]).clamp_min(0)

    def beside(
        self, tokens: Int[Tensor, "rows n"], back: int
    ) -> tuple[Int[Tensor, "rows before"] | None, Int[Tensor, "rows before_n"] | None]:
        """Up to ``back`` tokens before these, which are remembered; and what of both is no padding."""
        if not back:
            return None, None
        known = tokens[:, :0] if self._tokens is None else self._tokens[:, : self.length]
        self._tokens = torch.cat([known, tokens], 1)
        before = known[:, max(0, self.length - back) :]
        return before, None if self.begin is None else self._known(before.shape[1], tokens.shape[1])

    def padding(self, n: int) -> Mask:
        """What hides the padding before the prompts from the next n tokens."""
        if self.begin is None:
            return Mask()
        known = self._known(self.length, n)
        return Mask(documents=known[:, -n:], key_documents=known)

    def _known(self, before: int, n: int) -> Int[Tensor, "rows before_n"]:
        """0 where a token belongs to a text, −1 where it is padding: of the next n and so many before."""
        assert self.begin is not None
        there = torch.arange(self.length - before, self.length + n, device=self.begin.device)
        return (there >= self.begin[:, None]).long() - 1


def _ending_together(prompt: Int[Tensor, "b n"], begin: Int[Tensor, " b"]) -> Int[Tensor, "b n"]:
    """Each row moved to its place ``begin``; the padding comes round to the front."""
    there = torch.arange(prompt.shape[1], device=prompt.device)
    return prompt.gather(1, (there - begin[:, None]) % prompt.shape[1])


def _remove_biases(module: nn.Module) -> None:
    """Leave the linear maps without what they add."""
    for each in module.modules():
        if isinstance(each, Projection):
            each.register_parameter("bias", None)
