"""Invariances of a model that reads: what the logits may depend on, and what not."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from qkvae.data.batches import Seq2SeqBatch
from qkvae.inspect.taps import record, replace
from qkvae.nn.masks import Mask
from qkvae.prove.case import Case
from qkvae.prove.rows import difference


def _read(case: Case, batch: Seq2SeqBatch) -> Float[Tensor, "b m v"]:
    return case.model(batch.source, batch.target_in, batch.source_lengths)


def _real(lengths: Int[Tensor, " b"], length: int) -> Bool[Tensor, "b length"]:
    """Which places of a padded batch hold tokens."""
    return torch.arange(length, device=lengths.device) < lengths[:, None]


def _padded(ids: Int[Tensor, "b n"], lengths: Int[Tensor, " b"], more: int, case: Case) -> Tensor:
    """The same rows with ``more`` places of padding, which holds any tokens."""
    shape, vocab = (len(ids), ids.shape[1] + more), case.model.settings.vocab
    garbage = torch.randint(vocab, shape, generator=case.generator()).to(ids.device)
    return torch.where(_real(lengths, shape[1]), F.pad(ids, (0, more)), garbage)


@torch.no_grad()
def batch_is_single(case: Case) -> float:
    """Logits in the batch against those of each sentence alone."""
    together = _read(case, case.batch)
    return max(
        difference(together[row, : sentence.target_in.shape[1]], case.logits(sentence)[0])
        for row, sentence in enumerate(case.sentences())
    )


@torch.no_grad()
def padding_changes_nothing(case: Case) -> float:
    """Logits with more padding, of either side, which holds anything at all."""
    batch = case.batch
    real = _real(batch.target_lengths, batch.target_in.shape[1])
    expected, worst = _read(case, batch)[real], 0.0
    room = case.model.settings.max_length - max(batch.source.shape[1], real.shape[1])
    for more, less in ((0, 7), (1, 6), (7, 0)):
        source = _padded(batch.source, batch.source_lengths, min(more, room), case)
        target = _padded(batch.target_in, batch.target_lengths, min(less, room), case)
        found = case.model(source, target, batch.source_lengths)[:, : real.shape[1]][real]
        worst = max(worst, difference(found, expected))
    return worst


@torch.no_grad()
def packed_is_separate(case: Case) -> float:
    """All sentences in one row, told apart by a documents mask, against each alone."""
    model, window = case.model, case.model.settings.block.window
    embedded: dict[str, list[Tensor]] = {"source": [], "target": []}
    expected: list[Tensor] = []
    for sentence in case.sentences():
        with record(model, ["source_embedded", "target_embedded"]) as seen:
            expected.append(case.logits(sentence))
        for side, parts in embedded.items():
            parts.append(seen[f"{side}_embedded"])

    def documents(side: str) -> Tensor:
        lengths = torch.tensor([part.shape[1] for part in embedded[side]], device=case.device)
        return torch.arange(len(lengths), device=case.device).repeat_interleave(lengths)[None]

    sources, targets = documents("source"), documents("target")
    encoded = model.encoder(torch.cat(embedded["source"], 1), Mask(documents=sources, window=window))
    memories = model.decoder.remember(encoded, Mask(documents=targets, key_documents=sources))
    mask = Mask(causal=True, documents=targets, window=window)
    packed = model.head(model.decoder(torch.cat(embedded["target"], 1), mask, memories))
    return difference(packed, torch.cat(expected, 1))


@torch.no_grad()
def fused_is_explicit(case: Case) -> float:
    """Logits of the fast kernels against those of attention written out, which listening brings about."""
    batch = case.batch
    fast = _read(case, batch)
    with record(case.model, ["*attention.weights"]):
        return difference(fast, _read(case, batch))


def _weights(case: Case) -> Generator[tuple[Tensor, Tensor]]:
    """The attention weights of every layer, each with the truth table it should have kept."""
    batch, window = case.batch, case.model.settings.block.window
    n, m = batch.source.shape[1], batch.target_in.shape[1]
    source = torch.arange(n, device=case.device)
    target = torch.arange(m, device=case.device)
    real = (source < batch.source_lengths[:, None])[:, None, None, :]

    def near(places: Tensor) -> Tensor:
        distance = (places[:, None] - places[None, :]).abs()
        return distance <= (len(places) if window is None else window)

    tables = {
        "encoder.self": real & near(source),
        "decoder.self": (target[None, :] <= target[:, None]) & near(target),
        "decoder.cross": real,
    }
    with torch.no_grad(), record(case.model, ["*attention.weights"]) as seen:
        _read(case, batch)
    for name, weights in seen.items():
        kind = "cross" if "cross_attention" in name else "self"
        table = tables[f"{name.split('.')[0]}.{kind}"]
        yield weights, table.expand_as(weights)


def weight_of_hidden_places(case: Case) -> float:
    """The largest weight that any query gives to padding, to the future or beyond its window."""
    return max(float(weights.masked_fill(table, 0.0).max()) for weights, table in _weights(case))


def weights_sum_to_one(case: Case) -> float:
    """How far a query's weights, where it sees anything, are from summing to one."""
    worst = 0.0
    for weights, table in _weights(case):
        sums = weights.sum(-1)[table.any(-1)]
        worst = max(worst, difference(sums, torch.ones_like(sums)))
    return worst


@contextmanager
def _leaf(case: Case, name: str) -> Generator[list[Tensor]]:
    """The quantity at a tap as the start of the graph, so that gradients with respect to it can be taken."""
    leaves: list[Tensor] = []

    def cut(x: Tensor) -> Tensor:
        leaves.append(x.detach().requires_grad_())
        return leaves[-1]

    with replace(case.model, name, cut):
        yield leaves


def gradient_of_the_future(case: Case) -> float:
    """The largest gradient of the logits at a place with respect to any later target token: exactly zero."""
    with _leaf(case, "target_embedded") as leaves:
        logits = _read(case, case.batch)
    worst, length = 0.0, logits.shape[1]
    for place in sorted({0, length // 2, length - 2}):
        (gradient,) = torch.autograd.grad(logits[:, place].square().sum(), leaves, retain_graph=True)
        worst = max(worst, float(gradient[:, place + 1 :].abs().sum()))
    return worst


def gradient_of_padding(case: Case) -> float:
    """The largest gradient of any real logit with respect to padding, of either side: exactly zero."""
    batch, worst = case.batch, 0.0
    lengths = {"source_embedded": batch.source_lengths, "target_embedded": batch.target_lengths}
    for name, each in lengths.items():
        with _leaf(case, name) as leaves:
            logits = _read(case, batch)
        real = _real(batch.target_lengths, logits.shape[1])
        (gradient,) = torch.autograd.grad(logits[real].square().sum(), leaves)
        worst = max(worst, float(gradient[~_real(each, gradient.shape[1])].abs().sum()))
    return worst


def tokens_unseen(case: Case) -> float:
    """How many tokens that should decide the last logits of their sentence do not.

    These are all of the source, and of the target what the window reaches.
    """
    unseen, block = 0, case.model.settings.block
    for sentence in case.sentences():
        reach = sentence.target_in.shape[1] if block.window is None else block.window + 1
        for name, seen in (("source_embedded", sentence.source.shape[1]), ("target_embedded", reach)):
            with _leaf(case, name) as leaves:
                last = case.logits(sentence)[0, -1]
            (gradient,) = torch.autograd.grad(last.square().sum(), leaves)
            unseen += int((gradient[0, -seen:] == 0).all(-1).sum())
    return float(unseen)


@torch.no_grad()
def one_hot_is_look_up(case: Case) -> float:
    """The embedding of a token against the product of its one-hot vector with the matrix, times √dim."""
    worst = 0.0
    for embedding in (case.model.source_embedding, case.model.target_embedding):
        vocab, dim = embedding.weight.shape
        ids = torch.randint(vocab, (16,), generator=case.generator()).to(case.device)
        product = F.one_hot(ids, vocab).to(embedding.weight.dtype) @ embedding.weight * dim**0.5
        worst = max(worst, difference(embedding(ids), product))
    return worst


@torch.no_grad()
def randomness_in_use(case: Case) -> float:
    """Two passes in evaluation mode: the same bits."""
    return difference(_read(case, case.batch), _read(case, case.batch))
