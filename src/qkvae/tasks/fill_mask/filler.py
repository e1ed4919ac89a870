"""Text with blanks in, words out: a model and its tokenizer as a filler of blanks."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from qkvae.config import Filling
from qkvae.data.byte_letters import SPACE
from qkvae.data.encoded import Sentences
from qkvae.data.packed import PackedSentences
from qkvae.data.passages import running
from qkvae.data.ragged import Ragged
from qkvae.data.tokenizer import Tokenizer
from qkvae.models import Encoder
from qkvae.run import Run
from qkvae.tasks.answering import kept_model, require_vocabulary, said_of_long, windows
from qkvae.tasks.fill_mask.corpus import MASK
from qkvae.tasks.reading import packed_features
from qkvae.tasks.task import settled

_TOKENS = 8192  # of a batch: bounds the memory, decides nothing else


class Word(NamedTuple):
    """What may stand in a blank."""

    word: str
    probability: float
    """That its token stands there, among all tokens there are."""


@dataclass(frozen=True)
class Answer:
    """What was told of one input."""

    source: str
    """The input."""

    text: str
    """The input with the most probable word in every blank; white space is single spaces."""

    blanks: tuple[tuple[Word, ...], ...]
    """For each blank the words told, most probable first."""

    cut: bool = False
    """Whether the text is longer than is read at once, so that each blank was read with what is around it."""

    def record(self) -> dict[str, Any]:
        """Everything, for JSON."""
        blanks = [[word._asdict() for word in words] for words in self.blanks]
        return {"source": self.source, "text": self.text, "blanks": blanks}


@dataclass(frozen=True)
class _Asked:
    """A text with blanks, as it is read."""

    parts: list[str]
    """What stands before, between and behind the blanks."""

    ids: list[int]
    places: list[int]
    """Of the blanks among the ids."""

    @property
    def begins(self) -> list[bool]:
        """Whether each blank begins a word: it is the first of the text, or a space stands before it."""
        first, *others = self.parts[:-1]
        return [not first or first.endswith(" "), *(part.endswith(" ") for part in others)]


class Filler:
    """A model that fills blanks.

    >>> from qkvae.config import Block
    >>> from qkvae.config import Encoder as Settings
    >>> tokenizer = Tokenizer.train(["the cat sat ."] * 2, "word", specials=[MASK])
    >>> model = Encoder(Settings(block=Block(dim=8, heads=2, hidden=16), depth=1, vocab=len(tokenizer)))
    >>> (answer,) = Filler(model.eval(), tokenizer).stream(["The [MASK] sat."], Filling(best=2))
    >>> len(answer.blanks), len(answer.blanks[0])
    (1, 2)
    """

    def __init__(
        self, model: Encoder, tokenizer: Tokenizer, length: int = 128, generation: Filling | None = None
    ) -> None:
        """
        Args:
            model: with weights in fp32; it is used where it is (CPU, CUDA, MPS).
            tokenizer: the one that the model was trained with.
            length: tokens that are read at once, the two around them counted.
            generation: how blanks are filled, unless a call says otherwise.

        Raises:
            ValueError: the vocabularies of model and tokenizer differ.
        """
        require_vocabulary(model, tokenizer)
        self.model, self.tokenizer, self.length = model, tokenizer, length
        self.generation = generation or Filling()
        self._mask = tokenizer.special(MASK)
        self._shown = tokenizer.tokens(range(len(tokenizer)))
        self._fits = {begins: self._fitting(begins) for begins in (True, False)}

    @classmethod
    def from_run(cls, run: Run) -> Filler:
        """The weights that a run keeps for use, and its tokenizer.

        Raises:
            RunError: a part of the run is missing or damaged.
        """
        config: Any = settled(run)
        return cls(kept_model(run), run.tokenizer, config.data.length, config.generation)

    def stream(self, inputs: Iterable[str], settings: Filling | None = None) -> Iterator[Answer]:
        """An answer to each input, in their order.

        Raises:
            ValueError: an input that is not empty holds no blank.
        """
        chosen = settings or self.generation
        for lines in windows(inputs, chosen.batch):
            asked = [self._asked(line) for line in lines if line.strip()]
            found = iter(zip(asked, self._told(asked, chosen.best), strict=True))
            for line in lines:
                yield self._answer(line, *next(found)) if line.strip() else Answer(line, "", ())

    def lines(self, answer: Answer, number: int, settings: Filling | None = None) -> list[str]:
        """The filled text, and of each blank its word and how probable it is, by tabs; with ``best`` above 1,
        a line for each blank: number of the input and of the blank, and its words with their
        probabilities."""
        told = [[cell for word in words for cell in _cells(word)] for words in answer.blanks]
        if (settings or self.generation).best == 1:
            return ["\t".join([answer.text, *itertools.chain.from_iterable(told)])]
        return ["\t".join([str(number), str(place), *cells]) for place, cells in enumerate(told, 1)]

    def said_of_cuts(self, answers: Iterable[Answer]) -> str | None:
        """What a person must be told if a text was not read as a whole, in one line."""
        count = sum(answer.cut for answer in answers)
        return said_of_long(count, self.length - 2, done="each blank was read with those around it")

    def ids(self, text: str) -> list[int]:
        """The tokens of a text, its blanks among them, without the two around them."""
        return self.tokenizer.encode_marked(next(running([text])), MASK)

    def _asked(self, line: str) -> _Asked:
        (text,) = running([line])
        parts = text.split(MASK)
        if len(parts) == 1:
            raise ValueError(f'"{text[:60]}" holds no blank: write {MASK} where a word is to be told')
        ids = self.ids(text)
        return _Asked(parts, ids, [place for place, index in enumerate(ids) if index == self._mask])

    def _answer(self, line: str, asked: _Asked, blanks: tuple[tuple[Word, ...], ...]) -> Answer:
        first, *others = asked.parts
        filled = (f"{words[0].word}{part}" for words, part in zip(blanks, others, strict=True))
        return Answer(line, first + "".join(filled), blanks, len(asked.ids) > self.length - 2)

    def _told(self, asked: Sequence[_Asked], best: int) -> list[tuple[tuple[Word, ...], ...]]:
        """The best words for every blank of every text."""
        windows = [window for each in asked for window in self._windows(each)]
        begins = [begin for each in asked for begin in each.begins]
        if not windows:
            return []
        words: list[tuple[Word, ...]] = []
        for row, begin in zip(self._logits(windows), begins, strict=True):
            p = row.softmax(0).masked_fill(~self._fits[begin], 0.0)
            top = p.topk(min(best, int(self._fits[begin].sum())))
            ids: list[int] = top.indices.numpy().tolist()
            words.append(tuple(Word(self._word(index), float(p[index])) for index in ids))
        blanks = iter(words)
        return [tuple(itertools.islice(blanks, len(each.places))) for each in asked]

    def _windows(self, asked: _Asked) -> Iterator[tuple[list[int], list[int]]]:
        """What is read, and which of its places are asked about: the whole text; of one that is too long,
        what is around each blank."""
        room = self.length - 2
        if len(asked.ids) <= room:
            yield asked.ids, asked.places
            return
        for place in asked.places:
            start = min(max(0, place - room // 2), len(asked.ids) - room)
            yield asked.ids[start : start + room], [place - start]

    @torch.no_grad()
    def _logits(self, windows: Sequence[tuple[list[int], list[int]]]) -> Float[Tensor, "blanks v"]:
        """Logits of every blank, in their order, in fp32 on the CPU."""
        rows = Ragged.from_lists([ids for ids, _ in windows])
        marks = self.tokenizer.marks
        framed = Sentences.framed(rows, first=marks.bos, last=marks.eos)
        batches = PackedSentences(framed, self.length, _TOKENS, seed=0)
        device = next(self.model.parameters()).device
        found: list[Tensor] = [torch.empty(0)] * len(windows)
        for batch in batches.once():
            features = packed_features(self.model, batch.to(device)).flatten(0, 1)
            numbers: list[int] = batch.sentences.numpy().tolist()
            begins: list[int] = batch.places.numpy().tolist()
            for number, begin in zip(numbers, begins, strict=True):
                places = torch.tensor(windows[number][1], device=device) + begin + 1
                found[number] = self.model.head(features[None, places])[0].float().cpu()
        return torch.cat(found)

    def _fitting(self, begins: bool) -> Bool[Tensor, " v"]:
        """The tokens that can stand in a blank which begins a word, or which does not: with a space in front,
        or without; no special ones, and no parts of characters."""
        fits = torch.tensor([self._is_plain(token, begins) for token in self._shown])
        fits[list(self.tokenizer.special_ids)] = False
        return fits

    def _is_plain(self, token: str, begins: bool) -> bool:
        if self.tokenizer.kind == "word":
            return True
        return token != SPACE and token.startswith(SPACE) is begins and "<0x" not in token

    def _word(self, index: int) -> str:
        """A token as it stands in a text."""
        token = self._shown[index]
        return token if self.tokenizer.kind == "word" else token.replace(SPACE, " ").removeprefix(" ")


def _cells(word: Word) -> tuple[str, str]:
    return word.word, f"{word.probability:.4f}"
