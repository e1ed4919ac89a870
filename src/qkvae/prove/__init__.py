"""The invariances that every correct model keeps, measured on any model: random or trained, a user's own."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from qkvae.models import VAE, VQ, CodePrior, Decoder, Encoder, MaskedImage, Model, Seq2Seq, TextVAE, Vision
from qkvae.prove import coded, grids, latent, learning, reading, text_latent, writing
from qkvae.prove.case import AttentionCase, Case, TextCase, WritingCase
from qkvae.prove.coded import CodePriorCase, VQCase
from qkvae.prove.decoder import DecoderCase, RememberingCase
from qkvae.prove.encoder import EncoderCase
from qkvae.prove.grids import GridCase, MaskedImageCase, VisionCase
from qkvae.prove.latent import VAECase
from qkvae.prove.rows import EXACT, FP32, SUMMED, Row
from qkvae.prove.seq2seq import Seq2SeqCase
from qkvae.prove.text_latent import TextVAECase


class Check(NamedTuple):
    """An invariance: what is measured, and how far from zero rounding may bring it."""

    name: str
    measure: Callable[[Any], float]
    tolerance: float
    of: type[Case] = Case
    """The cases on which it can be measured."""

    def concerns(self, case: Case) -> bool:
        """Whether it can be measured on this case."""
        return isinstance(case, self.of)


CHECKS = (
    Check("batch = single", reading.batch_is_single, FP32),
    Check("padding changes nothing", reading.padding_changes_nothing, FP32, TextCase),
    Check("packed = separate", reading.packed_is_separate, FP32, TextCase),
    Check("fused = explicit", reading.fused_is_explicit, FP32, AttentionCase),
    Check("hidden places have weight 0", reading.weight_of_hidden_places, EXACT, TextCase),
    Check("attention weights sum to 1", reading.weights_sum_to_one, FP32, AttentionCase),
    Check("no look-ahead", reading.gradient_of_the_future, EXACT, WritingCase),
    Check("no gradient to padding", reading.gradient_of_padding, EXACT, TextCase),
    Check("every token is seen", reading.tokens_unseen, EXACT, AttentionCase),
    Check("cut into patches and back", grids.cut_and_back, EXACT, GridCase),
    Check("every number of the grid is read", grids.numbers_unread, EXACT, GridCase),
    Check("told = the head of all features", grids.answered_for_the_head, FP32, VisionCase),
    Check("what stands for a grid is what is told of", grids.read_by_the_head, EXACT, VisionCase),
    Check("hidden patches are not seen", grids.gradient_of_the_hidden, EXACT, MaskedImageCase),
    Check("seen patches cost nothing", grids.loss_of_the_seen, FP32, MaskedImageCase),
    Check("latents are drawn from the density told", latent.drawn_is_told, FP32, VAECase),
    Check("closed KL = sampled KL", latent.closed_kl_is_sampled, 1.0, VAECase),
    Check("more draws tighten the bound", latent.bound_that_falls, 1.0, VAECase),
    Check("each code is the nearest", coded.codes_not_nearest, FP32, VQCase),
    Check("told by the codes alone", coded.told_by_codes_alone, FP32, VQCase),
    Check("gradients go straight through the codes", coded.straight_through, FP32, VQCase),
    Check("no look-ahead among codes", coded.codes_seen_ahead, EXACT, CodePriorCase),
    Check("codes written = codes read", coded.codes_written_otherwise, FP32, CodePriorCase),
    Check("texts' padding changes nothing", text_latent.text_padding_changes_nothing, FP32, TextVAECase),
    Check("no look-ahead but through z", text_latent.seen_ahead, EXACT, TextVAECase),
    Check("one-hot = look-up", reading.one_hot_is_look_up, FP32, TextCase),
    Check("cached = uncached at every step", writing.cached_is_uncached, FP32, WritingCase),
    Check("carried = at once", writing.carried_is_at_once, FP32, RememberingCase),
    Check("written in a batch = alone", writing.written_in_a_batch_is_alone, SUMMED, WritingCase),
    Check("probability of what is written = probability read", writing.written_is_read, SUMMED, WritingCase),
    Check("evaluation counts each token once", learning.evaluation_counts_once, FP32, Seq2SeqCase),
    Check("training loss = its equation", learning.training_loss_is_its_equation, FP32, Seq2SeqCase),
    Check("each pair once an epoch", learning.pairs_not_seen_once, EXACT, Seq2SeqCase),
    Check("accumulated = big batch", learning.accumulated_is_big_batch, FP32, Seq2SeqCase),
    Check("N processes = 1", learning.processes_are_one, FP32, Seq2SeqCase),
    Check("same seed, same bits", learning.same_seed_same_bits, EXACT),
    Check("nothing is random in use", reading.randomness_in_use, EXACT),
    Check("saved and loaded = before", learning.saved_is_loaded, EXACT),
    Check("tied weights are one", learning.weights_not_tied, EXACT, TextCase),
)
"""Every invariance, in the order of the report."""


def make_case(model: Model, seed: int) -> Case:
    """Random examples that fit the model."""
    match model:
        case Seq2Seq():
            return Seq2SeqCase(model, seed)
        case Decoder():
            return (RememberingCase if model.settings.memory else DecoderCase)(model, seed)
        case Encoder():
            return EncoderCase(model, seed)
        case Vision():
            return VisionCase(model, seed)
        case MaskedImage():
            return MaskedImageCase(model, seed)
        case VAE():
            return VAECase(model, seed)
        case VQ():
            return VQCase(model, seed)
        case CodePrior():
            return CodePriorCase(model, seed)
        case TextVAE():
            return TextVAECase(model, seed)


def prove(model: Model, seed: int = 0) -> list[Row]:
    """Measure every invariance of the model's family on random examples; the model itself is not changed.

    >>> from qkvae.config import Block, Seq2Seq as Settings
    >>> from qkvae.models import build
    >>> rows = prove(build(Settings(block=Block(dim=8, heads=2, hidden=16), vocab=20)))
    >>> [row.name for row in rows if not row.holds]
    []
    >>> rows[0].name, rows[0].tolerance
    ('batch = single', 1e-05)

    Raises:
        ValueError: the weights are not in fp32.
    """
    dtype = next(iter(model.parameters())).dtype
    if dtype != torch.float32:
        raise ValueError(f"the weights are {dtype}, whose rounding hides faults: prove the model in fp32")
    state = torch.get_rng_state()
    case = make_case(copy.deepcopy(model).eval(), seed)
    try:
        return [
            Row(check.name, check.measure(case), check.tolerance) for check in CHECKS if check.concerns(case)
        ]
    finally:
        torch.set_rng_state(state)


__all__ = ["CHECKS", "Check", "Row", "make_case", "prove"]
