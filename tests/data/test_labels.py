"""Labels are decided from the training part: what they are is said, and what does not fit is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkvae.data.labelled import Label, Labelled
from qkvae.data.labels import Labels


def labelled(*labels: Label) -> Labelled:
    return Labelled([f"text {n}" for n in range(len(labels))], list(labels), files=("a.tsv",))


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["yes", "no", "yes"], "one"),
        (["1", "0", "10", "2"], "one"),
        (["1", "0.5", "3"], "number"),
        ([str(n) for n in range(60)], "number"),
        (["1", "2.5", "n/a"], "one"),
        ([("a",), ("a", "b"), ()], "several"),
        (["nan", "1.5", "1.5"], "one"),
    ],
)
def test_what_labels_are_is_inferred_and_said(labels: list[Label], kind: str) -> None:
    found = Labels.decide(labelled(*labels))
    assert found.kind == kind
    assert found.notes[0].kind == "label kind"
    assert found.notes[0].count == len(labels)
    asked = Labels.decide(labelled(*labels), found.kind)
    assert "label kind" not in [note.kind for note in asked.notes]


def test_classes_are_in_order_and_lonely_ones_are_said() -> None:
    found = Labels.decide(labelled("10", "9", "10", "b", "a", "b", "a"))
    assert found.names == ("9", "10", "a", "b")
    assert found.counts == (1, 2, 2, 2)
    assert str(found.notes[1]) == "1 label was met in one example only (9)"


def test_encode() -> None:
    one = Labels.decide(labelled("b", "a", "b"))
    assert one.encode(labelled("a", "b", ("a",))).tolist() == [0, 1, 0]
    several = Labels.decide(labelled(("b", "a"), ("b",), ()))
    assert several.encode(labelled((), ("a", "b"), "b")).tolist() == [[0, 0], [1, 1], [0, 1]]
    number = Labels.decide(labelled("1.5", "2.5"))
    assert number.encode(labelled("4")).tolist() == [4.0]
    assert (number.mean, number.scale) == (2.0, 0.5)


def test_weights_make_classes_weigh_the_same() -> None:
    one = Labels.decide(labelled(*["a"] * 9, *["b"] * 3))
    weights = one.weights()
    classes = one.encode(labelled(*["a"] * 9, *["b"] * 3))
    sums = [float(weights[each] * (classes == each).sum()) for each in range(2)]
    assert sums == pytest.approx([6, 6])
    several = Labels.decide(labelled(("a",), ("a",), ("a", "b"), ()))
    assert several.weights().tolist() == pytest.approx([1 / 3, 3])
    with pytest.raises(ValueError, match="no effect on labels that are numbers"):
        Labels.decide(labelled("1.5", "2")).weights()


@pytest.mark.parametrize(
    ("train", "kind", "part", "message"),
    [
        (
            ("a", "b"),
            None,
            ("a", "bb"),
            'a.tsv: line 2: the label "bb" is not among the 2 classes of the training part',
        ),
        (("1.5", "2"), None, ("1", "x"), 'a.tsv: line 2: the label "x" is no finite number'),
        (("a", "b"), "one", (("a", "b"),), "line 1: there are 2 labels, but each example must have one"),
    ],
)
def test_labels_that_do_not_fit(
    train: tuple[Label, ...], kind: str | None, part: tuple[Label, ...], message: str
) -> None:
    labels = Labels.decide(labelled(*train), kind)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        labels.encode(labelled(*part))


@pytest.mark.parametrize(
    ("train", "kind", "message"),
    [
        (("a", "a"), None, 'the only label of all 2 training examples is "a"'),
        (
            [str(n) + "x" for n in range(50)],
            None,
            "50 different labels for 50 training examples: is it the right column?",
        ),
        (("1.5", "1.5"), None, "all 2 labels are 1.5"),
        (("1.5", "inf"), "number", 'line 2: the label "inf" is no finite number'),
        (((), ()), None, "not one of the 2 training examples has a label"),
    ],
)
def test_labels_that_teach_nothing(train: list[Label], kind: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        Labels.decide(labelled(*train), kind)  # type: ignore[arg-type]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=50).filter(lambda names: len(set(names)) > 1)
)
def test_saved_labels_are_the_same(names: list[str]) -> None:
    part = labelled(*names)
    labels = Labels.decide(part, "one")
    again = Labels.from_dict(json.loads(json.dumps(labels.to_dict())))
    assert [again.names[place] for place in np.asarray(again.encode(part)).astype(int)] == names
    assert again.weights().tolist() == labels.weights().tolist()
    with pytest.raises(ValueError, match="saved labels lack or add scale"):
        Labels.from_dict({key: value for key, value in labels.to_dict().items() if key != "scale"})
