"""Charts as SVG text: they stand alone as files, in a page and in the documentation, without any script.

Colours tell series apart for the colour-blind too, dashes repeat what colour says, and light or dark follows
the reader's system.  Every chart carries its content as an ``aria-label``, and every value as a hover title.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files

from qkvae.inspect.axes import Scale, axis, short

WIDTH, HEIGHT = 480, 290
_COLOURS = 6  # --qk-0 to --qk-5; a seventh series begins again, with another dash
_DASHES = ("", "7 4", "2 4", "9 3 2 3")
_SPOTS = 120  # hover titles on a line: enough to find any place, few enough for a light page

Part = list[tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a chart: points ``(xs[i], ys[i])``; a value that is not finite leaves a gap.

    Raises:
        ValueError: there are more of one coordinate than of the other.
    """

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    marked: bool = False
    """Draw a dot on every point: for few, separate measurements."""

    joined: bool = True
    """Join the points by a line; without, they are dots that lie where they lie."""

    def __post_init__(self) -> None:
        if len(self.xs) != len(self.ys):
            raise ValueError(f'series "{self.name}" has {len(self.xs)} x values and {len(self.ys)} y values')

    def parts(self) -> list[Part]:
        """The runs of points between values that are not finite."""
        parts: list[Part] = [[]]
        for x, y in zip(self.xs, self.ys, strict=True):
            if math.isfinite(x) and math.isfinite(y):
                parts[-1].append((x, y))
            elif parts[-1]:
                parts.append([])
        return [part for part in parts if part]

    def summary(self) -> str:
        """Where the line begins and ends, for those who hear the chart."""
        points = [point for part in self.parts() for point in part]
        if not points:
            return f"{self.name}: nothing recorded"
        (x0, y0), (x1, y1) = points[0], points[-1]
        return f"{self.name}: {short(y0)} at {short(x0)} to {short(y1)} at {short(x1)}, {len(points)} points"


def line_chart(
    series: Sequence[Series],
    *,
    title: str,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    log_y: bool = False,
    zero: bool = False,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> str:
    """Points joined by lines, with a legend when there are several; with ``zero`` the y axis begins there.

    >>> loss = Series(name="loss", xs=[1, 2], ys=[3.0, 2.0])
    >>> chart = line_chart([loss], title="Loss", x_label="step", y_label="nats")
    >>> chart.startswith("<svg") and "loss, step 2: 2" in chart
    True

    Raises:
        ValueError: a logarithmic axis is given a value that is not above zero.
    """
    points = [point for line in series for part in line.parts() for point in part]
    keys = _legend([line.name for line in series], width) if len(series) > 1 else []
    top, bottom = 34 + 18 * len(keys), height - 44
    up = axis([y for _, y in points] + [0.0] * zero, bottom, top, log=log_y, air=0.06)
    left = 30 + 7.2 * max(len(short(tick)) for tick in up.ticks())
    across = axis([x for x, _ in points], left, width - 16, log=log_x)
    if not points:
        words = _text(width / 2, (top + bottom) / 2, "nothing recorded yet", "quiet", "middle")
        return _svg(width, height, title, f"{title}. Nothing recorded yet", [words])
    measured = sorted({x for x, _ in points})
    places = measured if log_x and len(measured) <= 8 else across.ticks()
    body = [*_frame(across, places, up, x_label, y_label), *_keys(keys)]
    for index, line in enumerate(series):
        body += _line(line, index, across, up, x_label)
    label = f"{title}. " + "; ".join(line.summary() for line in series)
    return _svg(width, height, title, label, body)


def bar_chart(bars: Sequence[tuple[str, float]], *, title: str, unit: str = "", width: int = WIDTH) -> str:
    """Horizontal bars from zero, one per name, each with its value written beside it.

    >>> "fast: 2.5 ms" in bar_chart([("fast", 2.5), ("slow", 5.0)], title="Time", unit="ms")
    True

    Raises:
        ValueError: a value is negative or not finite.
    """
    for name, value in bars:
        if not math.isfinite(value) or value < 0:
            raise ValueError(f'bar "{name}" of chart "{title}" is {value}, but must be a number from zero up')
    left = min(width * 0.45, 20 + 7.1 * max((len(name) for name, _ in bars), default=0))
    across = Scale(0, max((value for _, value in bars), default=0) or 1, left, width - 84)
    body: list[str] = []
    for index, (name, value) in enumerate(bars):
        y, words = 30 + 26 * index, f"{short(value)} {unit}".strip()
        body.append(_text(left - 8, y + 13, _clip(name, int((left - 20) / 6.9) + 1), "", "end"))
        long = max(across(value) - left, 1)
        body.append(
            f'<rect class="cell" x="{left:.1f}" y="{y}" width="{long:.1f}" height="18" rx="3" '
            f'fill="var(--qk-0)"><title>{_safe(f"{name}: {words}")}</title></rect>'
        )
        body.append(_text(across(value) + 7, y + 13, words, "quiet"))
    if not bars:
        body.append(_text(width / 2, 46, "nothing recorded yet", "quiet", "middle"))
    label = f"{title}. " + "; ".join(f"{name}: {short(value)} {unit}".strip() for name, value in bars)
    return _svg(width, 36 + 26 * max(len(bars), 1), title, label, body)


def heat_map(
    weights: Sequence[Sequence[float | None]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    row_label: str = "query",
    column_label: str = "key",
    width: int = WIDTH,
) -> str:
    """A matrix ``weights[row][column]``, the largest value in full colour; ``None`` (masked) is hatched.

    >>> "a → x: 0.25" in heat_map([[0.25, 0.75]], rows=["a"], columns=["x", "y"], title="Attention")
    True

    Raises:
        ValueError: the matrix is not of as many rows and columns as there are labels.
    """
    wrong = next((len(row) for row in weights if len(row) != len(columns)), None)
    if len(weights) != len(rows) or wrong is not None:
        size = len(columns) if wrong is None else wrong
        raise ValueError(
            f'heat map "{title}" has {len(weights)} rows of {size} values '
            f"for {len(rows)} row labels and {len(columns)} column labels"
        )
    row_room, column_room = (8 + 7.2 * min(max(map(len, names), default=0), 14) for names in (rows, columns))
    side = max(9.0, min(30.0, (width - row_room - 22) / max(len(columns), 1)))
    left, top = 18 + row_room, 46 + column_room
    most = max((w for row in weights for w in row if w is not None and math.isfinite(w)), default=0) or 1
    hatch = f"qk-hatch-{zlib.crc32(title.encode('utf-8', 'replace')):08x}"
    body = [
        f'<defs><pattern id="{hatch}" width="5" height="5" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><path class="axis" d="M0 0V5"/></pattern></defs>',
        _text(left, 36, f"{column_label} →", "quiet"),
        _text(13, top + side * len(rows) / 2, f"← {row_label}", "quiet", "middle", turned=True),
    ]
    for j, name in enumerate(columns):
        body.append(_text(left + side * (j + 0.5) + 4, top - 5, _clip(name, 14), turned=True))
    for i, name in enumerate(rows):
        body.append(_text(left - 6, top + side * (i + 0.5) + 4, _clip(name, 14), "", "end"))
        for j, weight in enumerate(weights[i]):
            words = f"{name} → {columns[j]}: {'masked' if weight is None else short(weight)}"
            body.append(_cell(left + side * j, top + side * i, side - 1, words, _shade(weight, most, hatch)))
    label = f"{title}: {len(rows)} rows ({row_label}) by {len(columns)} columns ({column_label})"
    wide, high = (math.ceil(value) for value in (left + side * len(columns) + 4, top + side * len(rows) + 4))
    return _svg(max(width, wide), high, title, label, body)


def visible(text: str) -> str:
    """Text that any page can hold: control characters as their pictures, half characters as damage.

    >>> visible("a\\tb")
    'a␉b'
    """
    return "".join(map(_visible, text))


@cache
def style() -> str:
    """The style that every chart carries."""
    return files("qkvae.inspect").joinpath("pages", "chart.css").read_text(encoding="utf-8")


def _visible(char: str) -> str:
    if char < " ":
        return chr(0x2400 + ord(char))
    return "\ufffd" if "\ud800" <= char <= "\udfff" or char in "\x7f\ufffe\uffff" else char


def _safe(text: str) -> str:
    return escape(visible(text))


def _svg(width: float, height: float, title: str, label: str, body: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="qk-chart" role="img" aria-label="{_safe(label)}" '
        f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"><style>{style()}</style>'
        f"{_text(0, 14, title, 'head')}{''.join(body)}</svg>"
    )


def _text(
    x: float, y: float, words: str, kind: str = "", anchor: str = "start", *, turned: bool = False
) -> str:
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}"{turn}>{_safe(words)}</text>'


def _clip(name: str, most: int) -> str:
    return name if len(name) <= most else name[: max(most - 1, 1)] + "…"


def _cell(x: float, y: float, side: float, words: str, shade: str) -> str:
    box = f'x="{x:.1f}" y="{y:.1f}" width="{side:.1f}" height="{side:.1f}" rx="1.5"'
    return f"<rect {box} {shade}><title>{_safe(words)}</title></rect>"


def _shade(weight: float | None, most: float, hatch: str) -> str:
    if weight is None or not math.isfinite(weight):
        return f'fill="url(#{hatch})"'
    return f'class="cell" fill="var(--qk-0)" fill-opacity="{0.06 + 0.94 * max(weight, 0) / most:.3g}"'


def _frame(across: Scale, places: Sequence[float], up: Scale, x_label: str, y_label: str) -> list[str]:
    left, right, bottom, top = across.start, across.end, up.start, up.end
    body = [f'<path class="axis" d="M{left} {bottom}H{right}"/>']
    for tick in up.ticks():
        y = up(tick)
        body.append(f'<path class="grid" d="M{left} {y:.1f}H{right}"/>')
        body.append(_text(left - 7, y + 4, short(tick), "quiet", "end"))
    for tick in places:
        x = across(tick)
        body.append(f'<path class="axis" d="M{x:.1f} {bottom}v5"/>')
        body.append(_text(x, bottom + 19, short(tick), "quiet", "middle"))
    body.append(_text((left + right) / 2, bottom + 38, x_label, "quiet", "middle"))
    body.append(_text(12, (top + bottom) / 2, y_label, "quiet", "middle", turned=True))
    return body


def _legend(names: Sequence[str], width: float) -> list[list[tuple[float, int, str]]]:
    """Rows of (x, number of the series, name), broken where the chart ends."""
    rows: list[list[tuple[float, int, str]]] = [[]]
    x = 40.0
    for index, name in enumerate(names):
        room = 46 + 7.1 * len(name)
        if rows[-1] and x + room > width:
            rows.append([])
            x = 40.0
        rows[-1].append((x, index, name))
        x += room
    return rows


def _keys(rows: list[list[tuple[float, int, str]]]) -> list[str]:
    body: list[str] = []
    for number, row in enumerate(rows):
        y = 32 + 18 * number
        for x, index, name in row:
            body.append(f'<path class="line" d="M{x:.1f} {y}h22" {_paint(index)}/>')
            body.append(_text(x + 28, y + 4, name))
    return body


def _paint(index: int) -> str:
    dash = _DASHES[index % len(_DASHES)]
    return f'stroke="var(--qk-{index % _COLOURS})"' + (f' stroke-dasharray="{dash}"' if dash else "")


def _line(line: Series, index: int, across: Scale, up: Scale, x_label: str) -> list[str]:
    body: list[str] = []
    for part in line.parts() if line.joined else ():
        path = "L".join(f"{across(x):.1f} {up(y):.1f}" for x, y in part)
        body.append(f'<path class="line" d="M{path}" {_paint(index)}/>')
    points = [point for part in line.parts() for point in part]
    colour = f'fill="var(--qk-{index % _COLOURS})"'
    if line.marked or not line.joined or len(points) == 1:
        body += [f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="3.2" {colour}/>' for x, y in points]
    for x, y in points[:: math.ceil(len(points) / _SPOTS) or 1]:
        title = _safe(f"{line.name}, {x_label} {short(x)}: {short(y)}")
        spot = f'<circle class="spot" cx="{across(x):.1f}" cy="{up(y):.1f}" r="6" {colour}>'
        body.append(f"{spot}<title>{title}</title></circle>")
    return body
