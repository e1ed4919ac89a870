"""Variational EM: each half moves what is its own, and both algorithms reach the same bound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import FactorAnalysis
from tiny_latents import config, texts

from qkvae.config import Inference
from qkvae.models import build
from qkvae.tasks.vae.corpus import LatentCorpus, encode_corpus
from qkvae.tasks.vae.objective import VaeObjective
from qkvae.tasks.vae.task import TASK, encoded_with
from qkvae.train.progress import make_reporter

EM = Inference(algorithm="em", e_steps=2, m_steps=1)


def numbers(folder: Path) -> str:
    """Two latents, five numbers, noise of a spread of its own in each."""
    draw = np.random.default_rng(0)
    mixing = np.array([[2.0, 1.5, 0.0, 0.5, 1.0], [0.0, 1.0, 2.0, -1.0, 0.5]])
    rows = draw.normal(size=(400, 2)) @ mixing + draw.normal(size=(400, 5)) * np.linspace(0.4, 0.9, 5)
    path = folder / "numbers.csv"
    lines = [",".join("abcde"), *(",".join(f"{value:.5f}" for value in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def objective(path: str, learning: Inference, **settings: object) -> VaeObjective:
    made = config(path, learning=learning, **settings)
    corpus = TASK.read(made, make_reporter(quiet=True))
    assert isinstance(corpus, LatentCorpus)
    assert TASK.learn is not None
    tokenizer = TASK.learn(corpus.train, made.data, lambda text: None)
    made = TASK.filled(made, corpus, tokenizer)
    torch.manual_seed(1)
    return VaeObjective(
        build(made.model), encode_corpus(encoded_with(corpus, tokenizer, made), made.model), made
    )


def trained(made: VaeObjective, steps: int) -> float:
    """The bound on the training data after so many steps of Adam on all of them."""
    optimizer = torch.optim.Adam(made.vae.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, steps)
    torch.manual_seed(0)
    for batch, _ in zip(made.batches(0), range(steps), strict=False):
        optimizer.zero_grad()
        made.loss(batch).total.backward()
        optimizer.step()
        schedule.step()
    return -float(
        np.mean(
            [
                float(made.loss(batch).nll) / len(batch.x)
                for batch, _ in zip(made.batches(0), range(30), strict=False)
            ]
        )
    )


def test_on_a_linear_vae_both_algorithms_reach_the_truth(tmp_path: Path) -> None:
    """ln p(x) of factor analysis is the highest bound that there is."""
    found = {}
    for name, learning in (("joint", Inference(draws=8)), ("em", Inference(draws=8, algorithm="em"))):
        made = objective(
            numbers(tmp_path), learning, model={"widths": (), "latents": (2,)}, batch_tokens=1000
        )
        found[name] = trained(made, 300 if name == "joint" else 600)  # each half gets 300
    x = made.encoded.train.numpy()
    truth = float(FactorAnalysis(2, tol=1e-8, max_iter=5000).fit(x).score(x))
    assert found["joint"] == pytest.approx(truth, abs=0.05)
    assert found["em"] == pytest.approx(found["joint"], abs=0.05)


@pytest.mark.parametrize("kind", ["numbers", "texts"])
def test_each_half_moves_what_is_its_own(kind: str, tmp_path: Path) -> None:
    made = objective((texts if kind == "texts" else numbers)(tmp_path), EM)
    vae = made.vae
    phi, theta = ({id(weight) for weight in part} for part in (vae.phi(), vae.theta()))
    assert not phi & theta
    assert phi | theta == {id(weight) for weight in vae.parameters()}
    for batch, moved in zip(made.batches(0), (phi, phi, theta, phi), strict=False):
        vae.zero_grad()
        made.loss(batch).total.backward()
        assert {id(weight) for weight in vae.parameters() if weight.grad is not None} == moved
    assert all(weight.requires_grad for weight in vae.parameters())


def test_with_accumulated_batches_a_whole_step_moves_one_half(tmp_path: Path) -> None:
    made = objective(numbers(tmp_path), Inference(algorithm="em"), accumulate=2)
    held = [made.held(batch) for batch, _ in zip(made.batches(0), range(4), strict=False)]
    assert [len(each) for each in held] == [len(made.vae.theta())] * 2 + [len(made.vae.phi())] * 2


def test_numbers_of_steps_without_em_are_refused() -> None:
    with pytest.raises(ValueError, match="e_steps 3 has no effect with algorithm joint"):
        Inference(e_steps=3)
