"""Faults, each planted by replacing one part, with the check that must catch it."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from qkvae import config, losses
from qkvae.data import batches, plan
from qkvae.data.patch_masks import hidden_patches
from qkvae.generate import search
from qkvae.models import decoder, seq2seq
from qkvae.models.seq2seq import Seq2Seq
from qkvae.nn import (
    attention,
    blocks,
    cache,
    carried,
    dropout,
    embedding,
    grid_conv,
    grid_input,
    grid_positions,
    heads,
    norms,
    patches,
    positions,
    projection,
    short_conv,
    stochastic_depth,
)
from qkvae.nn.masks import Mask
from qkvae.nn.multihead import CrossAttention
from qkvae.run import weights
from qkvae.tasks.translation import objective
from qkvae.train import average, precision, schedule

Patch = pytest.MonkeyPatch


@dataclasses.dataclass(frozen=True)
class Fault:
    """What is broken, how, and what catches it on a model of which parts."""

    name: str
    plant: Callable[[Patch], None]
    caught_by: str
    parts: dict[str, Any] = dataclasses.field(default_factory=dict)
    family: type = config.Seq2Seq
    model: dict[str, Any] = dataclasses.field(default_factory=dict)


def everywhere(patch: Patch, original: Any, faulty: Any) -> None:
    """Replace a function in every module that imported it."""
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in ("qkvae", "reference_checks", "latent_checks"):
            for attribute, value in list(vars(module).items()):
                if value is original:
                    patch.setattr(module, attribute, faulty)


def wrapped(patch: Patch, owner: Any, name: str, around: Callable[..., Any]) -> None:
    """Replace ``owner.name`` by ``around(original, …)``; a function also where it was imported."""
    original = getattr(owner, name)

    def faulty(*args: Any, **kwargs: Any) -> Any:
        return around(original, *args, **kwargs)

    if isinstance(owner, type):
        patch.setattr(owner, name, faulty)
    else:
        everywhere(patch, original, faulty)


def plant(owner: Any, name: str, around: Callable[..., Any]) -> Callable[[Patch], None]:
    return lambda patch: wrapped(patch, owner, name, around)


def batch_with(**change: Callable[[Any], Tensor]) -> Callable[[Patch], None]:
    """Every batch with some of its tensors changed."""

    def around(original: Any, *args: Any) -> Any:
        batch = original(*args)
        return dataclasses.replace(batch, **{name: made(batch) for name, made in change.items()})

    return plant(batches, "collate", around)


def without_end(batch: Any) -> Tensor:
    return batch.target_out.masked_fill(batch.target_out == 2, 0)


def untied(original: Any, self: Any, *args: Any) -> None:
    original(self, *args)
    self.head.weight = nn.Parameter(self.head.weight.detach().clone())


def sees_the_future(original: Any, self: Any, *args: Any) -> None:
    original(self, *args)
    self.decoder_mask = Mask(window=self.settings.block.window)


def over_the_others(
    original: Any, features: Tensor, weight: Tensor, targets: Tensor, smoothing: float, bias: Tensor | None
) -> Any:
    """The smoothed part over the V − 1 tokens that are not the target."""
    loss, nll = original(features, weight, targets, smoothing, bias)
    smooth = (loss - (1 - smoothing) * nll) / smoothing
    vocab = len(weight)
    return (1 - smoothing) * nll + smoothing * (smooth * vocab - nll) / (vocab - 1), nll


def averaged(original: Any, self: Any, batch: Any) -> Any:
    loss = original(self, batch)
    return dataclasses.replace(loss, total=loss.total / loss.count)


def averaged_per_process(patch: Patch) -> None:
    """Each of three processes takes the mean over its own tokens, and the three means are averaged."""
    wrapped(patch, objective.TranslationObjective, "loss", averaged)
    patch.setattr(objective.TranslationObjective, "size", lambda self, batch: 3)


def blind_cross_attention(original: Any, self: Any, x: Tensor, memory: Any) -> Tensor:
    return original(self, x, cache.Memory(memory.keys, memory.values, Mask()))


def eps_outside(original: Any, block: Any) -> nn.Module:
    class Outside(nn.LayerNorm):
        def forward(self, x: Tensor) -> Tensor:
            spread = x.var(-1, unbiased=False, keepdim=True).sqrt() + self.eps
            return self.weight * (x - x.mean(-1, keepdim=True)) / spread + self.bias

    return Outside(block.dim, eps=block.eps) if block.norm == "layer" else original(block)


def cut_sources(original: Any, sources: list[list[int]]) -> Any:
    return original([ids[:4] for ids in sources])


def all_in_one_document(original: Any, self: Any, x: Tensor, documents: Tensor | None = None) -> Tensor:
    return original(self, x)


def on_both_sides(original: Any, self: Any, dim: int, size: int, causal: bool) -> None:
    original(self, dim, size, causal=False)


def without_what_was_said(original: Any, self: Any, *args: Any) -> Tensor:
    """Keys are carried, but what they stand for is gone."""
    read = original(self, *args)
    for past in self._pasts:
        past.values = torch.zeros_like(past.values)
    return read


def unsplit(original: Any, self: Any, matrix: Tensor) -> list[Tensor]:
    return [matrix]


def rows_without_beam(original: Any, self: Any, sentences: Tensor) -> None:
    beam, self.beam = self.beam, 1
    original(self, sentences)
    self.beam = beam


def without_documents(original: Any, self: Any, *args: Any) -> Tensor:
    return original(dataclasses.replace(self, documents=None, key_documents=None), *args)


def one_too_far(original: Any, self: Any, *args: Any) -> Tensor:
    wider = self.window if self.window is None else self.window + 1
    return original(dataclasses.replace(self, window=wider), *args)


def window_as_lookback(original: Any, self: Any, *args: Any) -> Tensor:
    return original(self, *args).roll(1, -1)


def counted_through(original: Any, documents: Tensor) -> Tensor:
    return torch.arange(documents.shape[1]).expand_as(documents)


def layer_halves(original: Any, length: int, dim: int, base: float = 10000.0) -> Tensor:
    return torch.cat([original(length, dim, base)[:, 0::2], original(length, dim, base)[:, 1::2]], 1)


def unseeded(original: Any, p: float, like: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(int(np.random.default_rng().integers(1 << 40)))
    return (torch.rand(like.shape, generator=generator) >= p).to(like.dtype) / (1 - p)


def hides_what_it_should_show(original: Any, *args: Any, attn_mask: Any = None, **kwargs: Any) -> Tensor:
    if attn_mask is not None:
        shown = attn_mask if attn_mask.dtype == torch.bool else attn_mask == 0
        attn_mask = ~shown
    return original(*args, attn_mask=attn_mask, **kwargs)


def clipped_first(original: Any, self: Any, scale: float, clip: float) -> float:
    norm = original(self, 1.0, clip)
    for master in self.masters.values():
        master.grad.mul_(scale)
    return scale * norm


def sdpa(around: Callable[..., Any]) -> Callable[[Patch], None]:
    original = F.scaled_dot_product_attention

    def faulty(*args: Any, **kwargs: Any) -> Tensor:
        return around(original, *args, **kwargs)

    return lambda patch: patch.setattr(F, "scaled_dot_product_attention", faulty)


def repeated(x: Tensor, queries: Tensor) -> Tensor:
    return x.repeat(1, queries.shape[1] // x.shape[1], 1, 1)


def by_columns(original: Any, grid: Tensor, patch: tuple[int, ...]) -> Tensor:
    return original(grid.transpose(2, -1), patch[::-1])


def the_neighbours(original: Any, self: Any, grid: Tensor, kept: Tensor | None = None) -> Tensor:
    """Instead of each patch that is kept, the one after it is read."""
    places = original(self, grid).shape[1]
    return original(self, grid, None if kept is None else (kept + 1) % places)


def other_way_round(original: Any, told: Tensor, truth: Tensor, kept: Tensor) -> Tensor:
    return original(told, truth, hidden_patches(kept, told.shape[1]))


def of_all_patches(original: Any, told: Tensor, truth: Tensor, kept: Tensor) -> Tensor:
    return original(told, truth, kept[:, :0])


FAULTS = [
    Fault(
        "labels shifted twice",
        batch_with(target_out=lambda batch: batch.target_out.roll(-1, 1)),
        "training loss = its equation",
    ),
    Fault(
        "BOS missing",
        batch_with(target_in=lambda batch: batch.target_out),
        "training loss = its equation",
    ),
    Fault("EOS not trained", batch_with(target_out=without_end), "training loss = its equation"),
    Fault(
        "padding attended", plant(seq2seq, "padding_mask", lambda _, *args: Mask()), "padding changes nothing"
    ),
    Fault(
        "cross mask dropped",
        plant(CrossAttention, "forward", blind_cross_attention),
        "hidden places have weight 0",
    ),
    Fault(
        "mask inverted",
        plant(Mask, "_table", lambda original, *args: ~original(*args)),
        "hidden places have weight 0",
    ),
    Fault("decoder not causal", plant(Seq2Seq, "__init__", sees_the_future), "no look-ahead"),
    Fault("mask inverted for the fused kernel only", sdpa(hides_what_it_should_show), "fused = explicit"),
    Fault("documents ignored", plant(Mask, "_table", without_documents), "packed = separate"),
    Fault(
        "places of packed documents do not restart",
        plant(positions, "places_within", counted_through),
        "packed = separate",
        family=config.Decoder,
    ),
    Fault(
        "padding before a prompt is seen",
        plant(decoder.Prompted, "padding", lambda original, self, n: Mask()),
        "cached = uncached at every step",
        family=config.Decoder,
    ),
    Fault(
        "a short prompt's places counted from the longest one's first",
        plant(decoder.Prompted, "places", lambda original, self, n: None),
        "cached = uncached at every step",
        family=config.Decoder,
    ),
    Fault(
        "what is carried is emptied",
        plant(carried.Carried, "read", without_what_was_said),
        "carried = at once",
        {"positions": "alibi"},
        family=config.Decoder,
        model={"memory": 20},
    ),
    Fault(
        "neighbours joined from both sides",
        plant(short_conv.ShortConv, "__init__", on_both_sides),
        "no look-ahead",
        family=config.Decoder,
        model={"conv_size": 3},
    ),
    Fault(
        "neighbours joined across documents",
        plant(short_conv.ShortConv, "forward", all_in_one_document),
        "packed = separate",
        family=config.Decoder,
        model={"conv_size": 3},
    ),
    Fault(
        "padding joined as a neighbour",
        plant(short_conv.ShortConv, "forward", all_in_one_document),
        "padding changes nothing",
        family=config.Encoder,
        model={"conv_size": 3},
    ),
    Fault(
        "neighbours forgotten in the cache",
        plant(decoder.Prompted, "beside", lambda original, self, tokens, back: (None, None)),
        "cached = uncached at every step",
        family=config.Decoder,
        model={"conv_size": 3},
    ),
    Fault(
        "neighbours forgotten between segments",
        plant(carried.Carried, "beside", lambda original, self, tokens, documents, back: (None, documents)),
        "carried = at once",
        {"positions": "alibi"},
        family=config.Decoder,
        model={"memory": 20, "conv_size": 3},
    ),
    Fault(
        "padding pooled",
        plant(heads.Vector, "forward", lambda original, self, x, *texts: original(self, x)),
        "batch = single",
        family=config.Encoder,
    ),
    Fault(
        "window one place off in blocks",
        plant(Mask, "window_table", window_as_lookback),
        "fused = explicit",
        {"window": 2},
    ),
    Fault(
        "window one place too wide",
        plant(Mask, "_table", one_too_far),
        "hidden places have weight 0",
        {"window": 2},
    ),
    Fault(
        "missing √w",
        plant(attention, "scores", lambda original, q, *args: original(q * q.shape[-1] ** 0.5, *args)),
        "fused = explicit",
    ),
    Fault(
        "missing √w in every kernel",
        plant(attention, "attention", lambda original, q, *args: original(q * q.shape[-1] ** 0.5, *args)),
        "attention = its equation",
    ),
    Fault(
        "softmax over the wrong axis",
        plant(attention, "weights", lambda _, scores: scores.softmax(-2)),
        "attention weights sum to 1",
    ),
    Fault(
        "a row that sees nothing is not a number",
        plant(attention, "weights", lambda _, scores: scores.softmax(-1)),
        "a row that sees nothing gives zeros",
    ),
    Fault(
        "key heads dealt out in turn",
        plant(attention, "shared", lambda _, x, queries: repeated(x, queries)),
        "grouped heads = torch's",
    ),
    Fault(
        "cache off by one",
        plant(cache.Past, "append", lambda original, self, k, v, n: original(self, k, v, max(n - 1, 0))),
        "cached = uncached at every step",
    ),
    Fault(
        "positions' offset forgotten in the cache",
        plant(positions.Sinusoidal, "forward", lambda original, self, n, offset=0: original(self, n)),
        "cached = uncached at every step",
    ),
    Fault(
        "rotary offset forgotten in the cache",
        plant(positions.Rotary, "forward", lambda original, self, x, offset=0: original(self, x)),
        "cached = uncached at every step",
        {"positions": "rotary"},
    ),
    Fault(
        "beam reorder forgotten",
        plant(cache.Cache, "reorder", lambda original, self, rows: None),
        "probability of what is written = probability read",
    ),
    Fault(
        "finished sentences dropped by the wrong rows",
        plant(cache.Cache, "keep", rows_without_beam),
        "cached = uncached at every step",
    ),
    Fault(
        "source truncated silently",
        plant(search, "_padded", cut_sources),
        "probability of what is written = probability read",
    ),
    Fault("tied weights broken", plant(Seq2Seq, "__init__", untied), "saved and loaded = before"),
    Fault(
        "weights saved in bf16",
        plant(
            weights,
            "write_weights",
            lambda original, path, state, settings: original(
                path, {name: x.bfloat16().float() for name, x in state.items()}, settings
            ),
        ),
        "saved and loaded = before",
    ),
    Fault(
        "dropout active in use",
        plant(dropout.Residual, "forward", lambda _, self, x, y: x + F.dropout(y, 0.1)),
        "nothing is random in use",
    ),
    Fault("dropout without the seed", plant(dropout, "dropout_mask", unseeded), "same seed, same bits"),
    Fault(
        "label smoothing over V − 1",
        plant(losses, "projected_cross_entropy", over_the_others),
        "training loss = its equation",
    ),
    Fault(
        "loss averaged per batch",
        plant(objective.TranslationObjective, "loss", averaged),
        "accumulated = big batch",
    ),
    Fault("gradient averaged per process instead of per token", averaged_per_process, "N processes = 1"),
    Fault(
        "gradient not scaled in accumulation",
        plant(
            precision.Weights,
            "collect_gradients",
            lambda original, self, scale, clip: original(self, 1.0, clip),
        ),
        "accumulated = big batch",
    ),
    Fault(
        "gradient clipped before it is scaled",
        plant(precision.Weights, "collect_gradients", clipped_first),
        "a long gradient is cut to the clip",
    ),
    Fault(
        "last batch of an evaluation dropped",
        plant(plan, "bucketed", lambda original, *args: original(*args)[:-1]),
        "each pair once an epoch",
    ),
    Fault(
        "longest sentences evaluated twice",
        plant(
            sys.modules["qkvae.tasks.translation.evaluate"],
            "bucketed",
            lambda original, *args: [*original(*args), original(*args)[0][:1]],
        ),
        "evaluation counts each token once",
    ),
    Fault(
        "left-over sentences never trained on",
        plant(plan, "_cut", lambda original, *args: original(*args)[1:]),
        "each pair once an epoch",
    ),
    Fault(
        "norm's ε moved outside the root",
        plant(norms, "make_norm", eps_outside),
        "pre-norm model = torch.nn.Transformer",
    ),
    Fault(
        "residual dropped",
        plant(dropout.Residual, "forward", lambda _, self, x, y: y),
        "post-norm model = torch.nn.Transformer",
    ),
    Fault(
        "sines first, cosines after",
        plant(positions, "sinusoids", layer_halves),
        "pre-norm model = torch.nn.Transformer",
    ),
    Fault(
        "last norm of a pre-norm stack forgotten",
        plant(
            blocks.Stack,
            "__init__",
            lambda original, self, *args, **kwargs: (
                original(self, *args, **kwargs),
                setattr(self, "norm", nn.Identity()),
            )[0],
        ),
        "pre-norm model = torch.nn.Transformer",
    ),
    Fault(
        "embedding not multiplied by √dim",
        plant(embedding.Embedding, "forward", lambda _, self, ids: F.embedding(ids, self.weight)),
        "one-hot = look-up",
    ),
    Fault(
        "ALiBi slopes not halved",
        plant(
            positions.Alibi,
            "__init__",
            lambda original, self, heads: (original(self, heads), self.slopes.mul_(2))[0],
        ),
        "ALiBi slopes = the paper's",
    ),
    Fault(
        "Muon without splitting heads",
        plant(projection.Projection, "maps", unsplit),
        "Muon makes each head's map orthogonal",
    ),
    Fault(
        "moving average off",
        plant(average.Ema, "update", lambda original, self, weights, progress: None),
        "moving average = its equation",
    ),
    Fault(
        "bf16 weights without fp32 masters",
        plant(
            precision.Weights,
            "publish",
            lambda original, self: [
                original(self),
                [
                    master.copy_(copy)
                    for master, copy in zip(self.masters.values(), self.copies, strict=False)
                ],
            ][0],
        ),
        "small updates add up in bf16",
    ),
    Fault(
        "no warm-up",
        plant(
            schedule,
            "rate",
            lambda original, settings, progress: original(settings, max(progress, settings.warmup)),
        ),
        "schedule = its end points",
    ),
    Fault("patches read by columns", plant(patches, "to_patches", by_columns), "patches = a convolution"),
    Fault(
        "patches not put back where they were",
        plant(patches, "to_patches", by_columns),
        "cut into patches and back",
        family=config.Vision,
    ),
    Fault(
        "class token in the mean",
        plant(grid_input.GridVector, "forward", lambda original, self, features: features.mean(1)),
        "what stands for a grid is what is told of",
        family=config.Vision,
    ),
    Fault(
        "positions of a grid by columns",
        plant(
            grid_positions,
            "grid_waves",
            lambda original, count, known, *args: original(count[::-1], known[::-1], *args),
        ),
        "positions of a grid = their equation",
    ),
    Fault(
        "neighbours of a patch by columns",
        plant(grid_conv.GridConv, "forward", lambda original, self, x, count: original(self, x, count[::-1])),
        "joined patches = a sum over those around",
    ),
    Fault(
        "patches joined with another grid's",
        plant(
            grid_conv.GridConv,
            "forward",
            lambda original, self, x, count: original(self, x, count) + x.roll(1, 0),
        ),
        "batch = single",
        family=config.Vision,
        model={"conv_size": 3},
    ),
    Fault(
        "parts left out in use",
        plant(
            stochastic_depth.StochasticDepth,
            "forward",
            lambda original, self, x, y: x + y * (torch.rand(len(y), 1, 1) > 0.5),
        ),
        "nothing is random in use",
        family=config.Vision,
    ),
    Fault(
        "patches beside those left are seen",
        plant(patches.LinearPatches, "forward", the_neighbours),
        "hidden patches are not seen",
        family=config.MaskedImage,
    ),
    Fault(
        "the last places of a grid are not read",
        plant(
            patches.LinearPatches,
            "forward",
            lambda original, self, grid, kept=None: original(self, F.pad(grid[..., :-1], (0, 1)), kept),
        ),
        "every number of the grid is read",
        family=config.Vision,
    ),
    Fault(
        "mask of patches inverted in the loss",
        plant(losses, "masked_patches", other_way_round),
        "seen patches cost nothing",
        family=config.MaskedImage,
    ),
    Fault(
        "seen patches in the loss",
        plant(losses, "masked_patches", of_all_patches),
        "seen patches cost nothing",
        family=config.MaskedImage,
    ),
    Fault(
        "the last block's class token looks at queries for keys",
        plant(
            projection.Projection,
            "some",
            lambda original, self, x, first, last: original(self, x, 0, last - first),
        ),
        "told = the head of all features",
        family=config.Vision,
        model={"head": config.LinearClasses(count=3)},
    ),
]
