"""The verbs as functions: what the command line does, from Python."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import torch

from qkvae.config import TASKS, Family, from_dict, to_dict
from qkvae.data.findings import Report
from qkvae.loaded import LoadedRun, Paths, data_settings, listed, load
from qkvae.models import build
from qkvae.run import Run
from qkvae.run.manifest import Manifest
from qkvae.run.place import require_free
from qkvae.tasks import find_task
from qkvae.tasks.preparing import Prepared, prepare, prepare_again
from qkvae.train.base import Base, give, read_base
from qkvae.train.base_settings import asked_of, configured
from qkvae.train.device import Machine, choose_machine, keep_freed_memory, same_machine
from qkvae.train.ending import is_finished, reserved
from qkvae.train.loop import Loop
from qkvae.train.plan import Plan, plans_of
from qkvae.train.processes import Processes, joined
from qkvae.train.progress import Reporter, make_reporter
from qkvae.train.sinks import require_sink
from qkvae.train.words import begin_with


def train(
    task: str,
    data: Any = (),
    *,
    minutes: float | None = None,
    steps: int | None = None,
    out: str | Path | None = None,
    base: str | Path | None = None,
    overwrite: bool = False,
    quiet: bool = False,
    replay: str | Path | None = None,
    licence: str | None = None,
) -> LoadedRun:
    """Train on the user's data and return the run, ready to be used.

    Args:
        task: one of `qkvae.config.TASKS`.
        data: paths as the command line takes them, a whole config, or by name the settings that are asked for
            and no others; the embedded default if nothing.
        minutes, steps: how long; 10 minutes if neither is given.
        out: folder of the run; runs/TASK if not given.
        base: a run or a Hugging Face folder whose weights, tokenizer and architecture are begun with.
        overwrite: replace the run that ``out`` holds.
        replay: a run whose changes of plan are followed instead of the clock.
        licence: of the data, for the model card.

    Raises:
        ValueError: something the user must mend; the message says what and how.
        KeyboardInterrupt: Ctrl-C; the run is saved and can be resumed.
    """
    begun = time.monotonic()
    begins = read_base(base) if base is not None else None
    config = _configured(task, data, minutes, steps, begins)
    out = _place(out, task, begins)
    with joined() as processes:
        if processes.leads:
            require_free(out, overwrite)
            require_sink(config.saving.sink)
        replayed = _replayed(replay, task) if processes.leads else None
        reporter = make_reporter(quiet or not processes.leads)
        prepared = prepare(find_task(task), config, begins, processes, reporter)
        run = None
        if processes.leads:
            resolved = _resolved(task, prepared, out, replayed, processes) | {"licence": licence}
            run = _create(out, prepared, overwrite, resolved, reporter)
        return _continue(_shared(run, processes), prepared, processes, reporter, begun)


def resume(path: str | Path, *, quiet: bool = False) -> LoadedRun:
    """Go on with a run that was interrupted: the same bits as one that never was.

    Raises:
        ValueError: no run; a part of it is missing or damaged; its data, tokenizer, settings or machine are
            not those it was begun with.
        KeyboardInterrupt: Ctrl-C; the run is saved and can be resumed.
    """
    begun = time.monotonic()
    with joined() as processes:
        run = _shared(Run.open(path, resume=True) if processes.leads else None, processes)
        reporter = make_reporter(quiet or not processes.leads)
        if processes.told(processes.leads and is_finished(run)):
            reporter.say(f"{run.path} is finished: nothing is left to train")
            return LoadedRun(run)
        prepared = prepare_again(run, processes, reporter)
        return _continue(run, prepared, processes, reporter, begun)


def compare(
    first: str | Path, second: str | Path, paths: Paths, **columns: str | int | None
) -> dict[str, Any]:
    """Two runs on the same examples, by paired bootstrap; the verdict may be that it cannot tell.

    Raises:
        ValueError: a run or the data cannot be used, or the runs are of different tasks.
    """
    a, b = load(first), load(second)
    if a.run.task != b.run.task:
        raise ValueError(
            f"{first} is a run of {a.run.task} and {second} one of {b.run.task}: give two runs of one task"
        )
    found = a.task.compare(
        a.answerer, b.answerer, (a.config, b.config), data_settings(a.run.task, paths, columns)
    )
    return {"runs": [str(first), str(second)], **found}


def check(task: str, paths: Paths, valid: Paths = (), **settings: Any) -> Report:
    """What is doubtful in the data of a task, before a training is spent on it.

    Args:
        settings: of the task's ``data``, such as columns.

    Raises:
        ValueError: the data cannot be read, or a setting is unknown.
    """
    kind = find_task(task)
    return kind.check(data_settings(task, paths, settings, valid))


def _replayed(path: str | Path | None, task: str) -> tuple[Run, list[Plan]] | None:
    """The run that is repeated, if one is, and the plans that its log tells of.

    Raises:
        ValueError: it is no run of this task, or its log tells of none.
    """
    if path is None:
        return None
    run = Run.open(path, task)
    plans = plans_of(run.records())
    if not plans:
        raise ValueError(
            f"{run.path / 'metrics.jsonl'} tells of no plan to replay: give a run that was trained"
        )
    return run, plans


def _place(out: str | Path | None, task: str, base: Base | None) -> Path:
    """Where the run is written.

    Raises:
        ValueError: the training begins from there.
    """
    place = Path(out) if out is not None else Path("runs") / task
    if base is not None and place.resolve() == base.path.resolve():
        raise ValueError(
            f"{place} is where the training begins, and cannot be where it ends: give another --out"
        )
    return place


def _resolved(
    task: str,
    prepared: Prepared,
    out: Path,
    replayed: tuple[Run, list[Plan]] | None,
    processes: Processes,
) -> dict[str, Any]:
    """What a run remembers of how it was begun."""
    # Other arithmetic gives other bits, so a run is repeated on what it was made on.
    run, plans = replayed or (None, [])
    if run is not None:
        machine = same_machine(run.resolved.get("machine", {}), processes)
    else:
        machine = choose_machine(prepared.config.training, processes)
    found: dict[str, Any] = {
        "machine": asdict(machine),
        "command": _command(task, prepared.config, out, processes, prepared.base),
        "replay": [plan.record() for plan in plans] or None,
    }
    if prepared.base is not None:
        found["from"] = prepared.base.record()
    if prepared.words is not None:
        found["words"] = prepared.words.record()
    return found


def _create(
    out: Path, prepared: Prepared, overwrite: bool, resolved: dict[str, Any], reporter: Reporter
) -> Run:
    """The folder of a new run.  Only now, when nothing of the user's can be wrong any more, may an old one
    make room."""
    run = Run.create(out, prepared.task.name, prepared.config, overwrite, resolved)
    prepared.keep(run)
    reporter.say(f"the run is written to {out}")
    return run


def _shared(run: Run | None, processes: Processes) -> Run:
    """The run of the first process; the others know what it is and never look into its folder."""
    facts = None
    if run is not None:
        facts = {"path": str(run.path), "task": run.task, "config": to_dict(run.config)}
        facts["resolved"] = run.resolved
    facts = processes.told(facts)
    if run is not None:
        return run
    config = from_dict(TASKS[facts["task"]], facts["config"])
    return Run(Path(facts["path"]), Manifest(task=facts["task"], config=config, resolved=facts["resolved"]))


def _continue(
    run: Run, prepared: Prepared, processes: Processes, reporter: Reporter, begun: float
) -> LoadedRun:
    """Train from wherever the run stands, or from the base, to the end of the plan, and write what people
    read."""
    keep_freed_memory()
    config, task = run.config, prepared.task
    machine = same_machine(run.resolved.get("machine", {}), processes)
    _say_if_other(run, machine, processes, reporter)
    torch.set_num_threads(machine.threads)
    torch.manual_seed(config.training.seed)
    model: torch.nn.Module = build(cast("Family", config.model))
    count = sum(p.numel() for p in model.parameters())
    reporter.say(f"{prepared.summary}, {count:,} parameters; {machine.describe()}")
    objective = task.objective(model, prepared.tokenizer, prepared.examples, config)
    _begin(model, run, prepared, processes, reporter)  # last: a base's weights outdo how an objective begins
    minutes = config.training.time_limit
    recorded = run.resolved.get("replay")
    loop = Loop(
        objective,
        run,
        machine,
        reporter,
        processes=processes,
        replay=plans_of(recorded) if recorded else None,
        begun=begun,
        ending=reserved(minutes),
    )
    try:
        loop.fit()
    finally:
        reporter.close()
    if processes.leads:
        for note in run.notes:
            reporter.say(f"note: {note}")
        seconds = None
        if minutes is not None:
            seconds = max(1.0, 60 * minutes - loop.planner.used() - 0.3 * reserved(minutes))
        task.finish(run, prepared.examples, reporter, seconds)
    return LoadedRun(run)


def _begin(
    model: torch.nn.Module, run: Run, prepared: Prepared, processes: Processes, reporter: Reporter
) -> None:
    """Put the weights and the word vectors that the training begins with into the model."""
    base = prepared.base
    if base is not None:
        given = give(model, base)
        reporter.say(f"from {base.path}, {base.what}: {given}")
        if processes.leads:
            run.update_resolved({"from": {**base.record(), **given.record()}})
    if prepared.words is not None:
        begin_with(prepared.words, model, prepared.config.model.vocab)


def _say_if_other(run: Run, machine: Machine, processes: Processes, reporter: Reporter) -> None:
    """Say that a run goes on in another number of processes than before, and remember it."""
    before = run.resolved["machine"].get("processes", 1)
    if before != processes.count and processes.leads:
        reporter.say(
            f"note: {before} process(es) trained this run, now {processes.count}: equal within rounding, "
            "apart from the noise of dropout, and not in bits"
        )
        run.update_resolved({"machine": asdict(machine)})


def _configured(task: str, data: Any, minutes: float | None, steps: int | None, base: Base | None) -> Any:
    find_task(task)  # refuses an unknown name
    kind = TASKS[task]
    if isinstance(data, kind):
        config = data if base is None else configured(task, base, asked_of(data))
    else:
        named = isinstance(data, dict)
        asked = cast("dict[str, Any]", data) if named else {"data": {"paths": listed(data)}}
        config = from_dict(kind, asked) if base is None else configured(task, base, asked)
    if minutes is not None or steps is not None:
        config = replace(config, training=replace(config.training, minutes=minutes, steps=steps))
    return config


def _command(task: str, config: Any, out: Path, processes: Processes, base: Base | None) -> str:
    """The command that made this run: as it was typed, or the nearest to what Python was asked."""
    program, start = Path(sys.argv[0]), ["qkvae"]
    if processes.count > 1:
        machines = processes.count // processes.local_count
        start = ["torchrun", *(["--nnodes", str(machines)] if machines > 1 else [])]
        start += ["--nproc-per-node", str(processes.local_count), "-m", "qkvae"]
    if program.stem == "qkvae" or (program.name, program.parent.name) == ("__main__.py", "qkvae"):
        return shlex.join([*start, *sys.argv[1:]])
    words = [*start, "train", task, *config.data.paths]
    if config.data.valid:
        words += ["--valid", *config.data.valid]
    training = config.training
    words += ["--steps", str(training.steps)] if training.steps else ["--minutes", str(training.time_limit)]
    words += ["--from", str(base.path)] if base is not None else []
    return shlex.join([*words, "--out", str(out)])
