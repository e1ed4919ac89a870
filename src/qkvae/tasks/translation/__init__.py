"""Translation: from sentence pairs to a translator.

What only one verb needs is imported when it is called: translating a sentence should start at once.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qkvae.config import Translation, TranslationData
from qkvae.data.tokenizer import Tokenizer
from qkvae.models import Seq2Seq
from qkvae.run import Run
from qkvae.tasks.task import Task
from qkvae.tasks.translation.translator import Translator

if TYPE_CHECKING:
    from qkvae.data.findings import Report
    from qkvae.tasks.translation.corpus import Corpus, Encoded
    from qkvae.tasks.translation.objective import TranslationObjective
    from qkvae.train.progress import Reporter


class TranslationTask:
    """See `qkvae.tasks.task.Task`."""

    name = "translation"

    def read(self, config: Translation, reporter: Reporter) -> Corpus:
        from qkvae.tasks.translation.corpus import read_corpus

        paths = (*config.data.paths, *config.data.valid)
        reporter.say(f"reading {', '.join(paths)}" if paths else "writing phrases for the embedded default")
        return read_corpus(config.data, config.training.seed)

    def learn(self, config: Translation, corpus: Corpus, reporter: Reporter) -> Tokenizer:
        from qkvae.tasks.translation.corpus import learned_rows, train_tokenizer

        count = len(learned_rows(corpus.train, config.data))
        part = f"{count:,} evenly spread ones of " if count < len(corpus.train) else ""
        reporter.say(f"learning a vocabulary from {part}the training pairs")
        return train_tokenizer(corpus.train, config.data)

    def filled(self, config: Translation, corpus: Corpus, tokenizer: Tokenizer) -> Translation:
        longest = max(config.model.max_length, config.data.max_length)
        return replace(config, model=replace(config.model, vocab=len(tokenizer), max_length=longest))

    def encode(
        self, config: Translation, corpus: Corpus, tokenizer: Tokenizer, reporter: Reporter
    ) -> Encoded:
        from qkvae.tasks.translation.corpus import encode_corpus

        reporter.say("encoding the pairs")
        encoded = encode_corpus(corpus, tokenizer, config.data)
        longest = config.data.max_length
        for part, count in (("training", encoded.left_out), ("validation", encoded.valid_left_out)):
            if count:
                reporter.say(f"note: {count:,} {part} pairs have more than {longest} tokens: left out")
        return encoded

    def summary(self, corpus: Corpus, tokenizer: Tokenizer) -> str:
        return (
            f"{len(corpus.train):,} training and {len(corpus.valid):,} validation pairs, "
            f"vocabulary of {len(tokenizer):,} tokens"
        )

    def objective(
        self, config: Translation, model: Seq2Seq, tokenizer: Tokenizer, examples: Encoded
    ) -> TranslationObjective:
        from qkvae.tasks.translation.objective import TranslationObjective

        return TranslationObjective(model, tokenizer, examples, config)

    def finish(self, run: Run, examples: Encoded, reporter: Reporter, seconds: float | None) -> None:
        from qkvae.tasks.translation.ending import finish

        finish(run, examples, reporter, seconds)

    def answerer(self, run: Run) -> Translator:
        return Translator.from_run(run)

    def evaluate(self, answerer: Translator, config: Translation, data: TranslationData) -> dict[str, Any]:
        from qkvae.data.sources import read_pairs
        from qkvae.tasks.translation.evaluate import evaluate

        pairs = read_pairs(data.paths, data.source, data.target, minimum=1)
        smoothing = config.data.label_smoothing
        found = evaluate(answerer.model, answerer.tokenizer, pairs, answerer.generation, smoothing=smoothing)
        return {**found, "notes": [str(note) for note in pairs.notes]}

    def compare(self, first: Translator, second: Translator, data: TranslationData) -> dict[str, Any]:
        from qkvae.data.sources import read_pairs
        from qkvae.tasks.translation.evaluate import compare

        pairs = read_pairs(data.paths, data.source, data.target, minimum=1)
        return {**compare(first, second, pairs), "notes": [str(note) for note in pairs.notes]}

    def look(self, answerer: Translator, text: str, path: Path, name: str) -> Path:
        from qkvae.inspect.look import collect_look, write_look

        facts = collect_look(answerer.model, answerer.tokenizer, text, answerer.generation, run=name)
        return write_look(path, facts)

    def check(self, data: TranslationData) -> Report:
        from qkvae.data.check import check_pairs
        from qkvae.data.sources import read_pairs

        pairs = read_pairs(data.paths, data.source, data.target)
        held_out = read_pairs(data.valid, data.source, data.target, minimum=1) if data.valid else None
        return check_pairs(pairs, held_out, max_length=data.max_length)


TASK: Task = TranslationTask()
