"""After the last step: choose the length penalty, measure, and write the report and the model card."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from qkvae.config import Generation
from qkvae.config.names import many
from qkvae.data.tokenizer import Tokenizer
from qkvae.generate import Hypothesis, finished_hypotheses, rerank
from qkvae.inspect.alignment import align, alignment_section
from qkvae.inspect.sections import Sample, Section
from qkvae.metrics import bleu, chrf
from qkvae.models import Seq2Seq
from qkvae.run import Run
from qkvae.tasks.answering import kept_model
from qkvae.tasks.ending import Ending, write_pages
from qkvae.tasks.translation.corpus import Encoded
from qkvae.train.progress import Reporter, working

_JUDGED = 3000  # validation pairs that are translated at most: more change the choice no more
_JUDGED_A_STEP = 10  # likewise for each step of a training that counts them: a short one ends soon
_PENALTIES = tuple(i / 5 for i in range(11))
_SAMPLES, _PICTURES = 10, 3
_LIMITS = (
    "It knows the kind of sentences it was trained on; others come out wrong, and fluently so.",
    "It reads one sentence at a time and knows nothing of the ones before.",
    "It may lose, add or mistake names, numbers and negations: have a person read what matters.",
    "It repeats whatever bias its data holds.",
)


@dataclass(frozen=True)
class Chosen:
    """The length penalty that does best on validation sentences, and how well."""

    length_penalty: float
    bleu: float
    chrf: float
    sentences: int
    translations: list[Hypothesis]


def finish(
    run: Run,
    encoded: Encoded,
    reporter: Reporter,
    seconds: float | None,
) -> None:
    """Judge the weights that the run keeps, and write everything that people read."""
    model: Seq2Seq = kept_model(run)
    count = judged(len(encoded.valid), run.config.training.steps)
    upto = "up to " if seconds is not None else ""
    what = f"translating {upto}{many(count, 'validation pair')}"
    reporter.say(f"{what}, to choose the length penalty and to report")
    chosen = choose_length_penalty(
        model,
        run.tokenizer,
        encoded,
        run.config.generation,
        seconds,
        count,
        working(reporter, what),
    )
    run.update_resolved({"generation": {"length_penalty": chosen.length_penalty}})
    reporter.say(
        f"{many(chosen.sentences, 'validation pair')}, beam {run.config.generation.beam}: "
        f"BLEU {chosen.bleu:.2f}, chrF {chosen.chrf:.2f} with length penalty {chosen.length_penalty} "
        "(chosen on them)"
    )
    run.log({"event": "final", **_figures(chosen)})
    write_pages(run, _ending(run, encoded, model, chosen))


def judged(pairs: int, steps: int | None) -> int:
    """How many validation pairs are translated at most, at the end of so many steps (None if not counted).

    >>> judged(5000, None), judged(5000, 30), judged(20, 30)
    (3000, 300, 20)
    """
    return min(_JUDGED if steps is None else min(_JUDGED, _JUDGED_A_STEP * steps), pairs)


def _figures(chosen: Chosen) -> dict[str, float]:
    return {
        "bleu": round(chosen.bleu, 2),
        "chrf": round(chosen.chrf, 2),
        "length_penalty": chosen.length_penalty,
        "sentences": chosen.sentences,
    }


def choose_length_penalty(
    model: Seq2Seq,
    tokenizer: Tokenizer,
    encoded: Encoded,
    settings: Generation,
    seconds: float | None,
    most: int = _JUDGED,
    told: Callable[[float], None] = lambda done: None,
) -> Chosen:
    """Search once, rank what was found under several length penalties, and take the one of the best BLEU.

    As many of the first ``most`` validation pairs as ``seconds`` allow, in their order, at least one batch;
    all of these if None.  ``told`` hears which part is done.
    """
    sources = [encoded.valid.sources[i] for i in range(min(most, len(encoded.valid)))]
    found: list[list[Hypothesis]] = []
    begun = time.monotonic()
    for start in range(0, len(sources), settings.batch):
        some = sources[start : start + settings.batch]
        found += finished_hypotheses(model, some, settings, model.settings.max_length)
        told(len(found) / len(sources))
        if seconds is not None and time.monotonic() - begun > seconds:
            break
    references = encoded.valid_texts.targets[: len(found)]
    penalties = _PENALTIES if settings.beam > 1 else (settings.length_penalty,)
    best: Chosen | None = None
    for penalty in penalties:
        first = [rerank(each, penalty)[0] for each in found]
        texts = [tokenizer.decode(each.ids) for each in first]
        score = bleu(texts, references).score
        if best is None or score > best.bleu:
            best = Chosen(penalty, score, chrf(texts, references), len(found), first)
    assert best is not None
    return best


def _ending(run: Run, encoded: Encoded, model: Seq2Seq, chosen: Chosen) -> Ending:
    """What report and card say."""
    valid = encoded.valid_texts
    shown = range(min(_SAMPLES, len(chosen.translations)))
    samples = [
        _sample(valid.sources[i], valid.targets[i], run.tokenizer.decode(chosen.translations[i].ids))
        for i in shown
    ]
    end = run.tokenizer.marks.eos
    with torch.inference_mode():
        alignments = [
            align(model, run.tokenizer, valid.sources[i], _as_written(chosen.translations[i], end))
            for i in shown[:_PICTURES]
        ]
    note = "Sentences of the validation part, which the training never saw."
    longest = run.config.data.max_length
    return Ending(
        shown=_figures(chosen),
        sections=[
            Section(title="What it writes", note=note, samples=samples),
            alignment_section(alignments),
        ],
        does="Translates one sentence into one sentence",
        example="Two dogs play in the snow.",
        limits=(*_LIMITS, f"Sentences of more than {longest} tokens were left out of training."),
        split="split off by hash of the source side",
        examples=(len(encoded.train), len(encoded.valid)),
        parameters=sum(p.numel() for p in model.parameters()),
        figures={"bleu": chosen.bleu, "chrf": chosen.chrf},
        where=f"first {many(chosen.sentences, 'validation pair')}",
    )


def _sample(source: str, reference: str, translation: str) -> Sample:
    parts = (("source", source), ("reference", reference), ("translation", translation))
    return Sample(parts=parts, right=translation == reference)


def _as_written(hypothesis: Hypothesis, end: int) -> list[int]:
    """The tokens with the end that the model wrote."""
    return [*hypothesis.ids] if hypothesis.cut else [*hypothesis.ids, end]
