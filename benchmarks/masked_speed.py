"""Training speed on hidden words: tokens read a second, padding not counted.

    python benchmarks/masked_speed.py

Everybody learns from the same sentences of random tokens, 64 a batch, as long as sentences are: log-normal,
24 tokens in the middle, 126 at most.  4 blocks of 256, 4 heads, hidden 1,024, a tied vocabulary of 8,000, no
dropout, 15 % of the tokens hidden, gradients clipped to norm 1.  Making the batches is counted for nobody.

- qkvae: sentences packed into rows of 128, logits of hidden tokens only; the loop's own step with Muon, the
  default, and with AdamW, which is what the peer uses;
- Hugging Face BERT: each batch padded to its longest sentence, in fp32 and under bf16 autocast.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from steps import Arrays, ours, rounds, usual
from timing import Candidate, Work, measure, parser, report

VOCAB, MASK, SPECIALS, ROW, SENTENCES = 8000, 4, 5, 128, 64


def sentences(count: int) -> Any:
    """Rows of random tokens between their special ones."""
    from qkvae.data.encoded import Sentences
    from qkvae.data.ragged import Ragged

    draw = np.random.default_rng(1)
    lengths = np.clip(np.exp(draw.normal(np.log(24), 0.65, count)), 3, ROW - 2).astype(int)
    rows = [draw.integers(SPECIALS, VOCAB, length).tolist() for length in lengths]
    return Sentences.framed(Ragged.from_lists(rows), first=1, last=2)


def packed(count: int) -> list[Arrays]:
    """Our batches of about as many tokens as 64 sentences have."""
    from qkvae.data.corruption import Corruption
    from qkvae.data.packed import MaskedSentences, PackedSentences

    data = sentences(SENTENCES * count)
    rows = PackedSentences(data, ROW, len(data.ids.flat) // count, seed=1)
    stream = MaskedSentences(rows, Corruption(MASK, VOCAB, range(SPECIALS)), seed=1).stream()
    found: list[Arrays] = []
    for _ in range(count):
        batch = next(stream)
        arrays = {"ids": batch.packed.ids, "documents": batch.packed.documents}
        arrays |= {"hidden": batch.places, "targets": batch.targets}
        found.append({name: tensor.numpy() for name, tensor in arrays.items()})
    return found


def padded(count: int) -> list[Arrays]:
    """The same sentences, 64 as they come, padded to the longest; labels are -100 where nothing is hidden."""
    data, draw = sentences(SENTENCES * count), np.random.default_rng(2)
    found: list[Arrays] = []
    for start in range(0, len(data), SENTENCES):
        lists = data.ids[list(range(start, start + SENTENCES))].to_lists()
        ids = np.zeros((SENTENCES, max(map(len, lists))), np.int64)
        for row, tokens in zip(ids, lists, strict=True):
            row[: len(tokens)] = tokens
        hidden = (ids >= SPECIALS) & (draw.random(ids.shape) < 0.15)
        labels = np.where(hidden, ids, -100)
        found.append({"ids": np.where(hidden, MASK, ids), "labels": labels, "attended": (ids != 0) * 1})
    return found


def qkvae(batches: list[Arrays], each: int, depth: int, dim: int, optimizer: str, precision: str) -> Work:
    """A step as `qkvae.train` takes it."""
    from dataclasses import replace

    from qkvae import losses
    from qkvae.config import FillMask
    from qkvae.models import build

    given = FillMask().model
    block = replace(given.block, dim=dim, heads=4, hidden=4 * dim, dropout=0.0)
    model: Any = build(replace(given, block=block, depth=depth, vocab=VOCAB, max_length=ROW))
    step = ours(
        model,
        lambda batch: (
            losses.masked_words(
                model.features(batch["ids"], None, None, batch["documents"]),
                model.head,
                batch["hidden"],
                batch["targets"],
            ),
            len(batch["targets"]),
        ),
        optimizer,
        precision,
    )

    def told(batch: Any) -> float:
        step(batch)
        return int((batch["documents"] >= 0).sum())

    return rounds(told, batches, each)


def bert(batches: list[Arrays], each: int, depth: int, dim: int, bf16: bool) -> Work:
    """BertForMaskedLM of transformers."""
    import transformers

    config = transformers.BertConfig(
        vocab_size=VOCAB, hidden_size=dim, num_hidden_layers=depth, num_attention_heads=4,
        intermediate_size=4 * dim, max_position_embeddings=ROW, hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    model = transformers.BertForMaskedLM(config).train()

    def loss(batch: Any) -> Any:
        return model(batch["ids"], attention_mask=batch["attended"], labels=batch["labels"]).loss

    step = usual(model, loss, bf16)

    def told(batch: Any) -> float:
        step(batch)
        return int(batch["attended"].sum())

    return rounds(told, batches, each)


def main() -> None:
    """Measure and print."""
    options = parser(__doc__).parse_args()
    number = options.rounds or (1 if options.tiny else 5)
    each, size = (1, (1, 16)) if options.tiny else (4, (4, 256))
    count = each * (number + 1)
    rows, squares = packed(count), padded(count)
    candidates = [
        Candidate(f"qkvae, {name}, {precision}", qkvae, (rows, each, *size, optimizer, precision))
        for precision in ("bf16", "fp32")
        for name, optimizer in (("Muon", "muon"), ("AdamW", "adamw"))
    ]
    candidates += [
        Candidate("HF BERT, fp32", bert, (squares, each, *size, False)),
        Candidate("HF BERT, bf16 autocast", bert, (squares, each, *size, True)),
    ]
    print(report(measure(candidates, options, number), options, "tokens/s"))


if __name__ == "__main__":
    main()
