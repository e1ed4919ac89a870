"""Plain text to learn from: the user's files or the embedded default, and what of it is held out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qkvae.config.tasks.text_files import TextFiles
from qkvae.data.check_documents import check_documents
from qkvae.data.default_text import default_documents
from qkvae.data.documents import Documents, read_documents, split_documents
from qkvae.data.findings import Report
from qkvae.tasks.corpus import FEWEST, Corpus, parts

EMBEDDED = "the language reference of Python"

MOST_VALID = 250_000
"""Characters that are split off at most: more change an evaluation little, and each costs time."""


def read_split(data: TextFiles) -> Corpus[Documents]:
    """The documents that the settings name, or the embedded default; split if no ``valid`` is named.

    Raises:
        ValueError, FileNotFoundError: what `read_documents` and `split_documents` raise.
    """
    return Corpus(
        *parts(
            data,
            lambda paths, minimum: read_texts(data, paths),
            default_documents,
            split_documents,
            MOST_VALID,
            size=lambda texts: texts.characters,
        )
    )


def read_texts(
    data: TextFiles, paths: Sequence[str], like: TextFiles | None = None, minimum: int = FEWEST
) -> Documents:
    """The documents of these paths, however few: one long text is enough.

    Raises:
        ValueError, FileNotFoundError: what `read_documents` raises.
    """
    return read_documents(paths, data.text)


def summary(corpus: Corpus[Any]) -> str:
    """How much text there is to learn from, in a few words."""
    train, valid = corpus.train.characters, corpus.valid.characters
    return f"{train:,} characters to learn from and {valid:,} to validate on"


def doubts(train: Any, valid: Any, data: Any) -> Report:
    """What is doubtful in texts, or in conversations."""
    return check_documents(train, valid, length=data.length)
