"""Text in, text out: a model and its tokenizer as a writer."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from qkvae.config import Writing
from qkvae.config.generation import Precision
from qkvae.data.chat import ChatTemplate, Turn
from qkvae.data.tokenizer import Tokenizer
from qkvae.generate.quick import quick
from qkvae.generate.speculative import Draft, SpeculativePen
from qkvae.generate.writing import Pen, window_start
from qkvae.models import Decoder
from qkvae.run import Run
from qkvae.tasks.answering import kept_model, require_vocabulary
from qkvae.tasks.task import settled
from qkvae.tasks.text_generation.unfolding import Ended, Unfolding, left_to_next


@dataclass(frozen=True, kw_only=True)
class Written:
    """How one input goes on."""

    source: str
    """The input."""

    text: str
    """What was written after it."""

    tokens: int = 0
    """Tokens of the text, with one that ended it."""

    ended: Ended = "end"

    seed: int = 0
    """With which it is drawn again."""

    forgotten: int = 0
    """Tokens at the beginning of the input that are too far back to be looked at."""

    unknown: int = 0
    """Characters or words of the input for which the run has no token."""

    @property
    def cut(self) -> bool:
        """Whether the input was not read as it stands."""
        return bool(self.forgotten or self.unknown)

    def record(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return asdict(self)


Pieces = Generator[tuple[int, str], None, list[Written]]
"""Which input goes on with which piece of text; at last what was written to each."""

Speech = Generator[str, None, Written]
"""An answer, piece by piece, and at last the whole of it."""


class Writer:
    """A model that continues text.

    >>> from qkvae import config
    >>> from qkvae.models import build
    >>> tokenizer = Tokenizer.train(["abba"], "char")
    >>> settings = config.Decoder(block=config.Block(dim=8, heads=2, hidden=16), vocab=len(tokenizer))
    >>> writer = Writer(build(settings).eval(), tokenizer, Writing(tokens=5, temperature=0))
    >>> [answer.tokens for answer in writer.stream(["ab", ""])]
    [5, 5]
    """

    format: Literal["text", "chat"] = "text"
    """What it learned from."""

    in_turn = False
    """Whether an input follows from those before it, so that each is answered before the next is read."""

    _reads = "the input"

    def __init__(
        self, model: Decoder, tokenizer: Tokenizer, generation: Writing | None = None, *, begins: bool = False
    ) -> None:
        """
        Args:
            model: with weights in fp32, in the mode for use; it is used where it is (CPU, CUDA, MPS).
            tokenizer: the one that the model was trained with.
            generation: how texts are continued, unless a call says otherwise.
            begins: whether an input is the beginning of a document, and the model may end it; otherwise it
                stands somewhere in a text without end, as after training on a single one.

        Raises:
            ValueError: the vocabularies of model and tokenizer differ.
        """
        require_vocabulary(model, tokenizer)
        self.model, self.tokenizer = model, tokenizer
        self.generation = generation or Writing()
        self.begins = begins
        # What stands for no text is never written, nor an end by a model that never saw one.
        marks = tokenizer.marks
        never = {*tokenizer.special_ids}
        self._forbidden = sorted(never - {marks.eos} if begins else never)
        self._made: dict[str, Decoder] = {}
        self._drafts: dict[str, Writer] = {}

    @classmethod
    def from_run(cls, run: Run) -> Writer:
        """The weights that a run keeps for use, and its tokenizer; a `Chatter` if it learned from chats.

        Raises:
            RunError: a part of the run is missing or damaged.
        """
        kind = Chatter if run.config.data.format == "chat" else cls
        begins = run.passport["training"].get("documents", 2) > 1
        return kind(kept_model(run), run.tokenizer, settled(run).generation, begins=begins)

    @property
    def context(self) -> int:
        """How many tokens back the model looks; where a text is longer, see `writing.window_start`."""
        return self.model.settings.max_length

    def stream(self, inputs: Iterable[str], settings: Writing | None = None) -> Iterator[Written]:
        """How each input goes on, in their order; as many are read and continued at a time as ``batch``."""
        settings, seed = self._settled(settings)
        rest = iter(inputs)
        while batch := list(itertools.islice(rest, settings.batch)):
            prompts = [self.prompt(text) for text in batch]
            yield from finished(self._continue(batch, prompts, prompts, settings, seed))

    def speak(self, inputs: Iterable[str], settings: Writing | None = None) -> Iterator[Speech]:
        """Each input and how it goes on, piece by piece as it is written."""
        settings, seed = self._settled(settings)
        for text in inputs:
            prompt = [self.prompt(text)]
            yield _spoken(text, self._continue([text], prompt, prompt, settings, seed))

    def lines(self, answer: Written, number: int, settings: Writing | None = None) -> list[str]:
        """The input and how it goes on, in one line."""
        return [" ".join((answer.source + answer.text).splitlines())]

    def said_of_cuts(self, answers: Iterable[Written]) -> str | None:
        """What a person must be told of inputs that were not read as they stand, in one line."""
        answers = list(answers)
        longest = max((answer.forgotten for answer in answers), default=0)
        unknown = sum(answer.unknown for answer in answers)
        said: list[str] = []
        if longest:
            said.append(
                f"the run looks back over {self.context} tokens: of {self._reads} up to {longest} at the "
                "beginning were not read"
            )
        if unknown:
            said.append(f"characters or words that the run does not know were read as <unk>, {unknown} times")
        return "; ".join(said) or None

    def _settled(self, settings: Writing | None) -> tuple[Writing, int]:
        """The settings, and the seed of this time."""
        settings = settings or self.generation
        return settings, secrets.randbits(31) if settings.seed is None else settings.seed

    def prompt(self, text: str) -> list[int]:
        """What the model reads before it continues a text."""
        ids = self.tokenizer.encode(text.removesuffix(self._owed(text)))
        return [self.tokenizer.marks.bos, *ids] if self.begins or not ids else ids

    def _owed(self, text: str) -> str:
        """The end of a text that `prompt` leaves out: the first token that is written begins with it."""
        return left_to_next(text, self.tokenizer.kind)

    def _unknown(self, prompt: Sequence[int]) -> int:
        """Tokens that stand for what has none."""
        unknown = self.tokenizer.marks.unk
        return 0 if unknown is None else list(prompt).count(unknown)

    def pen(
        self,
        prompts: Sequence[list[int]],
        settings: Writing,
        seed: int,
        first: Mapping[int, Sequence[int]] | None = None,
    ) -> Pen | SpeculativePen:
        """Token ids that are ready to be continued; of some texts the ``first`` token is one of these.

        Raises:
            ValueError: the draft that the settings name is no smaller run with the same tokenizer.
        """
        model = self.ready(settings.precision)
        if settings.draft is None:
            return Pen(model, prompts, settings, self.context, self._forbidden, seed, first)
        other = self._drafting(settings.draft)
        precision = "fp32" if settings.precision == "fp32" else "auto"  # int8 has no effect on tiny models
        draft = Draft(other.ready(precision), other.context, settings.ahead_or_default)
        return SpeculativePen(model, draft, prompts, settings, self.context, self._forbidden, seed, first)

    def _drafting(self, path: str) -> Writer:
        """The run that proposes tokens, opened once.

        Raises:
            ValueError: it is none of this task, has another tokenizer, or is not smaller.
        """
        if path not in self._drafts:
            draft = Writer.from_run(Run.open(path, "text-generation"))
            if draft.tokenizer.to_json() != self.tokenizer.to_json():
                raise ValueError(
                    f"the draft {path} has another tokenizer ({len(draft.tokenizer)} tokens) than the run "
                    f"({len(self.tokenizer)}), so it cannot propose tokens: train it on the same "
                    "data with the same --tokenizer and --vocab-size"
                )
            sizes = [sum(p.numel() for p in each.model.parameters()) for each in (draft, self)]
            if sizes[0] >= sizes[1]:
                raise ValueError(
                    f"the draft {path} has {sizes[0]:,} parameters and the run {sizes[1]:,}: a draft saves "
                    "time only where it is smaller"
                )
            self._drafts[path] = draft
        return self._drafts[path]

    def _continue(
        self,
        sources: Sequence[str],
        prompts: Sequence[list[int]],
        told: Sequence[list[int]],
        settings: Writing,
        seed: int,
    ) -> Pieces:
        """Which input goes on with which piece of text, as it is written; at last all of it.

        ``told`` are the tokens whose text stands before what is written.
        """
        owed = [self._owed(text) for text in sources]
        first = {row: self.tokenizer.beginning_with(each) for row, each in enumerate(owed) if each}
        pen = self.pen(prompts, settings, seed, first)
        texts = [
            Unfolding(self.tokenizer.decoder(), ids, settings.stop, each, self.tokenizer.marks.eos)
            for ids, each in zip(told, owed, strict=True)
        ]
        while pen.live:
            for row, token in pen.step().items():
                if piece := texts[row].add(token):
                    yield row, piece
                if texts[row].ended != "limit":
                    pen.end(row)
        for row, each in enumerate(texts):
            if piece := each.rest():
                yield row, piece
        return [
            Written(
                source=source,
                text=each.text,
                tokens=len(written) - len(prompt),
                ended=each.ended,
                seed=seed,
                forgotten=max(0, window_start(len(prompt), self.context)),
                unknown=self._unknown(prompt),
            )
            for source, prompt, each, written in zip(sources, prompts, texts, pen.texts, strict=True)
        ]

    def ready(self, precision: Precision) -> Decoder:
        """The model made ready for the processor, once."""
        if precision not in self._made:
            self._made[precision] = quick(self.model, precision)
        return self._made[precision]


def finished(pieces: Pieces) -> list[Written]:
    """What is written in the end."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value


def _spoken(before: str, pieces: Pieces) -> Speech:
    """The pieces of one answer after what stands before it, and at last the answer."""
    if before:
        yield before
    while True:
        try:
            yield next(pieces)[1]
        except StopIteration as end:
            return end.value[0]


class Chatter(Writer):
    """A model that answers in a conversation.

    All inputs of one call are the turns of its user; where they become longer than the context, the first
    ones are forgotten.
    """

    format = "chat"
    in_turn = True
    _reads = "the conversation"

    def stream(self, inputs: Iterable[str], settings: Writing | None = None) -> Iterator[Written]:
        """An answer to each turn of one conversation."""
        settings, seed = self._settled(settings)
        turns: list[Turn] = []
        for text in inputs:
            yield from finished(self._reply(turns, text, settings, seed))

    def speak(self, inputs: Iterable[str], settings: Writing | None = None) -> Iterator[Speech]:
        """An answer to each turn of one conversation, piece by piece as it is written."""
        settings, seed = self._settled(settings)
        turns: list[Turn] = []
        for text in inputs:
            yield _spoken("", self._reply(turns, text, settings, seed))

    def lines(self, answer: Written, number: int, settings: Writing | None = None) -> list[str]:
        """The answer in one line."""
        return [" ".join(answer.text.splitlines())]

    def prompt(self, text: str) -> list[int]:
        """What the model reads before it answers the first thing that the user says."""
        return self._asked([Turn("user", text)])

    def _owed(self, text: str) -> str:
        """Nothing: a turn ends with a token of its own."""
        return ""

    def _reply(self, turns: list[Turn], text: str, settings: Writing, seed: int) -> Pieces:
        """The answer to what the user says next; both join the turns, unless one says nothing."""
        if not text.strip():
            return [Written(source=text, text="", seed=seed)]
        asked = Turn("user", text)
        prompt = self._asked([*turns, asked])
        written = yield from self._continue([text], [prompt], [[]], settings, seed)
        if written[0].text.strip():
            turns += [asked, Turn("assistant", written[0].text)]
        return written

    def _asked(self, turns: Sequence[Turn]) -> list[int]:
        """A conversation in which the assistant speaks next."""
        return [self.tokenizer.marks.bos, *ChatTemplate.of(self.tokenizer).prompt(turns, self.tokenizer)]
