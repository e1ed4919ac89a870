"""Data and flags with which a whole training takes a second."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

TINY = [
    *("--model.dim", "16", "--model.heads", "2", "--model.hidden", "32", "--model.encoder-depth", "1"),
    *("--model.decoder-depth", "1", "--batch-tokens", "120", "--validations", "2", "--valid-fraction", "0.2"),
    *("--device", "cpu", "--precision", "fp32", "--generation.beam", "2"),
]


def sentences(count: int = 80) -> tuple[list[str], list[str]]:
    """Words, and the same in capitals and backwards."""
    draw = random.Random(0)
    words = ["".join(draw.choice("abcdefgh") for _ in range(draw.randint(2, 5))) for _ in range(40)]
    lines = [f"{' '.join(draw.choice(words) for _ in range(draw.randint(1, 5)))} {n}" for n in range(count)]
    return lines, [line.upper()[::-1] for line in lines]


def write_pairs(folder: Path) -> tuple[Path, Path]:
    """Two aligned files."""
    paths = (folder / "train.en", folder / "train.de")
    for path, lines in zip(paths, sentences(), strict=True):
        path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return paths


def tree(folder: Path) -> dict[str, str]:
    """Every file of a folder and what is in it."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
