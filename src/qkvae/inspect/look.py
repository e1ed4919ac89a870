"""One self-contained page: the attention of every layer and head, for a sentence and its translation."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from qkvae import __version__
from qkvae.inspect import page
from qkvae.inspect.charts import visible

_SCRIPTS = ("data", "paint", "writing", "overview", "head", "steps", "main")


@dataclass(frozen=True, kw_only=True)
class Attention:
    """What one attention part of one block computed, all heads, in the order of the equation."""

    queries: Float[Tensor, "h n w"]
    keys: Float[Tensor, "k m w"]
    values: Float[Tensor, "k m w"]
    scores: Float[Tensor, "h n m"]
    """QKᵀ / √w and what is added for positions; −∞ where the mask forbids to look."""

    weights: Float[Tensor, "h n m"]
    """softmax of the scores."""

    mixed: Float[Tensor, "h n w"]
    """weights · V."""


class Candidate(NamedTuple):
    """A token that could have been written, and its probability."""

    token: str
    probability: float


@dataclass(frozen=True, kw_only=True)
class Step:
    """One token of the translation: what was written, how probable it was, and what else was likely."""

    written: Candidate
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, kw_only=True)
class LookFacts:
    """Everything the page shows."""

    run: str
    """Name of the run."""

    sentence: str
    translation: str
    note: str
    """How the translation was found, in a few words."""

    source: tuple[str, ...]
    """Tokens that the encoder read."""

    target: tuple[str, ...]
    """Tokens that the decoder read; after ``target[i]`` it wrote ``steps[i]``."""

    steps: tuple[Step, ...]
    encoder: tuple[Attention, ...]
    """Self-attention of the encoder's blocks: source to source."""

    decoder: tuple[Attention, ...]
    """Self-attention of the decoder's blocks: target to target."""

    cross: tuple[Attention, ...]
    """Cross-attention of the decoder's blocks: target to source."""


def write_look(path: Path | str, facts: LookFacts) -> Path:
    """Write the page; it needs no network and no other file.

    Raises:
        OSError: the file cannot be written.
    """
    return page.write_page(path, look(facts))


def look(facts: LookFacts) -> str:
    """The page as text."""
    script = page.part(*(f"look/{name}.js" for name in _SCRIPTS))
    return page.render(
        "look.html.j2",
        {
            "run": facts.run,
            "sentence": facts.sentence,
            "translation": facts.translation,
            "note": facts.note,
            "css": page.part("base.css", "look.css"),
            "data": page.data(_packed(facts)),
            "script": script,
            "script_hash": page.fingerprint(script),
            "version": __version__,
        },
    )


def _packed(facts: LookFacts) -> dict[str, Any]:
    return {
        "source": _shown(facts.source),
        "target": _shown(facts.target),
        "steps": [
            {
                "token": visible(step.written.token),
                "probability": step.written.probability,
                "candidates": [[visible(token), probability] for token, probability in step.candidates],
            }
            for step in facts.steps
        ],
        "encoder": [_arrays(each) for each in facts.encoder],
        "decoder": [_arrays(each) for each in facts.decoder],
        "cross": [_arrays(each) for each in facts.cross],
    }


def _shown(tokens: Sequence[str]) -> list[str]:
    return [visible(token) for token in tokens]


def _arrays(attention: Attention) -> dict[str, Any]:
    """Every tensor as its shape and its float32 numbers: less room than four digits written out."""
    packed: dict[str, Any] = {}
    for field in fields(attention):
        tensor: Tensor = getattr(attention, field.name)
        numbers = tensor.detach().to("cpu", torch.float32).contiguous().numpy().astype(np.dtype("<f4"))
        packed[field.name] = {
            "shape": list(tensor.shape),
            "data": base64.b64encode(numbers.tobytes()).decode("ascii"),
        }
    return packed
