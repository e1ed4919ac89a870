"""The model card: what a stranger must know before using a run, written from the run's own facts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from qkvae.config.names import as_typed
from qkvae.run.folder import Run

CARD = "README.md"
_SAME = [
    "translation",
    "text-generation",
    "fill-mask",
    "text-classification",
    "question-answering",
    "feature-extraction",
    "image-classification",
    "video-classification",
]
_PIPELINES = {name: name for name in _SAME} | {"image-generation": "unconditional-image-generation"}
"""The hub's pipeline of each task that has one."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One part of the data."""

    role: str
    """What it was used for: training or validation."""

    name: str
    """Its name or file names, as the user gave them."""

    examples: int
    """How many examples of it were used."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One thing measured."""

    name: str
    """The metric's standard name."""

    value: float
    """What was measured: a fraction, or 0 to 100 for BLEU and chrF."""

    data: str
    """On what."""

    command: str
    """The command that measures it again."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the card says beyond what the run folder knows."""

    does: str
    """What the model does, as the beginning of a sentence."""

    example: str
    """An input to try it with."""

    limits: tuple[str, ...]
    """What must be known before it is relied on, a sentence each."""

    sources: tuple[Source, ...]
    """The data, part by part."""

    parameters: int
    """Numbers learned; tied weights count once."""

    command: str
    """The command that trained the run."""

    figures: tuple[Figure, ...] = ()
    """What was measured."""

    licence: str | None = None
    """The data's licence in the user's words, if they gave it."""


def write_card(run: Run, facts: Facts) -> None:
    """Write the run's ``README.md``.

    Raises:
        StorageError: the disk refused.
    """
    run.save_text(CARD, model_card(run, facts))


def model_card(run: Run, facts: Facts) -> str:
    """The card in Markdown, headed by the metadata that model hubs read.

    >>> import tempfile
    >>> from qkvae.config import Translation
    >>> run = Run.create(tempfile.mkdtemp(), "translation", Translation())
    >>> source = Source(role="training", name="train.en", examples=3)
    >>> facts = Facts(
    ...     does="Translates", example="Hello.", limits=("It errs.",), sources=(source,), parameters=9,
    ...     command="qkvae train translation",
    ... )
    >>> card = model_card(run, facts)
    >>> "| training | train.en | 3 |" in card, "Licence of the data: not stated" in card
    (True, True)
    """
    family = type(run.config.model).__name__
    return f"""---
library_name: qkvae{_tag(run.task)}
---
# {run.path.resolve().name}

{facts.does}: {"an" if family[0] in "AEIOU" else "a"} {family} Transformer of {facts.parameters:,} parameters.
Trained with qkvae {run.version}{_begun(run)}.

## Data
| part | name | examples |
|---|---|---|
{_rows((source.role, source.name, f"{source.examples:,}") for source in facts.sources)}

Licence of the data: {facts.licence or "not stated"}.

## Figures
{_figures(facts.figures)}

## Use
```
echo "{facts.example}" | qkvae use {as_typed(run.path)}
```
```python
import qkvae

run = qkvae.load({run.path.as_posix()!r})
print(run.use({facts.example!r}))
```

## How it was trained
```
{facts.command}
```
`config.json` holds every setting, `metrics.jsonl` every measurement, `report.html` the curves and pictures.

## Limits
{chr(10).join(f"- {limit}" for limit in facts.limits)}
"""


def _begun(run: Run) -> str:
    """Of which model the weights are a continuation."""
    base = run.resolved.get("from")
    return f", beginning with {base['what']}, {base['path']} (sha256 {base['sha256'][:12]})" if base else ""


def _figures(figures: tuple[Figure, ...]) -> str:
    if not figures:
        return "Nothing has been measured yet."
    rows = _rows(
        (figure.name, f"{figure.value:.4g}", figure.data, f"`{figure.command}`") for figure in figures
    )
    return f"| metric | value | on | measured by |\n|---|---|---|---|\n{rows}"


def _rows(rows: Iterable[tuple[str, ...]]) -> str:
    """Lines of a Markdown table; a bar or line break inside a cell would end it."""
    cells = (" | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows)
    return "\n".join(f"| {line} |" for line in cells)


def _tag(task: str) -> str:
    """The line that names the hub's pipeline, if it has one."""
    return f"\npipeline_tag: {_PIPELINES[task]}" if task in _PIPELINES else ""
