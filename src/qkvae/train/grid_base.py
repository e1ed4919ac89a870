"""Fine-tuning of models of grids: what a training takes from a base whose head, or size, is another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from qkvae.config import GridFamily, LatentData, MaskedImage, PictureData, Vision
from qkvae.data.archives import is_archive
from qkvae.data.files import TextFile, locate
from qkvae.data.picture_files import TABLES
from qkvae.nn.grid_positions import resized

POSITIONS, HEAD_POSITIONS = "input.positions.table", "head.positions.table"
"""Learned positions, which are stretched where the data have another size than the base's."""


def with_body(there: GridFamily, usual: GridFamily) -> GridFamily:
    """A task's usual model with the body of a base; where both are of one family, with its head too.

    What comes from the data (size, channels, classes) is left open.

    Raises:
        ValueError: it is to tell hidden patches, and the base sees over a patch's edge.

    >>> from qkvae.config import Block, Patches
    >>> there = MaskedImage(block=Block(dim=64, heads=2), patches=Patches(patch=(2,)))
    >>> made = with_body(there, Vision())
    >>> type(made).__name__, made.block.dim, made.patches.patch
    ('Vision', 64, (2,))
    """
    conv_size = there.conv_size if isinstance(there, Vision) else 0
    if isinstance(usual, MaskedImage) and (conv_size or there.patches.embedding != "linear"):
        raise ValueError(
            "the base has convolutions, by which hidden patches would be seen: begin with a run that was "
            "trained with --model.conv-size 0 --model.embedding linear"
        )
    patches = replace(there.patches, size=(), channels=0)
    body = {"block": there.block, "depth": there.depth, "leading": there.leading, "patches": patches}
    if isinstance(usual, Vision):
        body["conv_size"] = conv_size
    match there, usual:
        case Vision(), Vision() if type(there.head) is type(usual.head):
            return replace(usual, **body, head=there.head)
        case MaskedImage(), MaskedImage():
            return replace(there, patches=patches, stochastic_depth=usual.stochastic_depth)
        case _:
            return replace(usual, **body)


def with_size(data: Any, paths: Sequence[str], shape: Sequence[int]) -> Any:
    """A task's usual data settings where the base has learned from pictures of (…, height, width): folders,
    archives and tables of files get the same size unless another is asked for.  Arrays have their own.

    >>> from qkvae.config import PictureData
    >>> with_size(PictureData(), ["."], (3, 48, 64)).size
    '48x64'

    Raises:
        FileNotFoundError: there is no such path.
    """
    size, located = "x".join(map(str, shape[-2:])), [locate(path) for path in paths]
    if len(shape) < 2 or not located:
        return data
    folders = all(path.is_dir() or is_archive(path) for path in located)
    tables = all(TextFile(path).suffix in TABLES for path in located)
    if isinstance(data, PictureData) and (folders or tables):
        return replace(data, size=size)
    if isinstance(data, LatentData) and folders:
        return replace(data, pictures=replace(data.pictures, size=size))
    return data


def require_channels(there: GridFamily, here: GridFamily, path: Path) -> None:
    """Refuse data that the base's embedding cannot read.

    Raises:
        ValueError: they have other channels or axes.
    """
    for what, known, found in (
        ("channels", there.patches.channels, here.patches.channels),
        ("axes", len(there.patches.size), len(here.patches.size)),
    ):
        if known != found:
            raise ValueError(
                f"the data have {found} {what}, but {path} was trained on {known}: bring them to the same"
            )


def stretched_table(name: str, table: Tensor, there: GridFamily, here: GridFamily) -> Tensor:
    """The base's learned positions at the places of these data; any other weight as it is."""
    if name not in (POSITIONS, HEAD_POSITIONS) or there.block.positions != "learned":
        return table
    return resized(table, there.patches.grid, here.patches.grid)
