"""Unknown names: say which known one is nearest."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that helps after an unknown name: the nearest known one, or all of them.

    >>> nearest("translatoin", ["translation", "vae"])
    'did you mean "translation"?'
    >>> nearest("xyz", ["relu", "gelu"])
    'known: gelu, relu'
    """
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else "known: " + ", ".join(known)
