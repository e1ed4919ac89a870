"""A run folder: everything that a training leaves behind, and nothing that could run code.

===============================  =====================================================================
``config.json``                  format, task, every setting, facts settled at the start
``model.safetensors``            the weights to use
``tokenizer.json``               the tokenizer
``data.json``                    the data's passport: its fingerprint, and the tokenizer's
``metrics.jsonl``                what was measured, step by step
``report.html``, ``README.md``   for people: curves and pictures, the model card
``checkpoints/step-N/``          earlier weights, as many as were asked to be kept
``state/``                       what resuming needs
===============================  =====================================================================
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from qkvae.config import TaskConfig, differences, from_dict, to_dict
from qkvae.config.names import as_typed
from qkvae.run import atomic
from qkvae.run.errors import DamagedPart, Mismatch, MissingPart, WrongTask, plainly
from qkvae.run.journal import Journal
from qkvae.run.manifest import Manifest, read_json_object, read_manifest, write_manifest
from qkvae.run.older import brought_up_to_date, widened
from qkvae.run.place import CONFIG, claimed, require_run
from qkvae.run.state import StateFiles
from qkvae.run.weights import load_weights, read_weights, write_weights

if TYPE_CHECKING:
    from torch import Tensor, nn

    from qkvae.data.tokenizer import Tokenizer

_SETTINGS = "settings"
_WHERE = ("paths", "valid")
WEIGHTS, TOKENIZER, PASSPORT = "model.safetensors", "tokenizer.json", "data.json"


class Run:
    """One run, open for reading and for writing.

    >>> import tempfile, torch
    >>> from qkvae.config import Translation
    >>> run = Run.create(Path(tempfile.mkdtemp()) / "mine", "translation", Translation())
    >>> run.save_model({"weight": torch.ones(2)})
    >>> Run.open(run.path).load_model()["weight"].tolist()
    [1.0, 1.0]
    """

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.notes: list[str] = []
        """What is worth saying to the user, such as a damaged save that was passed over."""
        self._manifest = manifest
        self._journal = Journal(path / "metrics.jsonl")
        self._state = StateFiles(path / "state")
        self._tokenizer: Tokenizer | None = None

    @classmethod
    def create(
        cls,
        path: str | Path,
        task: str,
        config: TaskConfig,
        overwrite: bool = False,
        resolved: Mapping[str, Any] | None = None,
    ) -> Self:
        """Begin a run in a new folder, or in place of an old run.

        With ``overwrite`` the old run's files are removed only when the new run's config is on the disk.

        Raises:
            RunExists: the folder holds a run, or a file that the run would write over.
            StorageError: the place cannot be written.
        """
        path = Path(path)
        manifest = Manifest(task=task, config=config, resolved=dict(resolved or {}))
        with claimed(path, overwrite):
            write_manifest(path / CONFIG, manifest)
        return cls(path, manifest)

    @classmethod
    def open(cls, path: str | Path, task: str | None = None, resume: bool = False) -> Self:
        """Open a run that is there; ``resume`` also removes what killed saves left half-written.

        Raises:
            NotARun: the path holds no run.
            WrongTask: the run is not of ``task``.
            DamagedPart: its config is not what qkvae wrote.
        """
        path = Path(path)
        require_run(path)
        manifest = read_manifest(path / CONFIG)
        if task is not None and manifest.task != task:
            raise WrongTask(
                f"{path} is a run of {manifest.task}, but {task} is asked for: give a run of {task}"
            )
        if resume:
            atomic.remove_leftovers(path)
        return cls(path, manifest)

    @property
    def task(self) -> str:
        """The task's name."""
        return self._manifest.task

    @property
    def config(self) -> Any:
        """Every setting: the task's class in `qkvae.config`."""
        return self._manifest.config

    @property
    def resolved(self) -> dict[str, Any]:
        """Facts settled when the run started (a copy)."""
        return dict(self._manifest.resolved)

    @property
    def version(self) -> str:
        """The qkvae that wrote the run."""
        return self._manifest.version

    @property
    def is_prepared(self) -> bool:
        """Whether tokenizer and passport were written, or their writing was cut short by a kill."""
        return (self.path / PASSPORT).is_file() or self._state.newest.is_file()

    @property
    def has_state(self) -> bool:
        """Whether what resuming needs was ever saved."""
        return self._state.newest.is_file() or self._state.previous.is_file()

    def update_resolved(self, facts: Mapping[str, Any]) -> None:
        """Add facts to ``resolved``, or replace those of the same name.

        Raises:
            StorageError: the disk refused; the config stays as it was.
        """
        manifest = replace(self._manifest, resolved={**self._manifest.resolved, **facts})
        write_manifest(self.path / CONFIG, manifest)
        self._manifest = manifest

    def save_model(self, state: Mapping[str, Tensor]) -> None:
        """Write the weights to use; tied weights are stored once.

        Raises:
            StorageError: the disk refused; the weights saved before stay.
        """
        write_weights(self._weights, state, self.config.model)

    def load_model(self) -> dict[str, Tensor]:
        """The weights to use, by name, on the CPU.

        Raises:
            MissingPart: none were saved.
            DamagedPart: they are not what was written.
            Mismatch: they belong to a model with other settings than the config's.
        """
        if not self._weights.is_file():
            raise MissingPart(
                f"{self._weights} is missing: if the training was stopped before its first evaluation, go on "
                f"with qkvae resume {as_typed(self.path)}; otherwise copy the file back, or train again"
            )
        return read_weights(self._weights, self.config.model)

    def load_into(self, model: nn.Module) -> None:
        """Load the weights into a model, every one of them.

        Raises:
            Mismatch: a weight is missing, unknown, or of another shape; and what ``load_model`` raises.
        """
        load_weights(model, self.load_model(), self._weights)

    def save_checkpoint(self, step: int, state: Mapping[str, Tensor], keep: int) -> None:
        """Write ``checkpoints/step-N`` and remove all but the newest ``keep``.

        Raises:
            ValueError: ``keep`` is below 1.
            StorageError: the disk refused; the older checkpoints stay.
        """
        if keep < 1:
            raise ValueError(f"keep is {keep}, but must be at least 1")
        folder = self._checkpoint(step)
        with plainly(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_weights(folder / WEIGHTS, state, self.config.model)
        for old in self.checkpoints()[:-keep]:
            with plainly(folder):
                shutil.rmtree(self._checkpoint(old))

    def load_checkpoint(self, step: int) -> dict[str, Tensor]:
        """The weights of a checkpoint; raises what ``load_model`` raises."""
        return read_weights(self._checkpoint(step) / WEIGHTS, self.config.model)

    def checkpoints(self) -> list[int]:
        """Steps of the checkpoints kept, oldest first."""
        whole = self.path.glob(f"checkpoints/*/{WEIGHTS}")
        found = (re.fullmatch(r"step-(\d+)", path.parent.name) for path in whole)
        return sorted(int(match[1]) for match in found if match)

    def save_state(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Save what resuming needs, all of it at once; the save before it is kept beside it.

        Raises:
            StorageError: the disk refused; what was saved before stays.
        """
        self._state.save(tensors, {**facts, _SETTINGS: _decided(to_dict(self.config))})

    def load_state(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """What resuming needs, or None if nothing was saved; a damaged save passed over is said in ``notes``.

        Raises:
            DamagedPart: no save is whole.
            Mismatch: the settings in the config are not those that the training was begun with.
        """
        saved = self._state.load(self.notes)
        if saved is not None:
            begun = self._as_begun(saved[1].pop(_SETTINGS))
            for name, there, here in differences(_decided(begun), _decided(to_dict(self.config))):
                raise Mismatch(
                    f"{self.path / CONFIG}: {name} is {here}, but the training was begun with {there}: "
                    f"put {there} back, or start a new run with another --out"
                )
            return widened(saved[0], self.config.model), saved[1]
        return None

    def log(self, record: Mapping[str, Any]) -> None:
        """Append one record to ``metrics.jsonl``; see ``Journal.append``."""
        self._journal.append(record)

    def records(self) -> list[dict[str, Any]]:
        """All records of ``metrics.jsonl``; see ``Journal.records``."""
        return self._journal.records()

    def rewind(self, step: int, last: Sequence[Mapping[str, Any]] = ()) -> None:
        """Drop the records of steps after ``step`` and make sure of the ``last``; see ``Journal.rewind``."""
        self._journal.rewind(step, last)

    def save_text(self, name: str, text: str) -> None:
        """Write a page for people, such as ``report.html``, atomically."""
        atomic.write_bytes(self.path / name, text.encode("utf-8"))

    @property
    def tokenizer(self) -> Tokenizer:
        """The run's tokenizer, read once.

        Raises:
            MissingPart: there is none.
            DamagedPart: it is no tokenizer.
            Mismatch: it is not the one that the run was trained with.
        """
        if self._tokenizer is None:
            self._tokenizer = self._load_tokenizer()
        return self._tokenizer

    def save_tokenizer(self, tokenizer: Tokenizer) -> None:
        """Write ``tokenizer.json``, and its fingerprint into the passport if there is one.

        Raises:
            StorageError: the disk refused.
        """
        atomic.write_bytes(self.path / TOKENIZER, tokenizer.to_json().encode("utf-8"))
        self._tokenizer = tokenizer
        if (self.path / PASSPORT).is_file():
            self.save_passport(self.passport)

    @property
    def passport(self) -> dict[str, Any]:
        """What is known of the data, as ``save_passport`` was given it, and the tokenizer's fingerprint.

        Raises:
            MissingPart: there is none.
            DamagedPart: it is no JSON object.
        """
        path = self.path / PASSPORT
        if not path.is_file():
            raise MissingPart(f"{path} is missing: copy it back, or train again")
        return read_json_object(path)

    def save_passport(self, facts: Mapping[str, Any]) -> None:
        """Write ``data.json``; ``facts["fingerprint"]`` is what ``check_data`` compares.

        Raises:
            StorageError: the disk refused.
        """
        tokenizer = self.path / TOKENIZER
        bound = {TOKENIZER: _fingerprint(tokenizer.read_bytes())} if tokenizer.is_file() else {}
        atomic.write_json(self.path / PASSPORT, {**facts, **bound})

    def check_data(self, fingerprint: str) -> None:
        """Refuse data that the run was not trained on.

        Raises:
            Mismatch: the passport bears another fingerprint.
        """
        known = self.passport.get("fingerprint")
        if known != fingerprint:
            raise Mismatch(
                f"{self.path} was trained on data of fingerprint {known}, but this data has {fingerprint}: "
                "give the same files unchanged, or start a new run with another --out"
            )

    def _load_tokenizer(self) -> Tokenizer:
        from qkvae.data.tokenizer import Tokenizer

        path = self.path / TOKENIZER
        if not path.is_file():
            raise MissingPart(f"{path} is missing: copy it back, or train again")
        with plainly(path, "read"):
            content = path.read_bytes()
        known = self.passport.get(TOKENIZER) if (self.path / PASSPORT).is_file() else None
        if known is not None and known != _fingerprint(content):
            raise Mismatch(
                f"{path} is not the tokenizer that the run was trained with: put the run's own file back"
            )
        try:
            return Tokenizer.from_json(content.decode("utf-8"))
        except ValueError as error:
            raise DamagedPart(f"{path} is damaged ({error}): copy it back, or train again") from None

    def _as_begun(self, decided: dict[str, Any]) -> dict[str, Any]:
        """The settings that were saved with a state, completed by where the data are now."""
        here: dict[str, Any] = to_dict(self.config)["data"]
        data = decided["data"] | {name: here[name] for name in _WHERE if name in here}
        kind = cast("type[Any]", type(self.config))
        return to_dict(from_dict(kind, brought_up_to_date(decided | {"data": data})))

    def _checkpoint(self, step: int) -> Path:
        return self.path / "checkpoints" / f"step-{step}"

    @property
    def _weights(self) -> Path:
        return self.path / WEIGHTS


def _decided(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings on which the weights depend.  Where the data are is not among them: what they say is, and
    the passport has their fingerprint."""
    kept = {name: group for name, group in settings.items() if name not in ("saving", "generation")}
    return kept | {"data": {k: v for k, v in kept["data"].items() if k not in _WHERE}}


def _fingerprint(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
