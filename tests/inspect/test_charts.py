"""Charts: well-formed, true to their numbers, and safe whatever a label holds."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkvae.inspect.axes import Scale, axis, short
from qkvae.inspect.charts import Series, bar_chart, heat_map, line_chart, visible

NS = "{http://www.w3.org/2000/svg}"
labels = st.text(max_size=12)
numbers = st.floats(allow_nan=True, allow_infinity=True, width=32)


def titles(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{NS}title")]


def line(xs: list[float], ys: list[float], **axes: bool) -> str:
    series = [Series(name="a", xs=xs, ys=ys), Series(name="b", xs=xs, ys=ys)]
    return line_chart(series, title="T", x_label="x", y_label="y", **axes)


@given(st.lists(st.tuples(numbers, numbers), max_size=20), labels)
def test_any_numbers_give_well_formed_charts(points: list[tuple[float, float]], label: str) -> None:
    series = Series(name=label, xs=[x for x, _ in points], ys=[y for _, y in points], marked=True)
    svg = line_chart([series], title=label, x_label=label, y_label=label)
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label")
    assert "nan" not in re.sub(r"<title>.*?</title>|<text.*?</text>|aria-label=\"[^\"]*\"", "", svg)


@given(st.lists(st.lists(st.one_of(st.none(), numbers), min_size=2, max_size=2), max_size=4), labels)
def test_any_matrix_gives_a_well_formed_heat_map(weights: list[list[float | None]], label: str) -> None:
    svg = heat_map(weights, rows=[label] * len(weights), columns=[label, "b"], title=label)
    assert len(titles(svg)) == 2 * len(weights)


@given(st.floats(1e-6, 1e6), st.floats(1.001, 1e9), st.booleans())
def test_ticks_are_few_increasing_and_inside(low: float, factor: float, log: bool) -> None:
    ticks = Scale(low, low * factor, 0, 100, log).ticks()
    assert 1 <= len(ticks) <= 9
    assert ticks == sorted(set(ticks))
    assert all(low * 0.998 <= tick <= low * factor * 1.002 for tick in ticks)


def test_points_lie_where_the_scale_puts_them() -> None:
    root = ElementTree.fromstring(line([0, 5, 10], [0, 0, 1]))
    across = [float(c.get("cx", "nan")) for c in root.iter(f"{NS}circle")][:3]
    assert across[1] == pytest.approx((across[0] + across[2]) / 2)
    heights = [float(c.get("cy", "nan")) for c in root.iter(f"{NS}circle")][:3]
    assert heights[0] == heights[1] > heights[2]


def test_equal_factors_take_equal_room_on_a_logarithmic_axis() -> None:
    scale = axis([1, 100], 0, 200, log=True)
    assert scale(10) == pytest.approx(100)


def test_a_gap_is_left_where_a_value_is_not_finite() -> None:
    one, two = line([1, 2, 3, 4], [1, 2, 3, 4]), line([1, 2, 3, 4], [1, math.nan, 3, 4])
    assert two.count('class="line"') == one.count('class="line"') + 2  # one more piece of each of two series


def test_hover_titles_hold_the_numbers() -> None:
    assert "b, x 2: 0.5" in titles(line([1, 2], [1.0, 0.5]))
    matrix = heat_map([[0.25, None]], rows=["q"], columns=["k", "l"], title="T")
    assert titles(matrix) == ["q → k: 0.25", "q → l: masked"]
    assert "fast: 3 ms" in titles(bar_chart([("fast", 3.0)], title="T", unit="ms"))


def test_labels_are_never_markup() -> None:
    bad = '"><script>alert(1)</script>'
    charts = [
        line_chart([Series(name=bad, xs=[1], ys=[1])], title=bad, x_label=bad, y_label=bad),
        bar_chart([(bad, 1)], title=bad, unit=bad),
        heat_map([[1.0]], rows=[bad], columns=[bad], title=bad, row_label=bad, column_label=bad),
    ]
    for svg in charts:
        assert "<script" not in svg
        ElementTree.fromstring(svg)


def test_nothing_recorded_is_said() -> None:
    assert "nothing recorded yet" in line_chart([], title="T", x_label="x", y_label="y")
    assert "nothing recorded yet" in line([math.nan], [1.0])
    assert "nothing recorded yet" in bar_chart([], title="T")


def test_what_cannot_be_drawn_is_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match="2 x values and 1 y values"):
        Series(name="a", xs=[1, 2], ys=[1])
    with pytest.raises(ValueError, match=r"given -1, but holds values above 0"):
        line([-1, 2], [1, 1], log_x=True)
    with pytest.raises(ValueError, match='bar "x" of chart "T" is -1'):
        bar_chart([("x", -1)], title="T")
    with pytest.raises(ValueError, match="1 rows of 3 values for 1 row labels and 2 column labels"):
        heat_map([[1, 2, 3]], rows=["a"], columns=["b", "c"], title="T")


def test_many_series_are_told_apart() -> None:
    many = [Series(name=f"s{i}", xs=[0, 1], ys=[i, i]) for i in range(12)]
    svg = line_chart(many, title="T", x_label="x", y_label="y")
    looks = set(re.findall(r'class="line" d="[^"]*h22" ([^/]*)/', svg))
    assert len(looks) == 12


def test_short_numbers_and_visible_text() -> None:
    assert [short(x) for x in (1e20, -12345.678, 0.000123456)] == ["1e20", "-12.35k", "1.235e-4"]
    assert visible("a\x00\ud800") == "a␀\ufffd"
