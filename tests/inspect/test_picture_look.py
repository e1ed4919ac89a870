"""The page of where a classifier looked: of signals, pictures and clips, with every map."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from qkvae import config
from qkvae.inspect import picture_look
from qkvae.inspect.picture_look import Example, View, look_at, where_it_looked
from qkvae.models import Vision, build
from torch_twins import shake

SIZES = {1: (12,), 2: (6, 8), 3: (6, 6, 4)}


def model_of(axes: int, pooling: str = "mean") -> Vision:
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
    return model


def page_of(axes: int, pooling: str = "mean", flat: bool = False) -> str:
    model = model_of(axes, pooling)
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
    for name in ("random order", "p(&lt;cat&gt;) while patches are covered", "while patches are shown"):
        assert name in page
    assert "<cat>" not in page
    assert "<script" not in page


def test_a_map_without_any_difference_is_called_that() -> None:
    """Where the class does not depend on the picture, no patch decides, and the page says so."""
    page = page_of(2, flat=True)
    assert "occlusion (the same everywhere)" in page
    assert "Grad-CAM, last block (the same everywhere)" in page
    assert "attention rollout (the same everywhere)" not in page


@pytest.mark.parametrize("axes", [1, 2, 3], ids=["signal", "picture", "clip"])
def test_examples_of_a_report_show_the_right_class_too(axes: int) -> None:
    shares = torch.rand(1, *SIZES[axes])
    wrong = Example(title="<a>", read=shares - 0.5, shares=shares, told=("<cat>", 2), known=("dog", 0))
    right = Example(title="b", read=shares - 0.5, shares=shares, told=("hen", 3))
    section = where_it_looked(model_of(axes), [wrong, right])
    names = [re.findall(r"<figcaption>([^<(]+)", each.drawing) for each in section.pictures]
    assert [name.strip() for name in names[0]] == [
        *("as it was read", "Grad-CAM for “&lt;cat&gt;”", "attention rollout", "occlusion, “&lt;cat&gt;”"),
        "Grad-CAM for “dog”, which is right",
    ]
    assert len(names[1]) == 4
    for picture in section.pictures:
        assert picture.table is not None
        assert [row[0] for row in picture.table.rows][-1] == "random order"
        assert all(0 <= float(area) <= 1 for row in picture.table.rows for area in row[1:])


@pytest.mark.parametrize("part", [0.95, 0.1])
def test_what_takes_a_large_model_too_long_is_left_out_and_said(
    part: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A little less than all of it leaves occlusion out, much less the curves, too."""
    model, shares = model_of(2), torch.rand(1, *SIZES[2])
    row = sum(p.numel() for p in model.parameters()) * 12
    monkeypatch.setattr(picture_look, "_WORK", part * row * (8 * 17 + 13))
    section = where_it_looked(model, [Example(title="a", read=shares, shares=shares, told=("cat", 2))])
    (picture,) = section.pictures
    assert "occlusion, “cat”" not in picture.drawing
    assert ("Occlusion is left out" in section.note) == (part == 0.95) == (picture.table is not None)
    assert ("Occlusion and the areas are left out" in section.note) == (part == 0.1)


def test_a_block_is_counted_from_one() -> None:
    shares = torch.rand(1, *SIZES[2])
    for block in (0, 4):
        with pytest.raises(ValueError, match=f"block {block}, but the model has 3: choose 1 to 3"):
            look_at(model_of(2), shares, shares, [("cat", 1.0, 2)], "", "", "", View(block=block))


def test_it_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(page_of(2), encoding="utf-8")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "http://" not in text.replace("http://www.w3.org", "")
