"""The text VAE against torch's encoder and distributions; what z tells, word dropout, writing, learning."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, distributions, nn
from torch.testing import assert_close

from qkvae import config
from qkvae.losses.bounds import negative_elbo, terms
from qkvae.models.text_vae import TextVAE
from torch_twins import make_encoder, shake, stack

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
X = torch.tensor([[5, 6, 7, 2], [8, 2, -1, -7]])


def made(**parts: object) -> TextVAE:
    torch.manual_seed(0)
    block = config.Block(dim=16, heads=4, hidden=24, positions="learned", dropout=0.0)
    settings = {"latents": (3,), "max_length": 12, "vocab": 11, "encoder_depth": 1, "decoder_depth": 2}
    model = TextVAE(config.TextVAE(block=block, **(settings | parts)))  # pyright: ignore
    shake(model)
    return model


def twin(ours: TextVAE, name: str) -> nn.Module:
    part, depth = getattr(ours, name), getattr(ours.settings, f"{name}_depth")
    theirs = make_encoder(ours.settings.block, depth)
    for pair in stack(part, theirs):
        pair.copy()
    return theirs


def embedded(part: nn.Module, ids: Tensor) -> Tensor:
    return 4.0 * part.embedding.weight[ids] + part.positions.table[: ids.shape[1]]  # pyright: ignore


def test_both_terms_are_those_of_torchs_parts() -> None:
    ours, eps = made().eval(), torch.randn(3, 2, 3)
    there, ids = X >= 0, X.clamp_min(0)
    features = twin(ours, "encoder")(embedded(ours.source, ids), src_key_padding_mask=~there)
    features = (features * there[..., None]).sum(1) / there.sum(1, keepdim=True)
    maps = ours.posterior.levels[0].output  # pyright: ignore
    mu, logvar = nn.functional.linear(features, maps.weight, maps.bias).chunk(2, -1)
    q = distributions.Normal(mu, (logvar / 2).exp())
    found = terms(ours, X, eps)
    assert_close(found.kl, distributions.kl_divergence(q, distributions.Normal(0.0, 1.0)), **CLOSE)
    shown = torch.cat([torch.ones(2, 1, dtype=torch.long), ids[:, :-1]], 1)
    future = torch.ones(4, 4, dtype=torch.bool).triu(1)
    total = torch.zeros(2)
    for draw in eps:
        z = q.mean + q.stddev * draw
        told = nn.functional.linear(z, ours.told.weight, ours.told.bias)[:, None]
        h = twin(ours, "decoder")(embedded(ours.target, shown) + told, mask=future)
        log_p = (h @ ours.target.embedding.weight.T).log_softmax(-1)
        total = total + (log_p.gather(-1, ids[..., None])[..., 0] * there).sum(1) / 3
    assert_close(found.log_likelihood, total, **CLOSE)


def test_every_weight_learns() -> None:
    model = made()
    (-terms(model, X, torch.randn(2, 2, 3)).elbo.sum()).backward()
    idle = [n for n, p in model.named_parameters() if p.grad is None or not bool(p.grad.any())]
    assert idle == []


def test_words_are_hidden_while_training_only_and_never_the_first() -> None:
    model = made(word_dropout=0.5)
    shown = torch.full((200, 6), 7)
    hidden = model._hidden(shown)
    assert set(hidden.unique().tolist()) == {3, 7}
    assert abs(float((hidden[:, 1:] == 3).float().mean()) - 0.5) < 0.06
    assert bool((hidden[:, 0] == 7).all())
    assert torch.equal(model.eval()._hidden(shown), shown)


def test_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="a text VAE knows none"):
        made().features(X, torch.zeros(2, dtype=torch.long))


def test_it_learns_which_text_it_is_and_writes_it_again() -> None:
    """Eight texts of three words: with free bits and hidden words the latents tell all of ln 8 nats."""
    model = made(latents=(3,), word_dropout=0.9)
    texts = torch.tensor([[a, b, c, 2] for a in (4, 5) for b in (6, 7) for c in (8, 9)])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for step in range(300):
        optimizer.zero_grad()
        found = terms(model, texts, torch.randn(1, 8, 3))
        negative_elbo(found, beta=min(1.0, step / 100), free=0.7).backward()
        optimizer.step()
    with torch.no_grad():
        found = terms(model.eval(), texts, torch.randn(50, 8, 3))
    assert float(found.kl.sum(1).mean()) > 1.0
    assert float(-found.elbo.mean()) < math.log(8) + 1.0
    written = model.write(model.read(texts).mu, 6)
    right = sum(one == text[:3] for one, text in zip(written, texts.tolist(), strict=True))
    assert right >= 7  # by chance 1
