"""Feature extraction, verb by verb."""

from __future__ import annotations

from typing import Any

from qkvae.config import FeatureExtraction
from qkvae.data.labelled import Labelled
from qkvae.data.tokenizer import Tokenizer
from qkvae.tasks.corpus import counted
from qkvae.tasks.feature_extraction.corpus import (
    Encoded,
    SimilarCorpus,
    doubts,
    encode_corpus,
    read_corpus,
    read_similar,
    train_tokenizer,
)
from qkvae.tasks.feature_extraction.ending import finish
from qkvae.tasks.feature_extraction.evaluate import compare, evaluate
from qkvae.tasks.feature_extraction.looking import look
from qkvae.tasks.feature_extraction.objective import SimilarityObjective
from qkvae.tasks.feature_extraction.similarity import Similarity
from qkvae.tasks.reading import say_cuts
from qkvae.tasks.task import Task, fitting
from qkvae.train.progress import Reporter


def _filled(config: FeatureExtraction, corpus: SimilarCorpus, tokenizer: Tokenizer) -> FeatureExtraction:
    return fitting(config, tokenizer, config.data.max_length)


def _encode(
    config: FeatureExtraction, corpus: SimilarCorpus, tokenizer: Tokenizer, reporter: Reporter
) -> Encoded:
    reporter.say("encoding the texts")
    encoded = encode_corpus(corpus, tokenizer, config)
    say_cuts(reporter, encoded.cut, encoded.valid_cut, config.data.max_length)
    return encoded


def _summary(corpus: SimilarCorpus) -> str:
    graded = "" if corpus.scale is None else f", graded {corpus.scale[0]:g} to {corpus.scale[1]:g}"
    return counted("pairs")(corpus) + graded


def _better(first: Similarity, second: Similarity, texts: Labelled) -> dict[str, Any]:
    return compare(first, second, texts, first.scale)


TASK = Task(
    name="feature-extraction",
    embedded="phrases in English and German",
    corpus=read_corpus,
    examples=read_similar,
    learn=train_tokenizer,
    filled=_filled,
    encode=_encode,
    summary=_summary,
    objective=lambda model, tokenizer, encoded, config: SimilarityObjective(model, encoded, config),
    finish=lambda run, encoded, reporter, seconds: finish(run, encoded, reporter),
    figures=lambda similarity, texts, config: evaluate(similarity, texts, similarity.scale),
    better=_better,
    look=look,
    doubts=doubts,
)
