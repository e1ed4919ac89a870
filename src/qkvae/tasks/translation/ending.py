"""After the last step: choose the length penalty, measure, and write the report and the model card."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from qkvae import config
from qkvae.config import Generation
from qkvae.data.tokenizer import Tokenizer
from qkvae.generate import Hypothesis, finished_hypotheses, rerank
from qkvae.inspect.alignment import align, alignment_section
from qkvae.inspect.sections import Sample, Section
from qkvae.metrics import bleu, chrf
from qkvae.models import Seq2Seq, build
from qkvae.run import Run
from qkvae.tasks.ending import Ending, write_pages
from qkvae.tasks.translation.corpus import Encoded
from qkvae.train.progress import Reporter

_JUDGED = 3000  # validation pairs that are translated at most: more change the choice no more
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
    family: config.Seq2Seq = run.config.model
    model = build(family).eval()
    run.load_into(model)
    reporter.say("translating validation pairs, to choose the length penalty and to report")
    chosen = choose_length_penalty(model, run.tokenizer, encoded, run.config.generation, seconds)
    run.update_resolved({"generation": {"length_penalty": chosen.length_penalty}})
    reporter.say(
        f"{chosen.sentences} validation pairs, beam {run.config.generation.beam}: BLEU {chosen.bleu:.2f}, "
        f"chrF {chosen.chrf:.2f} with length penalty {chosen.length_penalty} (chosen on them)"
    )
    run.log({"event": "final", **_figures(chosen)})
    write_pages(run, _ending(run, encoded, model, chosen))


def _figures(chosen: Chosen) -> dict[str, float]:
    return {
        "bleu": round(chosen.bleu, 2),
        "chrf": round(chosen.chrf, 2),
        "length_penalty": chosen.length_penalty,
        "sentences": chosen.sentences,
    }


def choose_length_penalty(
    model: Seq2Seq, tokenizer: Tokenizer, encoded: Encoded, settings: Generation, seconds: float | None
) -> Chosen:
    """Search once, rank what was found under several length penalties, and take the one of the best BLEU.

    As many of the first 3,000 validation pairs as ``seconds`` allow, in their order, at least one batch; all
    of these if None.
    """
    sources = [encoded.valid.sources[i] for i in range(min(_JUDGED, len(encoded.valid)))]
    found: list[list[Hypothesis]] = []
    begun = time.monotonic()
    for start in range(0, len(sources), settings.batch):
        some = sources[start : start + settings.batch]
        found += finished_hypotheses(model, some, settings, model.settings.max_length)
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
        default="dates, times and numbers, English to German",
        split="split off by hash of the source side",
        examples=(len(encoded.train), len(encoded.valid)),
        parameters=sum(p.numel() for p in model.parameters()),
        figures={"bleu": chosen.bleu, "chrf": chosen.chrf},
        where=f"first {chosen.sentences} validation pairs",
    )


def _sample(source: str, reference: str, translation: str) -> Sample:
    parts = (("source", source), ("reference", reference), ("translation", translation))
    return Sample(parts=parts, right=translation == reference)


def _as_written(hypothesis: Hypothesis, end: int) -> list[int]:
    """The tokens with the end that the model wrote."""
    return [*hypothesis.ids] if hypothesis.cut else [*hypothesis.ids, end]
