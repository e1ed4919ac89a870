"""Training speed: source and target tokens a second, padding not counted, of a 3 + 3 translation model.

    QKVAE_DATA=~/data python benchmarks/train_speed.py                          # one thread, CPU seconds
    QKVAE_DATA=~/data python benchmarks/train_speed.py --threads 2 --rounds 7   # a calm machine, wall clock

Everybody trains dim 256, 4 heads, hidden 1,024, a tied vocabulary of 8,000, dropout 0.1, label smoothing 0.1,
gradients clipped to norm 1, on the same batches: Multi30k's sentences in our buckets of about 2,048 target
tokens.  Making the batches is counted for nobody.  A round is the same four batches for all.

- qkvae: the loop's own step (gradients, optimiser, moving average of the weights), with Muon, the default,
  and with AdamW, which is what the peers use (fused);
- Hugging Face Marian, in fp32 and under bf16 autocast (post-norm; dropout where Marian has it);
- torch.nn.Transformer, likewise (pre-norm; it also drops attention weights and hidden activations);
- the course code's way: batches of 8 sentences, both sides padded to 350 tokens.  A plain loop around
  torch.nn.Transformer here, whose attention is quicker than the one such courses write out.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from material import Material, material
from steps import Arrays, ours, rounds, usual
from timing import Candidate, Work, measure, parser, report

SMOOTHING = 0.1
BATCH_TOKENS, COURSE_BATCH, COURSE_LENGTH = 2048, 8, 350


def tokens(step: Callable[[Any], None]) -> Callable[[Any], float]:
    """The step, telling how many tokens of its batch are no padding."""

    def told(batch: Any) -> float:
        step(batch)
        return int(batch["source_lengths"].sum() + batch["target_lengths"].sum())

    return told


def qkvae(batches: list[Arrays], each: int, model_settings: Any, optimizer: str, precision: str) -> Work:
    """A step as `qkvae.train.loop` takes it."""
    from qkvae.data.batches import Seq2SeqBatch
    from qkvae.losses import projected_cross_entropy
    from qkvae.models import build

    model: Any = build(model_settings)

    def loss(arrays: Any) -> Any:
        batch = Seq2SeqBatch(**arrays)
        features = model.features(batch.source, batch.target_in, batch.source_lengths)
        real = batch.target_out != 0
        targets = batch.target_out[real]
        return projected_cross_entropy(features[real], model.head.weight, targets, SMOOTHING)[0], batch.tokens

    return rounds(tokens(ours(model, loss, optimizer, precision)), batches, each)


def smoothed(logits: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The mean label-smoothed cross-entropy of what a model says."""
    import torch
    import torch.nn.functional as F

    def loss(batch: Any) -> Any:
        said, targets = logits(batch).flatten(0, 1), batch["target_out"].flatten()
        with torch.autocast("cpu", enabled=False):
            return F.cross_entropy(said.float(), targets, ignore_index=0, label_smoothing=SMOOTHING)

    return loss


def marian(batches: list[Arrays], each: int, settings: dict[str, Any], bf16: bool) -> Work:
    """MarianMTModel of transformers."""
    import transformers

    model = transformers.MarianMTModel(transformers.MarianConfig(**settings)).train()

    def logits(batch: Any) -> Any:
        attended = (batch["source"] != 0).long()
        source, target = batch["source"], batch["target_in"]
        return model(
            input_ids=source, attention_mask=attended, decoder_input_ids=target, use_cache=False
        ).logits

    return rounds(tokens(usual(model, smoothed(logits), bf16)), batches, each)


def torch_nn(batches: list[Arrays], each: int, made: Any, bf16: bool) -> Work:
    """torch.nn.Transformer with sinusoids, its output tied to its embedding."""
    import torch
    from torch import nn

    warnings.filterwarnings("ignore", "enable_nested_tensor")  # said of every pre-norm encoder
    block = made.block
    transformer = nn.Transformer(
        block.dim, block.heads, made.encoder_depth, made.decoder_depth, block.hidden, block.dropout,
        batch_first=True, norm_first=True,
    )  # fmt: skip
    embedding, dropout = nn.Embedding(made.vocab, block.dim), nn.Dropout(block.dropout)
    nn.init.normal_(embedding.weight, std=block.dim**-0.5)
    places = torch.arange(512)[:, None] / 10000 ** (torch.arange(0, block.dim, 2) / block.dim)
    sinusoids = torch.stack([places.sin(), places.cos()], 2).flatten(1)
    model = nn.ModuleList([transformer, embedding, dropout]).train()

    def embed(tokens: Any) -> Any:
        return dropout(embedding(tokens) * math.sqrt(block.dim) + sinusoids[: tokens.shape[1]])

    def logits(batch: Any) -> Any:
        source, target = batch["source"], batch["target_in"]
        future = nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        padding = torch.zeros(source.shape).masked_fill(source == 0, -torch.inf)
        mixed = transformer(
            embed(source), embed(target), tgt_mask=future, tgt_is_causal=True,
            src_key_padding_mask=padding, memory_key_padding_mask=padding,
        )  # fmt: skip
        return mixed @ embedding.weight.T

    return rounds(tokens(usual(model, smoothed(logits), bf16)), batches, each)


def bucketed(data: Material, count: int) -> list[Arrays]:
    """The first batches of our first epoch."""
    from qkvae.data.batches import Batches

    tokens = 128 if len(data.encoded) < 1000 else BATCH_TOKENS
    stream = Batches(data.encoded, tokens, seed=1).stream()
    return [{name: tensor.numpy() for name, tensor in vars(next(stream)).items()} for _ in range(count)]


def padded(data: Material, count: int, length: int) -> list[Arrays]:
    """Sentences as they come, 8 at a time, all padded to ``length``."""
    from qkvae.data.batches import collate

    batches: list[Arrays] = []
    for start in range(0, COURSE_BATCH * count, COURSE_BATCH):
        batch = vars(collate(data.encoded, np.arange(start, start + COURSE_BATCH)))
        wide = {
            name: np.zeros((COURSE_BATCH, length), np.int64) for name in ("source", "target_in", "target_out")
        }
        for name, array in wide.items():
            array[:, : batch[name].shape[1]] = batch[name].numpy()
        batches.append({name: tensor.numpy() for name, tensor in batch.items()} | wide)
    return batches


def main() -> None:
    """Measure and print."""
    options = parser(__doc__).parse_args()
    number = options.rounds or (1 if options.tiny else 5)
    each = 1 if options.tiny else 4
    data, post = material(options.tiny), material(options.tiny, "post")
    from qkvae.interop.huggingface import to_marian
    from qkvae.models import build

    settings, _ = to_marian(build(post.model))
    buckets = bucketed(data, each * (number + 1))
    course = padded(data, number + 1, 32 if options.tiny else COURSE_LENGTH)
    candidates = [
        Candidate("qkvae, Muon, fp32", qkvae, (buckets, each, data.model, "muon", "fp32")),
        Candidate("qkvae, AdamW, fp32", qkvae, (buckets, each, data.model, "adamw", "fp32")),
        Candidate("qkvae, Muon, bf16", qkvae, (buckets, each, data.model, "muon", "bf16")),
        Candidate("qkvae, AdamW, bf16", qkvae, (buckets, each, data.model, "adamw", "bf16")),
        Candidate("HF Marian, fp32", marian, (buckets, each, settings, False)),
        Candidate("HF Marian, bf16 autocast", marian, (buckets, each, settings, True)),
        Candidate("torch.nn.Transformer, fp32", torch_nn, (buckets, each, data.model, False)),
        Candidate("torch.nn.Transformer, bf16 autocast", torch_nn, (buckets, each, data.model, True)),
        Candidate("course code's way, fp32", torch_nn, (course, 1, data.model, False)),
    ]
    print(report(measure(candidates, options, number), options, "tokens/s"))


if __name__ == "__main__":
    main()
