"""Translation, verb by verb."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qkvae.config import Translation, TranslationData
from qkvae.config.names import many
from qkvae.data.check import check_pairs
from qkvae.data.findings import Report
from qkvae.data.pairs import Pairs
from qkvae.data.tokenizer import Tokenizer
from qkvae.inspect.look import LookFacts, collect_look
from qkvae.tasks.corpus import Corpus, counted
from qkvae.tasks.task import Task, fitting
from qkvae.tasks.translation.corpus import (
    Encoded,
    encode_corpus,
    read_corpus,
    read_examples,
    train_tokenizer,
)
from qkvae.tasks.translation.ending import finish
from qkvae.tasks.translation.evaluate import compare, evaluate
from qkvae.tasks.translation.objective import TranslationObjective
from qkvae.tasks.translation.translator import Translator
from qkvae.train.progress import Reporter


def _filled(config: Translation, corpus: Corpus[Pairs], tokenizer: Tokenizer) -> Translation:
    return fitting(config, tokenizer, config.data.max_length)


def _encode(config: Translation, corpus: Corpus[Pairs], tokenizer: Tokenizer, reporter: Reporter) -> Encoded:
    reporter.say("encoding the pairs")
    encoded = encode_corpus(corpus, tokenizer, config.data)
    for part, count in (("training", encoded.left_out), ("validation", encoded.valid_left_out)):
        if count:
            pairs, longest = many(count, f"{part} pair"), config.data.max_length
            reporter.say(f"note: {pairs} of more than {longest} tokens left out")
    return encoded


def _figures(translator: Translator, pairs: Pairs, config: Translation) -> dict[str, Any]:
    smoothing = config.data.label_smoothing
    generation = replace(translator.generation, precision=config.generation.precision)
    return evaluate(translator.model, translator.tokenizer, pairs, generation, smoothing)


def _look(translator: Translator, sentence: str, run: str) -> LookFacts:
    return collect_look(translator.model, translator.tokenizer, sentence, translator.generation, run=run)


def _doubts(train: Pairs, valid: Pairs | None, data: TranslationData) -> Report:
    return check_pairs(train, valid, max_length=data.max_length)


TASK = Task(
    name="translation",
    embedded="dates, times and numbers, English to German",
    corpus=read_corpus,
    examples=read_examples,
    learn=train_tokenizer,
    filled=_filled,
    encode=_encode,
    summary=counted("pairs"),
    objective=TranslationObjective,
    finish=finish,
    figures=_figures,
    better=compare,
    look=_look,
    doubts=_doubts,
)
