"""What a variational autoencoder's training is made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_latents import config, pictures, table

from qkvae.config import VAE, Inference, LatentData, TextVAE, Vae
from qkvae.data.binarize import binarized
from qkvae.data.check_rows import check_rows
from qkvae.data.mixed_table import MixedTable, read_mixed_table
from qkvae.losses.bounds import log_weights, terms
from qkvae.models import build
from qkvae.nn.mixed import Mixed
from qkvae.tasks.vae.collapse import advised
from qkvae.tasks.vae.corpus import LatentCorpus, encode_corpus, read_corpus
from qkvae.tasks.vae.forms import TableForm, form_of
from qkvae.tasks.vae.measure import scores
from qkvae.tasks.vae.objective import VaeObjective
from qkvae.tasks.vae.task import TASK


def objective(path: str, **settings: object) -> VaeObjective:
    made = config(path, **settings)
    corpus = TASK.read(made, type("Quiet", (), {"say": lambda self, text: None})())
    assert isinstance(corpus, LatentCorpus)
    made = TASK.filled(made, corpus, None)
    torch.manual_seed(1)
    return VaeObjective(build(made.model), encode_corpus(corpus, made.model), made)


def test_batches_are_a_pure_function_of_seed_and_number_and_an_epoch_sees_each_datum_once(
    tmp_path: Path,
) -> None:
    made = objective(pictures(tmp_path))
    first = [batch.x for batch, _ in zip(made.batches(0), range(8), strict=False)]
    later = next(made.batches(5)).x
    assert torch.equal(first[5], later)
    assert sum(len(x) for x in first[: made.per_epoch]) == len(made.encoded.train)
    assert set(torch.cat(first).unique().tolist()) == {0.0, 1.0}
    assert not torch.equal(
        torch.cat(first[: made.per_epoch]).sum(0),
        torch.cat(first[made.per_epoch : 2 * made.per_epoch]).sum(0),
    )  # drawn anew in each epoch


def test_binarisation_keeps_chances_and_the_seed_decides() -> None:
    chances = torch.rand(200, 50, generator=torch.Generator().manual_seed(0))
    drawn = torch.stack([binarized(chances, (3, number)) for number in range(200)])
    assert float((drawn.mean(0) - chances).abs().mean()) < 0.04
    assert torch.equal(drawn[7], binarized(chances, (3, 7)))
    assert not torch.equal(drawn[7], drawn[8])
    edge = torch.tensor([0.0, 1.0]).expand(100_000, 2)
    assert torch.equal(binarized(edge, (1,)), edge)


def test_a_mixed_row_is_as_probable_as_torch_says() -> None:
    mixed = Mixed(2, (3,))
    with torch.no_grad():
        mixed.numbers.noise.copy_(torch.tensor([0.3, -1.0]))
    told, nan = torch.randn(4, 5), float("nan")
    x = torch.tensor([[0.5, -1.0, 0, 1, 0], [nan, 2.0, 1, 0, 0], [0.1, nan, nan, nan, nan], [1, 2, 0, 0, 1]])
    std = (mixed.numbers.logvar.detach() / 2).exp()
    for row, (datum, of_it) in enumerate(zip(x, told, strict=True)):
        want = sum(
            float(torch.distributions.Normal(of_it[place], std[place]).log_prob(datum[place]))
            for place in range(2)
            if not datum[place].isnan()
        )
        if not datum[2].isnan():
            chosen = torch.distributions.Categorical(logits=of_it[2:])
            want += float(chosen.log_prob(datum[2:].argmax()))
        assert float(mixed.log_prob(x, told)[row].detach()) == pytest.approx(want, abs=1e-5)
    told.requires_grad_()
    mixed.log_prob(x, told).sum().backward()
    assert told.grad is not None
    assert bool(told.grad.isfinite().all())
    assert mixed.draw(told.detach())[:, 2:].sum(1).tolist() == [1.0] * 4


def test_the_loss_is_what_the_settings_say(tmp_path: Path) -> None:
    path = pictures(tmp_path)
    plain, weighed, several = (
        objective(path, learning=learning)
        for learning in (Inference(), Inference(beta=4), Inference(bound="iwae", draws=5))
    )
    batch = next(plain.batches(0))
    losses = []
    for made in (plain, weighed):
        torch.manual_seed(0)
        losses.append(float(made.loss(next(made.batches(0))).total.detach()))
    torch.manual_seed(0)
    eps = torch.randn(1, len(batch.x), 3)
    with torch.no_grad():
        found = terms(plain.vae, batch.x, eps)
    assert losses[0] == pytest.approx(float(-found.elbo.sum()), rel=1e-5)
    assert losses[1] - losses[0] == pytest.approx(3 * float(found.kl.sum()), rel=1e-4)
    torch.manual_seed(0)
    loss = several.loss(next(several.batches(0)))
    torch.manual_seed(0)
    weights = log_weights(several.vae, batch.x, torch.randn(5, len(batch.x), 3))
    want = -(weights.logsumexp(0) - np.log(5)).sum()
    assert float(loss.total.detach()) == pytest.approx(float(want.detach()), rel=1e-5)


def test_beta_climbs_by_epochs(tmp_path: Path) -> None:
    made = objective(pictures(tmp_path), learning=Inference(beta_schedule="linear", beta_epochs=2))
    betas = [made.beta(batch) for batch, _ in zip(made.batches(0), range(5 * made.per_epoch), strict=False)]
    assert betas[0] == 0
    assert betas[made.per_epoch] == pytest.approx(0.5)
    assert betas[2 * made.per_epoch :] == [1.0] * (3 * made.per_epoch)


def test_a_datum_scores_the_same_alone_and_in_company(tmp_path: Path) -> None:
    made = objective(table(tmp_path), data={"ignore": ("class",)})
    x = made.encoded.form.numbers(made.encoded.train)
    together = scores(made.vae, x, None, 20)
    alone = torch.cat([scores(made.vae, x[row : row + 1], None, 20) for row in range(5)])
    torch.testing.assert_close(together[:5], alone, rtol=1e-5, atol=1e-5)


def test_rows_go_there_and_back(tmp_path: Path) -> None:
    rows = read_mixed_table(table(tmp_path), ["class"])
    form = form_of(rows)
    assert isinstance(form, TableForm)
    assert form.shape == (2 + 3,)
    cells = form.cells(form.stored(rows))
    assert [column.name for column in form.scaling.columns] == ["age", "town", "height"]
    assert float(cells[0][0]) == pytest.approx(float(rows.columns["age"][0] or 0), rel=1e-4)
    assert cells[3][2] == ""
    towns = [row[1] for row, town in zip(cells, rows.columns["town"], strict=True) if town]
    assert towns == [town for town in rows.columns["town"] if town]
    new = MixedTable({"age": ["30"], "town": ["Oslo"], "height": [None], "hat": ["yes"]})
    assert [note.count for note in form.notes(new)] == [1, 1]  # a town never seen, a column never seen
    assert form.stored(new)[0, 2:].tolist() == [0, 0, 1]


def test_rows_are_checked() -> None:
    columns = {
        "a": [str(n % 9) for n in range(40)] + ["1000"] * 2,
        "b": [None] * 30 + [str(n) for n in range(12)],
    }
    found = {(each.kind, each.count) for each in check_rows(MixedTable(columns)).findings}
    assert ("missing", 30) in found
    assert {kind for kind, _ in found} >= {"duplicates", "missing"}


def test_likelihoods_follow_the_data(tmp_path: Path) -> None:
    digits = read_corpus(LatentData(), 1)
    assert digits.form.filled(VAE(), digits.train).likelihood == "bernoulli"
    logistic = digits.form.filled(VAE(likelihood="logistic"), digits.train)
    assert logistic.levels == 17
    rows = read_corpus(LatentData(paths=(table(tmp_path),)), 1)
    assert rows.form.filled(VAE(), rows.train).likelihood == "mixed"
    with pytest.raises(ValueError, match="the columns of a table say what they are"):
        rows.form.filled(VAE(likelihood="gaussian"), rows.train)
    with pytest.raises(ValueError, match="mixed is for tables"):
        digits.form.filled(VAE(likelihood="mixed"), digits.train)


def test_a_text_vae_that_collapses_is_told_to_hide_words() -> None:
    plain = Vae(model=TextVAE(word_dropout=0.0), learning=Inference(free_nats=0.0))
    told = advised({"kl": 0.01, "active_units": 0}, plain)
    assert told is not None
    assert told.endswith("give --model.word-dropout 0.3")
    hidden = replace(plain, model=TextVAE())
    assert (advised({"kl": 0.01, "active_units": 0}, hidden) or "").endswith("give --free-nats 0.1")


@pytest.mark.parametrize(
    ("figures", "learning", "advice"),
    [
        ({"kl": 25.0, "active_units": 19}, Inference(), None),
        ({"kl": 5.0, "active_units": 2}, Inference(), None),
        ({"kl": 0.01, "active_units": 0}, Inference(), "--free-nats 0.1"),
        ({"kl": 0.01, "active_units": 0}, Inference(beta=8), "lower --beta"),
        ({"kl": 0.01, "active_units": 0}, Inference(free_nats=0.1), "--beta-schedule linear"),
        ({"kl": 3.0, "active_units": 1}, Inference(), "1 of 32 are active"),
        ({"kl": 0.0, "active_units": 0}, Inference(bound="iwae", draws=5), "--optimizer.lr"),
    ],
)
def test_collapse_is_told_with_one_advice(
    figures: dict[str, float], learning: Inference, advice: str | None
) -> None:
    told = advised(figures, Vae(learning=learning))
    assert told is None if advice is None else advice in (told or "")
    assert told is None or told.count("give ") == 1
