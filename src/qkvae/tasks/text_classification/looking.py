"""What goes on inside while a text is labelled."""

from __future__ import annotations

from qkvae.data.encoded import encode_texts
from qkvae.inspect.look import LookFacts, look_at_reading
from qkvae.tasks.reading import kinds_told
from qkvae.tasks.text_classification.classifier import Classifier, halves


def look(classifier: Classifier, text: str, name: str) -> LookFacts:
    """Read a text (or a pair, separated by a tab), label it, and show all that attention computes.

    Raises:
        ValueError: it is empty, or has more tokens than the page can show.
    """
    if not text.strip():
        raise ValueError("there is no text to look at: give one")
    first, second = halves(text) if classifier.paired else (text, None)
    pairs = None if second is None else [second]
    rows, cut = encode_texts(classifier.tokenizer, [first], pairs, classifier.max_length)
    (answer,) = classifier.stream([text])
    sure = "; ".join(f"{label} {p:.1%}" for label, p in list(answer.probabilities.items())[:5])
    return look_at_reading(
        classifier.model,
        classifier.tokenizer,
        rows.ids[0].tolist(),
        kinds_told(classifier.model, rows),
        sentence=" | ".join([first] if second is None else [first, second]),
        answer=answer.text,
        note=(f"{sure}." if sure else "A number.") + (" The end was not read." if cut[0] else ""),
        run=name,
    )
