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

import itertools
import math
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

from material import Material, material
from timing import Candidate, Work, measure, parser, report

Arrays = dict[str, np.ndarray]

SMOOTHING, CLIP, LR = 0.1, 1.0, 1e-3
BATCH_TOKENS, COURSE_BATCH, COURSE_LENGTH = 2048, 8, 350


def work(step: Callable[[Any], None], batches: list[Arrays], each: int) -> Work:
    """Rounds of ``each`` batches; the unit is a token that is no padding."""
    import torch

    tensors = [{name: torch.from_numpy(array) for name, array in batch.items()} for batch in batches]

    def one(number: int) -> float:
        tokens = 0
        for place in range(number * each, (number + 1) * each):
            batch = tensors[place % len(tensors)]
            step(batch)
            tokens += int(batch["source_lengths"].sum() + batch["target_lengths"].sum())
        return tokens

    return one


def qkvae(batches: list[Arrays], each: int, model_settings: Any, optimizer: str, precision: str) -> Work:
    """A step as `qkvae.train.loop` takes it."""
    import torch

    from qkvae import config
    from qkvae.data.batches import Seq2SeqBatch
    from qkvae.losses import projected_cross_entropy
    from qkvae.models import build
    from qkvae.train.average import Ema
    from qkvae.train.device import keep_freed_memory
    from qkvae.train.optimizer import Optimizers
    from qkvae.train.precision import Weights

    keep_freed_memory()
    model = build(model_settings).train()
    weights = Weights(model, precision)
    optimizers = Optimizers(config.Optimizer(name=optimizer, lr=LR), model, weights.masters)
    average, steps = Ema(weights.masters), itertools.count(1)

    def step(arrays: Any) -> None:
        batch, number = Seq2SeqBatch(**arrays), next(steps)
        torch.manual_seed(number)
        features = model.features(batch.source, batch.target_in, batch.source_lengths)
        real = batch.target_out != 0
        total, _ = projected_cross_entropy(
            features[real], model.head.weight, batch.target_out[real], SMOOTHING
        )
        total.backward()
        float(total.detach())
        weights.collect_gradients(1 / batch.tokens, CLIP)
        optimizers.step(1.0)
        weights.publish()
        average.update(weights.masters, number * 1e-4)

    return work(step, batches, each)


def trained(model: Any, logits: Callable[[Any], Any], bf16: bool) -> Callable[[Any], None]:
    """The usual step of a user of torch: autocast, cross-entropy, clip, fused AdamW."""
    import torch
    import torch.nn.functional as F

    optimizer = torch.optim.AdamW(model.parameters(), LR, betas=(0.9, 0.98), fused=True)

    def step(batch: Any) -> None:
        with torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext():
            said = logits(batch).flatten(0, 1)
        loss = F.cross_entropy(
            said.float(), batch["target_out"].flatten(), ignore_index=0, label_smoothing=SMOOTHING
        )
        optimizer.zero_grad()
        loss.backward()
        loss.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()

    return step


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

    return work(trained(model, logits, bf16), batches, each)


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

    return work(trained(model, logits, bf16), batches, each)


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
    rounds = options.rounds or (1 if options.tiny else 5)
    each = 1 if options.tiny else 4
    data, post = material(options.tiny), material(options.tiny, "post")
    from qkvae.interop.huggingface import to_marian
    from qkvae.models import build

    settings, _ = to_marian(build(post.model))
    ours = bucketed(data, each * (rounds + 1))
    course = padded(data, rounds + 1, 32 if options.tiny else COURSE_LENGTH)
    candidates = [
        Candidate("qkvae, Muon, fp32", qkvae, (ours, each, data.model, "muon", "fp32")),
        Candidate("qkvae, AdamW, fp32", qkvae, (ours, each, data.model, "adamw", "fp32")),
        Candidate("qkvae, Muon, bf16", qkvae, (ours, each, data.model, "muon", "bf16")),
        Candidate("qkvae, AdamW, bf16", qkvae, (ours, each, data.model, "adamw", "bf16")),
        Candidate("HF Marian, fp32", marian, (ours, each, settings, False)),
        Candidate("HF Marian, bf16 autocast", marian, (ours, each, settings, True)),
        Candidate("torch.nn.Transformer, fp32", torch_nn, (ours, each, data.model, False)),
        Candidate("torch.nn.Transformer, bf16 autocast", torch_nn, (ours, each, data.model, True)),
        Candidate("course code's way, fp32", torch_nn, (course, 1, data.model, False)),
    ]
    print(report(measure(candidates, options, rounds), options, "tokens/s"))


if __name__ == "__main__":
    main()
