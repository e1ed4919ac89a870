"""The embedded default text: the language reference that ships inside Python; nothing is downloaded."""

from __future__ import annotations

import importlib
import platform

from qkvae.data.documents import Documents


def default_documents() -> Documents:
    """The topics of Python's ``help()``, one document each, in the order of their names.

    About 80 documents, half a million characters of English prose and grammar.  Each version of Python has
    its own text; ``paths`` names it.

    Raises:
        ValueError: this Python was installed without it.

    >>> documents = default_documents()
    >>> documents.where(documents.files.index("assert")), "debugging assertions" in documents.texts[0]
    ('assert:1', True)
    """
    try:
        topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    except ImportError as error:
        raise ValueError("this Python lacks its language reference (pydoc_data): give a text file") from error
    # some topics are one text under two names
    names = {text: name for name, text in sorted(topics.items(), reverse=True)}
    texts = sorted(names, key=names.__getitem__)
    return Documents(
        texts,
        [1] * len(texts),
        tuple(names[text] for text in texts),
        range(len(texts)),
        paths=(f"default (language reference of Python {platform.python_version()})",),
    )
