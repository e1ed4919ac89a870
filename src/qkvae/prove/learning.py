"""Invariances of a model that learns: what the loss is, that nothing is counted twice or lost."""

from __future__ import annotations

import copy
import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from qkvae.config import ModelConfig, Translation, TranslationData
from qkvae.data.pairs import Pairs
from qkvae.data.plan import bucketed, plan_epoch
from qkvae.data.tokenizer import SPECIALS, Tokenizer
from qkvae.models import Seq2Seq, build
from qkvae.prove.case import Case
from qkvae.prove.rows import difference
from qkvae.prove.seq2seq import Seq2SeqCase
from qkvae.run.weights import read_weights, write_weights
from qkvae.tasks.translation.corpus import Encoded
from qkvae.tasks.translation.evaluate import summed_loss
from qkvae.tasks.translation.objective import TranslationObjective
from qkvae.train.precision import Weights
from qkvae.train.processes import Processes, flattened, spread

_SMOOTHING = TranslationData().label_smoothing


def _written_out(case: Seq2SeqCase) -> Tensor:
    """Loss, −ln p and tokens of all pairs, token by token.

    −Σ_v q(v) ln p(v), q = (1 − ε)·[v = target] + ε/V.
    """
    loss = nll = torch.zeros((), dtype=torch.float64)
    tokens = 0
    for sentence in case.texts:
        log_p = case.log_p_of(sentence)
        of_targets = log_p.gather(1, sentence.target_out.T.cpu())[:, 0]
        nll = nll - of_targets.sum()
        loss = loss - ((1 - _SMOOTHING) * of_targets + _SMOOTHING * log_p.mean(-1)).sum()
        tokens += sentence.target_out.shape[1]
    return torch.stack([loss, nll, torch.full_like(nll, tokens)])


def _objective(case: Seq2SeqCase, model: Seq2Seq) -> TranslationObjective:
    """What training would do with a model and these pairs; no text is looked at."""
    tokenizer = Tokenizer.train(["-"], "word", len(SPECIALS) + 1, 1, exact=False)
    encoded = Encoded(case.pairs, case.pairs, Pairs([], []), 0)
    return TranslationObjective(model, tokenizer, encoded, Translation(model=model.settings))


def _off(found: list[float], expected: Tensor) -> float:
    """The largest relative difference."""
    return max(
        difference(torch.tensor([one]), other[None]) for one, other in zip(found, expected, strict=True)
    )


@torch.no_grad()
def evaluation_counts_once(case: Seq2SeqCase) -> float:
    """The sums of an evaluation against those of each sentence alone."""
    total = summed_loss(case.model, case.pairs, _SMOOTHING)
    return _off([total.loss, total.nll, float(total.tokens)], _written_out(case))


@torch.no_grad()
def training_loss_is_its_equation(case: Seq2SeqCase) -> float:
    """The loss that training minimises, dropout aside, against its equation."""
    loss = _objective(case, case.model).loss(case.batch)
    return _off([float(loss.total), float(loss.nll), float(loss.count)], _written_out(case))


def pairs_not_seen_once(case: Seq2SeqCase) -> float:
    """How many pairs an epoch or an evaluation leaves out or takes twice."""
    generator = np.random.default_rng(case.seed)
    lengths = generator.integers(1, 40, (2, 500))
    plans = [plan_epoch(lengths[0], lengths[1], 300, case.seed, epoch) for epoch in range(2)]
    plans.append(bucketed(lengths[0], lengths[1], 300))
    return float(sum(int((np.bincount(np.concatenate(plan), minlength=500) != 1).sum()) for plan in plans))


def _gradient(case: Seq2SeqCase, parts: int) -> Tensor:
    """The mean gradient per token that training makes, the batch taken in so many parts."""
    objective = _objective(case, copy.deepcopy(case.model))
    weights = Weights(objective.model, "fp32")
    for part in objective.parts(case.batch, parts):
        torch.autograd.backward(objective.loss(part).total)
    weights.collect_gradients(1 / objective.size(case.batch), clip=0.0)
    return torch.cat([w.grad.flatten() for w in weights.masters.values() if w.grad is not None])


def _gradient_together(case: Seq2SeqCase, count: int) -> Tensor:
    """Likewise, of so many processes with a share of the rows each; here one computes after the other."""
    objective = _objective(case, copy.deepcopy(case.model))
    weights = Weights(objective.model, "fp32")
    masters, sent = list(weights.masters.values()), list[Tensor]()
    for rank in range(count):
        for share in Processes(rank, count).share(objective, case.batch):
            torch.autograd.backward(objective.loss(share).total)
        sent.append(flattened(masters))
        weights.publish()
    spread(torch.stack(sent).sum(0), masters)
    weights.collect_gradients(1 / objective.size(case.batch), clip=0.0)
    return torch.cat([w.grad.flatten() for w in masters if w.grad is not None])


def _off_from_exact(case: Seq2SeqCase, gradients: list[Tensor]) -> float:
    """How far gradients are from that of the mean loss per token, relative to its largest number."""
    loss, _, tokens = _written_out(case)
    trained = [p for p in case.model.parameters() if p.requires_grad]
    exact = torch.cat([g.flatten() for g in torch.autograd.grad(loss / tokens, trained)])
    largest = exact.abs().max()
    return max(difference(gradient / largest, exact / largest) for gradient in gradients)


def accumulated_is_big_batch(case: Seq2SeqCase) -> float:
    """The gradient in one part and in parts of unequal numbers of tokens."""
    return _off_from_exact(case, [_gradient(case, parts) for parts in (1, 4)])


def processes_are_one(case: Seq2SeqCase) -> float:
    """The gradient of processes with unequal shares, and of more processes than there are rows."""
    return _off_from_exact(case, [_gradient_together(case, count) for count in (3, len(case.pairs) + 2)])


def same_seed_same_bits(case: Case) -> float:
    """Two training passes with dropout and the same seed: what comes out, and the gradients."""
    trained = [p for p in case.model.parameters() if p.requires_grad]
    passes: list[list[Tensor]] = []
    case.model.train()
    try:
        for _ in range(2):
            torch.manual_seed(case.seed)  # pyright: ignore[reportUnknownMemberType]
            answers = case.together()
            loss = torch.stack([answer.square().mean() for answer in answers]).mean()
            passes.append([*answers, *torch.autograd.grad(loss, trained)])
    finally:
        case.model.eval()
    return max(difference(one, other) for one, other in zip(*passes, strict=True))


@torch.no_grad()
def saved_is_loaded(case: Case) -> float:
    """Answers of a model with fresh weights that loads what this one saved."""
    settings: ModelConfig = case.model.settings
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        write_weights(path, case.model.state_dict(), settings)
        loaded = build(settings).to(case.device).eval()
        loaded.load_state_dict(read_weights(path, settings))
    again = dataclasses.replace(case, model=loaded)
    pairs = zip(again.together(), case.together(), strict=True)
    return max(difference(one, other) for one, other in pairs) + again.not_tied()


def weights_not_tied(case: Case) -> float:
    """How many of the matrices that the config calls one are not."""
    return float(case.not_tied())
