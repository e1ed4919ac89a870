"""Masked words, verb by verb."""

from __future__ import annotations

from qkvae.config import FillMask
from qkvae.data.documents import Documents
from qkvae.data.tokenizer import Tokenizer
from qkvae.tasks.corpus import Corpus
from qkvae.tasks.fill_mask.corpus import MASK, Encoded, encode_corpus, train_tokenizer, unknown
from qkvae.tasks.fill_mask.ending import finish
from qkvae.tasks.fill_mask.evaluate import compare, evaluate
from qkvae.tasks.fill_mask.looking import look
from qkvae.tasks.fill_mask.objective import MaskedWordObjective
from qkvae.tasks.task import Task, fitting
from qkvae.tasks.texts import EMBEDDED, doubts, read_split, read_texts, summary
from qkvae.train.progress import Reporter


def _filled(config: FillMask, corpus: Corpus[Documents], tokenizer: Tokenizer) -> FillMask:
    return fitting(config, tokenizer, config.data.length)


def _encode(config: FillMask, corpus: Corpus[Documents], tokenizer: Tokenizer, reporter: Reporter) -> Encoded:
    reporter.say("encoding the text")
    encoded = encode_corpus(corpus, tokenizer, config.data.length)
    for part, passages in (("training", encoded.train), ("validation", encoded.valid)):
        if count := unknown(passages, tokenizer):
            reporter.say(f"note: {count:,} words of the {part} part are not in the vocabulary: <unk>")
    return encoded


TASK = Task(
    name="fill-mask",
    embedded=EMBEDDED,
    corpus=lambda data, seed: read_split(data),
    examples=read_texts,
    learn=train_tokenizer,
    specials=lambda data: (MASK,),
    filled=_filled,
    encode=_encode,
    summary=summary,
    objective=MaskedWordObjective,
    finish=finish,
    figures=lambda filler, documents, config: evaluate(filler, documents),
    better=compare,
    look=look,
    doubts=doubts,
)
