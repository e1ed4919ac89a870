"""After the last step: measure, fill blanks, tell words by their company, in a report and a model card."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from qkvae.data.encoded import Sentences
from qkvae.inspect.sections import Sample, Section, Table
from qkvae.run import Run
from qkvae.tasks.ending import Ending, write_pages
from qkvae.tasks.fill_mask.corpus import MASK, Encoded
from qkvae.tasks.fill_mask.evaluate import Told, figures, tell, watched
from qkvae.tasks.fill_mask.filler import Filler
from qkvae.tasks.fill_mask.senses import Occurrence, Senses
from qkvae.tasks.reading import evenly
from qkvae.train.progress import Reporter

_SAMPLES, _BEST = 8, 5
_SENSES = 5  # words that are shown in two places each
_READ = 20_000  # tokens of the validation part among which they are looked for
_OFTEN = range(3, 61)  # how often such a word stands there: not once, and not everywhere
_MEASURING = 0.5  # part of the time left that may go into measuring
_AROUND = 45  # characters that are shown on each side of a word
_LIMITS = (
    "It tells what is likely in a blank, true or not, and knows nothing but its data.",
    "A blank is one token: a word that the vocabulary spells in several pieces cannot be told in one blank.",
    "Several blanks are filled each by itself, so that their words may not go together.",
    "It repeats whatever bias its data holds.",
)


def finish(run: Run, encoded: Encoded, reporter: Reporter, seconds: float | None) -> None:
    """Judge the weights that the run keeps, and write everything that people read."""
    filler = Filler.from_run(run)
    told, part = _measured(filler, encoded.valid, seconds)
    found = figures(told)
    shown = {name: round(value, 4) for name, value in found.items()} | {"hidden": len(told.nll)}
    where = f"{len(told.nll):,} hidden tokens of {part}"
    told_figures = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
    reporter.say(f"{where}: {told_figures}")
    run.log({"event": "final", **shown})
    write_pages(run, _ending(run, filler, encoded, shown, found, where))


def _measured(filler: Filler, passages: Sentences, seconds: float | None) -> tuple[Told, str]:
    """What is told of hidden tokens, of the whole validation part if there is time; and of what part."""
    some, begun = watched(passages), time.monotonic()
    told = tell(filler.model, filler.tokenizer, some)
    needed = (time.monotonic() - begun) * len(passages.ids.flat) / len(some.ids.flat)
    if len(some) == len(passages):
        return told, "the validation part"
    if seconds is not None and needed > _MEASURING * seconds:
        return told, f"{len(some):,} of {len(passages):,} passages of the validation part, for want of time"
    return tell(filler.model, filler.tokenizer, passages), "the validation part"


def _ending(
    run: Run,
    filler: Filler,
    encoded: Encoded,
    shown: dict[str, float],
    found: dict[str, float],
    where: str,
) -> Ending:
    """What report and card say."""
    valid, length = encoded.corpus.valid, filler.length
    senses = Senses(filler)
    words = list(senses.occurrences(watched(encoded.valid, _READ)))
    samples = _blanks(filler, words)
    return Ending(
        shown=shown,
        sections=[
            Section(
                title="What it fills in",
                note="Passages of the validation part, which the training never saw, with one word hidden.",
                samples=samples,
            ),
            _told_apart(senses, words),
        ],
        does=f"Fills blanks, written {MASK}, in text",
        example=f"The {MASK} of the book.",
        limits=(
            *_LIMITS,
            f"It reads {length - 2} tokens at once: in longer texts those around a blank.",
        ),
        split="split off by hash" if len(valid) > 1 else "the end of the text",
        examples=(len(encoded.corpus.train), len(valid)),
        parameters=sum(p.numel() for p in filler.model.parameters()),
        figures=found,
        where=where,
    )


def _blanks(filler: Filler, words: Sequence[Occurrence]) -> list[Sample]:
    """Passages with one word hidden each, and what it is taken for."""
    whole = [each for each in words if each.end - each.begin == 1 and len(each.word) > 3]
    samples: list[Sample] = []
    places: list[int] = evenly(len(whole), _SAMPLES).tolist() if whole else []
    chosen = [whole[place] for place in places]
    texts = [MASK.join(_shortened(each)) for each in chosen]
    for each, text, answer in zip(
        chosen, texts, filler.stream(texts, replace(filler.generation, best=_BEST)), strict=True
    ):
        told = ", ".join(f"{word.word} ({word.probability:.1%})" for word in answer.blanks[0])
        right = answer.blanks[0][0].word == each.word
        samples.append(
            Sample(parts=(("text", text), ("stood there", each.word), ("told", told)), right=right)
        )
    return samples


def _shortened(each: Occurrence, around: int = 4 * _AROUND) -> tuple[str, str]:
    """What stands before and after a word, up to whole words."""
    before, after = each.passage
    if len(before) > around:
        before = before[-around:].partition(" ")[2]
    if len(after) > around:
        after = after[:around].rpartition(" ")[0]
    return before, after


def _told_apart(senses: Senses, words: Sequence[Occurrence]) -> Section:
    """Words whose vectors differ most from one place to another, with the two places farthest apart."""
    places: dict[str, list[Occurrence]] = defaultdict(list)
    for each in words:
        if len(each.word) > 3:
            places[each.word.casefold()].append(each)
    often = {word: found for word, found in places.items() if len(found) in _OFTEN}
    apart = {word: _farthest(found) for word, found in often.items()}
    most = sorted(apart, key=lambda word: apart[word][0])[:_SENSES]
    return Section(
        title="Words by themselves and in company",
        note="The embedding has one vector for a word wherever it stands; the last block makes one of it in "
        "each text. Words of the validation part whose vectors differ most from place to place, and the "
        "words whose embeddings are nearest (cosine).",
        tables=[_table(senses, *apart[word][1:]) for word in most],
    )


def _farthest(found: Sequence[Occurrence]) -> tuple[float, Occurrence, Occurrence]:
    """The least cosine between two of these, and which they are."""
    units = np.stack([each.here / max(1e-12, float(np.linalg.norm(each.here))) for each in found])
    cosines = units @ units.T
    one, other = np.unravel_index(int(cosines.argmin()), cosines.shape)
    return float(cosines[one, other]), found[int(one)], found[int(other)]


def _table(senses: Senses, one: Occurrence, other: Occurrence) -> Table:
    near = [("by itself", ", ".join(senses.near(one.word, one.alone)))]
    for each in (one, other):
        before, after = _shortened(each, _AROUND)
        near.append((f"…{before}«{each.word}»{after}…", ", ".join(senses.near(each.word, each.here))))
    return Table(title=one.word, headings=("where", "near it"), rows=near)
