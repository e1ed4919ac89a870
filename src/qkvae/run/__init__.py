"""A run folder: atomic saves, strict loading, nothing in it that could run code."""

from qkvae.run.card import CARD, Facts, Figure, Source, write_card
from qkvae.run.errors import (
    DamagedPart,
    DiskFull,
    Mismatch,
    MissingPart,
    NotARun,
    NotWritable,
    RunError,
    RunExists,
    StorageError,
    WrongTask,
)
from qkvae.run.folder import Run

__all__ = [
    "CARD",
    "DamagedPart",
    "DiskFull",
    "Facts",
    "Figure",
    "Mismatch",
    "MissingPart",
    "NotARun",
    "NotWritable",
    "Run",
    "RunError",
    "RunExists",
    "Source",
    "StorageError",
    "WrongTask",
    "write_card",
]
