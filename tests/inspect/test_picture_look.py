"""The page of where a classifier looked: of signals, pictures and clips, with every map."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from qkvae import config
from qkvae.inspect.picture_look import look_at
from qkvae.models import Vision, build
from torch_twins import shake

SIZES = {1: (12,), 2: (6, 8), 3: (6, 6, 4)}


def page_of(axes: int, pooling: str = "mean", flat: bool = False) -> str:
    block = config.Block(dim=8, heads=2, hidden=8, positions="learned", dropout=0.0)
    settings = config.Vision(
        block=block,
        depth=3,
        patches=config.Patches(size=SIZES[axes], channels=1, patch=(2,)),
        head=config.LinearClasses(count=4, pooling=pooling),  # pyright: ignore[reportArgumentType]
    )
    model = build(settings).eval()
    assert isinstance(model, Vision)
    shake(model)
    if flat:
        torch.nn.init.zeros_(model.head.output.weight)  # pyright: ignore
    shares = torch.rand(1, *SIZES[axes])
    told = [("<cat>", 0.5, 2), ("dog", 0.3, 0), ("cow", 0.15, 1), ("hen", 0.05, 3)]
    return look_at(model, shares - 0.5, shares, told, "a.png", "<cat>.", "runs/a").text()


@pytest.mark.parametrize("axes", [1, 2, 3], ids=["signal", "picture", "clip"])
@pytest.mark.parametrize("pooling", ["class", "mean"])
def test_every_map_is_there(axes: int, pooling: str) -> None:
    page = page_of(axes, pooling)
    names = re.findall(r"<figcaption>([^<]+)</figcaption>", page)
    assert [name.split(" (")[0] for name in names] == [
        *("occlusion", "Grad-CAM, last block", "attention rollout", "attention, last block"),
        *["block 1", "block 2", "block 3"] * 3,  # for each of the three best classes
        *["head 1", "head 2"] * 3,
    ]
    assert page.count("data:image/png;base64,") == 1 + len(names)
    assert ("the class token looked" in page) == (pooling == "class")
    assert page.count("maps all long" if axes == 3 else "maps all") == 1
    assert ("long" in re.findall(r'class="maps([^"]*)"', page)[-1]) == (axes == 3)
    for name in ("any order", "p(&lt;cat&gt;) while patches are covered", "while patches are shown"):
        assert name in page
    assert "<cat>" not in page
    assert "<script" not in page


def test_a_map_without_any_difference_is_called_that() -> None:
    """Where the class does not depend on the picture, no patch decides, and the page says so."""
    page = page_of(2, flat=True)
    assert "occlusion (the same everywhere)" in page
    assert "Grad-CAM, last block (the same everywhere)" in page
    assert "attention rollout (the same everywhere)" not in page


def test_it_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(page_of(2), encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "http://" not in text.replace("http://www.w3.org", "")
