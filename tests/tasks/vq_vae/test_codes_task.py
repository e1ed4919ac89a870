"""Pictures as codes and new pictures of codes, from data to use, through the command line."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_codes import STEPS, bars, of_codes, of_prior
from torch.testing import assert_close

from killing import killed_and_resumed
from qkvae import api
from qkvae.cli import main
from qkvae.config import Filtering
from qkvae.generate.code_rows import write_codes
from qkvae.run import Run
from qkvae.tasks.vq_vae.coder import CodeCoder


@pytest.fixture(scope="module")
def codes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("codes")
    return api.train("vq-vae", of_codes(bars(folder)), out=folder / "vq", quiet=True).path


@pytest.fixture(scope="module")
def drawing(codes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prior in bf16, begun from a VQ-VAE that is gone afterwards."""
    folder = tmp_path_factory.mktemp("prior")
    base = Path(shutil.copytree(codes, folder / "base"))
    asked = of_prior(bars(folder), precision="bf16")
    path = api.train("image-generation", asked, base=base, out=folder / "prior", quiet=True).path
    shutil.rmtree(base)
    return path


def weights(path: Path) -> dict[str, torch.Tensor]:
    return CodeCoder.from_run(Run.open(path)).model.state_dict()


def resumed_alike(train: Callable[[Path], object], folder: Path) -> bool:
    """Whether a run that was killed goes on to the bits of one that was not."""
    runs = killed_and_resumed(train, folder, STEPS // 2 + 1)
    one, other = ((path / "model.safetensors").read_bytes() for path in runs)
    return one == other


def test_a_killed_vq_vae_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    config = of_codes(bars(tmp_path))
    assert resumed_alike(lambda out: api.train("vq-vae", config, out=out, quiet=True), tmp_path)


def test_a_killed_prior_goes_on_to_the_same_bits(codes: Path, tmp_path: Path) -> None:
    asked = of_prior(bars(tmp_path))

    def train(out: Path) -> None:
        api.train("image-generation", asked, base=codes, out=out, quiet=True)

    assert resumed_alike(train, tmp_path)


def test_the_prior_holds_the_codes_as_they_were(codes: Path, drawing: Path) -> None:
    before, after = weights(codes), weights(drawing)
    for name, tensor in before.items():
        assert torch.equal(after[f"vq.{name}"], tensor), name


def test_what_is_told_is_a_bound(
    codes: Path, drawing: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = bars(tmp_path, 35)
    assert main(["eval", str(drawing), path, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    coder = CodeCoder.from_run(Run.open(drawing))
    part = coder.read([path])
    x, labels = coder.numbers(part), coder.classes(part)
    with torch.no_grad():
        ids = coder.vq.ids(x)
        nll = -coder.vq.likelihood.log_prob(x, coder.vq.decode_ids(ids))
        rest = torch.nn.functional.cross_entropy(coder.model(ids, labels).mT, ids, reduction="none").sum(1)
    assert found["distortion"] == pytest.approx(float(nll.mean()), rel=1e-5)
    assert found["kl"] == pytest.approx(float(rest.mean()), rel=1e-5)
    assert found["nll"] == pytest.approx(float((nll + rest).mean()), rel=1e-5)
    assert found["bits_per_dim"] == pytest.approx(found["nll"] / math.log(2) / 64, rel=1e-6)
    assert found["places"] == 4
    assert main(["eval", str(codes), path, "--json"]) == 0
    without = json.loads(capsys.readouterr().out)
    assert without["kl"] == pytest.approx(4 * math.log(16), rel=1e-6)
    assert without["distortion"] == pytest.approx(found["distortion"], rel=1e-5)
    assert found["kl"] < 0.8 * without["kl"]  # the Transformer learned something of the codes
    share = np.bincount(ids.flatten().numpy(), minlength=16) / ids.numel()
    assert found["code_perplexity"] == pytest.approx(
        np.exp(-sum(p * np.log(p) for p in share if p)), rel=1e-5
    )
    assert found["codes_used"] == int((share > 0).sum())


def test_what_runs_do(codes: Path, drawing: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, png = bars(tmp_path, 20), tmp_path / "grid.png"
    assert main(["use", str(drawing), "--sample", "14", "--png", str(png)]) == 0
    with Image.open(png) as picture:
        assert picture.size == (4 * 58 - 2, 4 * 58 - 2)
    for run in (codes, drawing):
        assert main(["use", str(run), "--encode", path, "--out", str(tmp_path / f"{run.name}.npy")]) == 0
    one, other = (np.load(tmp_path / f"{run.name}.npy") for run in (codes, drawing))
    assert one.shape == (20, 4)
    assert (one == other).all()
    assert main(["use", str(codes), "--reconstruct", path, "--png", str(png)]) == 0
    capsys.readouterr()
    assert main(["use", str(drawing), path]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 20
    assert all(line.split("\t")[2] in ("usual", "strange") for line in lines)
    assert main(["compare", str(drawing), str(drawing), path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "cannot tell"
    for run, words in ((codes, "What codes look like"), (drawing, "Drawn anew")):
        assert words in (run / "report.html").read_text(encoding="utf-8")
        assert main(["look", str(run), path, "--out", str(tmp_path / "look.html")]) == 0
        assert "Its codes" in (tmp_path / "look.html").read_text(encoding="utf-8")
        assert main(["prove", str(run)]) == 0


def test_what_is_drawn_is_what_is_written_and_of_the_label_asked_for(drawing: Path) -> None:
    coder = CodeCoder.from_run(Run.open(drawing))
    labels = torch.tensor([0, 3, 6, 3])
    drawn = coder.drawn(4, labels, False, seed=5)
    ids = write_codes(coder.model, 4, 5, labels)
    assert_close(drawn, coder.vq.likelihood.mean(coder.vq.decode_ids(ids)), rtol=1e-5, atol=1e-5)
    assert set(coder.drawn(4, labels, True, seed=5).unique().tolist()) <= {0.0, 1.0}
    others = write_codes(coder.model, 4, 5, torch.tensor([6, 3, 0, 3]))
    assert torch.equal(ids[[1, 3]], others[[1, 3]])
    assert not torch.equal(ids, others)


def test_codes_are_drawn_among_those_that_are_asked_for(
    drawing: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    coder = CodeCoder.from_run(Run.open(drawing))
    best = write_codes(coder.model, 5, 1, torch.full((5,), 3), Filtering(top_k=1))
    assert (best == best[:1]).all()
    features = coder.model.features(best[:1], torch.tensor([3]))
    assert torch.equal(coder.model.predict(features).argmax(-1), best[:1])
    one, other, free = (tmp_path / name for name in ("one.png", "other.png", "free.png"))
    draw = ["use", str(drawing), "6", "--sample", "--like", "3", "--png"]
    assert main([*draw, str(one), "--top-k", "1"]) == 0
    assert main([*draw, str(other), "--temperature", "0.01", "--seed", "2"]) == 0
    assert main([*draw, str(free)]) == 0
    assert one.read_bytes() == other.read_bytes() != free.read_bytes()
    for asked, told in (
        (["--temperature", "0"], "temperature is 0.0, but must be greater than 0"),
        (["--top-p", "2"], "top_p is 2.0, but must be between 0 and 1"),
    ):
        capsys.readouterr()
        assert main([*draw, str(one), *asked]) == 2
        assert told in capsys.readouterr().err
    assert main(["use", str(drawing), "--top-p", "0.5"]) == 2
    assert "--top-p 0.5 has no effect without --sample" in capsys.readouterr().err


def test_idle_codes_are_told_and_a_run_that_is_well_is_silent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = bars(tmp_path)
    api.train("vq-vae", of_codes(path, steps=150), out=tmp_path / "well")
    assert "warning" not in capsys.readouterr().err
    (tmp_path / "many").mkdir()
    api.train("vq-vae", of_codes(bars(tmp_path / "many", 900), codes=512), out=tmp_path / "ill")
    told = capsys.readouterr().err
    assert told.count("warning: dead codes") == 1
    assert told.count(": give ") == 1


REFUSED = {
    "no codes": (["train", "image-generation", "{bars}"], "add --from RUN"),
    "another size": (
        ["train", "image-generation", "{large}", "--from", "{codes}"],
        "--size 8x8",
    ),
    "other codes": (
        ["train", "vq-vae", "{bars}", "--from", "{codes}", "--model.codes", "9"],
        "model.codes is 9",
    ),
    "a prior as a VQ-VAE": (["train", "vq-vae", "{bars}", "--from", "{drawing}"], "holds a CodePrior"),
    "averaged weights": (["train", "vq-vae", "{bars}", "--average", "ema"], "the codes follow the encoder"),
    "workers": (["train", "vq-vae", "{bars}", "--workers", "2"], "in memory"),
    "a label unasked for": (
        ["train", "image-generation", "{bars}", "--label", "labels", "--from", "{codes}"],
        "add condition label",
    ),
    "samples without a prior": (["use", "{codes}", "--sample", "4"], "no effect on a run of vq-vae"),
    "an unknown label": (["use", "{drawing}", "--sample", "4", "--like", "9"], "known: 0, 1, 2"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line_each(
    case: str, codes: Path, drawing: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, why = REFUSED[case]
    large = tmp_path / "large.npy"
    np.save(large, np.random.default_rng(0).integers(0, 256, (20, 16, 16), np.uint8))
    known = {"bars": bars(tmp_path), "large": large, "codes": codes, "drawing": drawing}
    typed = [word.format_map(known) for word in words]
    more = ["--steps", "1", "--out", str(tmp_path / "run")] if typed[0] == "train" else ["--png", "x.png"]
    assert main([*typed, *more]) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("qkvae: ")
    assert why in told
    assert not (tmp_path / "run").exists()


def test_a_prior_is_trained_further(drawing: Path, tmp_path: Path) -> None:
    asked = of_prior(bars(tmp_path), steps=1)
    del asked["model"]
    path = api.train("image-generation", asked, base=drawing, out=tmp_path / "more", quiet=True).path
    before, after = weights(drawing), weights(path)
    assert_close(after["prior.head.weight"], before["prior.head.weight"], rtol=0, atol=0.05)
