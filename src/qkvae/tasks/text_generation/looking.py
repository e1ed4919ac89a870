"""What goes on inside while a text is continued."""

from __future__ import annotations

from dataclasses import replace

from qkvae.inspect.look import LONGEST, LookFacts, look_at_text
from qkvae.tasks.text_generation.writer import Writer

_WRITTEN = 40  # tokens that the page shows beside the input


def look(writer: Writer, text: str, name: str) -> LookFacts:
    """Read a text, continue it by some tokens, always the most probable, and show both.

    Raises:
        ValueError: the text is longer than the model looks back or the page can show.
    """
    prompt = writer.prompt(text)
    longest = min(writer.context, LONGEST)
    if len(prompt) >= longest:
        raise ValueError(
            f"the text has {len(prompt)} tokens, but look shows {longest - 1} at most: shorten it"
        )
    room = min(_WRITTEN, longest + 1 - len(prompt))
    settings = replace(
        writer.generation, tokens=room, temperature=0.0, top_k=None, top_p=None, min_p=None, precision="fp32"
    )
    ids = writer.pen([prompt], settings, seed=0)
    while ids.live:
        if writer.tokenizer.marks.eos in ids.step().values():
            ids.end(0)
    written = ids.texts[0][len(prompt) :]
    note = f"Continued by {len(written)} tokens, each the most probable."
    return look_at_text(writer.model, writer.tokenizer, prompt, written, note=note, run=name)
