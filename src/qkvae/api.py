"""The verbs as functions: what the command line does, from Python."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from qkvae.config import TASKS, Translation, nearest
from qkvae.data.check import check_pairs
from qkvae.data.findings import Report
from qkvae.data.sources import read_pairs
from qkvae.data.tokenizer import Tokenizer
from qkvae.loaded import LoadedRun, Paths, listed, load
from qkvae.models import build
from qkvae.run import Mismatch, Run
from qkvae.run.place import require_free
from qkvae.train.device import Machine, choose_machine, keep_freed_memory, same_machine
from qkvae.train.ending import finish, is_finished, reserved
from qkvae.train.loop import Loop
from qkvae.train.plan import Plan, plans_of
from qkvae.train.progress import Reporter, make_reporter
from qkvae.train.sinks import require_sink
from qkvae.train.translation import (
    Corpus,
    Encoded,
    TranslationObjective,
    encode_corpus,
    read_corpus,
    train_tokenizer,
)


def train(
    task: str,
    data: Paths | Translation = (),
    *,
    minutes: float | None = None,
    steps: int | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    quiet: bool = False,
    replay: str | Path | None = None,
    licence: str | None = None,
) -> LoadedRun:
    """Train on the user's data and return the run, ready to be used.

    Args:
        task: one of `qkvae.config.TASKS`.
        data: paths as the command line takes them, or a whole config; the embedded default if nothing.
        minutes, steps: how long; 10 minutes if neither is given.
        out: folder of the run; runs/TASK if not given.
        overwrite: replace the run that ``out`` holds.
        replay: a run whose changes of plan are followed instead of the clock.
        licence: of the data, for the model card.

    Raises:
        ValueError: something the user must mend; the message says what and how.
        KeyboardInterrupt: Ctrl-C; the run is saved and can be resumed.
    """
    begun = time.monotonic()
    config = _configured(task, data, minutes, steps)
    out = Path(out) if out is not None else Path("runs") / task
    require_free(out, overwrite)
    require_sink(config.saving.sink)
    replayed = Run.open(replay, task) if replay is not None else None
    plans = _plans(replayed) if replayed is not None else None
    reporter = make_reporter(quiet)
    corpus = _read(config, reporter)
    reporter.say("learning a vocabulary from the training pairs")
    tokenizer = train_tokenizer(corpus.train, config.data)
    encoded = _encode(corpus, tokenizer, config, reporter)
    longest = max(config.model.max_length, config.data.max_length)
    model = replace(config.model, vocab=len(tokenizer), max_length=longest)
    # Other arithmetic gives other bits, so a run is repeated on what it was made on.
    if replayed is not None:
        machine = same_machine(replayed.resolved.get("machine", {}))
    else:
        machine = choose_machine(config.training)
    resolved = {
        "machine": {"device": machine.device, "precision": machine.precision, "threads": machine.threads},
        "command": _command(task, config, out),
        "licence": licence,
        "replay": [plan.record() for plan in plans] if plans else None,
    }
    # Only now, when nothing of the user's can be wrong any more, may an old run make room for the new one.
    run = Run.create(out, task, replace(config, model=model), overwrite, resolved)
    run.save_tokenizer(tokenizer)
    run.save_passport(_passport(corpus))
    return _continue(run, corpus, encoded, machine, reporter, begun)


def resume(path: str | Path, *, quiet: bool = False) -> LoadedRun:
    """Go on with a run that was interrupted: the same bits as one that never was.

    Raises:
        ValueError: no run; a part of it is missing or damaged; its data, tokenizer, settings or machine are
            not those it was begun with.
        KeyboardInterrupt: Ctrl-C; the run is saved and can be resumed.
    """
    begun = time.monotonic()
    run = Run.open(path, resume=True)
    reporter = make_reporter(quiet)
    if is_finished(run):
        reporter.say(f"{run.path} is finished: nothing is left to train")
        return LoadedRun(run)
    machine = same_machine(run.resolved.get("machine", {}))
    corpus = _read(run.config, reporter)
    if not run.is_prepared:
        run.save_tokenizer(train_tokenizer(corpus.train, run.config.data))
        run.save_passport(_passport(corpus))
    run.check_data(corpus.fingerprint)
    if len(run.tokenizer) != run.config.model.vocab:
        raise Mismatch(
            f"{run.path / 'config.json'}: model.vocab is {run.config.model.vocab}, but tokenizer.json has "
            f"{len(run.tokenizer)} tokens: put both files back as they were"
        )
    encoded = _encode(corpus, run.tokenizer, run.config, reporter)
    return _continue(run, corpus, encoded, machine, reporter, begun)


def compare(
    first: str | Path,
    second: str | Path,
    paths: Paths,
    *,
    source: str | int | None = None,
    target: str | int | None = None,
) -> dict[str, Any]:
    """Two runs on the same pairs, by paired bootstrap; the verdict may be that it cannot tell.

    Raises:
        ValueError: a run or the data cannot be used.
    """
    from qkvae.evaluate import compare as compare_runs

    a, b = load(first), load(second)
    pairs = read_pairs(listed(paths), source, target, minimum=1)
    found = compare_runs(a.translator, b.translator, pairs)
    return {"runs": [str(first), str(second)], **found, "notes": [str(note) for note in pairs.notes]}


def check(
    task: str,
    paths: Paths,
    valid: Paths = (),
    *,
    source: str | int | None = None,
    target: str | int | None = None,
    max_length: int = 256,
) -> Report:
    """What is doubtful in the data of a task, before a training is spent on it."""
    _task(task)
    pairs = read_pairs(listed(paths), source, target)
    held_out = read_pairs(listed(valid), source, target, minimum=1) if listed(valid) else None
    return check_pairs(pairs, held_out, max_length=max_length)


def _plans(run: Run) -> list[Plan]:
    """The plans that a run's log tells of.

    Raises:
        ValueError: it tells of none.
    """
    plans = plans_of(run.records())
    if not plans:
        raise ValueError(
            f"{run.path / 'metrics.jsonl'} tells of no plan to replay: give a run that was trained"
        )
    return plans


def _read(config: Translation, reporter: Reporter) -> Corpus:
    """The sentence pairs; what was handled in them is said."""
    paths = (*config.data.paths, *config.data.valid)
    reporter.say(f"reading {', '.join(paths)}" if paths else "writing phrases for the embedded default")
    corpus = read_corpus(config.data, config.training.seed)
    for note in corpus.notes:
        reporter.say(f"note: {note}")
    return corpus


def _encode(corpus: Corpus, tokenizer: Tokenizer, config: Translation, reporter: Reporter) -> Encoded:
    """The sentence pairs as token ids; what is left out is said."""
    reporter.say("encoding the pairs")
    encoded = encode_corpus(corpus, tokenizer, config.data)
    longest = config.data.max_length
    for part, count in (("training", encoded.left_out), ("validation", encoded.valid_left_out)):
        if count:
            reporter.say(f"note: {count:,} {part} pairs have more than {longest} tokens: left out")
    return encoded


def _continue(
    run: Run, corpus: Corpus, encoded: Encoded, machine: Machine, reporter: Reporter, begun: float
) -> LoadedRun:
    """Train from wherever the run stands to the end of its plan, and write what people read."""
    import torch

    keep_freed_memory()
    config = run.config
    torch.set_num_threads(machine.threads)
    torch.manual_seed(config.training.seed)
    model = build(config.model)
    count = sum(p.numel() for p in model.parameters())
    reporter.say(
        f"{len(corpus.train):,} training and {len(corpus.valid):,} validation pairs, vocabulary of "
        f"{len(run.tokenizer):,} tokens, {count:,} parameters; {machine.describe()}"
    )
    minutes = config.training.time_limit
    recorded = run.resolved.get("replay")
    plans: list[Plan] | None = plans_of(recorded) if recorded else None
    loop = Loop(
        TranslationObjective(model, run.tokenizer, encoded, config),
        run,
        machine,
        reporter,
        replay=plans,
        begun=begun,
        ending=reserved(minutes),
    )
    try:
        loop.fit()
    finally:
        reporter.close()
    for note in run.notes:
        reporter.say(f"note: {note}")
    seconds = None
    if minutes is not None:
        seconds = max(1.0, 60 * minutes - loop.planner.used() - 0.3 * reserved(minutes))
    resolved = run.resolved
    finish(run, encoded, reporter, resolved["command"], resolved["licence"], seconds)
    return LoadedRun(run)


def _configured(
    task: str, data: Paths | Translation, minutes: float | None, steps: int | None
) -> Translation:
    kind = _task(task)
    if isinstance(data, kind):
        config = data
    else:
        assert not isinstance(data, Translation)
        paths = tuple(str(path) for path in listed(data))
        config = kind()
        config = replace(config, data=replace(config.data, paths=paths))
    if minutes is not None or steps is not None:
        config = replace(config, training=replace(config.training, minutes=minutes, steps=steps))
    return config


def _task(task: str) -> type[Translation]:
    if task not in TASKS:
        raise ValueError(f'unknown task "{task}": {nearest(task, TASKS)}')
    return TASKS[task]


def _passport(corpus: Corpus) -> dict[str, Any]:
    """What is known of the data."""
    return {
        "fingerprint": corpus.fingerprint,
        "training": {"files": list(corpus.train.paths), "pairs": len(corpus.train)},
        "validation": {"files": list(corpus.valid.paths), "pairs": len(corpus.valid)},
        "notes": corpus.notes,
    }


def _command(task: str, config: Translation, out: Path) -> str:
    """The command that made this run: as it was typed, or the nearest to what Python was asked."""
    program = Path(sys.argv[0])
    if program.stem == "qkvae" or (program.name, program.parent.name) == ("__main__.py", "qkvae"):
        return shlex.join(["qkvae", *sys.argv[1:]])
    words = ["qkvae", "train", task, *config.data.paths]
    if config.data.valid:
        words += ["--valid", *config.data.valid]
    training = config.training
    words += ["--steps", str(training.steps)] if training.steps else ["--minutes", str(training.time_limit)]
    return shlex.join([*words, "--out", str(out)])
