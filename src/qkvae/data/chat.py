"""Dialogues: read from JSON lines, and turned into tokens of which the assistant's are learned.

A conversation is written as its turns one after the other, each as the special token of its role, the tokens
of what is said, and </s>.  The tokenizer that was trained with ``ROLE_TOKENS`` as special tokens keeps this
template by having them: no text can spell them, and nothing has to be run to apply it.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np

from qkvae.config.names import nearest
from qkvae.data.documents import Name, clean, fingerprint
from qkvae.data.files import Lines, TextFile, inside_archive, locate
from qkvae.data.packing import EncodedDocuments
from qkvae.data.pairs import Note, Tally
from qkvae.data.ragged import Ragged, spans
from qkvae.data.splits import chosen_by_hash, source_hashes
from qkvae.data.stories import is_story, questions_of
from qkvae.data.tables import json_cells
from qkvae.data.text_column import LONGEST_ROW
from qkvae.data.tokenizer import Tokenizer

ROLES = ("system", "user", "assistant")
"""Who may speak: the system once and first, or not at all; then user and assistant in turn."""

ROLE_TOKENS = tuple(f"<{role}>" for role in ROLES)
"""The special tokens that open a turn, to be declared when the tokenizer is trained."""


@dataclass(frozen=True)
class Turn:
    """What one of the roles says.

    Raises:
        ValueError: there is no such role, or nothing is said.
    """

    role: str
    content: str

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f'role is "{self.role}": {nearest(self.role, ROLES)}')
        if not self.content or self.content.isspace():
            raise ValueError(f"the {self.role} says nothing: give the turn some content")


Conversation = tuple[Turn, ...]


@dataclass(frozen=True)
class Chats:
    """Conversations, and where each came from.

    >>> chat = Chats([(Turn("user", "Hello?"), Turn("assistant", "Hello!"))])
    >>> len(chat), chat.where(0), list(chat.texts())
    (1, 'conversation 1', ['Hello?', 'Hello!'])
    """

    conversations: list[Conversation]

    lines: Sequence[int] = ()
    """The line of its file, from 1, of each; without files they count the conversations."""

    files: tuple[str, ...] = ()
    """Names of the files that were read."""

    file_of: Sequence[int] = field(default=(), repr=False)
    """Which of ``files`` each conversation is from."""

    notes: tuple[Note, ...] = ()
    paths: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.lines:
            object.__setattr__(self, "lines", array("q", range(1, len(self.conversations) + 1)))
        files = len(self.file_of) if self.files else len(self.conversations)
        if not len(self.conversations) == len(self.lines) == files:
            count = len(self.conversations)
            raise ValueError(f"{count} conversations, {len(self.lines)} lines and {files} files of them")

    def __len__(self) -> int:
        return len(self.conversations)

    def texts(self) -> Iterable[str]:
        """All that is said, turn by turn: what a tokenizer learns from."""
        return (turn.content for conversation in self.conversations for turn in conversation)

    @property
    def characters(self) -> int:
        """Characters of all turns together."""
        return sum(map(len, self.texts()))

    @property
    def fingerprint(self) -> str:
        """Changes with any turn, its role, or their order."""
        return fingerprint([_written(conversation) for conversation in self.conversations])

    @property
    def figures(self) -> dict[str, Any]:
        """What the passport of a run says of these conversations."""
        return {
            "files": list(self.paths),
            "conversations": len(self),
            "turns": sum(map(len, self.conversations)),
            "characters": self.characters,
        }

    def where(self, index: int) -> str:
        """Where a conversation was read, for a message."""
        if not self.files:
            return f"conversation {self.lines[index]}"
        return f"{self.files[self.file_of[index]]}:{self.lines[index]}"

    def select(self, indices: Iterable[int]) -> Chats:
        """The conversations at these places, in this order; the notes stay with the whole."""
        chosen = array("q", indices)
        return Chats(
            [self.conversations[i] for i in chosen],
            array("q", (self.lines[i] for i in chosen)),
            self.files,
            array("q", (self.file_of[i] for i in chosen)) if self.files else (),
            paths=self.paths,
        )


def read_chats(paths: Name | Sequence[Name]) -> Chats:
    """Read conversations: a line of .jsonl each, ``{"messages": [{"role": "user", "content": "…"}, …]}``.

    Stories with questions in the format of bAbI (.txt, see ``stories``) are conversations, too: the user
    tells and asks, the assistant answers.  A path may lead into an archive (``babi.tar.xz/*_train.txt``).

    The roles are ``system`` (once and first, or not at all), then ``user`` and ``assistant`` in turn; .gz and
    .xz are unpacked.  Other keys are not looked at.

    Handled, and counted in ``notes``: carriage returns and control characters (as in ``read_documents``);
    what the user says last, if nobody answers it (left out); conversations without messages, with an unknown
    role, with roles out of order, with a turn that is empty or no text, or without an answer (dropped).

    Raises:
        FileNotFoundError: a path does not exist; the nearest existing name is suggested.
        ValueError: a line is not JSON, a file is no UTF-8 text, or no conversation is left.

    >>> import json, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "chats.jsonl"
    >>> said = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hello!"}]
    >>> _ = path.write_text(json.dumps({"messages": said}), encoding="utf-8")
    >>> read_chats(path).conversations[0][1]
    Turn(role='assistant', content='Hello!')
    """
    names = [os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    tally = Tally()
    found: list[Conversation] = []
    lines, file_of = array("q"), array("q")
    files = [file for name in names for file in inside_archive(name) or [TextFile(locate(name))]]
    known = tuple(file.name for file in files)
    for place, file in enumerate(files):
        for number, messages in _messages(file, tally):
            conversation = _conversation(messages, f"{file.name}:{number}", tally)
            if conversation:
                found.append(conversation)
                lines.append(number)
                file_of.append(place)
    notes = tally.notes()
    if not found:
        dropped = "; ".join(str(note) for note in notes if note.kind in _DROPPED)
        raise ValueError(
            f"{', '.join(known)}: there is no conversation to learn from{dropped and ': '}{dropped}"
        )
    return Chats(found, lines, known, file_of, notes, tuple(names))


def _messages(file: TextFile, tally: Tally) -> Iterator[tuple[int, Any]]:
    """What each line, or story, of a file holds for messages, and its number."""
    if file.suffix == ".txt" and is_story(file):
        stories: list[tuple[int, list[dict[str, str]]]] = []
        for asked in questions_of(Lines(file, tally, LONGEST_ROW)):
            if asked.first:
                stories.append((asked.line, []))
            said = f"{asked.told} {asked.question}".strip()
            turns = (("user", said), ("assistant", asked.answer))
            stories[-1][1].extend({"role": role, "content": content} for role, content in turns)
        yield from stories
        return
    for number, line in enumerate(Lines(file, tally, LONGEST_ROW), 1):
        if line is not None and line.strip():
            yield number, json_cells(line, f"{file.name}: line {number}").get("messages")


_DROPPED = {
    "no messages": "conversations without a list of messages were dropped",
    "unknown role": f"conversations with a role that is none of {', '.join(ROLES)} were dropped",
    "out of order": "conversations whose roles are not (system,) user, assistant, user … were dropped",
    "empty turn": "conversations with a turn that is empty or no text were dropped",
    "no answer": "conversations without an assistant's turn were dropped",
}


def _conversation(messages: Any, where: str, tally: Tally) -> Conversation | None:
    """The turns of one conversation, or None if it was dropped and counted."""
    cells = cast(list[Any], messages) if isinstance(messages, list) else []
    messages = cast(list[dict[str, Any]], [cell for cell in cells if isinstance(cell, dict)])
    said = [(cell.get("role"), cell.get("content")) for cell in messages]
    fault = _fault(said) if len(said) == len(cells) else "no messages"
    if fault is None and said[-1][0] == "user":
        tally.add("unanswered", "users' turns that nobody answers were left out", where)
        said.pop()
    cleaned = [] if fault else [(role, clean(content, where, tally)) for role, content in said]
    if any(content.isspace() for _, content in cleaned):
        fault = "empty turn"  # of nothing but control characters
    if fault:
        tally.add(fault, _DROPPED[fault], where)
        return None
    return tuple(Turn(role, content) for role, content in cleaned)


def _fault(said: Sequence[tuple[Any, Any]]) -> str | None:
    """What is wrong with the roles and contents of a conversation, as a key of ``_DROPPED``."""
    roles = [role for role, _ in said]
    if not roles:
        return "no messages"
    if not all(role in ROLES for role in roles):
        return "unknown role"
    if "assistant" not in roles:
        return "no answer"
    if not _in_order(roles):
        return "out of order"
    spoken = all(isinstance(content, str) and content.strip() for _, content in said)
    return None if spoken else "empty turn"


def _in_order(roles: Sequence[str]) -> bool:
    """Whether a system's turn may come first, then user and assistant in turn, and nothing else."""
    rest = roles[1:] if roles and roles[0] == "system" else roles
    return all(role == ("user", "assistant")[place % 2] for place, role in enumerate(rest))


def split_chats(chats: Chats, fraction: float) -> tuple[Chats, Chats]:
    """Split into (train, valid) by hash of the whole conversation, as ``splits.split_pairs`` does.

    The notes stay with train.

    Raises:
        ValueError: the fraction is not inside (0, 1), or there are fewer than two different conversations.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction is {fraction}, but must be greater than 0 and less than 1")
    hashes = source_hashes([_written(conversation) for conversation in chats.conversations])
    if len(np.unique(hashes)) < 2:
        raise ValueError(f"{len(chats)} conversations that do not differ cannot be split: give at least two")
    chosen = chosen_by_hash(hashes, fraction)
    train, valid = (chats.select(np.flatnonzero(part).tolist()) for part in (~chosen, chosen))
    return replace(train, notes=chats.notes), valid


def _written(conversation: Conversation) -> str:
    """A conversation as one text; no two different ones are written alike."""
    return "\0".join(part for turn in conversation for part in (turn.role, turn.content))


@dataclass(frozen=True)
class ChatTemplate:
    """How a conversation is written as token ids.

    >>> tokenizer = Tokenizer.train(["hello!"], "char", specials=ROLE_TOKENS)
    >>> template = ChatTemplate.of(tokenizer)
    >>> prompt = template.prompt([Turn("user", "hello!")], tokenizer)
    >>> tokenizer.tokens(prompt)
    ['<user>', 'h', 'e', 'l', 'l', 'o', '!', '</s>', '<assistant>']
    """

    openers: tuple[tuple[str, int], ...]
    """The token that opens the turn of each role."""

    end: int
    """The token that ends every turn."""

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> ChatTemplate:
        """The template that a tokenizer keeps.

        Raises:
            ValueError: it was trained without ``ROLE_TOKENS``.
        """
        ids = map(tokenizer.special, ROLE_TOKENS)
        return cls(tuple(zip(ROLES, ids, strict=True)), tokenizer.marks.eos)

    def encode(self, conversations: Sequence[Conversation], tokenizer: Tokenizer) -> EncodedDocuments:
        """The conversations as token ids; only the assistant's turns count, their end tokens included.

        Raises:
            ValueError: there is no conversation.
        """
        if not conversations:
            raise ValueError("there is no conversation to encode")
        turns = [turn for conversation in conversations for turn in conversation]
        said = tokenizer.encode_batch(turn.content for turn in turns)
        openers = dict(self.openers)
        lengths = said.lengths + 2
        starts = np.cumsum(lengths) - lengths
        flat = np.full(int(lengths.sum()), self.end, np.int32)
        flat[starts] = np.fromiter((openers[turn.role] for turn in turns), np.int32, len(turns))
        flat[spans(starts + 1, said.lengths)] = said.flat
        learned = np.fromiter((turn.role == "assistant" for turn in turns), np.bool_, len(turns))
        counted = np.repeat(learned, lengths)
        counted[starts] = False  # who speaks next is not the assistant's to say
        turns_of = np.fromiter(map(len, conversations), np.int64, len(conversations))
        firsts = np.cumsum(turns_of) - turns_of
        return EncodedDocuments(Ragged.from_lengths(flat, np.add.reduceat(lengths, firsts)), counted)

    def prompt(self, conversation: Sequence[Turn], tokenizer: Tokenizer) -> list[int]:
        """The conversation so far and the token that lets the assistant speak; like all ids without <s>.

        The answer is what the model then writes before ``end``.

        Raises:
            ValueError: the roles are out of order, or the user has not spoken last.
        """
        roles = [turn.role for turn in conversation]
        if not _in_order(roles) or roles[-1:] != ["user"]:
            raise ValueError(
                f"the turns are {', '.join(roles) or 'none'}, but must be (system,) user, assistant, … user"
            )
        encoded = self.encode([tuple(conversation)], tokenizer)
        return [*encoded.tokens.flat.tolist(), dict(self.openers)["assistant"]]
