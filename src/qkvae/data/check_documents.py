"""What is odd about texts to be continued, before a training is spent on them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

import numpy as np

from qkvae.data.chat import Chats
from qkvae.data.check import BYTES_PER_TOKEN, MARKUP, MOJIBAKE
from qkvae.data.documents import Documents
from qkvae.data.findings import Example, Finding, Places, Report, short
from qkvae.data.pairs import EXAMPLES
from qkvae.data.splits import normalised

NEARLY_EMPTY = 20
"""Characters; a document with fewer letters and digits than that teaches little but its end."""

RARE = 3
"""A character that is met less often than this is remarked on."""

MOST_SHOWN = 20
"""Characters that a remark lists."""

ADVICE = {
    "duplicates": "They weigh more than once, and are learned by heart: drop them if that is not meant.",
    "repeated lines": "Headers, footers or boilerplate, which the run will write everywhere: take them out.",
    "leaks": "They stand in train too, so the score flatters: take them out.",
    "leaks (passages)": "A tenth of their longer lines stands in train too: are they parts of one text?",
    "nearly empty": "Hardly a letter in them: they teach little but how a document ends. Drop them.",
    "odd characters": "Private, unassigned or invisible ones, often from a faulty conversion: look at them.",
    "encoding": "Text was decoded wrongly once (Ã¤ for ä, U+FFFD): go back to where the file came from.",
    "markup": "HTML stands in the text: unescape or strip it, or the run will write it.",
    "cut": "Longer than length: no row shows the whole of one, and the end is learned without the beginning.",
}
"""The kinds of finding, and what to do about each."""

_LETTERS = re.compile(r"\w")
_LINE = 30  # characters of a line that is more than a turn of phrase
_OFTEN = 10  # times that a line is repeated, and …
_SHARE = 0.01  # … part of all lines
_SHARED = 0.1  # part of a text's lines that are no coincidence


def check_documents(
    train: Documents | Chats, valid: Documents | Chats | None = None, length: int = 256, whole: bool = False
) -> Report:
    """Look for what spoils a training; nothing is changed.

    Conversations, and texts with ``whole``, are each read by themselves; other texts are cut into rows.

    Kinds of finding, for ``train`` and, where it applies, for ``valid`` (a conversation counts as the text of
    all its turns; texts are equal if ``splits.normalised`` makes them so):

    - ``duplicates``, ``leaks`` (valid texts that stand in train) and ``leaks (passages)`` (a tenth of whose
      lines does), ``repeated lines`` (one line in 1 % of the lines);
    - ``nearly empty`` (documents of less than 20 letters and digits), ``odd characters`` (private use,
      unassigned, invisible), ``encoding`` (UTF-8 once read as something else, U+FFFD), ``markup``;
    - ``cut``: of texts read by themselves, those of more than ``length`` tokens, estimated at four bytes
      each.

    Remarks tell how many characters there are, the rarest of them, and how long texts are cut into rows.

    Raises:
        ValueError: ``length`` is below 1, or a part is empty.

    >>> texts = Documents(["A story of some length, told twice."] * 2 + ["?"])
    >>> [(found.kind, found.count) for found in check_documents(texts).findings]
    [('duplicates', 1), ('nearly empty', 1)]
    """
    if length < 1:
        raise ValueError(f"length is {length}, but must be at least 1")
    both = {"train": train} if valid is None else {"train": train, "valid": valid}
    parts = {name: _Part(part, whole) for name, part in both.items()}
    findings: list[Finding] = []
    known = set(map(hash, map(normalised, parts["train"].texts)))
    for name, part in parts.items():
        findings += _repeated(part, name)
        if name == "valid":
            leaked = [place for place, text in enumerate(part.texts) if hash(normalised(text)) in known]
            findings += part.finding("leaks", name, leaked)
            shared = _sharing(part, parts["train"], set(leaked))
            findings += part.finding("leaks (passages)", name, shared)
        findings += _texts(part, name)
        long = [place for place, size in enumerate(part.sizes) if size > BYTES_PER_TOKEN * length]
        if part.whole:
            findings += part.finding("cut", name, long, f"length is {length}, tokens are estimated")
    notes = tuple(note for part in parts.values() for note in part.source.notes)
    remarks = tuple(_remarks(parts["train"], length))
    return Report(len(train), len(valid or ()), tuple(findings), notes, remarks, noun=parts["train"].noun)


class _Part:
    """The texts of one part, and where each was read."""

    def __init__(self, source: Documents | Chats, whole: bool) -> None:
        if not len(source):
            raise ValueError("there is no text to check")
        self.source = source
        self.whole = whole or isinstance(source, Chats)
        self.noun = "conversation" if isinstance(source, Chats) else "text" if whole else "document"
        if isinstance(source, Chats):
            self.texts = ["\n".join(turn.content for turn in each) for each in source.conversations]
        else:
            self.texts = source.texts
        self.sizes = [len(text.encode("utf-8", "replace")) for text in self.texts]

    def finding(self, kind: str, part: str, places: list[int], detail: str = "") -> Iterator[Finding]:
        """One finding about the texts at these places, or none if there are none."""
        if places:
            shown = places[:EXAMPLES]
            examples = tuple(
                Example(self.source.lines[at], self.source.where(at), short(" ".join(self.texts[at].split())))
                for at in shown
            )
            share = len(places) / len(self.texts)
            yield Finding(kind, part, len(places), share, ADVICE[kind], detail, examples, noun=self.noun)


def _repeated(part: _Part, name: str) -> Iterator[Finding]:
    seen: set[int] = set()
    again: list[int] = []
    for place, text in enumerate(part.texts):
        key = hash(normalised(text))
        if key in seen:
            again.append(place)
        seen.add(key)
    yield from part.finding("duplicates", name, again)
    lines = Counter(line for text in part.texts for line in text.splitlines() if len(line) >= _LINE)
    total = sum(lines.values())
    often = {line: count for line, count in lines.items() if count >= max(_OFTEN, _SHARE * total)}
    if often:
        places = [at for at, text in enumerate(part.texts) if not often.keys().isdisjoint(text.splitlines())]
        line, count = max(often.items(), key=lambda item: item[1])
        yield from part.finding("repeated lines", name, places, f'"{short(line)}" stands {count:,} times')


def _sharing(part: _Part, train: _Part, but: set[int]) -> list[int]:
    """Texts of which a tenth of the longer lines stands in train."""
    known = {hash(line) for text in train.texts for line in text.splitlines() if len(line) >= _LINE}
    found: list[int] = []
    for place, text in enumerate(part.texts):
        lines = [hash(line) for line in text.splitlines() if len(line) >= _LINE]
        if lines and place not in but and sum(line in known for line in lines) >= _SHARED * len(lines):
            found.append(place)
    return found


def _texts(part: _Part, name: str) -> Iterator[Finding]:
    found: dict[str, list[int]] = {
        kind: [] for kind in ("nearly empty", "odd characters", "encoding", "markup")
    }
    strange: Counter[str] = Counter()
    for place, text in enumerate(part.texts):
        if not part.whole and len(text) < 50 * NEARLY_EMPTY and len(_LETTERS.findall(text)) < NEARLY_EMPTY:
            found["nearly empty"].append(place)
        if not text.isascii():
            odd = [letter for letter in set(text) if _is_odd(letter)]
            if odd:
                found["odd characters"].append(place)
                strange.update({letter: text.count(letter) for letter in odd})
            if MOJIBAKE.search(text):
                found["encoding"].append(place)
        if ("&" in text or "<" in text) and MARKUP.search(text):
            found["markup"].append(place)
    shown = ", ".join(
        f"U+{ord(letter):04X} {count:,} times" for letter, count in strange.most_common(EXAMPLES)
    )
    for kind, places in found.items():
        yield from part.finding(kind, name, places, shown if kind == "odd characters" else "")


def _is_odd(letter: str) -> bool:
    """Whether a character has no business in a text: private use, unassigned, or formatting without shape.

    >>> [_is_odd(letter) for letter in ("é", chr(0xE000), chr(0x200B), chr(0x200D))]
    [False, True, True, False]
    """
    if letter in "\u200c\u200d\u00ad":  # joiners, which some scripts and emoji need, and the soft hyphen
        return False
    return unicodedata.category(letter) in ("Co", "Cn", "Cf", "Cs")


def _remarks(part: _Part, length: int) -> Iterator[str]:
    letters: Counter[str] = Counter()
    for text in part.texts:
        letters.update(text)
    total = sum(letters.values())
    yield f"{total:,} characters, {len(letters):,} different ones"
    rare = sorted(letter for letter, count in letters.items() if count < RARE)
    if rare:
        shown = " ".join(
            letter if letter.isprintable() else f"U+{ord(letter):04X}" for letter in rare[:MOST_SHOWN]
        )
        yield f"{len(rare)} of them stand fewer than {RARE} times: {shown}{' …' * (len(rare) > MOST_SHOWN)}"
    if not part.whole:
        sizes: Places = np.array([len(text) for text in part.texts], np.int64)
        long = np.count_nonzero(sizes > BYTES_PER_TOKEN * length)
        yield f"{long:,} of {len(sizes):,} are longer than {length} tokens: cut into rows, nothing is lost"
