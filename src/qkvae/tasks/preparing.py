"""From a config to what the loop trains: data, tokenizer, numbers; the same in every process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from qkvae.data.tokenizer import Tokenizer
from qkvae.run import Mismatch, Run
from qkvae.tasks import find_task
from qkvae.tasks.corpus import Corpus
from qkvae.tasks.task import Task
from qkvae.train.base import Base, extended, same_base
from qkvae.train.base_settings import fitted
from qkvae.train.processes import Processes
from qkvae.train.progress import Reporter
from qkvae.train.words import Words, read_words


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What a training has before its first step."""

    task: Task
    config: Any
    """The settings, with every value that comes from the data."""

    corpus: Corpus[Any]
    tokenizer: Tokenizer | None
    """What turns text into numbers, where there is text."""

    examples: Any
    """The corpus as numbers."""

    base: Base | None
    """What it begins with, if that is not chance."""

    words: Words | None
    """The vectors that its embedding begins with, if they are given."""

    @property
    def summary(self) -> str:
        """How much there is to learn from, in a few words."""
        told = self.task.summary(self.corpus)
        if self.tokenizer is None:
            return told
        return f"{told}, vocabulary of {len(self.tokenizer):,} tokens ({self.tokenizer.kind})"

    def keep(self, run: Run) -> None:
        """Write what was learned and what is known of the data into the run's folder."""
        _keep(run, self.tokenizer, self.corpus)


def prepare(task: Task, config: Any, base: Base | None, processes: Processes, reporter: Reporter) -> Prepared:
    """What a new training has before its first step.

    Raises:
        ValueError: the data cannot be learned from as the settings say; another machine has other data.
    """
    corpus = _read(task, config, reporter, processes)
    base = _fit_for(task, config, base, reporter)
    learned = _tokenizer(task, config, corpus, base, reporter) if processes.leads else None
    tokenizer = _told(learned, processes)
    examples = task.encode(config, corpus, tokenizer, reporter)
    config = task.filled(config, corpus, tokenizer)
    if base is not None:
        config = replace(config, model=fitted(base, config.model))
    words = read_words(config, tokenizer, base, reporter) if hasattr(config, "start") else None
    return Prepared(
        task=task,
        config=config,
        corpus=corpus,
        tokenizer=tokenizer,
        examples=examples,
        base=base,
        words=words,
    )


def prepare_again(run: Run, processes: Processes, reporter: Reporter) -> Prepared:
    """What a training that goes on had before its first step.

    Raises:
        ValueError: data, tokenizer, base or word vectors are not those it was begun with.
    """
    task, config = find_task(run.task), run.config
    corpus = _read(task, config, reporter, processes)
    base, tokenizer = None, None
    if processes.leads:
        if "from" in run.resolved and not (run.is_prepared and run.has_state):
            base = _fit_for(task, config, same_base(run.resolved["from"]), reporter)
        if not run.is_prepared:
            _keep(run, _tokenizer(task, config, corpus, base, reporter), corpus)
        run.check_data(corpus.fingerprint)
        learned = task.learn is not None and hasattr(config.model, "vocab")
        tokenizer = run.tokenizer if learned else None
    tokenizer, words = _told(tokenizer, processes), None
    if tokenizer is not None:
        if len(tokenizer) != config.model.vocab:
            raise Mismatch(
                f"{run.path / 'config.json'}: model.vocab is {config.model.vocab}, but tokenizer.json has "
                f"{len(tokenizer)} tokens: put both files back as they were"
            )
        if hasattr(config, "start"):
            words = read_words(config, tokenizer, base, reporter, run.resolved.get("words"))
    return Prepared(
        task=task,
        config=config,
        corpus=corpus,
        tokenizer=tokenizer,
        examples=task.encode(config, corpus, tokenizer, reporter),
        base=base,
        words=words,
    )


def _fit_for(task: Task, config: Any, base: Base | None, reporter: Reporter) -> Base | None:
    """The base with every special token that the task needs; what it lacked is said."""
    if base is None or base.tokenizer is None:
        return base
    longer = extended(base, task.specials(config.data))
    known, all_of_them = (each.tokenizer.specials if each.tokenizer else () for each in (base, longer))
    if new := [name for name in all_of_them if name not in known]:
        reporter.say(
            f"note: the vocabulary of {base.path} lacks {', '.join(new)}: added, as the mean of all tokens"
        )
    return longer


def _read(task: Task, config: Any, reporter: Reporter, processes: Processes) -> Corpus[Any]:
    """The user's data; what was handled in them is said.  The first process reads before the others, which
    find what it downloads.

    Raises:
        ValueError: another machine has other data.
    """
    first = task.read(config, reporter) if processes.leads else None
    known = processes.told(None if first is None else first.fingerprint)
    corpus = task.read(config, reporter) if first is None else first
    if corpus.fingerprint != known:
        raise ValueError(
            f"process {processes.rank} reads data of fingerprint {corpus.fingerprint}, but the first one "
            f"has {known}: put the same files under the same paths on every machine"
        )
    for note in corpus.notes:
        reporter.say(f"note: {note}")
    return corpus


def _tokenizer(
    task: Task, config: Any, corpus: Corpus[Any], base: Base | None, reporter: Reporter
) -> Tokenizer | None:
    """What turns the examples into numbers: learned from them, or the base's; None where there is no text."""
    if task.learn is None:
        return None
    return base.tokenizer if base is not None else task.learn(corpus.train, config.data, reporter.say)


def _told(tokenizer: Tokenizer | None, processes: Processes) -> Tokenizer | None:
    """The tokenizer of the first process."""
    text = processes.told(None if tokenizer is None else tokenizer.to_json())
    return tokenizer if processes.leads or text is None else Tokenizer.from_json(text)


def _keep(run: Run, tokenizer: Tokenizer | None, corpus: Corpus[Any]) -> None:
    if tokenizer is not None:
        run.save_tokenizer(tokenizer)
    begun = {name: run.resolved[name] for name in ("from", "words") if name in run.resolved}
    run.save_passport({**corpus.passport, **begun})
