"""Masked words: from plain text to a model that fills blanks, and from which other tasks can begin.

What only one verb needs is imported when it is called: filling a blank should start at once.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qkvae.config import FillMask, PassageData
from qkvae.data.tokenizer import Tokenizer
from qkvae.models import Encoder
from qkvae.run import Run
from qkvae.tasks.fill_mask.filler import Filler
from qkvae.tasks.task import Task

if TYPE_CHECKING:
    from qkvae.data.documents import Documents
    from qkvae.data.findings import Report
    from qkvae.tasks.fill_mask.corpus import Encoded
    from qkvae.tasks.fill_mask.objective import MaskedWordObjective
    from qkvae.tasks.texts import Corpus
    from qkvae.train.progress import Reporter


class FillMaskTask:
    """See `qkvae.tasks.task.Task`."""

    name = "fill-mask"

    def read(self, config: FillMask, reporter: Reporter) -> Corpus[Documents]:
        from qkvae.tasks.texts import read_split, reading

        reporter.say(reading(config.data))
        return read_split(config.data)

    def learn(self, config: FillMask, corpus: Corpus[Documents], reporter: Reporter) -> Tokenizer:
        from qkvae.tasks.fill_mask.corpus import train_tokenizer

        reporter.say("learning a vocabulary from the training text")
        return train_tokenizer(corpus.train, config.data)

    def filled(self, config: FillMask, corpus: Corpus[Documents], tokenizer: Tokenizer) -> FillMask:
        longest = max(config.model.max_length, config.data.length)
        return replace(config, model=replace(config.model, vocab=len(tokenizer), max_length=longest))

    def encode(
        self, config: FillMask, corpus: Corpus[Documents], tokenizer: Tokenizer, reporter: Reporter
    ) -> Encoded:
        from qkvae.tasks.fill_mask.corpus import encode_corpus, unknown

        reporter.say("encoding the text")
        encoded = encode_corpus(corpus, tokenizer, config.data.length)
        for part, passages in (("training", encoded.train), ("validation", encoded.valid)):
            if count := unknown(passages, tokenizer):
                reporter.say(f"note: {count:,} words of the {part} part are not in the vocabulary: <unk>")
        return encoded

    def summary(self, corpus: Corpus[Documents], tokenizer: Tokenizer) -> str:
        return (
            f"{corpus.train.characters:,} characters to learn from and {corpus.valid.characters:,} to "
            f"validate on, vocabulary of {len(tokenizer):,} tokens ({tokenizer.kind})"
        )

    def objective(
        self, config: FillMask, model: Encoder, tokenizer: Tokenizer, examples: Encoded
    ) -> MaskedWordObjective:
        from qkvae.tasks.fill_mask.objective import MaskedWordObjective

        return MaskedWordObjective(model, tokenizer, examples, config)

    def finish(self, run: Run, examples: Encoded, reporter: Reporter, seconds: float | None) -> None:
        from qkvae.tasks.fill_mask.ending import finish

        finish(run, examples, reporter, seconds)

    def answerer(self, run: Run) -> Filler:
        return Filler.from_run(run)

    def evaluate(self, answerer: Filler, config: FillMask, data: PassageData) -> dict[str, Any]:
        from qkvae.data.documents import read_documents
        from qkvae.tasks.fill_mask.evaluate import evaluate

        texts = read_documents(data.paths, data.text)
        return {**evaluate(answerer, texts), "notes": [str(note) for note in texts.notes]}

    def compare(self, first: Filler, second: Filler, data: PassageData) -> dict[str, Any]:
        from qkvae.data.documents import read_documents
        from qkvae.tasks.fill_mask.evaluate import compare

        texts = read_documents(data.paths, data.text)
        return {**compare(first, second, texts), "notes": [str(note) for note in texts.notes]}

    def look(self, answerer: Filler, text: str, path: Path, name: str) -> Path:
        from qkvae.inspect.look import write_look
        from qkvae.tasks.fill_mask.looking import look

        return write_look(path, look(answerer, text, name))

    def check(self, data: PassageData) -> Report:
        from qkvae.data.check_documents import check_documents
        from qkvae.data.documents import read_documents

        texts = read_documents(data.paths, data.text)
        held_out = read_documents(data.valid, data.text) if data.valid else None
        return check_documents(texts, held_out, length=data.length)


TASK: Task = FillMaskTask()
