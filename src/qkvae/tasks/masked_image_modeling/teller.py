"""Part of a picture in, the whole of it out: a masked autoencoder that is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from qkvae import losses
from qkvae.config import Reconstructing
from qkvae.data.pairs import Note
from qkvae.data.patch_masks import kept_patches
from qkvae.data.picture_batches import in_turn
from qkvae.data.picture_format import PictureFormat
from qkvae.data.pictures import Pictures
from qkvae.inspect.picture_maps import in_use
from qkvae.inspect.thumbnails import Canvas, canvas, enlarged, png, side_by_side
from qkvae.models import MaskedImage
from qkvae.nn.patches import to_grid
from qkvae.run import Run
from qkvae.tasks.answering import kept_model
from qkvae.tasks.grids import GridData, each_asked, fitting, run_format, said_of_notes
from qkvae.tasks.task import settled

SEED = 0
"""Decides which patches are hidden where a picture is used or judged: the same of every run."""

_ROWS = 256  # pictures told together: bounds the memory
_SIDE = 224  # pixels, to which a drawing is enlarged


@dataclass(frozen=True)
class Answer:
    """What was told of one picture."""

    source: str
    """Where the picture is, and which it is, where a file holds several."""

    drawing: str
    """The PNG with what was seen, what was told of the rest, and the picture; empty for an empty input."""

    loss: float
    """Mean squared error of the hidden patches, as it was minimised."""

    seen: float
    """Part of the patches that was seen."""

    cut: bool = False
    """Whether something was handled while its file was read."""

    notes: tuple[Note, ...] = ()
    """What that was, told with the first answer to the file."""

    @property
    def text(self) -> str:
        """Where the drawing is."""
        return self.drawing

    def record(self) -> dict[str, Any]:
        """All of it."""
        return {"source": self.source, "drawing": self.drawing, "loss": self.loss, "seen": self.seen}


@dataclass(frozen=True)
class Told:
    """Some pictures, of which a part was hidden."""

    shares: Float[Tensor, "b c h w"]
    """The pictures, as parts of white."""

    seen: Float[Tensor, "b c h w"]
    """What was seen of them; grey elsewhere."""

    told: Float[Tensor, "b c h w"]
    """What was seen, and what was told elsewhere."""

    losses: Float[Tensor, " b"]
    """The mean loss of each one's hidden patches."""

    def drawn(self, row: int) -> list[Canvas]:
        """Seen, told and true, for one picture."""
        return [canvas(each[row].clamp(0, 1)) for each in (self.seen, self.told, self.shares)]


class Teller:
    """A model that tells hidden patches."""

    def __init__(
        self, model: MaskedImage, form: PictureFormat, data: GridData, generation: Reconstructing, seen: float
    ) -> None:
        """
        Args:
            model: with weights in fp32; it is used where it is (CPU, CUDA, MPS).
            form: size, channels and scale of what it was trained on.
            data: how files are read.
            generation: what is shown and where, unless a call says otherwise.
            seen: part of the patches that was seen in training.
        """
        self.model, self.form, self.data = model, form, data
        self.generation, self.seen = generation, seen

    @classmethod
    def from_run(cls, run: Run) -> Teller:
        """The weights that a run keeps for use.

        Raises:
            RunError: a part of the run is missing or damaged.
        """
        config: Any = settled(run)
        return cls(kept_model(run), run_format(run), config.data, config.generation, config.learning.seen)

    def tell(self, pictures: Pictures, seen: float | None = None) -> Iterator[Told]:
        """What is told of each picture, some at a time; which patches are hidden depends on its place only.

        Raises:
            ValueError: the pictures are of another size or of other channels than those trained on.
        """
        pictures, device = fitting(pictures, self.form), next(self.model.parameters()).device
        count = self.model.settings.patches.count
        kept = kept_patches(SEED, 0, len(pictures), count, seen or self.seen).to(device)
        with in_use(self.model), torch.no_grad():
            for batch in in_turn(pictures, self.form, _ROWS):
                yield self._told(batch.shares.to(device), kept[batch.rows.to(device)])

    def _told(self, shares: Tensor, kept: Int[Tensor, "b k"]) -> Told:
        read, patches = self.form.normalised(shares), self.model.settings.patches
        told, truth = self.model(read, kept), self.model.truth(read)
        there = torch.zeros_like(truth).scatter(1, kept[..., None].expand(-1, -1, patches.numbers), 1.0)
        visible = to_grid(there, self.model.input.count(read), patches.sides).bool()
        each = [
            losses.masked_patches(*(side[row : row + 1] for side in (told, truth, kept)))
            for row in range(len(kept))
        ]
        return Told(
            shares.cpu(),
            torch.where(visible, shares, 0.5).cpu(),
            self.form.back(self.model.picture(told.float(), read, kept)).cpu(),
            (torch.stack(each) / (patches.count - kept.shape[1])).cpu(),
        )

    def stream(self, inputs: Iterable[str], settings: Reconstructing | None = None) -> Iterator[Answer]:
        """An answer to each picture, in their order; its drawing is written into the folder of the settings,
        which is made with the first one.

        Raises:
            ValueError, FileNotFoundError: a file cannot be read, or the folder cannot be made.
        """
        chosen = settings or self.generation
        folder, share = Path(chosen.folder), chosen.seen or self.seen
        _refuse_folder(folder)
        written = set[Path]()
        for names, found in each_asked(inputs, self.data, self.form):
            if found is None:
                yield Answer(names[0], "", 0.0, share)
                continue
            number, notes = 0, found.notes
            for told in self.tell(found, share):
                for row in range(len(told.losses)):
                    stem = Path(names[0].split(": ")[0]).name.split(".")[0]
                    number += 1
                    name = f"{stem}-{number}" if len(found) > 1 else stem
                    folder.mkdir(exist_ok=True)
                    place = _free(folder, name, written)
                    place.write_bytes(png(side_by_side([enlarged(each, _SIDE) for each in told.drawn(row)])))
                    loss = float(told.losses[row])
                    yield Answer(names[number - 1], str(place), loss, share, bool(notes), notes)
                    notes = ()

    def lines(self, answer: Answer, number: int, settings: Reconstructing | None = None) -> list[str]:
        """One line: where the drawing is, and the loss of what was hidden."""
        return [f"{answer.source}\t{answer.drawing}\t{answer.loss:.4f}" if answer.drawing else ""]

    def said_of_cuts(self, answers: Iterable[Answer]) -> str | None:
        """What was handled while files were read."""
        return said_of_notes(answers)


def _refuse_folder(folder: Path) -> None:
    """Refuse a folder that is not there and cannot be made.

    Raises:
        FileNotFoundError: that which it would stand in is not there either.
        NotADirectoryError: it is a file.
    """
    if folder.is_dir():
        return
    if folder.exists():
        raise NotADirectoryError(f"{folder} is a file, and drawings need a folder: choose another --folder")
    if not folder.parent.is_dir():
        raise FileNotFoundError(f"{folder.parent} is no folder: make it, or choose another --folder")


def _free(folder: Path, name: str, written: set[Path]) -> Path:
    """Where a drawing of this name goes: beside that of another input of the same name, not over it."""
    places = (
        folder / f"{name}{again}.told.png" for again in ("", *(f".{n}" for n in range(2, len(written) + 3)))
    )
    place = next(each for each in places if each not in written)
    written.add(place)
    return place
