"""Self-contained pages: style and script inside, nothing fetched, and text is never markup."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from qkvae.inspect.axes import short

_SPELLED = {"bleu": "BLEU", "chrf": "chrF", "lr": "learning rate"}


def render(template: str, facts: dict[str, Any]) -> str:
    """A template of ``pages/`` filled in; every text in it is escaped unless it is ``Markup``."""
    return _environment().get_template(template).render(facts)


def part(*names: str) -> Markup:
    """Files of ``pages/``, one after the other: style or script that stands inside a page."""
    folder = files("qkvae.inspect").joinpath("pages")
    return Markup("\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names))


def data(value: Any) -> Markup:
    """JSON that may stand inside a ``<script>`` element, whatever text it holds.

    A parser of HTML ends the element at ``</script``, and reads on differently after ``<!--``: neither can
    occur without ``<``, which is written as an escape.

    >>> data({"text": "</script>"})
    Markup('{"text":"\\\\u003c/script>"}')

    Raises:
        ValueError: a number is not finite, which JSON cannot say.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def fingerprint(script: str) -> str:
    """The script's hash as a content security policy names it: the page runs this script and no other.

    >>> fingerprint("1")
    'sha256-a4ayc/80/OGda4BO/1o/V0etpOqiLx1JwB5S3beHW0s='
    """
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def write_page(path: Path | str, page: str) -> Path:
    """Write the page whole or not at all.

    Raises:
        OSError: the file cannot be written; nothing else is left there.
    """
    path = Path(path)
    new = path.with_name(path.name + ".new")
    try:
        # Half characters, which a terminal may pass on, cannot be written: they become question marks.
        new.write_text(page, encoding="utf-8", errors="replace", newline="\n")
        os.replace(new, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error
    return path


def plain(value: Any) -> str:
    """A value as a reader writes it.

    >>> [plain(value) for value in (29000, 0.31234567, True, None, "text")]
    ['29,000', '0.3123', 'yes', 'not given', 'text']
    """
    if value is None:
        return "not given"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return short(value) if isinstance(value, float) else str(value)


def exact(value: Any) -> str:
    """A setting as it may be typed again.

    >>> [exact(value) for value in (8000, 1e-05, False, None)]
    ['8000', '1e-05', 'false', 'not given']
    """
    return str(value).lower() if isinstance(value, bool) else "not given" if value is None else str(value)


def words(name: Any) -> str:
    """The name of a quantity as words.

    >>> words("tokens_per_second"), words("valid_bleu")
    ('tokens per second', 'valid BLEU')
    """
    return " ".join(_SPELLED.get(word, word) for word in str(name).split("_"))


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("qkvae.inspect", "pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(plain=plain, exact=exact, words=words)
    return environment
