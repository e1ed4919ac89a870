"""The texts that a model with latent variables is proven on, and what must hold of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from qkvae.inspect.taps import replace
from qkvae.losses.bounds import log_weights
from qkvae.models import TextVAE
from qkvae.prove.case import Case, random_ids

_DRAWS = 2


@dataclass(frozen=True)
class TextVAECase(Case):
    """A text VAE; it tells every token's logits, the posterior and ln w of each draw."""

    model: TextVAE

    @property
    def examples(self) -> list[tuple[Int[Tensor, " n"], Float[Tensor, "draws latent"]]]:
        """Random texts, and the ε of each draw."""
        (ids,), settings = random_ids(self.model.settings, self.seed, 1), self.model.settings
        eps = torch.randn(len(ids), _DRAWS, settings.latent, generator=self.generator()).to(self.device)
        texts = [torch.tensor([*ids[row].tolist(), settings.marks.eos]) for row in range(len(ids))]
        return [(text.to(self.device), each) for text, each in zip(texts, eps, strict=True)]

    def alone(self, example: tuple[Tensor, Tensor]) -> list[Float[Tensor, "places numbers"]]:
        return self._read([example], 0)

    def together(self, padding: int = 0) -> list[Float[Tensor, "places numbers"]]:
        return self._read(self.examples, padding)

    def _read(self, examples: list[tuple[Tensor, Tensor]], more: int) -> list[Tensor]:
        texts, eps = [text for text, _ in examples], torch.stack([each for _, each in examples], 1)
        x = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_value=-1)
        x = F.pad(x, (0, min(more, self.model.settings.max_length - x.shape[1])), value=-1 - more)
        logits, q, log_w = self.model(x), self.model.read(x), log_weights(self.model, x, eps)
        return [
            each
            for row, text in enumerate(texts)
            for each in (logits[row, : len(text)], q.mu[row][None], q.logvar[row][None], log_w[:, row, None])
        ]


@torch.no_grad()
def text_padding_changes_nothing(case: TextVAECase) -> float:
    """Answers with more padding behind the texts."""
    pairs = [
        (one, other)
        for more in (1, 5)
        for one, other in zip(case.together(more), case.together(), strict=True)
    ]
    return max(float((one - other).abs().max()) / max(1.0, float(other.abs().max())) for one, other in pairs)


def seen_ahead(case: TextVAECase) -> float:
    """The largest gradient of what is written by any later token while z is held: exactly zero."""
    text = max((text for text, _ in case.examples), key=len)[None]
    z, leaves = torch.zeros(1, case.model.settings.latent, device=case.device), list[Tensor]()

    def cut(x: Tensor) -> Tensor:
        leaves.append(x.detach().requires_grad_())
        return leaves[-1]

    with replace(case.model, "target.embedded", cut):
        features = case.model.written(text, z)
    worst, n = 0.0, features.shape[1]
    for place in (0, n // 2, n - 2):
        (slope,) = torch.autograd.grad(features[0, place].square().sum(), leaves[0], retain_graph=True)
        worst = max(worst, float(slope[0, place + 1 :].abs().sum()))
    return worst
