"""Parquet, which needs the extra ``data``: opened in one place, for every reader of tables."""

from __future__ import annotations

import importlib
import io
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from qkvae.data.files import TextFile, read_whole


@contextmanager
def opened_parquet(file: TextFile) -> Generator[Any]:
    """The file, or member of an archive, as a ``pyarrow.parquet.ParquetFile``.

    Raises:
        ValueError: the extra ``data`` is not installed, or the file is damaged, now or while it is read.
    """
    try:
        library, parquet = map(importlib.import_module, ("pyarrow", "pyarrow.parquet"))
    except ImportError as error:
        raise ValueError(
            f'{file.name} is Parquet, which needs the extra data: pip install "qkvae[data]"'
        ) from error
    try:
        with parquet.ParquetFile(file.path if file.member is None else io.BytesIO(read_whole(file))) as table:
            yield table
    except (OSError, library.ArrowException) as error:
        why = " ".join(str(error).split())
        raise ValueError(f"{file.name} is no Parquet file, or damaged ({why})") from error
