"""After the last step: measure, let the run write, and tell it in a report and a model card."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from qkvae.data.chat import Chats
from qkvae.data.documents import Documents
from qkvae.inspect.sections import Sample, Section
from qkvae.run import Run
from qkvae.tasks.ending import Ending, write_pages
from qkvae.tasks.text_generation.corpus import Encoded, Texts
from qkvae.tasks.text_generation.evaluate import by_frequency, figures, measure, overlap
from qkvae.tasks.text_generation.writer import Writer
from qkvae.train.progress import Reporter

_SAMPLES = 5
_SHOWN = 400  # characters of a text that is continued, and of how it really goes on
_MEASURING = 0.7  # part of the time left that may go into measuring
_LIMITS = (
    "It writes what is likely after the text before it, true or not, and knows nothing but its data.",
    "It may repeat passages of its data word for word, and whatever bias they hold.",
)


def finish(run: Run, encoded: Encoded, reporter: Reporter, seconds: float | None) -> None:
    """Judge the weights that the run keeps, and write everything that people read."""
    writer = Writer.from_run(run)
    reporter.say("measuring the validation text, and writing samples")
    found = _measured(run, writer, encoded, seconds)
    run.log({"event": "final", **found})
    told = ", ".join(f"{name} {value:.4g}" for name, value in found.items() if isinstance(value, float))
    reporter.say(f"validation text: {told} ({found['window']})")
    told = _hardly_trained(found["nll"], by_frequency(encoded.train, encoded.valid, len(writer.tokenizer)))
    for line in told:
        reporter.say(f"note: {line}")
    write_pages(run, _ending(run, writer, encoded, found, told))


def _hardly_trained(nll: float | None, least: float) -> tuple[str, ...]:
    """What must be known of a model that has learned nothing of order, in one line.

    >>> _hardly_trained(3.0, 4.0), len(_hardly_trained(5.0, 4.0))
    ((), 1)
    """
    if nll is None or nll < least:
        return ()
    return (
        f"It is hardly trained: {nll:.2f} nats a token, where how often each token is met alone gives "
        f"{least:.2f}; train it for longer.",
    )


def _measured(run: Run, writer: Writer, encoded: Encoded, seconds: float | None) -> dict[str, Any]:
    """The figures, with windows that overlap if there is time for them; otherwise those of the training."""
    length = run.config.data.length + run.config.model.memory
    limit = None if seconds is None else _MEASURING * seconds
    total = measure(writer.model, encoded.valid, length, overlap(length), limit)
    if total is not None:
        found = figures(total, encoded.valid_bytes)
        back = f"{length - overlap(length)} to {length}"
        seen = f"each token after {back} others"
        if encoded.valid.counted is not None:
            seen = f"each answer after all that was said before it, or {back} tokens of that"
        return {**found, "window": f"all of it, {seen}"}
    best = [record for record in run.records() if record.get("best")][-1]
    names = {"nll": "valid_nll", "perplexity": "perplexity", "bits_per_byte": "bits_per_byte"}
    found = {name: best.get(key) for name, key in names.items()}
    window = f"a part of it, windows of {length} tokens side by side, for want of time"
    return {**found, "window": window}


def _ending(
    run: Run, writer: Writer, encoded: Encoded, found: dict[str, Any], told: tuple[str, ...]
) -> Ending:
    """What report and card say."""
    texts = encoded.valid_texts
    chat = isinstance(texts, Chats)
    note = "Texts of the validation part, which the training never saw, are continued."
    figures = ("nll", "perplexity", "bits_per_byte")
    return Ending(
        shown={name: value for name, value in found.items() if value is not None},
        sections=[Section(title="What it writes", note=note, samples=_samples(writer, texts))],
        does="Answers in a conversation" if chat else "Continues a text",
        example=_example(texts),
        limits=(*told, *_LIMITS, f"It looks back over {writer.context} tokens at most."),
        split="split off by hash" if chat or len(texts) > 1 else "the end of the text",
        examples=(run.passport["training"]["conversations" if chat else "documents"], len(texts)),
        parameters=sum(p.numel() for p in writer.model.parameters()),
        figures={name: found[name] for name in figures if found[name] is not None},
        where=f"the validation part: {found['window']}",
    )


def _samples(writer: Writer, texts: Texts) -> list[Sample]:
    """Beginnings spread over the texts, how each really goes on, and how the run continues it."""
    known = _halves(texts)
    settings = replace(writer.generation, stop=(), seed=1)
    if isinstance(texts, Chats):
        answers = [next(writer.stream([before], settings)) for before, _ in known]
    else:
        answers = list(writer.stream([before for before, _ in known], settings))
    return [
        Sample(parts=(("text", before), ("goes on", after), ("written", answer.text)))
        for (before, after), answer in zip(known, answers, strict=True)
    ]


def _halves(texts: Texts) -> list[tuple[str, str]]:
    """What is continued, and how it goes on."""
    every = max(1, len(texts) // _SAMPLES)
    if isinstance(texts, Chats):
        chosen = texts.conversations[::every][:_SAMPLES]
        users = [next(turn.content for turn in each if turn.role == "user") for each in chosen]
        replies = [next(turn.content for turn in each if turn.role == "assistant") for each in chosen]
        return list(zip(users, replies, strict=True))
    if len(texts) >= _SAMPLES:
        passages = [text[: 2 * _SHOWN] for text in texts.texts[::every][:_SAMPLES]]
    else:
        longest = max(texts.texts, key=len)
        starts = range(0, len(longest), -(-len(longest) // _SAMPLES))
        passages = [longest[start : start + 2 * _SHOWN] for start in starts]
    return [_halved(passage) for passage in passages]


def _halved(passage: str) -> tuple[str, str]:
    """A passage cut between two words near its middle, the space left to what comes after.

    >>> _halved("to be or not to be")
    ('to be or', ' not to be')
    """
    middle = max(passage.rfind(" ", 0, len(passage) // 2 + 1), passage.rfind("\n", 0, len(passage) // 2 + 1))
    middle = middle if middle > 0 else len(passage) // 2
    return passage[:middle], passage[middle:]


def _example(texts: Texts) -> str:
    """A few words to try the run with, which a shell takes as they are."""
    first = texts.texts[0] if isinstance(texts, Documents) else texts.conversations[0][0].content
    plain = "".join(letter if letter.isalnum() else " " for letter in first[:_SHOWN])
    return " ".join(plain.split()[:4]) or "Once upon a time"
