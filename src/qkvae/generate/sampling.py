"""Drawing tokens, so that the same input and seed give the same answer whatever is decoded beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from qkvae.config import Generation, Marks
from qkvae.generate.candidates import best, forbid
from qkvae.generate.filters import filtered

_FEW = 8  # rows up to which one slow pass over all logits costs less than the operators that look in blocks

Choose = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]
"""(logits [live, v], the live rows' numbers [live], step) → tokens [live] and the model's ln p of each.

The logits may be written over.
"""


def uniforms(sources: Sequence[Sequence[int]], limits: Sequence[int], answers: int, seed: int) -> Tensor:
    """Numbers drawn from [0, 1) for each answer (``answers`` neighbouring rows a source) and step.

    A source's numbers come from a generator of its own, seeded by (seed, its tokens).
    """
    drawn = np.zeros((len(sources) * answers, max(limits)))
    for row, (ids, limit) in enumerate(zip(sources, limits, strict=True)):
        generator = np.random.default_rng([seed, *ids])
        drawn[row * answers : (row + 1) * answers, :limit] = generator.random((answers, limit))
    return torch.from_numpy(drawn)


def inverse_cdf(logits: Float[Tensor, "rows v"], uniform: Float[Tensor, " rows"]) -> Int[Tensor, " rows"]:
    """The token at which the summed softmax(logits) passes the uniform number: it has just that distribution.

    In double precision, on the CPU where the device has none (Apple's GPUs).

    >>> inverse_cdf(torch.tensor([[0.2, 0.5, 0.3]]).log().expand(3, -1), torch.tensor([0.1, 0.3, 0.8]))
    tensor([0, 1, 2])
    """
    device = logits.device
    if device.type == "mps":
        logits = logits.cpu()
    summed = logits.double().softmax(-1).cumsum(-1)
    total = summed[:, -1]
    # Below the total, whatever is rounded: a token of probability zero is never passed.
    aim = torch.minimum(uniform.to(total) * total, total.nextafter(torch.zeros_like(total)))
    return torch.searchsorted(summed, aim[:, None], right=True)[:, 0].to(device)


class Sampler:
    """Chooses the next tokens as the settings say; the probability told is the model's all the same."""

    def __init__(
        self, settings: Generation, drawn: Float[Tensor, "rows steps"], marks: Marks | None = None
    ) -> None:
        self._settings, self._drawn, self._marks = settings, drawn, marks or Marks()

    def __call__(
        self, logits: Float[Tensor, "live v"], rows: Int[Tensor, " live"], step: int
    ) -> tuple[Int[Tensor, " live"], Float[Tensor, " live"]]:
        """The tokens of these rows at this step, and ln p of each."""
        total = logits.logsumexp(-1)
        forbid(logits, self._marks)
        drawn = self._drawn[rows.to(self._drawn.device), step]
        tokens = inverse_cdf(filtered(logits, self._settings), drawn)
        return tokens, logits.gather(1, tokens[:, None])[:, 0] - total


def most_probable(
    logits: Float[Tensor, "live v"], rows: Int[Tensor, " live"], step: int, marks: Marks
) -> tuple[Int[Tensor, " live"], Float[Tensor, " live"]]:
    """Greedy: nothing is drawn."""
    if len(logits) > _FEW:
        best_one = best(logits[:, None], logits.new_zeros(len(logits), 1), 1, marks)
        return best_one.tokens[:, 0], best_one.scores[:, 0]
    log_p = logits.log_softmax(-1)
    forbid(log_p, marks)
    found = log_p.max(-1)
    return found.indices, found.values
