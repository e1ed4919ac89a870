"""Picture files in two passes: every one is looked at, a size is chosen, and then all are decoded to it."""

from __future__ import annotations

import itertools
import json
import os
from array import array
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import numpy as np

from qkvae.config.names import many
from qkvae.config.pictures import PictureReading
from qkvae.data.labelled import Label
from qkvae.data.pairs import Tally
from qkvae.data.picture_cache import FORMAT, Decoded, cached_pictures
from qkvae.data.picture_decoding import ODDITIES, Header, UnreadableError, decode, quiet, read_header
from qkvae.data.picture_files import Encoded, Wanted, encoded_pictures
from qkvae.data.picture_format import PictureFormat
from qkvae.data.pictures import Pictures, hashed
from qkvae.data.tables import shortened

MOST_HELD = 2**30
"""Bytes of decoded pictures that are held in memory; more are kept in a mapped file."""

OWN_SIZE = 256
"""Pictures that all have one size keep it if no side is longer than this."""

DEFAULT_SIZE = 64
"""Height and width of pictures of many sizes, or of large ones, if nothing else is asked for."""

_TOGETHER = 256  # files read at a time


class Scan:
    """Files of pictures that were looked at: what they are called, how large they are, and what is odd."""

    def __init__(self, paths: list[Path], settings: PictureReading, labelled: bool, tally: Tally) -> None:
        """Look at all files.

        Raises:
            ValueError: too many of them cannot be read, one is a decompression bomb, or none is left.
            FileNotFoundError: a table names a picture that does not exist.
        """
        self._paths, self._settings, self._tally = paths, settings, tally
        self._wanted = Wanted(settings.picture, settings.label, settings.folder, labelled)
        self.names: list[str] = []
        self.labels: list[Label] = []
        self.hashes = bytearray()
        self._places = array("q")
        self._sizes: list[tuple[int, int]] = []
        self._coloured: list[str] = []
        self._files, self._broken = 0, list[str]()
        with quiet():
            for number, each in enumerate(self._encoded(tally)):
                self._files = number + 1
                self._look(number, each)
        self._unopened = len(self._broken)
        self._refuse_broken()

    def _encoded(self, tally: Tally) -> Iterator[Encoded]:
        for path in self._paths:
            within = f"{path.name}/" if len(self._paths) > 1 and not path.is_file() else ""
            for each in encoded_pictures(path, self._wanted, tally):
                yield each._replace(name=within + each.name)

    def _look(self, number: int, each: Encoded) -> None:
        try:
            header = read_header(each.raw, self._settings.most_pixels)
        except UnreadableError as error:
            self._left_out(each.name, error)
            return
        except ValueError as error:
            raise ValueError(f"{each.name}: {error}") from error
        label = _label(each.label, each.name) if self._wanted.labelled else ""
        if self._wanted.labelled and not label:
            self._tally.add("no label", "pictures without a label were left out", each.name)
            return
        for oddity in header.oddities:
            self._tally.add(oddity, ODDITIES[oddity], each.name)
        self._keep(number, each, header, label)

    def _keep(self, number: int, each: Encoded, header: Header, label: Label) -> None:
        self.names.append(each.name)
        self.labels.append(label)
        self.hashes += hashed(each.raw)
        self._places.append(number)
        self._sizes.append((header.height, header.width))
        if not header.grey:
            self._coloured.append(each.name)

    def _left_out(self, name: str, error: UnreadableError) -> None:
        what = f"files were left out: {error.kind.removesuffix(' picture')}"
        self._tally.add(error.kind, what, name)
        self._broken.append(f"{name}: {error}")

    def _refuse_broken(self) -> None:
        label = ", ".join(path.name for path in self._paths)
        if not self._files:
            left = "; ".join(str(note) for note in self._tally.notes())
            cure = "make one folder of pictures per class" if self._wanted.labelled else "give pictures"
            raise ValueError(f"{label} holds no picture: {cure}{f' ({left})' if left else ''}")
        share = len(self._broken) / self._files
        if share > self._settings.unreadable or len(self._broken) == self._files:
            if self._files == 1:
                raise ValueError(f"{self._broken[0]}: mend it, or leave it out")
            shown = "; ".join(self._broken[:3]) + ("; …" if len(self._broken) > 3 else "")
            limit = self._settings.unreadable
            beyond = f" ({share:.0%}), more than {limit:.0%}" if limit else ""
            raise ValueError(
                f"{label}: {len(self._broken):,} of {many(self._files, 'picture')} cannot be read{beyond} "
                f"({shown}): mend or remove them{', or raise unreadable' if limit else ''}"
            )

    def size(self) -> tuple[int, int]:
        """Height and width for all: as asked for, their own if it is one and not large, or 64."""
        if self._settings.height_and_width is not None:
            return self._settings.height_and_width
        own = set(self._sizes)
        if len(own) == 1 and max(self._sizes[0]) <= OWN_SIZE:
            return self._sizes[0]
        return DEFAULT_SIZE, DEFAULT_SIZE

    def _channels(self) -> int:
        """1 for grey, 3 for colour."""
        if self._settings.channels == "auto":
            return 3 if self._coloured else 1
        return 1 if self._settings.channels == "grey" else 3

    def pictures(self, like: PictureFormat | None, say: Callable[[str], None]) -> Pictures:
        """All of them, decoded: as those of ``like``, if it is given.

        Raises:
            ValueError: too many are cut short, or files changed meanwhile.
        """
        size = self.size() if like is None else cast("tuple[int, int]", like.size)
        channels = self._channels() if like is None else like.channels
        if channels not in (1, 3):
            raise ValueError(f"the run was trained on {channels} channels, but files of pictures have 1 or 3")
        self._say_sizes(size)
        for name in self._coloured if channels == 1 else ():
            self._tally.add("grey", "pictures in colour were made grey", name)
        shape = (channels, *size)
        decoded = partial(self._decoded, size, channels)
        if len(self.names) * channels * size[0] * size[1] > MOST_HELD:
            values, kept = cached_pictures(self._key(shape), shape, decoded, say)
        else:
            values, held = np.empty((len(self.names), *shape), np.uint8), array("q")
            for place, pixels in decoded():
                values[len(held)] = pixels
                held.append(place)
            values, kept = values[: len(held)], np.array(held, np.int64)
        told = len(self._broken) - self._unopened
        for place in sorted(set(range(len(self.names))) - set(kept.tolist())) if not told else []:
            self._left_out(self.names[place], UnreadableError("damaged picture", "damaged"))  # found before
        self._refuse_broken()
        hashes = np.frombuffer(bytes(self.hashes), "<u8").astype(np.uint64)[kept]
        places: list[int] = kept.tolist()
        labels = [self.labels[place] for place in places] if self._wanted.labelled else None
        return Pictures(values, labels, 255.0, hashes, [self.names[place] for place in places])

    def _decoded(self, size: tuple[int, int], channels: int) -> Decoded:
        """Every picture that can be decoded, with its place among those looked at, in order."""
        places = {number: place for place, number in enumerate(self._places)}
        files = ((places[n], each) for n, each in enumerate(self._encoded(Tally())) if n in places)
        convert = partial(_decode, size, channels, self._settings)
        seen = 0
        with quiet(), ThreadPoolExecutor(os.cpu_count()) as pool:
            while some := list(itertools.islice(files, _TOGETHER)):
                for (place, each), pixels in zip(some, pool.map(convert, some), strict=True):
                    if hashed(each.raw) != bytes(self.hashes[8 * place : 8 * place + 8]):
                        raise ValueError(
                            f"{each.name} changed while it was read: try again when it is at rest"
                        )
                    seen += 1
                    if isinstance(pixels, UnreadableError):
                        self._left_out(each.name, pixels)
                    else:
                        yield place, pixels
        if seen < len(self.names):
            gone = many(len(self.names) - seen, "picture")
            raise ValueError(f"{gone} went away while all were read: try again")

    def _say_sizes(self, size: tuple[int, int]) -> None:
        fit = {"crop": "scaled and cut", "stretch": "stretched", "pad": "scaled and padded with black"}
        how = fit[self._settings.fit]
        for name, (height, width) in zip(self.names, self._sizes, strict=True):
            if (height, width) == size:
                continue
            shown = f"{name}: {height} × {width}"
            self._tally.add("size", f"pictures were {how} to {size[0]} × {size[1]}", shown)
            if height < size[0] or width < size[1]:
                self._tally.add("enlarged", "pictures were enlarged, being smaller than that", shown)

    def _key(self, shape: tuple[int, ...]) -> str:
        facts = json.dumps([FORMAT, shape, self._settings.fit, len(self.names)])
        return sha256(facts.encode() + bytes(self.hashes)).hexdigest()[:32]


def _decode(size: tuple[int, int], channels: int, settings: PictureReading, job: tuple[int, Encoded]) -> Any:
    """The pixels, or why there are none."""
    try:
        return decode(job[1].raw, size, channels, settings.fit, settings.most_pixels)
    except UnreadableError as error:
        return error


def _label(cell: Any, where: str) -> Label:
    """A label as it is written; numbers and truth values as JSON writes them, lists as several."""
    if isinstance(cell, list | tuple):
        return tuple(dict.fromkeys(str(_label(each, where)) for each in cast("list[Any]", cell)))
    if isinstance(cell, bool | int | float):
        return json.dumps(cell)
    if cell is not None and not isinstance(cell, str):
        raise ValueError(
            f"{where}: the label is {shortened(str(cell))}: it must be a name, a number or a list"
        )
    return (cell or "").strip()
