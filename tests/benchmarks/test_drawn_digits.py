"""Whether what a run draws is recognised: what is counted, told, and drawn of each label."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from qkvae.data.pictures import Pictures

FOLDER = Path(__file__).parents[2] / "benchmarks"
NAMES = ("cat", "dog", "fox")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    import drawn_digits

    return drawn_digits


class Drawing:
    """Draws a picture whose brightness is its label, or its place."""

    labels: Any = SimpleNamespace(names=NAMES)

    def drawn(self, count: int, labels: Tensor | None, exactly: bool, seed: int) -> Tensor:
        shade = torch.arange(count) if labels is None else labels
        return (shade / 4).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)


class Judge:
    """Takes dark pictures for cats, brighter ones for dogs and foxes; of foxes it is not sure."""

    form: Any = SimpleNamespace(white=255.0)
    labels: Any = SimpleNamespace(names=NAMES)

    def read(self, pictures: Pictures) -> Tensor:
        which = (torch.from_numpy(pictures.values[:, 0, 0, 0].copy()).float() / 255 * 4).round().long()
        sure = torch.tensor([9.0, 9.0, 1.0])[which]
        return torch.nn.functional.one_hot(which, 3) * sure[:, None]


def test_samples_of_each_label_are_recognised_as_it_or_not(
    script: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures, labels = script.draw(SimpleNamespace(answerer=Drawing()), 12, True, 1)
    assert labels == [name for name in NAMES for _ in range(4)]
    found = script.judged(SimpleNamespace(answerer=Judge()), pictures)
    assert found.counts() == {"cat": 4, "dog": 4, "fox": 0}
    script.tell(found, ["cat"] * 4 + ["dog"] * 3 + ["cat"] + ["fox"] * 4)
    said = capsys.readouterr().out
    assert "recognised with p >= 0.9: 66.7%" in said
    assert "as cat: 4, dog: 4, fox: 0" in said
    assert "recognised as the label asked for: 91.7%" in said
    assert "cat: 80.0% of 5" in said


def test_without_labels_nothing_is_asked_for(script: Any, capsys: pytest.CaptureFixture[str]) -> None:
    bare = Drawing()
    bare.labels = None
    pictures, labels = script.draw(SimpleNamespace(answerer=bare), 3, False, 1)
    assert labels is None
    script.tell(script.judged(SimpleNamespace(answerer=Judge()), pictures), labels)
    assert "asked for" not in capsys.readouterr().out
    with pytest.raises(SystemExit, match="leave --like out"):
        script.draw(SimpleNamespace(answerer=bare, path="runs/some"), 3, True, 1)
    with pytest.raises(SystemExit, match="leave --top-p out"):
        script.draw(SimpleNamespace(answerer=bare, path="runs/some"), 3, False, 1, 0.9)


def test_a_judge_without_data_to_learn_from_is_refused(script: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="give --real"):
        script.learn(str(tmp_path / "judge"), [], 1.0)
