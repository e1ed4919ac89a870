"""Pictures in, labels out: a model, how pictures are brought to it, and its labels as a classifier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from jaxtyping import Float
from torch import Tensor

from qkvae.config import Choosing
from qkvae.data.labels import Labels
from qkvae.data.picture_format import PictureFormat
from qkvae.data.pictures import Pictures
from qkvae.models import Vision
from qkvae.run import Run
from qkvae.tasks.answering import kept_model, windows
from qkvae.tasks.grids import GridData, each_asked, fitting, run_format, said_of_notes, tell_all
from qkvae.tasks.labelling import Answer, line_of, refuse, told_of
from qkvae.tasks.task import settled


class GridClassifier:
    """A model that labels pictures, signals or clips."""

    def __init__(
        self, model: Vision, form: PictureFormat, labels: Labels, data: GridData, generation: Choosing
    ) -> None:
        """
        Args:
            model: with weights in fp32; it is used where it is (CPU, CUDA, MPS).
            form: size, channels and scale of what it was trained on.
            labels: those it was trained with.
            data: how files are read.
            generation: how labels are chosen, unless a call says otherwise.
        """
        self.model, self.form, self.labels = model, form, labels
        self.data, self.generation = data, generation

    @classmethod
    def from_run(cls, run: Run) -> GridClassifier:
        """The weights that a run keeps for use, and its labels.

        Raises:
            RunError: a part of the run is missing or damaged.
        """
        config: Any = settled(run)
        labels = Labels.from_dict(run.passport["labels"])
        return cls(kept_model(run), run_format(run), labels, config.data, config.generation)

    def read(self, examples: Pictures) -> Float[Tensor, "examples classes"]:
        """What the model tells of each.

        Raises:
            ValueError: they are of another size or of other channels than those trained on.
        """
        return tell_all(self.model, fitting(examples, self.form), self.form)

    def stream(self, inputs: Iterable[str], settings: Choosing | None = None) -> Iterator[Answer]:
        """An answer to each file, and to each example where a file, a folder or a table holds several.

        Raises:
            ValueError, FileNotFoundError: a file cannot be read; a setting has no effect on these labels.
        """
        chosen = settings or self.generation
        refuse(self.labels, chosen)
        for window in windows(inputs, chosen.batch):
            for names, found in each_asked(window, self.data, self.form):
                if found is None:
                    yield Answer(names[0], (), {})
                    continue
                notes = found.notes
                for name, row in zip(names, self.read(found), strict=True):
                    yield replace(told_of(self.labels, name, row, chosen, bool(notes)), notes=notes)
                    notes = ()

    def lines(self, answer: Answer, number: int, settings: Choosing | None = None) -> list[str]:
        """One line: what was read, then each label told and its probability, separated by tabs."""
        return ["\t".join(filter(None, (answer.source, line_of(answer))))]

    def said_of_cuts(self, answers: Iterable[Answer]) -> str | None:
        """What was handled while files were read."""
        return said_of_notes(answers)
