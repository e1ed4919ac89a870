"""Where a translator looked while it wrote: one picture per sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from qkvae.data.tokenizer import Tokenizer
from qkvae.inspect.axes import short
from qkvae.inspect.charts import heat_map
from qkvae.inspect.sections import Picture, Section, Table
from qkvae.inspect.watch import watch
from qkvae.models import Seq2Seq


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """``weights[i][j]``: the share of source token j in what was seen while target token i was written."""

    source: Sequence[str]
    target: Sequence[str]
    weights: Sequence[Sequence[float]]


def align(model: Seq2Seq, tokenizer: Tokenizer, source: str, written: Sequence[int]) -> Alignment:
    """Where the model looks while it writes these token ids (EOS last if it was written) for the source."""
    ids = tokenizer.encode(source)
    return Alignment(
        source=tokenizer.tokens([*ids, tokenizer.marks.eos]),
        target=tokenizer.tokens(written),
        weights=[list(map(float, row)) for row in watch(model, ids, written).alignment()],
    )


def alignment_section(alignments: Sequence[Alignment]) -> Section:
    """The pictures of several sentences.

    Raises:
        ValueError: an alignment has not as many weights as tokens.
    """
    return Section(
        title="Where it looked",
        note="Cross-attention of the last block, averaged over its heads: each row is a token being written, "
        "each column a token of the source, and the stronger a cell’s colour, the more of the weight lies "
        "there. Rows add up to 1.",
        pictures=[_picture(number, each) for number, each in enumerate(alignments, 1)],
    )


def _picture(number: int, alignment: Alignment) -> Picture:
    chart = heat_map(
        alignment.weights,
        rows=alignment.target,
        columns=alignment.source,
        title=f"Sentence {number}",
        row_label="written",
        column_label="source",
    )
    rows: list[tuple[str, str, str]] = []
    for token, weights in zip(alignment.target, alignment.weights, strict=True):
        best = max(range(len(weights)), key=weights.__getitem__)
        rows.append((token, alignment.source[best], short(weights[best])))
    strongest = Table(
        title="the strongest link of each token",
        headings=("writing", "looks at", "weight"),
        rows=rows,
        folded=True,
    )
    return Picture(drawing=Markup(chart), table=strongest)
