"""report.html: what a training did, on one page that stands alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from markupsafe import Markup

from qkvae import __version__
from qkvae.config.names import many
from qkvae.inspect import page
from qkvae.inspect.charts import Series, line_chart
from qkvae.inspect.sections import Section

Record = Mapping[str, Any]
POINTS = 200
"""Points of a curve at most; more records than that are averaged in groups, and the report says so."""


@dataclass(frozen=True, kw_only=True)
class ReportFacts:
    """Everything the report says.  Only title, command and config must be known; the rest may be empty."""

    title: str
    """What was trained, in a few words."""

    command: str
    """The command that trains it again."""

    config: Mapping[str, Any]
    """Every setting, nested as ``config.to_dict`` gives them."""

    records: Sequence[Record] = ()
    """The lines of metrics.jsonl: ``step, seconds`` with ``loss, lr`` and the speed (training) or what
    the task validates by; what a record lacks is left out of its curve."""

    figures: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Headline figures, in the order they are shown."""

    sections: Sequence[Section] = ()
    """What the task has to show: examples, tables, pictures."""

    passport: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The data: files, counts, notes from reading, fingerprint, what was cut; nested as it likes."""

    loss_unit: str = "nats"
    """What the loss is counted in."""


def write_report(facts: ReportFacts, path: Path | str) -> Path:
    """Write the report; it needs no network, no other file and no script.

    Raises:
        OSError: the file cannot be written.
    """
    return page.write_page(path, report(facts))


def report(facts: ReportFacts) -> str:
    """The page as text.

    >>> "<h1>dates</h1>" in report(ReportFacts(title="dates", command="qkvae train translation", config={}))
    True
    """
    return page.render(
        "report.html.j2",
        {
            "title": facts.title,
            "css": page.part("base.css", "report.css"),
            "figures": facts.figures,
            "charts": _charts(facts.records, facts.loss_unit),
            "sections": facts.sections,
            "passport": facts.passport,
            "command": facts.command,
            "settings": _groups(facts.config),
            "version": __version__,
        },
    )


_COUNTED = ("tokens", "hidden tokens", "texts", "windows", "pairs", "pictures", "signals", "clips", "rows")
"""What trainings learn from."""

_CURVES: tuple[tuple[str, str | None, tuple[tuple[str, str], ...]], ...] = (
    (
        "Loss",
        None,
        (("loss", "training"), ("valid_loss", "validation"), ("valid_nll", "validation, −ln p alone")),
    ),
    (
        "Both terms of the bound, on the validation part",
        "nats",
        (("distortion", "distortion, −ln p(x | z)"), ("kl", "KL of the latents")),
    ),
    ("Active latents", "latents", (("active_units", "active latents"),)),
    ("Codes in use", "codes", (("codes_used", "used at all"), ("code_perplexity", "as many, used alike"))),
    ("BLEU on the validation part", "BLEU", (("bleu", "BLEU"),)),
    (
        "Right on the validation part",
        "fraction",
        (
            ("accuracy", "accuracy"),
            ("macro_f1", "macro F1"),
            ("exact_match", "exact match"),
            ("f1", "F1"),
            ("retrieval_accuracy", "partners found"),
            ("pearson", "Pearson correlation"),
            ("spearman", "Spearman correlation"),
        ),
    ),
    ("Bits per byte on the validation part", "bits per byte", (("bits_per_byte", "bits per byte"),)),
    ("Perplexity on the validation part", "perplexity", (("perplexity", "perplexity"),)),
    ("Learning rate", "learning rate", (("lr", "learning rate"),)),
    ("Speed", "per second", tuple((f"{what}_per_second".replace(" ", "_"), what) for what in _COUNTED)),
)
"""Title, unit (that of the loss if None), and keys of the records with the names of their lines; one without
records is left out."""


def _charts(records: Sequence[Record], loss_unit: str) -> dict[str, Any]:
    most = max((len(_points(records, key, _step)) for *_, lines in _CURVES for key, _ in lines), default=0)
    group = math.ceil(most / POINTS)
    seconds = [float(record["seconds"]) for record in records if "seconds" in record]
    last = max((int(record["step"]) for record in records if "step" in record), default=0)
    note = many(last, "step") + (f" in {_lasting(max(seconds))}" if seconds else "") + "."
    if group > 1:
        note += f" Where there are more than {POINTS} records, a point is the mean of {group}."
    return {
        "note": note,
        "step": _set(records, _step, "step", loss_unit),
        "minute": _set(records, _minute, "minute", loss_unit) if seconds else [],
    }


def _lasting(seconds: float) -> str:
    """How long something was done.

    >>> _lasting(0.2), _lasting(40.3), _lasting(200), _lasting(3610)
    ('1 second', '40 seconds', '3.3 minutes', '60 minutes')
    """
    if seconds < 90:
        return many(max(1, round(seconds)), "second")
    minutes = seconds / 60
    return f"{minutes:.2g} minutes" if minutes < 10 else many(round(minutes), "minute")


def _set(
    records: Sequence[Record], place: Callable[[Record], float | None], x_label: str, loss_unit: str
) -> list[Markup]:
    charts: list[Markup] = []
    for title, unit, lines in _CURVES:
        unit = unit or loss_unit
        series: list[Series] = []
        for key, name in lines:
            points = _thin(_points(records, key, place))
            if points:
                xs, ys = [x for x, _ in points], [y for _, y in points]
                series.append(Series(name=name, xs=xs, ys=ys, marked=len(points) <= 30))
        if series:
            zero, log = (
                unit in ("BLEU", "fraction", "per second"),
                unit == "perplexity" and _above_zero(series),
            )
            charts.append(
                Markup(line_chart(series, title=title, x_label=x_label, y_label=unit, zero=zero, log_y=log))
            )
    return charts


def _above_zero(series: list[Series]) -> bool:
    return all(y > 0 for line in series for y in line.ys if math.isfinite(y))


def _step(record: Record) -> float | None:
    return record.get("step")


def _minute(record: Record) -> float | None:
    seconds = record.get("seconds")
    return None if seconds is None else seconds / 60


def _points(
    records: Sequence[Record], key: str, place: Callable[[Record], float | None]
) -> list[tuple[float, float]]:
    """What the records say under a key, in the order of their places; null is NaN, and a gap in the curve."""
    points: list[tuple[float, float]] = []
    for record in records:
        x = place(record)
        if x is not None and key in record:
            value = record[key]
            points.append((float(x), math.nan if value is None else float(value)))
    return sorted(points, key=lambda point: point[0])


def _thin(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    group = math.ceil(len(points) / POINTS)
    if group <= 1:
        return points
    parts = [points[start : start + group] for start in range(0, len(points), group)]
    return [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in parts]


def _groups(config: Mapping[str, Any], prefix: str = "") -> list[dict[str, Any]]:
    """Settings under the names of their groups, which dots join as on the command line."""
    own: list[tuple[str, Any]] = []
    groups: list[dict[str, Any]] = []
    for name, value in config.items():
        if isinstance(value, Mapping):
            groups += _groups(cast("Mapping[str, Any]", value), f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            items = cast("Sequence[object]", value)
            own.append((name, " ".join(map(str, items)) or None))
        else:
            own.append((name, value))
    return [{"name": prefix.rstrip(".") or "run", "rows": own}, *groups] if own else groups
