"""What a task gives the verbs.  Nothing outside its folder asks for a task's name to decide what to do."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from qkvae.run import Run
from qkvae.tasks.corpus import FEWEST

if TYPE_CHECKING:  # what only training needs is not imported by those who use a run
    from qkvae.data.findings import Report
    from qkvae.data.tokenizer import Tokenizer
    from qkvae.inspect.sections import Section
    from qkvae.tasks.corpus import Corpus, Part, Tell
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
class Page(Protocol):
    """What goes on inside while an input is answered."""

    def write(self, path: Path) -> Path:
        """Write one self-contained page that shows it."""
        ...


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What somebody wants to see of where a model looked."""

    class_name: str | None = None
    """The class that the maps are for; the one told if not given."""

    block: int | None = None
    """The block that Grad-CAM is taken from, counted from 1; the last if not given."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One task: a record of what its folder holds.  What all tasks do alike with it are the methods.

    A config is the task's class in `qkvae.config`, ``data`` its part that says where the examples are.  Each
    task has its own classes for what is Any here, and whoever calls hands them on unopened.
    """

    name: str

    embedded: str
    """What is learned from where no DATA are given, in a few words."""

    corpus: Callable[[Any, int], Corpus[Any]]
    """From ``data`` and a seed: the examples that the settings name, or the embedded default, split."""

    examples: Callable[[Any, Sequence[str], Any, int], Part]
    """From ``data``, paths, the ``data`` of the run that is measured (None if there is none) and the fewest
    examples that will do: those of these paths."""

    learn: Callable[[Any, Any, Tell], Tokenizer | None] | None = None
    """From the training part and ``data``: what turns text into numbers; None where there is no text, or
    where what is given holds none."""

    specials: Callable[[Any], tuple[str, ...]] = lambda data: ()
    """From ``data``: the special tokens that the task needs beside those that every tokenizer has."""

    filled: Callable[[Any, Any, Any], Any]
    """From config, corpus and tokenizer: the config with every value that comes from the data (law 9)."""

    encode: Callable[[Any, Any, Any, Reporter], Any]
    """From config, corpus and tokenizer: the examples as numbers; what is left out is said."""

    summary: Callable[[Any], str]
    """From the corpus: how much there is to learn from, in a few words."""

    objective: Callable[[Any, Any, Any, Any], Objective]
    """From model, tokenizer, encoded examples and config: what the loop trains."""

    finish: Callable[[Run, Any, Reporter, float | None], None]
    """From run and encoded examples: judge the weights that the run keeps within about so many seconds, and
    write what people read."""

    figures: Callable[[Any, Any, Any], dict[str, Any]]
    """From answerer, examples and config: every figure on examples with known answers."""

    shown: Callable[[Any, Any, Any], tuple[dict[str, Any], Sequence[Section]]] | None = None
    """As ``figures``, with the sections of a page that shows them; None where there is nothing to show."""

    better: Callable[[Any, Any, Any], dict[str, Any]]
    """From two answerers and examples, or both of ``readings``: their figures, and whether one is better."""

    readings: Callable[[Any, Any, Any], tuple[Part, Part]] | None = None
    """From ``data`` and the ``data`` of two runs: the examples as each of them reads them; None where both
    are given what the first one reads."""

    look: Callable[[Any, str, str], Page]
    """From answerer, an input and the run's name: what goes on inside while the input is answered."""

    aimed: Callable[[Any, str, str, Aim], Page] | None = None
    """As ``look``, for a class or a block that was chosen; None where there are none to choose from."""

    doubts: Callable[[Any, Any, Any], Report]
    """From training examples, held-out ones (or None) and ``data``: what is doubtful in them."""

    def read(self, config: Any, reporter: Reporter) -> Corpus[Any]:
        """The examples that the settings name."""
        paths = (*config.data.paths, *config.data.valid)
        reporter.say(f"reading {', '.join(paths) or f'the embedded default: {self.embedded}'}")
        return self.corpus(config.data, config.training.seed)

    def evaluate(self, answerer: Any, config: Any, data: Any) -> dict[str, Any]:
        """Every figure on examples with known answers; ``notes``: what was handled in reading them."""
        examples = self.examples(data, data.paths, config.data, 1)
        return {**self.figures(answerer, examples, config), "notes": _notes(examples)}

    def measured(self, answerer: Any, config: Any, data: Any, run: str) -> tuple[dict[str, Any], Page]:
        """The same figures, and a page that shows them.

        Raises:
            ValueError: this task has no such page.
        """
        from qkvae.inspect.sections_page import SectionsPage

        if self.shown is None:
            raise ValueError(f"a measurement of a run of {self.name} has no page: leave --report out")
        examples = self.examples(data, data.paths, config.data, 1)
        found, sections = self.shown(answerer, examples, config)
        title = " and ".join(map(str, data.paths))
        note = ", ".join(_told(name, each) for name, each in found.items() if isinstance(each, int | float))
        page = SectionsPage(run=run, title=title, note=note, sections=sections, verb="eval")
        return {**found, "notes": _notes(examples)}, page

    def compare(self, first: Any, second: Any, configs: tuple[Any, Any], data: Any) -> dict[str, Any]:
        """Two runs of these configs on the same examples, and whether one is better."""
        one, other = configs
        if self.readings is None:
            examples = self.examples(data, data.paths, one.data, 1)
            return {**self.better(first, second, examples), "notes": _notes(examples)}
        both = self.readings(data, one.data, other.data)
        return {**self.better(first, second, both), "notes": _notes(*both)}

    def page(self, answerer: Any, asked: str, run: str, aim: Aim) -> Page:
        """What goes on inside while an input is answered.

        Raises:
            ValueError: a class or a block was chosen, and this task has none.
        """
        if aim == Aim():
            return self.look(answerer, asked, run)
        if self.aimed is None:
            chosen = f"block {aim.block}" if aim.class_name is None else f'class "{aim.class_name}"'
            raise ValueError(f"{chosen} has no effect on the page of a run of {self.name}: leave it out")
        return self.aimed(answerer, asked, run, aim)

    def check(self, data: Any) -> Report:
        """What is doubtful in the data."""
        train = self.examples(data, data.paths, None, FEWEST)
        valid = self.examples(data, data.valid, None, 1) if data.valid else None
        return self.doubts(train, valid, data)


def _notes(*readings: Part) -> list[str]:
    """What was handled in reading examples."""
    return list(dict.fromkeys(str(note) for examples in readings for note in examples.notes))


def _told(name: str, value: float) -> str:
    return f"{name} {value:,}" if isinstance(value, int) else f"{name} {value:.4f}"


def fitting(config: Any, tokenizer: Tokenizer, longest: int) -> Any:
    """The config with a model for the tokens of this tokenizer, up to so many at a time."""
    longest = max(config.model.max_length, longest)
    return replace(config, model=replace(config.model, vocab=len(tokenizer), max_length=longest))


def settled(run: Run) -> Any:
    """A run's config, with the settings of ``generation`` that were chosen on its validation data."""
    chosen: dict[str, Any] = run.resolved.get("generation", {})
    return replace(run.config, generation=replace(run.config.generation, **chosen)) if chosen else run.config
