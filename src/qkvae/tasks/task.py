"""What a task gives the verbs.  Nothing outside its folder asks for a task's name to decide what to do."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from qkvae.data.tokenizer import Tokenizer
from qkvae.run import Run

if TYPE_CHECKING:  # what only training needs is not imported by those who use a run
    from qkvae.data.findings import Report
    from qkvae.train.objective import Objective
    from qkvae.train.progress import Reporter


@runtime_checkable
class Answer(Protocol):
    """What a run answered to one input."""

    @property
    def text(self) -> str:
        """The best answer."""
        ...

    @property
    def cut(self) -> bool:
        """Whether anything of input or answer was cut."""
        ...

    def record(self) -> dict[str, Any]:
        """What is printed as JSON."""
        ...


@runtime_checkable
class Answerer(Protocol):
    """A trained run that answers."""

    @property
    def model(self) -> Any:
        """What answers, a plain `torch.nn.Module`."""
        ...

    def stream(self, inputs: Iterable[str], settings: Any | None = None) -> Iterator[Answer]:
        """An answer to each input, in their order; settings as in the config's ``generation``."""
        ...

    def lines(self, answer: Any, number: int, settings: Any | None = None) -> list[str]:
        """What is printed for the answer to input ``number``."""
        ...

    def said_of_cuts(self, answers: Iterable[Any]) -> str | None:
        """What a person must be told if anything was cut, in one line."""
        ...


@runtime_checkable
class Speaker(Answerer, Protocol):
    """One whose answers can be read while they are written."""

    @property
    def in_turn(self) -> bool:
        """Whether an input follows from those before it, so that each is answered before the next is read."""
        ...

    def speak(
        self, inputs: Iterable[str], settings: Any | None = None
    ) -> Iterator[Generator[str, None, Answer]]:
        """To each input what a reader is shown, piece by piece, and at last the answer."""
        ...


@runtime_checkable
class Corpus(Protocol):
    """The user's data, read and split."""

    @property
    def fingerprint(self) -> str:
        """Changes with any example."""
        ...

    @property
    def notes(self) -> list[str]:
        """What was handled while it was read."""
        ...

    @property
    def passport(self) -> dict[str, Any]:
        """What the run folder says of the data."""
        ...


@runtime_checkable
class Task(Protocol):
    """One task, verb by verb.

    A config is the task's class in `qkvae.config`, ``data`` its part that says where the examples are.  Each
    task has its own classes for what is Any here, and whoever calls hands them on unopened.
    """

    name: str

    def read(self, config: Any, reporter: Reporter) -> Any:
        """The `Corpus` that the settings name."""
        ...

    def learn(self, config: Any, corpus: Any, reporter: Reporter) -> Tokenizer | None:
        """What turns examples into numbers, learned from the training part only."""
        ...

    def filled(self, config: Any, corpus: Any, tokenizer: Any) -> Any:
        """The config with every value that comes from the data (law 9)."""
        ...

    def encode(self, config: Any, corpus: Any, tokenizer: Any, reporter: Reporter) -> Any:
        """The examples as numbers; what is left out is said."""
        ...

    def summary(self, corpus: Any, tokenizer: Any) -> str:
        """How much there is to learn from, in a few words."""
        ...

    def objective(self, config: Any, model: Any, tokenizer: Any, examples: Any) -> Objective:
        """What the loop trains."""
        ...

    def finish(self, run: Run, examples: Any, reporter: Reporter, seconds: float | None) -> None:
        """Judge the weights that the run keeps within about so many seconds, and write what people read."""
        ...

    def answerer(self, run: Run) -> Answerer:
        """The run, ready to answer."""
        ...

    def evaluate(self, answerer: Any, config: Any, data: Any) -> dict[str, Any]:
        """Every figure on examples with known answers; ``notes``: what was handled in reading them."""
        ...

    def compare(self, first: Any, second: Any, data: Any) -> dict[str, Any]:
        """Two runs on the same examples, and whether one is better."""
        ...

    def look(self, answerer: Any, text: str, path: Path, name: str) -> Path:
        """Write one page that shows what goes on inside while this input is answered."""
        ...

    def check(self, data: Any) -> Report:
        """What is doubtful in the data."""
        ...


def settled(run: Run) -> Any:
    """A run's config, with the settings of ``generation`` that were chosen on its validation data."""
    chosen: dict[str, Any] = run.resolved.get("generation", {})
    return replace(run.config, generation=replace(run.config.generation, **chosen)) if chosen else run.config
