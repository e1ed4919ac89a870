"""Tokenizers of Hugging Face folders, behind the interface of ours: the same ids as transformers gives.

What such a folder holds (``tokenizer.json`` of the ``tokenizers`` library; for Marian two sentencepiece
models and ``vocab.json``) is kept as it is, in one JSON text, so that a run needs nothing else and a folder
can be written again.  Special tokens are wherever theirs are; text that happens to spell one is encoded as
text.
"""

from __future__ import annotations

import base64
import importlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any, cast

import tokenizers

from qkvae.config import Marks, nearest
from qkvae.data.bpe_dropout import Words
from qkvae.data.byte_letters import readable, spelled_bytes
from qkvae.data.decoding import ByteDecoder, Decoder
from qkvae.data.ragged import Ragged
from qkvae.data.token_kinds import Kind
from qkvae.data.tokenizer import Piece, Tokenizer

FORMAT = "huggingface"
TOKENIZER, VOCAB, SIDES = "tokenizer.json", "vocab.json", ("source.spm", "target.spm")
_SPACE = "▁"  # what sentencepiece has for a space


class ForeignTokenizer(Tokenizer):
    """A tokenizer that somebody else trained."""

    def __init__(self, files: Mapping[str, Any], marks: Marks, size: int) -> None:
        """
        Args:
            files: by name: what JSON files hold, and of others the bytes.
            marks: the special tokens that every model needs.
            size: of the model's vocabulary, which may be larger than the tokenizer's.

        Raises:
            ValueError: the files are of no kind that can be read, or have more tokens than ``size``.
        """
        self.files, self.marks, self.size = dict(files), marks, size
        self.known = self._tokens_by_id()
        require_fitting(len(self.known), size)

    def _tokens_by_id(self) -> list[str]:
        """Every token as the files spell it."""
        raise NotImplementedError

    def to_json(self) -> str:
        """Everything that makes the tokenizer anew."""
        packed = {
            name: base64.b64encode(content).decode() if isinstance(content, bytes) else content
            for name, content in self.files.items()
        }
        facts = {"format": FORMAT, "size": self.size, "marks": asdict(self.marks), "files": packed}
        return json.dumps(facts, ensure_ascii=False) + "\n"

    def __len__(self) -> int:
        return self.size

    def __getstate__(self) -> str:
        return self.to_json()

    def __setstate__(self, state: str) -> None:
        other = from_bundle(json.loads(state))
        self.__dict__.update(other.__dict__)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpacked, (self.to_json(),)

    # Special tokens

    @cached_property
    def special_ids(self) -> tuple[int, ...]:
        """The ids of all special tokens, and of those that stand for nothing."""
        marked = {self.marks.pad, self.marks.bos, self.marks.eos, self.marks.unk} - {None}
        unused = range(len(self.known), self.size)
        return tuple(sorted({*cast("set[int]", marked), *self._added, *unused}))

    @cached_property
    def _added(self) -> tuple[int, ...]:
        """The ids of tokens that the files call special."""
        return ()

    @cached_property
    def specials(self) -> tuple[str, ...]:
        return tuple(self._names[index] for index in self.special_ids if index < len(self.known))

    def special(self, name: str) -> int:
        """The id of a special token; ``[MASK]`` finds the file's own mask, however it is spelled."""
        wanted = name
        if name == "[MASK]" and name not in self.specials and "<mask>" in self.specials:
            wanted = "<mask>"
        if wanted not in self.specials:
            raise ValueError(f'the tokenizer has no special token "{name}": {nearest(name, self.specials)}')
        return self._names.index(wanted)

    # Text to ids

    def encode_marked(self, text: str, name: str) -> list[int]:
        """The token ids of a text in which ``name`` stands for that special token."""
        mark, parts = self.special(name), text.split(name)
        # A word's token begins with the space before it: that before the special token goes with it.
        parts = [*(part.removesuffix(" ") for part in parts[:-1]), parts[-1]]
        ids = self.encode(parts[0])
        for part in parts[1:]:
            ids += [mark, *self.encode(part)]
        return ids

    def unknown(self, texts: Iterable[str]) -> Counter[str]:
        """The pieces of these texts that become UNK, and how often."""
        found: Counter[str] = Counter()
        if self.marks.unk is not None:
            for text in texts:
                found.update(text[at.start : at.end] for at in self.pieces(text) if at.id == self.marks.unk)
        return found

    def words(self, texts: Iterable[str]) -> Words:
        raise ValueError("BPE-dropout needs a tokenizer that was trained here: leave bpe_dropout out")

    # Ids to text

    def decoder(self) -> Decoder:
        return ByteDecoder(self._spelled, prefix=self._prefix)

    @property
    def _prefix(self) -> str:
        """What encoding puts before a text."""
        return " "

    def beginning_with(self, text: str) -> list[int]:
        """The ids of all tokens whose text begins with this one."""
        wanted, special = text.encode(), set(self.special_ids)
        spelled = enumerate(self._spelled)
        return [index for index, each in spelled if index not in special and each.startswith(wanted)]

    @cached_property
    def _names(self) -> list[str]:
        return [*self.known, *(f"<unused {index}>" for index in range(len(self.known), self.size))]

    @cached_property
    def _spelled(self) -> list[bytes]:
        """The bytes of every token; PAD, BOS and EOS have none."""
        silent, special = {self.marks.pad, self.marks.bos, self.marks.eos}, set(self.special_ids)
        spelled: list[bytes] = []
        for index, name in enumerate(self._names):
            spelled.append(name.encode() if index in special else self._bytes(name))
            if index in silent:
                spelled[-1] = b""
        return spelled

    def _bytes(self, token: str) -> bytes:
        """What a token that is text stands for."""
        raise NotImplementedError

    @cached_property
    def _shown(self) -> list[str]:
        special = set(self.special_ids)
        rows = enumerate(zip(self._names, self._spelled, strict=True))
        return [name if index in special else readable(spelled) for index, (name, spelled) in rows]


class LibraryTokenizer(ForeignTokenizer):
    """One in a ``tokenizer.json``: byte-level BPE (GPT-2, RoBERTa, Llama 3), BPE with ``▁`` (Llama),
    WordPiece (BERT)."""

    def _tokens_by_id(self) -> list[str]:
        try:
            backend = tokenizers.Tokenizer.from_str(json.dumps(self.files[TOKENIZER]))
        except Exception as error:  # the library raises nothing narrower
            raise ValueError(f"{TOKENIZER} cannot be read: {error}") from None
        backend.no_padding()
        backend.no_truncation()
        backend.encode_special_tokens = True
        self._backend = backend
        self._style = self._style_of(type(backend.model).__name__)
        ids = backend.get_vocab(with_added_tokens=True)
        names = [f"<unused {index}>" for index in range(max(ids.values(), default=-1) + 1)]
        for name, index in ids.items():
            names[index] = name
        return names

    def _style_of(self, model: str) -> str:
        """How tokens are spelled: in letters that are bytes, with ▁ for a space, or with ## inside a word.

        Raises:
            ValueError: in no such way.
        """
        described = json.dumps([self.files[TOKENIZER].get(part) for part in ("pre_tokenizer", "decoder")])
        if model == "WordPiece":
            return "##"
        if model == "BPE" and "ByteLevel" in described:
            return "bytes"
        if model == "BPE":
            return _SPACE
        raise ValueError(
            f"the tokenizer's model is {model}, but only byte-level BPE, BPE and WordPiece can be read"
        )

    kind: Kind = "bpe"

    @cached_property
    def _added(self) -> tuple[int, ...]:
        added = self._backend.get_added_tokens_decoder()
        return tuple(index for index, token in added.items() if token.special)

    @property
    def _prefix(self) -> str:
        return " " if self._style != "bytes" or self._encodes_a_space_before else ""

    @cached_property
    def _encodes_a_space_before(self) -> bool:
        ids = self._backend.encode("a", add_special_tokens=False).ids
        return bool(ids) and spelled_bytes(self._names[ids[0]]).startswith(b" ")

    def encode_batch(self, texts: Iterable[str]) -> Ragged:
        """The token ids of many texts, a row each."""
        found = self._backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return Ragged.from_lists([each.ids for each in found])

    def pieces(self, text: str) -> list[Piece]:
        """The tokens of a text and their places in it."""
        found = self._backend.encode(text, add_special_tokens=False)
        rows = zip(found.ids, self.tokens(found.ids), found.offsets, strict=True)
        return [Piece(index, token, *place) for index, token, place in rows]

    def _bytes(self, token: str) -> bytes:
        match self._style:
            case "bytes":
                return _letters(token)
            case "##":
                return token.removeprefix("##").encode() if token.startswith("##") else f" {token}".encode()
            case _:
                byte = token.startswith("<0x") and token.endswith(">") and len(token) == 6
                return bytes([int(token[3:5], 16)]) if byte else token.replace(_SPACE, " ").encode()


class MarianTokenizer(ForeignTokenizer):
    """Two sentencepiece models, one for each language, over one vocabulary."""

    kind: Kind = "word"
    side = 0
    """0 encodes sources, 1 targets."""

    def _tokens_by_id(self) -> list[str]:
        ids = cast("dict[str, int]", self.files[VOCAB])
        return sorted(ids, key=ids.__getitem__)

    @property
    def target(self) -> Tokenizer:
        """The same vocabulary with the target language's pieces."""
        other = MarianTokenizer(self.files, self.marks, self.size)
        other.side = 1
        return other

    @cached_property
    def _pieces(self) -> Any:
        try:
            library = importlib.import_module("sentencepiece")
        except ImportError:
            raise ValueError(
                "this tokenizer is made of sentencepiece models: pip install sentencepiece"
            ) from None
        return library.SentencePieceProcessor(model_proto=self.files[SIDES[self.side]])

    @cached_property
    def _ids(self) -> dict[str, int]:
        return cast("dict[str, int]", self.files[VOCAB])

    def encode_batch(self, texts: Iterable[str]) -> Ragged:
        """The token ids of many texts, a row each; a language code (``>>fr<<``) before one is a token."""
        return Ragged.from_lists([self._encoded(text) for text in texts])

    def _encoded(self, text: str) -> list[int]:
        code: list[str] = []
        if text.startswith(">>") and (end := text.find("<<")) > 2:
            code, text = [text[: end + 2]], text[end + 2 :]
        unknown = self.marks.unk
        pieces = [*code, *self._pieces.encode(text, out_type=str)]
        return [index for piece in pieces if (index := self._ids.get(piece, unknown)) is not None]

    def pieces(self, text: str) -> list[Piece]:
        raise ValueError("sentencepiece normalises a text before it is cut: its tokens have no places in it")

    def unknown(self, texts: Iterable[str]) -> Counter[str]:
        mark = self.marks.unk
        return Counter({"<unk>": sum(index == mark for text in texts for index in self.encode(text))})

    def _bytes(self, token: str) -> bytes:
        return token.replace(_SPACE, " ").encode()


def from_bundle(facts: Mapping[str, Any]) -> ForeignTokenizer:
    """The tokenizer that ``to_json`` described.

    Raises:
        ValueError: it is none.
    """
    try:
        files = {
            name: base64.b64decode(content) if isinstance(content, str) else content
            for name, content in facts["files"].items()
        }
        return foreign(files, Marks(**facts["marks"]), facts["size"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"not what qkvae wrote of a Hugging Face tokenizer: {error!r}") from None


def foreign(files: Mapping[str, Any], marks: Marks, size: int) -> ForeignTokenizer:
    """The tokenizer of these files of a Hugging Face folder.

    Raises:
        ValueError: they are of no kind that can be read.
    """
    if TOKENIZER in files:
        return LibraryTokenizer(files, marks, size)
    if all(name in files for name in (*SIDES, VOCAB)):
        return MarianTokenizer(files, marks, size)
    raise ValueError(f"there is no {TOKENIZER}: save the tokenizer anew with transformers' save_pretrained")


def require_fitting(tokens: int, size: int) -> None:
    """Refuse a tokenizer of more tokens than the model has vectors for.

    Raises:
        ValueError: it has more.
    """
    if tokens > size:
        raise ValueError(f"the tokenizer has {tokens} tokens, but the model {size}: give the model's own")


def _letters(token: str) -> bytes:
    """The bytes of a byte-level token; one that was added later is spelled as it is."""
    try:
        return spelled_bytes(token)
    except KeyError:
        return token.encode()


def _unpacked(text: str) -> ForeignTokenizer:
    return from_bundle(json.loads(text))
