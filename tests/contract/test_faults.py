"""Planted faults: each is caught by the check that docs/faults.md names, which holds without the fault."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from coded_checks import CODED_REFERENCES
from latent_checks import LATENT_REFERENCES
from planted import FAULTS as FAULTS_OF_TRANSFORMERS
from planted import Fault
from planted_coded import CODED_FAULTS
from planted_latent import LATENT_FAULTS
from planted_texts import TEXT_LATENT_FAULTS
from reference_checks import REFERENCES as REFERENCES_OF_TRANSFORMERS

from qkvae import config
from qkvae.models import build
from qkvae.prove import CHECKS, make_case

FAULTS = FAULTS_OF_TRANSFORMERS + LATENT_FAULTS + CODED_FAULTS + TEXT_LATENT_FAULTS
REFERENCES = REFERENCES_OF_TRANSFORMERS | LATENT_REFERENCES | CODED_REFERENCES
PATCHES = config.Patches(size=(6, 8), channels=3, patch=(2,))


def grids(family: Any, block: config.Block, vocab: int, max_length: int, **parts: Any) -> Any:
    """Settings of a model that reads pictures, which knows no tokens."""
    return family(block=block, depth=2, patches=PATCHES, **parts)


def coded(block: config.Block, vocab: int, max_length: int, **parts: Any) -> Any:
    """Settings of a model of codes, which knows neither blocks nor tokens."""
    return config.VQ(shape=(1, 7, 6), codes=9, dim=5, widths=(6, 8), **parts)


def with_prior(block: config.Block, vocab: int, max_length: int, **parts: Any) -> Any:
    """Settings of a model of codes and their prior."""
    return config.CodePrior(vq=coded(block, vocab, max_length), block=block, depth=2, **parts)


PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
PROVEN = {check.name: check for check in CHECKS}
FAMILIES: dict[type, Any] = {
    config.Seq2Seq: partial(config.Seq2Seq, encoder_depth=1, decoder_depth=2),
    config.Decoder: partial(config.Decoder, depth=2),
    config.Encoder: partial(config.Encoder, depth=2, head=config.Classes(count=3)),
    config.Vision: partial(grids, config.Vision, head=config.Vector(pooling="mean")),
    config.MaskedImage: partial(grids, config.MaskedImage),
    config.VQ: coded,
    config.CodePrior: with_prior,
    config.TextVAE: partial(config.TextVAE, latents=(3,), encoder_depth=1, decoder_depth=2),
}
MADE_ON = ("a reference", "the run")
HEAD = """# Planted faults

A test that cannot fail proves nothing. So the tests plant these faults one by one, each by replacing one part
of the library, and demand that the check beside it fails; without the fault it must hold.

Checks of *the run* are made by `qkvae prove RUN` on any model, a user's own among them. Checks against *a
reference* compare with PyTorch's own layers or with a published equation, and are part of the tests.

This page is written by `python tests/contract/write_faults.py`; a test compares it with what the tests do.

| planted fault | caught by | made on |
|---|---|---|
"""


def page() -> str:
    """docs/faults.md as the list of faults has it."""
    rows = [
        f"| {fault.name} | {fault.caught_by} | {MADE_ON[fault.caught_by in PROVEN]} |\n" for fault in FAULTS
    ]
    return HEAD + "".join(rows)


def caught(fault: Fault) -> bool:
    """Whether the check fails now.  A part so broken that it raises is caught too."""
    torch.manual_seed(0)
    try:
        if fault.caught_by in REFERENCES:
            REFERENCES[fault.caught_by]()
            return False
        block = config.Block(**{"dim": 16, "heads": 4, "hidden": 24, **fault.parts})
        settings = FAMILIES[fault.family](block=block, vocab=29, max_length=40, **fault.model)
        check = PROVEN[fault.caught_by]
        measured = check.measure(make_case(build(settings).eval(), 0))
        return math.isnan(measured) or measured > check.tolerance
    except AssertionError:
        return True


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_caught(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not caught(fault), f"{fault.caught_by} fails without any fault"
    with monkeypatch.context() as patch:
        fault.plant(patch)
        assert caught(fault), f"{fault.caught_by} does not notice: {fault.name}"
    assert not caught(fault), f"{fault.name} was not taken out again"


def test_there_are_many_and_each_check_of_a_run_that_is_named_exists() -> None:
    assert len(FAULTS) >= 20
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert {fault.caught_by for fault in FAULTS} <= PROVEN.keys() | REFERENCES.keys()
    assert REFERENCES.keys() <= {fault.caught_by for fault in FAULTS}


def test_the_page_lists_what_is_planted() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python tests/contract/write_faults.py"
