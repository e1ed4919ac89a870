"""One self-contained page: the attention of every layer and head, for a text and what is written for it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from qkvae import __version__
from qkvae.config import Generation
from qkvae.data.tokenizer import Tokenizer
from qkvae.generate import Hypothesis, generate
from qkvae.inspect import page
from qkvae.inspect.charts import visible
from qkvae.inspect.sections import Section
from qkvae.inspect.watch import Attention, watch, watch_encoder, watch_text
from qkvae.models import Decoder, Encoder, Seq2Seq

LONGEST = 200
"""Tokens of a sentence that the page can show; it grows with their square."""

CANDIDATES = 5
"""Most probable tokens that are shown for each step."""

_SCRIPTS = ("data", "paint", "writing", "overview", "head", "steps", "main")


class Candidate(NamedTuple):
    """A token that could have been written, and its probability."""

    token: str
    probability: float


@dataclass(frozen=True, kw_only=True)
class Step:
    """One token: what was written (or stood there), how probable it was, and what else was likely."""

    written: Candidate
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, kw_only=True)
class LookFacts:
    """Everything the page shows.  A decoder-only model has no source: its target is the text it reads;
    an encoder-only one has no target and no steps."""

    run: str
    """Name of the run."""

    sentence: str
    """The input."""

    translation: str
    """What was written for it."""

    note: str
    """How that was found, in a few words."""

    source: tuple[str, ...]
    """Tokens that the encoder read."""

    target: tuple[str, ...]
    """Tokens that the decoder read; after ``target[i]`` comes ``steps[i]``."""

    steps: tuple[Step, ...]
    encoder: tuple[Attention, ...]
    """Self-attention of the encoder's blocks: source to source."""

    decoder: tuple[Attention, ...]
    """Self-attention of the decoder's blocks: target to target."""

    cross: tuple[Attention, ...]
    """Cross-attention of the decoder's blocks: target to source."""

    sections: tuple[Section, ...] = ()
    """What else the task has to show: tables."""

    def write(self, path: Path | str) -> Path:
        """Write the page; see `write_look`."""
        return write_look(path, self)


def collect_look(
    model: Seq2Seq, tokenizer: Tokenizer, sentence: str, settings: Generation | None = None, *, run: str = ""
) -> LookFacts:
    """Translate a sentence as the settings say, and collect everything that attention computes meanwhile.

    Raises:
        ValueError: the sentence or its translation has no token, or more than the page can show.
    """
    settings = settings or Generation()
    source = tokenizer.encode(sentence)
    _check_length(source, "sentence")
    best = generate(model, [source], settings, model.settings.max_length)[0][0]
    written = list(best.ids) if best.cut else [*best.ids, tokenizer.marks.eos]
    return look_at(model, tokenizer, sentence, written, note=_note(model, settings, best), run=run)


def look_at(
    model: Seq2Seq, tokenizer: Tokenizer, sentence: str, written: Sequence[int], *, note: str, run: str = ""
) -> LookFacts:
    """Everything that attention computes while ``written`` is written as the translation of the sentence.

    ``written`` are token ids, EOS last if the model wrote it.

    Raises:
        ValueError: the sentence or its translation has no token, or more than the page can show.
    """
    source = tokenizer.encode(sentence)
    _check_length(source, "sentence")
    _check_length(written, "translation")
    watched = watch(model, source, written)
    return LookFacts(
        run=run,
        sentence=sentence,
        translation=tokenizer.decode(written),
        note=note,
        source=tuple(tokenizer.tokens([*source, tokenizer.marks.eos])),
        target=tuple(tokenizer.tokens([tokenizer.marks.bos, *written[:-1]])),
        steps=tuple(
            _step(tokenizer, token, row) for token, row in zip(written, watched.probabilities, strict=True)
        ),
        encoder=watched.encoder,
        decoder=watched.decoder,
        cross=watched.cross,
    )


def look_at_text(
    model: Decoder,
    tokenizer: Tokenizer,
    prompt: Sequence[int],
    written: Sequence[int],
    *,
    note: str,
    run: str = "",
) -> LookFacts:
    """Everything that attention computes while a prompt is read and goes on as ``written``.

    Both are token ids; the prompt has all that it begins with.

    Raises:
        ValueError: together they have less than two tokens, or more than the page can show.
    """
    text = [*prompt, *written]
    _check_length(text[1:], "text")
    watched = watch_text(model, text[:-1])
    block = model.settings.block
    return LookFacts(
        run=run,
        sentence=tokenizer.decode(prompt),
        translation=tokenizer.decode(text)[len(tokenizer.decode(prompt)) :],
        note=f"{note} {model.settings.depth} blocks, {block.heads} heads of width {block.width}.",
        source=(),
        target=tuple(tokenizer.tokens(text[:-1])),
        steps=tuple(
            _step(tokenizer, token, row) for token, row in zip(text[1:], watched.probabilities, strict=True)
        ),
        encoder=(),
        decoder=watched.decoder,
        cross=(),
    )


def look_at_reading(
    model: Encoder,
    tokenizer: Tokenizer,
    tokens: Sequence[int],
    segments: Sequence[int] | None = None,
    *,
    sentence: str,
    answer: str,
    note: str,
    run: str = "",
) -> LookFacts:
    """Everything that attention computes while an encoder-only model reads a text and answers.

    Args:
        tokens: ids of all that it reads, special tokens too.
        segments: what kind of token each is, where the model is told.
        sentence, answer: the text and what was answered, for the head of the page.
        note: how the answer was found, in a sentence.

    Raises:
        ValueError: the text has more tokens than the page can show.
    """
    _check_length(tokens, "text")
    block = model.settings.block
    return LookFacts(
        run=run,
        sentence=sentence,
        translation=answer,
        note=f"{note} {model.settings.depth} blocks, {block.heads} heads of width {block.width}.",
        source=tuple(tokenizer.tokens(tokens)),
        target=(),
        steps=(),
        encoder=watch_encoder(model, tokens, segments),
        decoder=(),
        cross=(),
    )


def _check_length(ids: Sequence[int], what: str) -> None:
    if not 1 <= len(ids) <= LONGEST:
        raise ValueError(f"the {what} has {len(ids)} tokens, but look shows 1 to {LONGEST}: give another")


def _note(model: Seq2Seq, settings: Generation, best: Hypothesis) -> str:
    """How the translation was found, how sure the model was of it, and how large the model is."""
    if settings.sample:
        way = f"Sampled at temperature {settings.temperature:g}, seed {settings.seed}"
    else:
        way = f"Beam search with {settings.beam} hypotheses" if settings.beam > 1 else "Greedy search"
    end = f", cut at {best.length} tokens" if best.cut else ""
    sure = f"log-probability {best.log_probability:.2f}, {best.log_probability / best.length:.2f} a token"
    choices, block = model.settings, model.settings.block
    depth, heads = f"{choices.encoder_depth} + {choices.decoder_depth}", f"{block.heads} heads"
    return f"{way}{end}; {sure.replace(' -', ' −')}. {depth} blocks, {heads} of width {block.width}."


def _step(tokenizer: Tokenizer, written: int, probabilities: Tensor) -> Step:
    best = probabilities.topk(min(CANDIDATES, len(probabilities)))
    tokens = tokenizer.tokens(map(int, best.indices))
    return Step(
        written=Candidate(tokenizer.tokens([written])[0], float(probabilities[written])),
        candidates=tuple(map(Candidate, tokens, map(float, best.values))),
    )


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
            "has_source": bool(facts.source),
            "has_target": bool(facts.target),
            "note": facts.note,
            "sections": facts.sections,
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
