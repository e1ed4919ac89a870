"""Text generation, verb by verb."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qkvae.config import TextData, TextGeneration
from qkvae.config.names import many
from qkvae.data.tokenizer import Tokenizer
from qkvae.tasks.corpus import Corpus
from qkvae.tasks.task import Task
from qkvae.tasks.text_generation.compare import compare
from qkvae.tasks.text_generation.corpus import (
    Encoded,
    encode_corpus,
    read_corpus,
    read_texts,
    specials,
    train_tokenizer,
    unknown,
)
from qkvae.tasks.text_generation.ending import finish
from qkvae.tasks.text_generation.evaluate import evaluate
from qkvae.tasks.text_generation.looking import look
from qkvae.tasks.text_generation.objective import TextObjective
from qkvae.tasks.texts import EMBEDDED, doubts, summary
from qkvae.train.progress import Reporter, working


def _filled(config: TextGeneration, corpus: Corpus[Any], tokenizer: Tokenizer) -> TextGeneration:
    longest, length = config.model.max_length, config.data.length + config.model.memory
    longest = length if longest == TextData.length else longest  # nothing else was asked for
    return replace(config, model=replace(config.model, vocab=len(tokenizer), max_length=longest))


def _encode(config: TextGeneration, corpus: Corpus[Any], tokenizer: Tokenizer, reporter: Reporter) -> Encoded:
    reporter.say("encoding the text")
    encoded = encode_corpus(corpus, tokenizer, reporter.say, working(reporter, "encoding the text"))
    for part, documents in (("training", encoded.train), ("validation", encoded.valid)):
        if count := unknown(documents, tokenizer):
            reporter.say(f"note: {count:,} tokens of the {part} part have no place in the vocabulary: <unk>")
    length, wanted = config.data.length, config.training.batch_tokens // config.training.accumulate
    if config.data.format == "chat" and not config.model.memory:
        if count := int((encoded.train.tokens.lengths > length).sum()):
            reporter.say(
                f"note: {many(count, 'conversation')} of more than {length} tokens: what is further back "
                "than half a row may be out of sight of an answer"
            )
    elif wanted % length:
        rows = wanted // length
        reporter.say(f"note: a batch is {rows} rows of {length}: {rows * length:,} of {wanted:,} tokens")
    return encoded


TASK = Task(
    name="text-generation",
    embedded=EMBEDDED,
    corpus=lambda data, seed: read_corpus(data),
    examples=read_texts,
    learn=train_tokenizer,
    specials=specials,
    filled=_filled,
    encode=_encode,
    summary=summary,
    objective=lambda model, tokenizer, encoded, config: TextObjective(model, encoded, config),
    finish=finish,
    figures=lambda writer, texts, config: evaluate(writer, texts, config.generation.precision),
    better=compare,
    look=look,
    doubts=doubts,
)
