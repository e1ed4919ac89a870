"""What is far out, mistyped, unlabelled, alone or of many channels, from training to use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from tiny_latents import config, pictures, save_png, table

from qkvae import api
from qkvae.cli import main
from qkvae.config import VAE, Inference, Vae, VqVae
from qkvae.data.picture_format import PictureFormat
from qkvae.data.pictures import Pictures
from qkvae.data.read_pictures import read_pictures
from qkvae.inspect.mosaic import grid
from qkvae.losses.bounds import negative_elbo, terms
from qkvae.models import VAE as Model
from qkvae.tasks.vae.coder import Coder
from qkvae.tasks.vae.collapse import advised
from qkvae.tasks.vae.forms import PictureForm
from qkvae.tasks.vae.measure import bound, shared_information
from qkvae.tasks.vq_vae.collapse import advised as advised_of_codes


@pytest.fixture(scope="module")
def of_labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelled")
    made = config(pictures(folder), data={"condition": "label"}, steps=2)
    return api.train("vae", made, out=folder / "run", quiet=True).path


def test_a_row_that_is_far_out_is_strange_and_its_score_a_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = config(table(tmp_path), data={"ignore": ("class",)})
    run = api.train("vae", made, out=tmp_path / "run", quiet=True).path
    new = tmp_path / "new.csv"
    new.write_text("age,town,unit,height\n41,Pisa,m,80\n1e6,Pisa,m,80\n1e30,Pisa,m,80\n1e308,Pisa,m,80\n")
    capsys.readouterr()
    assert main(["use", str(run), str(new), "--score", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    scores = [each["score"] for each in found]
    assert scores == sorted(scores)
    assert [each["strange"] for each in found] == [False, True, True, True]
    assert main(["use", str(run), str(new)]) == 0
    assert capsys.readouterr().out.count("strange") == 3


def test_rows_that_were_dropped_are_counted_in_the_rows_of_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = api.train("vae", config(table(tmp_path), steps=2), out=tmp_path / "run", quiet=True).path
    new = tmp_path / "new.csv"
    new.write_text("age,town,unit,height,class\n41,Pisa,m,80,0\n41,Pisa,m\n42,Pisa,m,81,1\n")
    capsys.readouterr()
    assert main(["use", str(run), str(new), "--score"]) == 0
    assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()] == ["row", "1", "3"]


def test_validation_weighs_the_kl_as_training_ends_up_to() -> None:
    model = Model(VAE(shape=(1, 4, 4), latents=(3,), widths=(8,)))
    x = torch.rand(30, 1, 4, 4).round()
    plain, free = bound(model, x, None).figures(), bound(model, x, None).figures(2.0, 0.5)
    assert plain["valid_loss"] == pytest.approx(-plain["elbo"])
    eps = torch.randn(1, 30, 3, generator=torch.Generator().manual_seed(0))
    want = negative_elbo(terms(model, x, eps), 2.0, 0.5).detach() / 30
    assert free["valid_loss"] == pytest.approx(float(want), rel=1e-6)
    assert free["elbo"] == plain["elbo"]


def test_information_is_at_most_the_logarithm_of_the_data_and_none_of_what_all_share() -> None:
    model = Model(VAE(shape=(6,), likelihood="gaussian", latents=(2,), widths=()))
    x = torch.randn(50, 6)
    level = cast("Any", model.posterior.levels[0])
    with torch.no_grad():
        level.output.weight.mul_(3)
        assert shared_information(model, x, None) <= np.log(50) + 1e-6
        level.output.weight.zero_()
        level.output.bias.zero_()
    assert abs(shared_information(model, x, None)) < 1e-5


@pytest.mark.parametrize(
    ("channels", "shown"), [(1, [0, 0, 0]), (2, [0, 0, 0]), (3, [0, 1, 2]), (5, [0, 1, 2])]
)
def test_pictures_of_any_channels_are_shown(channels: int, shown: list[int]) -> None:
    some = torch.rand(1, channels, 100, 90)
    want = (some[0, shown] * 255).round().byte().permute(1, 2, 0)
    assert np.array_equal(grid(some), want.numpy())


def test_four_channels_and_a_single_validation_picture_end_in_a_report(tmp_path: Path) -> None:
    path = tmp_path / "four.npz"
    np.savez(path, images=np.random.default_rng(0).integers(0, 256, (12, 8, 8, 4), np.uint8))
    made = config(
        str(path), data={"valid_fraction": 0.05}, model={"net": "convolutional", "widths": (4,)}, steps=2
    )
    run = api.train("vae", made, out=tmp_path / "run", quiet=True).path
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "From one to another" not in page
    assert "Drawn anew" in page


def test_few_data_or_places_raise_no_alarm() -> None:
    assert advised({"kl": 3.0, "active_units": 0}, Vae(), data=1) is None
    assert "0 of 32" in (advised({"kl": 3.0, "active_units": 0}, Vae(), data=100) or "")
    few = {"code_perplexity": 8.0, "codes_used": 9}
    assert advised_of_codes(few, VqVae(), places=12) is None
    assert "dead codes" in (advised_of_codes(few, VqVae(), places=9000) or "")


def test_a_picture_says_no_label_and_gets_one_by_like(
    of_labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = (save_png(tmp_path, name) for name in ("a.png", "b.png"))
    for way in (["--score"], ["--reconstruct", "--png", str(tmp_path / "o.png")], []):
        assert main(["use", str(of_labels), one, *way]) != 0
        said = capsys.readouterr().err
        assert "says no label" in said
        assert "--like 0" in said
    grids = ["--reconstruct", "--traverse", "--interpolate"]
    for way in grids:
        out = tmp_path / f"{way[2:]}.png"
        assert main(["use", str(of_labels), one, two, way, "--like", "3", "--png", str(out)]) == 0
        assert out.exists()
    capsys.readouterr()
    assert main(["use", str(of_labels), one, "--score", "--like", "3", "--json"]) == 0
    assert "score" in json.loads(capsys.readouterr().out)
    assert main(["use", str(of_labels), one, "--score", "--like", "9"]) != 0
    assert "knows no such label" in capsys.readouterr().err


def test_numbers_beyond_white_are_read_as_parts_of_their_range(tmp_path: Path) -> None:
    path = tmp_path / "floats.npz"
    np.savez(path, images=np.random.default_rng(0).uniform(-40, 255, (60, 6, 6)).astype(np.float32))
    made = config(str(path), steps=3)
    coder = cast("Coder", api.train("vae", made, out=tmp_path / "run", quiet=True).answerer)
    found = read_pictures(str(path), labelled=False, like=cast("PictureForm", coder.form).format)
    x = coder.numbers(found)
    assert -0.1 < float(x.min()) <= 0 < float(x.max()) < 1.1
    assert coder.form.decided[0].startswith("numbers from -")


def test_free_nats_of_a_prior_that_knows_no_single_latents_are_refused() -> None:
    with pytest.raises(ValueError, match=r"free_nats is 0[.]1 and prior is vamp"):
        Vae(learning=Inference(free_nats=0.1), model=VAE(prior="vamp"))


@pytest.mark.parametrize("idle", [{"free_nats": 0.5}, {"beta_schedule": "linear"}])
def test_what_beta_0_switches_off_is_refused(idle: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="has no effect with beta 0"):
        Inference(beta=0.0, **idle)  # pyright: ignore[reportArgumentType]


def test_binarize_is_refused_of_what_is_never_drawn(tmp_path: Path) -> None:
    made = config(table(tmp_path), learning=Inference(binarize="none"))
    with pytest.raises(ValueError, match="binarize none has no effect with likelihood mixed"):
        api.train("vae", made, out=tmp_path / "run", quiet=True)


def test_a_vae_is_not_exported(of_labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(of_labels), str(tmp_path / "out")]) != 0
    assert "a run of vae cannot be exported" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("low", "high", "zeros", "likelihood"), [(-1, 1, 0.0, "bernoulli"), (-40, 255, 0.6, "gaussian")]
)
def test_the_likelihood_follows_what_is_read_as_black_and_white(
    low: float, high: float, zeros: float, likelihood: str
) -> None:
    draw = np.random.default_rng(0)
    values = draw.choice([low, high], (20, 1, 4, 4)).astype(np.float32)
    if zeros:
        values = np.where(draw.random(values.shape) < zeros, 0, draw.uniform(low, high, values.shape))
        values[0, 0, 0, :2] = low, high
    some = Pictures(values.astype(np.float32), white=1.0)
    form = PictureForm(PictureFormat.of(some))
    assert form.filled(VAE(), some).likelihood == likelihood


def test_beta_0_of_texts_asks_for_no_free_nats() -> None:
    assert Inference(beta=0.0).of_texts.free_nats is None
