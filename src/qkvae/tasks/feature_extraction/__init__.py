"""Feature extraction: from pairs of texts to vectors that are alike where the texts are.

What only one verb needs is imported when it is called: comparing two texts should start at once.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qkvae.config import FeatureExtraction, SimilarityData
from qkvae.data.tokenizer import Tokenizer
from qkvae.models import Encoder
from qkvae.run import Run
from qkvae.tasks.feature_extraction.similarity import Similarity
from qkvae.tasks.task import Task

if TYPE_CHECKING:
    from qkvae.data.findings import Report
    from qkvae.tasks.feature_extraction.corpus import Corpus, Encoded
    from qkvae.tasks.feature_extraction.objective import SimilarityObjective
    from qkvae.train.progress import Reporter


class FeatureExtractionTask:
    """See `qkvae.tasks.task.Task`."""

    name = "feature-extraction"

    def read(self, config: FeatureExtraction, reporter: Reporter) -> Corpus:
        from qkvae.tasks.feature_extraction.corpus import read_corpus

        paths = (*config.data.paths, *config.data.valid)
        reporter.say(f"reading {', '.join(paths)}" if paths else "writing phrases in English and German")
        return read_corpus(config.data, config.training.seed)

    def learn(self, config: FeatureExtraction, corpus: Corpus, reporter: Reporter) -> Tokenizer:
        from qkvae.tasks.feature_extraction.corpus import train_tokenizer

        reporter.say("learning a vocabulary from the training texts")
        return train_tokenizer(corpus.train, config.data)

    def filled(self, config: FeatureExtraction, corpus: Corpus, tokenizer: Tokenizer) -> FeatureExtraction:
        longest = max(config.model.max_length, config.data.max_length)
        return replace(config, model=replace(config.model, max_length=longest, vocab=len(tokenizer)))

    def encode(
        self, config: FeatureExtraction, corpus: Corpus, tokenizer: Tokenizer, reporter: Reporter
    ) -> Encoded:
        from qkvae.tasks.feature_extraction.corpus import encode_corpus
        from qkvae.tasks.reading import say_cuts

        reporter.say("encoding the texts")
        encoded = encode_corpus(corpus, tokenizer, config)
        say_cuts(reporter, encoded.cut, encoded.valid_cut, config.data.max_length)
        return encoded

    def summary(self, corpus: Corpus, tokenizer: Tokenizer) -> str:
        low_high = "" if corpus.scale is None else f", graded {corpus.scale[0]:g} to {corpus.scale[1]:g}"
        return (
            f"{len(corpus.train):,} training and {len(corpus.valid):,} validation pairs{low_high}, "
            f"vocabulary of {len(tokenizer):,} tokens"
        )

    def objective(
        self, config: FeatureExtraction, model: Encoder, tokenizer: Tokenizer, examples: Encoded
    ) -> SimilarityObjective:
        from qkvae.tasks.feature_extraction.objective import SimilarityObjective

        return SimilarityObjective(model, examples, config)

    def finish(self, run: Run, examples: Encoded, reporter: Reporter, seconds: float | None) -> None:
        from qkvae.tasks.feature_extraction.ending import finish

        finish(run, examples, reporter)

    def answerer(self, run: Run) -> Similarity:
        return Similarity.from_run(run)

    def evaluate(
        self, answerer: Similarity, config: FeatureExtraction, data: SimilarityData
    ) -> dict[str, Any]:
        from qkvae.tasks.feature_extraction.corpus import read_similar
        from qkvae.tasks.feature_extraction.evaluate import evaluate

        texts = read_similar(data, data.paths, like=config.data, minimum=1)
        return {**evaluate(answerer, texts, answerer.scale), "notes": [str(note) for note in texts.notes]}

    def compare(self, first: Similarity, second: Similarity, data: SimilarityData) -> dict[str, Any]:
        from qkvae.tasks.feature_extraction.corpus import read_similar
        from qkvae.tasks.feature_extraction.evaluate import compare

        texts = read_similar(data, data.paths, like=first.data, minimum=1)
        return {**compare(first, second, texts, first.scale), "notes": [str(note) for note in texts.notes]}

    def look(self, answerer: Similarity, text: str, path: Path, name: str) -> Path:
        from qkvae.inspect.look import write_look
        from qkvae.tasks.feature_extraction.looking import look

        return write_look(path, look(answerer, text, name))

    def check(self, data: SimilarityData) -> Report:
        from qkvae.tasks.feature_extraction.corpus import check

        return check(data)


TASK: Task = FeatureExtractionTask()
