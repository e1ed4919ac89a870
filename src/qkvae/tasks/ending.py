"""The pages that a finished run leaves behind, report and model card: the same for every task."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qkvae.config import to_dict
from qkvae.config.names import as_typed, many
from qkvae.inspect.report import ReportFacts, write_report
from qkvae.inspect.sections import Section
from qkvae.run import Facts, Figure, Run, Source, write_card
from qkvae.tasks import find_task
from qkvae.train.progress import Reporter


@dataclass(frozen=True, kw_only=True)
class Ending:
    """What a task says of a finished run beyond what its folder knows."""

    shown: Mapping[str, Any]
    """Headline figures of the report, in their order."""

    sections: Sequence[Section]
    """What the report has to show."""

    does: str
    """What the model does, as the beginning of a sentence."""

    example: str
    """An input to try it with."""

    limits: tuple[str, ...]
    """What must be known before it is relied on, a sentence each."""

    split: str
    """How the validation part was set aside where none was given."""

    examples: tuple[int, int]
    """Examples of the training and of the validation part."""

    parameters: int
    """Numbers learned; tied weights count once."""

    figures: Mapping[str, float]
    """What was measured, for the card."""

    where: str
    """On what it was measured."""

    loss_unit: str = "nats"
    """What the loss is counted in."""


def tell_figures(
    run: Run, reporter: Reporter, found: Mapping[str, float], count: int, noun: str
) -> dict[str, Any]:
    """Say and log what the kept weights are worth on so many validation examples; the report's headline."""
    shown = {name: round(value, 4) for name, value in found.items()} | {f"{noun}s": count}
    figures = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
    reporter.say(f"the weights kept, on {many(count, f'validation {noun}')}: {figures}")
    run.log({"event": "final", **shown})
    return shown


def write_pages(run: Run, ending: Ending) -> None:
    """Write ``report.html`` and then the model card, with which a run is finished.

    Raises:
        StorageError, OSError: the disk refused.
    """
    facts = ReportFacts(
        title=f"{run.task}: {run.path.name}",
        command=run.resolved["command"],
        config=to_dict(run.config) | {"resolved": run.resolved},
        records=[record for record in run.records() if "event" not in record],
        figures=ending.shown,
        sections=ending.sections,
        passport=run.passport,
        loss_unit=ending.loss_unit,
    )
    write_report(facts, run.path / "report.html")
    write_card(run, _card(run, ending))


def _card(run: Run, ending: Ending) -> Facts:
    data = run.config.data
    eval_again = f"qkvae eval {as_typed(run.path)} {shlex.join(data.valid)}"
    measured = eval_again if data.valid else "measured while training"
    names = (
        " and ".join(data.paths) or f"embedded default: {find_task(run.task).embedded}",
        " and ".join(data.valid) or ending.split,
    )
    return Facts(
        does=ending.does,
        example=ending.example,
        limits=ending.limits,
        sources=tuple(
            Source(role=role, name=name, examples=count)
            for role, name, count in zip(("training", "validation"), names, ending.examples, strict=True)
        ),
        parameters=ending.parameters,
        command=run.resolved["command"],
        figures=tuple(
            Figure(name=name, value=value, data=ending.where, command=measured)
            for name, value in ending.figures.items()
        ),
        licence=run.resolved["licence"],
    )
