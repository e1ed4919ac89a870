"""Run a model on its own tokens, and keep what all its attention computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor, nn

from qkvae.inspect.taps import record
from qkvae.models import Decoder, Encoder, Seq2Seq


@dataclass(frozen=True, kw_only=True)
class Attention:
    """What one attention part of one block computed, all heads, in the order of the equation."""

    queries: Float[Tensor, "h n w"]
    keys: Float[Tensor, "k m w"]
    values: Float[Tensor, "k m w"]
    scores: Float[Tensor, "h n m"]
    """QKᵀ / √w and what is added for positions; −∞ where the mask forbids to look."""

    weights: Float[Tensor, "h n m"]
    """softmax of the scores."""

    mixed: Float[Tensor, "h n w"]
    """weights · V."""


@dataclass(frozen=True, kw_only=True)
class Watched:
    """Every attention part of a model, first block first, and what the model would have written.

    A decoder-only model has neither ``encoder`` nor ``cross``.
    """

    encoder: tuple[Attention, ...]
    """Self-attention of the encoder's blocks: source to source."""

    decoder: tuple[Attention, ...]
    """Self-attention of the decoder's blocks: target to target."""

    cross: tuple[Attention, ...]
    """Cross-attention of the decoder's blocks: target to source."""

    probabilities: Float[Tensor, "m v"]
    """p(token | target so far, source), for every place of the target."""

    def alignment(self) -> Float[Tensor, "m n"]:
        """Each source token's share while each token was written: last block, mean of its heads."""
        return self.cross[-1].weights.mean(0)


def watch(model: Seq2Seq, source: Sequence[int], written: Sequence[int]) -> Watched:
    """What attention computes while ``written`` is written for ``source`` (token ids; EOS joins the source).

    One pass with the whole target gives what decoding it step by step gives.  Row i belongs to the decoder
    having read BOS and ``written[:i]``, and being about to write ``written[i]``.

    >>> from qkvae import config
    >>> model = Seq2Seq(config.Seq2Seq(block=config.Block(dim=8, heads=2, hidden=8), vocab=10))
    >>> watch(model, [5, 6, 7], [8, 9]).alignment().shape
    torch.Size([2, 4])
    """
    device = next(model.parameters()).device
    marks = model.settings.marks
    read = torch.tensor([[*source, marks.eos]], device=device)
    target = torch.tensor([[marks.bos, *written[:-1]]], device=device)
    logits, seen = _recorded(model, lambda: model(read, target))
    return Watched(
        encoder=_parts(seen, "encoder.blocks.{}.attention", model.settings.encoder_depth),
        decoder=_parts(seen, "decoder.blocks.{}.attention", model.settings.decoder_depth),
        cross=_parts(seen, "decoder.blocks.{}.cross_attention", model.settings.decoder_depth),
        probabilities=logits[0].float().softmax(-1).cpu(),
    )


def watch_text(model: Decoder, tokens: Sequence[int]) -> Watched:
    """What attention computes while a text is read; row i belongs to the model about to say what follows it.

    >>> from qkvae import config
    >>> model = Decoder(config.Decoder(block=config.Block(dim=8, heads=2, hidden=8), depth=3, vocab=10))
    >>> watched = watch_text(model, [1, 6, 7])
    >>> len(watched.decoder), watched.decoder[0].weights.shape, watched.probabilities.shape
    (3, torch.Size([2, 3, 3]), torch.Size([3, 10]))
    """
    read = torch.tensor([list(tokens)], device=next(model.parameters()).device)
    logits, seen = _recorded(model, lambda: model(read))
    return Watched(
        encoder=(),
        decoder=_parts(seen, "stack.blocks.{}.attention", model.settings.depth),
        cross=(),
        probabilities=logits[0].float().softmax(-1).cpu(),
    )


def watch_encoder(
    model: Encoder, tokens: Sequence[int], segments: Sequence[int] | None = None
) -> tuple[Attention, ...]:
    """What attention computes in every block while a text is read that is there as a whole.

    >>> from qkvae import config
    >>> settings = config.Encoder(block=config.Block(dim=8, heads=2, hidden=8), depth=3, vocab=10)
    >>> [each.weights.shape for each in watch_encoder(Encoder(settings), [1, 6, 7])][1:]
    [torch.Size([2, 3, 3]), torch.Size([2, 3, 3])]
    """
    device = next(model.parameters()).device
    read = torch.tensor([list(tokens)], device=device)
    kinds = None if segments is None else torch.tensor([list(segments)], device=device)
    _, seen = _recorded(model, lambda: model(read, segments=kinds))
    return _parts(seen, "stack.blocks.{}.attention", model.settings.depth)


def _recorded(model: nn.Module, read: Callable[[], Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """What the model answers in the mode for use, and all that its attention computed."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad(), record(model, [f"*.{field.name}" for field in fields(Attention)]) as seen:
            return read(), seen
    finally:
        model.train(training)


def _parts(seen: dict[str, Tensor], place: str, depth: int) -> tuple[Attention, ...]:
    return tuple(_part(seen, place.format(block)) for block in range(depth))


def _part(seen: dict[str, Tensor], place: str) -> Attention:
    return Attention(
        **{field.name: seen[f"{place}.{field.name}"][0].float().cpu() for field in fields(Attention)}
    )
