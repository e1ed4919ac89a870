"""What goes on inside while the vector of a text is made."""

from __future__ import annotations

from qkvae.data.encoded import encode_texts
from qkvae.inspect.look import LookFacts, look_at_reading
from qkvae.tasks.feature_extraction.similarity import Similarity


def look(similarity: Similarity, text: str, name: str) -> LookFacts:
    """Read a text, and show all that attention computes; of a pair the first text.

    Raises:
        ValueError: it is empty, or has more tokens than the page can show.
    """
    if not text.strip():
        raise ValueError("there is no text to look at: give one")
    (answer,) = similarity.stream([text])
    first, tab, second = text.partition("\t")
    rows, cut = encode_texts(similarity.tokenizer, [first], None, similarity.longest)
    told = f"cosine with “{second}”: {answer.text}" if tab else f"a vector of {len(answer.vector)} numbers"
    return look_at_reading(
        similarity.encoder,
        similarity.tokenizer,
        rows.ids[0].tolist(),
        None,
        sentence=first,
        answer=told,
        note="The end was not read." if cut[0] else "",
        run=name,
    )
