"""Training speed of language models: tokens predicted a second.

    python benchmarks/language_speed.py --peer nanoGPT                   # 4 blocks of 128, rows of 64
    python benchmarks/language_speed.py --peer nanoGPT --size large      # 6 blocks of 384, rows of 256

Everybody trains as many blocks, heads and dimensions on the same rows of random tokens of a vocabulary of 65,
without dropout, gradients clipped to norm 1; qkvae and nanoGPT without biases.  A round
is the same steps for all.  Compiling falls into the round that warms up, which does not count.

- qkvae: the loop's own step with the task's own model (gradients, optimiser, moving average of the weights),
  with Muon, the default, and with AdamW, which is what the peers use; without the short convolution, which
  they have not, and once with it;
- nanoGPT: the checkout named by --peer, as it is and compiled, in fp32 and under bf16 autocast;
- Hugging Face GPT-2, in fp32 and under bf16 autocast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from steps import Arrays, ours, rounds, usual
from timing import Candidate, Work, measure, parser, report

VOCAB = 65  # of tiny Shakespeare's characters


@dataclass(frozen=True)
class Size:
    """How large the model and its batches are."""

    depth: int
    heads: int
    dim: int
    length: int
    rows: int


SIZES = {"small": Size(4, 4, 128, 64, 12), "large": Size(6, 6, 384, 256, 8), "tiny": Size(1, 2, 16, 8, 2)}


def qkvae(
    batches: list[Arrays], each: int, size: Size, optimizer: str, precision: str, conv_size: int = 0
) -> Work:
    """A step as `qkvae.train` takes it."""
    from dataclasses import replace

    from qkvae.config import TextGeneration
    from qkvae.losses import projected_cross_entropy
    from qkvae.models import build

    given = TextGeneration().model
    block = replace(given.block, dim=size.dim, heads=size.heads, hidden=4 * size.dim, dropout=0.0)
    made = replace(given, block=block, depth=size.depth, vocab=VOCAB, max_length=size.length)
    model: Any = build(replace(made, biases="none", conv_size=conv_size))

    def loss(batch: Any) -> Any:
        features = model.features(batch["inputs"]).flatten(0, 1)
        total, _ = projected_cross_entropy(features, model.head.weight, batch["targets"].flatten())
        return total, batch["targets"].numel()

    return rounds(counted(ours(model, loss, optimizer, precision)), batches, each)


def nanogpt(batches: list[Arrays], each: int, size: Size, compiled: bool, bf16: bool) -> Work:
    """Karpathy's GPT."""
    import torch
    from model import GPT, GPTConfig  # pyright: ignore[reportMissingImports]

    made = GPT(GPTConfig(size.length, VOCAB, size.depth, size.heads, size.dim, 0.0, bias=False))
    run: Any = torch.compile(made) if compiled else made

    def loss(batch: Any) -> Any:
        return run(batch["inputs"], batch["targets"])[1]

    return rounds(counted(usual(made.train(), loss, bf16)), batches, each)


def gpt2(batches: list[Arrays], each: int, size: Size, bf16: bool) -> Work:
    """GPT2LMHeadModel of transformers."""
    import torch.nn.functional as F
    import transformers

    config = transformers.GPT2Config(
        vocab_size=VOCAB, n_positions=size.length, n_embd=size.dim, n_layer=size.depth, n_head=size.heads,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0, use_cache=False,
    )  # fmt: skip
    model = transformers.GPT2LMHeadModel(config).train()

    def loss(batch: Any) -> Any:
        logits = model(batch["inputs"]).logits
        return F.cross_entropy(logits.flatten(0, 1), batch["targets"].flatten())

    return rounds(counted(usual(model, loss, bf16)), batches, each)


def counted(step: Any) -> Any:
    """The step, telling how many tokens it predicted."""

    def told(batch: Any) -> float:
        step(batch)
        return batch["targets"].numel()

    return told


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--size", choices=("small", "large"), default="small", help="of the model")
    asked = options.parse_args()
    size = SIZES["tiny" if asked.tiny else asked.size]
    number = asked.rounds or (1 if asked.tiny else 5)
    each = 1 if asked.tiny else (4 if asked.size == "large" else 40)
    draw = np.random.default_rng(1)
    rows = [draw.integers(0, VOCAB, (size.rows, size.length + 1)) for _ in range(each)]
    batches = [{"inputs": row[:, :-1].copy(), "targets": row[:, 1:].copy()} for row in rows]
    candidates = [
        Candidate(f"qkvae, {name}, {precision}", qkvae, (batches, each, size, optimizer, precision))
        for precision in ("fp32", "bf16")
        for name, optimizer in (("Muon", "muon"), ("AdamW", "adamw"))
    ]
    joined = (batches, each, size, "adamw", "bf16", 4)
    candidates.append(Candidate("qkvae, AdamW, bf16, short convolution", qkvae, joined))
    if asked.peer:
        candidates += [
            Candidate(f"nanoGPT{how}, {type_}", nanogpt, (batches, each, size, bool(how), type_ != "fp32"))
            for type_ in ("fp32", "bf16 autocast")
            for how in ("", " compiled")
        ]
    candidates += [
        Candidate("HF GPT-2, fp32", gpt2, (batches, each, size, False)),
        Candidate("HF GPT-2, bf16 autocast", gpt2, (batches, each, size, True)),
    ]
    print(report(measure(candidates, asked, number), asked, "tokens/s"))


if __name__ == "__main__":
    main()
