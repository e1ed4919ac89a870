"""What resuming needs: one file for tensors and facts together, and the one before it.

One file, so that one rename makes a save whole: weights and random state of different steps never meet.
The save before it is kept, so that a file spoilt by the disk costs a minute and not the run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from qkvae.run.atomic import move, replacing
from qkvae.run.errors import DamagedPart, plainly
from qkvae.run.tensors import read_tensors, stream_tensors


class StateFiles:
    """``training.safetensors`` and ``training-previous.safetensors`` in one folder.

    At every instant of a save one of the two is whole: the newest becomes the previous by a rename, then the
    finished new file takes its name by another.
    """

    def __init__(self, folder: Path) -> None:
        self.newest = folder / "training.safetensors"
        self.previous = folder / "training-previous.safetensors"
        self._newest_is_whole = False

    def save(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Save as the newest.

        Raises:
            StorageError: the disk refused; what was saved before stays.
        """
        with plainly(self.newest):
            self.newest.parent.mkdir(exist_ok=True)
        keep = self.newest.is_file() and (self._newest_is_whole or _whole(self.newest))
        with replacing(self.newest) as temporary:
            stream_tensors(temporary, tensors, {"facts": json.dumps(facts)})
            if keep:  # a damaged newest must not push out a good previous
                move(self.newest, self.previous)
        self._newest_is_whole = True

    def load(self, notes: list[str]) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The newest whole save, or None if nothing was ever saved; a damaged one is said in ``notes``.

        Raises:
            DamagedPart: something was saved, and none of it is whole.
        """
        self._newest_is_whole = False
        there = [path for path in (self.newest, self.previous) if path.is_file()]
        reasons: list[str] = []
        for path in there:
            try:
                tensors, metadata = read_tensors(path)
                facts: dict[str, Any] = json.loads(metadata["facts"])
            except (DamagedPart, KeyError) as error:
                reasons.append(str(error))
                continue
            self._newest_is_whole = path == self.newest
            if reasons:
                notes.append(f"{self.newest} is damaged: going on from the save before it, {path.name}")
            return tensors, facts
        if there:
            raise DamagedPart("; ".join(reasons))
        return None


def _whole(path: Path) -> bool:
    try:
        read_tensors(path)
    except DamagedPart:
        return False
    return True
