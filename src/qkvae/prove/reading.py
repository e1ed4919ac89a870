"""Invariances of a model that reads: what its answers may depend on, and what not."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor

from qkvae.inspect.taps import record, replace
from qkvae.prove.case import AttentionCase, Case, TextCase, real
from qkvae.prove.rows import difference


def _alone(case: Case) -> list[Tensor]:
    return [each for example in case.examples for each in case.alone(example)]


def _furthest(found: list[Tensor], expected: list[Tensor]) -> float:
    return max(difference(one, other) for one, other in zip(found, expected, strict=True))


@torch.no_grad()
def batch_is_single(case: Case) -> float:
    """Answers in the batch against those to each text alone."""
    return _furthest(case.together(), _alone(case))


@torch.no_grad()
def padding_changes_nothing(case: TextCase) -> float:
    """Answers with more padding, wherever there may be some, which holds anything at all."""
    expected = case.together()
    return max(_furthest(case.together(padding), expected) for padding in (1, 2, 3))


@torch.no_grad()
def packed_is_separate(case: TextCase) -> float:
    """All texts in one row, told apart by a documents mask, against each alone."""
    return _furthest(case.packed(), _alone(case))


@torch.no_grad()
def fused_is_explicit(case: AttentionCase) -> float:
    """Answers of the fast kernels against those of attention written out, which listening brings about."""
    fast = case.together()
    with record(case.model, ["*attention.weights"]):
        return _furthest(fast, case.together())


def _weights(case: AttentionCase) -> Generator[tuple[Tensor, Tensor]]:
    """The attention weights of every layer, each with the truth table it should have kept."""
    with torch.no_grad(), record(case.model, ["*attention.weights"]) as seen:
        case.together()
    for name, weights in seen.items():
        yield weights, case.table(name).expand_as(weights)


def weight_of_hidden_places(case: AttentionCase) -> float:
    """The largest weight that any query gives to padding, to the future or beyond its window."""
    return max(float(weights.masked_fill(table, 0.0).max()) for weights, table in _weights(case))


def weights_sum_to_one(case: AttentionCase) -> float:
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


def gradient_of_the_future(case: TextCase) -> float:
    """The largest gradient of the answers at a place with respect to any later token: exactly zero."""
    with _leaf(case, case.taps[-1]) as leaves:
        answers = case.together()
    worst, length = 0.0, max(len(answer) for answer in answers)
    for place in sorted({0, length // 2, length - 2}):
        told = torch.stack([answer[place].square().sum() for answer in answers if place < len(answer)])
        (gradient,) = torch.autograd.grad(told.sum(), leaves, retain_graph=True)
        worst = max(worst, float(gradient[:, place + 1 :].abs().sum()))
    return worst


def gradient_of_padding(case: TextCase) -> float:
    """The largest gradient of any real answer with respect to padding, of every sequence: exactly zero."""
    worst = 0.0
    for name, lengths in case.lengths().items():
        with _leaf(case, name) as leaves:
            told = torch.stack([answer.square().sum() for answer in case.together()])
        (gradient,) = torch.autograd.grad(told.sum(), leaves)
        worst = max(worst, float(gradient[~real(lengths, gradient.shape[1])].abs().sum()))
    return worst


def tokens_unseen(case: AttentionCase) -> float:
    """How many tokens or patches that should decide the last number of the answer do not.

    These are all that the model sees from there, or what the window reaches.
    """
    unseen = 0
    for example in case.examples:
        for name, seen in case.reach(example).items():
            with _leaf(case, name) as leaves:
                last = case.alone(example)[0][-1]
            (gradient,) = torch.autograd.grad(last.square().sum(), leaves)
            unseen += int((gradient[0, -seen:] == 0).all(-1).sum())
    return float(unseen)


@torch.no_grad()
def one_hot_is_look_up(case: TextCase) -> float:
    """The embedding of a token against the product of its one-hot vector with the matrix, scaled."""
    worst = 0.0
    for embedding, scale in case.embeddings():
        vocab = embedding.weight.shape[0]
        ids = torch.randint(vocab, (16,), generator=case.generator()).to(case.device)
        product = F.one_hot(ids, vocab).to(embedding.weight.dtype) @ embedding.weight * scale
        worst = max(worst, difference(embedding(ids), product))
    return worst


@torch.no_grad()
def randomness_in_use(case: Case) -> float:
    """Two passes in evaluation mode: the same bits."""
    return _furthest(case.together(), case.together())
