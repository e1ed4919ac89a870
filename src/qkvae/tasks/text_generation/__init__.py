"""Text generation: from plain text or conversations to a model that continues them.

What only one verb needs is imported when it is called: writing should start at once.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qkvae.config import TextData, TextGeneration
from qkvae.data.tokenizer import Tokenizer
from qkvae.models import Decoder
from qkvae.run import Run
from qkvae.tasks.task import Task
from qkvae.tasks.text_generation.writer import Writer

if TYPE_CHECKING:
    from qkvae.data.findings import Report
    from qkvae.tasks.text_generation.corpus import Encoded
    from qkvae.tasks.text_generation.objective import TextObjective
    from qkvae.tasks.texts import Corpus
    from qkvae.train.progress import Reporter


class TextGenerationTask:
    """See `qkvae.tasks.task.Task`."""

    name = "text-generation"

    def read(self, config: TextGeneration, reporter: Reporter) -> Corpus[Any]:
        from qkvae.tasks.text_generation.corpus import read_corpus
        from qkvae.tasks.texts import reading

        reporter.say(reading(config.data))
        return read_corpus(config.data)

    def learn(self, config: TextGeneration, corpus: Corpus[Any], reporter: Reporter) -> Tokenizer:
        from qkvae.data.large import MOST_LEARNED, LargeDocuments
        from qkvae.tasks.text_generation.corpus import train_tokenizer

        part = ""
        if isinstance(corpus.train, LargeDocuments) and corpus.train.characters > MOST_LEARNED:
            part = f"{MOST_LEARNED:,} characters, evenly spread, of "
        reporter.say(f"learning a vocabulary from {part}the training text")
        return train_tokenizer(corpus.train, config.data)

    def filled(self, config: TextGeneration, corpus: Corpus[Any], tokenizer: Tokenizer) -> TextGeneration:
        longest, length = config.model.max_length, config.data.length + config.model.memory
        longest = length if longest == TextData.length else longest  # nothing else was asked for
        return replace(config, model=replace(config.model, vocab=len(tokenizer), max_length=longest))

    def encode(
        self, config: TextGeneration, corpus: Corpus[Any], tokenizer: Tokenizer, reporter: Reporter
    ) -> Encoded:
        from qkvae.tasks.text_generation.corpus import encode_corpus, unknown
        from qkvae.train.progress import working

        reporter.say("encoding the text")
        encoded = encode_corpus(corpus, tokenizer, reporter.say, working(reporter, "encoding the text"))
        for part, documents in (("training", encoded.train), ("validation", encoded.valid)):
            if count := unknown(documents, tokenizer):
                reporter.say(
                    f"note: {count:,} tokens of the {part} part have no place in the vocabulary: <unk>"
                )
        length, wanted = config.data.length, config.training.batch_tokens // config.training.accumulate
        if wanted % length:
            rows = wanted // length
            reporter.say(f"note: a batch is {rows} rows of {length}: {rows * length:,} of {wanted:,} tokens")
        return encoded

    def summary(self, corpus: Corpus[Any], tokenizer: Tokenizer) -> str:
        from qkvae.tasks.text_generation.corpus import characters

        train, valid = characters(corpus.train), characters(corpus.valid)
        return (
            f"{train:,} characters to learn from and {valid:,} to validate on, "
            f"vocabulary of {len(tokenizer):,} tokens ({tokenizer.kind})"
        )

    def objective(
        self, config: TextGeneration, model: Decoder, tokenizer: Tokenizer, examples: Encoded
    ) -> TextObjective:
        from qkvae.tasks.text_generation.objective import TextObjective

        return TextObjective(model, examples, config)

    def finish(self, run: Run, examples: Encoded, reporter: Reporter, seconds: float | None) -> None:
        from qkvae.tasks.text_generation.ending import finish

        finish(run, examples, reporter, seconds)

    def answerer(self, run: Run) -> Writer:
        return Writer.from_run(run)

    def evaluate(self, answerer: Writer, config: TextGeneration, data: TextData) -> dict[str, Any]:
        from qkvae.tasks.text_generation.corpus import read_texts
        from qkvae.tasks.text_generation.evaluate import evaluate

        texts = read_texts(replace(data, format=answerer.format), data.paths)
        return {**evaluate(answerer, texts), "notes": [str(note) for note in texts.notes]}

    def compare(self, first: Writer, second: Writer, data: TextData) -> dict[str, Any]:
        from qkvae.tasks.text_generation.compare import compare
        from qkvae.tasks.text_generation.corpus import read_texts

        texts = read_texts(replace(data, format=first.format), data.paths)
        return {**compare(first, second, texts), "notes": [str(note) for note in texts.notes]}

    def look(self, answerer: Writer, text: str, path: Path, name: str) -> Path:
        from qkvae.inspect.look import write_look
        from qkvae.tasks.text_generation.looking import look

        return write_look(path, look(answerer, text, name))

    def check(self, data: TextData) -> Report:
        from qkvae.data.check_documents import check_documents
        from qkvae.tasks.text_generation.corpus import read_texts

        texts = read_texts(data, data.paths)
        held_out = read_texts(data, data.valid) if data.valid else None
        return check_documents(texts, held_out, length=data.length)


TASK: Task = TextGenerationTask()
