"""How soon is a small language model of tiny Shakespeare's characters as good as nanoGPT's CPU recipe?

    QKVAE_DATA=~/data python benchmarks/shakespeare_race.py --peer nanoGPT
    QKVAE_DATA=~/data python benchmarks/shakespeare_race.py --peer nanoGPT --steps 500

nanoGPT trains by the recipe that its README gives for a CPU: 4 blocks of 128, 4 heads, rows of 64, 12 rows a
step, 2,000 steps, AdamW at 1e-3 with a cosine to 1e-4, no dropout, fp32.  Its model comes from the checkout
named by --peer; the loop is a plain one around it, which evaluates nothing on the way.  qkvae trains a model
of the same size by `qkvae.train` for --steps steps.  Both are judged on the whole validation text, the last
tenth, in rows of 64 that do not overlap, in nats a character; qkvae's own evaluation (a window that slides)
stands beside it.  Time is that of the loops on the wall, one after the other on the same threads; of qkvae's
call as a whole too, with reading, probing the precision, and the report at the end.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from timing import circumstances, parser

LENGTH, ROWS, STEPS, WARMUP = 64, 12, 2000, 100


def split(tiny: bool) -> tuple[str, str]:
    """The first nine tenths and the rest, as nanoGPT splits them; of a short text of Python's if ``tiny``."""
    if tiny:
        from qkvae.data.default_text import default_documents

        text = default_documents().texts[0][:20_000]
    else:
        folder = Path(os.environ.get("QKVAE_DATA", "."))
        text = (folder / "tinyshakespeare" / "input.txt").read_text(encoding="utf-8")
    return text[: int(0.9 * len(text))], text[int(0.9 * len(text)) :]


def nanogpt(train: str, valid: str, steps: int) -> tuple[float, float]:
    """Seconds of training, and nats a character of the validation text."""
    import torch
    from model import GPT, GPTConfig  # pyright: ignore[reportMissingImports]

    torch.manual_seed(1337)
    letters = {letter: number for number, letter in enumerate(sorted(set(train + valid)))}
    numbers = torch.tensor([letters[letter] for letter in train])
    model: Any = GPT(GPTConfig(LENGTH, len(letters), 4, 4, 128, 0.0, bias=False)).train()
    optimizer = model.configure_optimizers(1e-1, 1e-3, (0.9, 0.99), "cpu")
    begun = time.perf_counter()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = cosine(step, steps)
        starts = torch.randint(len(numbers) - LENGTH, (ROWS,))
        rows = torch.stack([numbers[at : at + LENGTH + 1] for at in starts])
        loss = model(rows[:, :-1].contiguous(), rows[:, 1:].contiguous())[1]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    used = time.perf_counter() - begun
    held = torch.tensor([letters[letter] for letter in valid])
    return used, judged(lambda inputs, targets: model.eval()(inputs, targets)[0], held)


def cosine(step: int, steps: int) -> float:
    """The recipe's learning rate."""
    if step < WARMUP:
        return 1e-3 * (step + 1) / (WARMUP + 1)
    return 1e-4 + 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / max(1, steps - WARMUP))) * 9e-4


def judged(logits: Any, numbers: Any) -> float:
    """Nats a character in rows that do not overlap; the few characters after the last whole row are left."""
    import torch
    import torch.nn.functional as F

    count = (len(numbers) - 1) // LENGTH
    inputs = numbers[: count * LENGTH].view(count, LENGTH)
    targets = numbers[1 : count * LENGTH + 1].view(count, LENGTH)
    total = 0.0
    with torch.no_grad():
        for at in range(0, count, 64):
            some, wanted = inputs[at : at + 64], targets[at : at + 64]
            found = logits(some, wanted).flatten(0, 1)
            total += float(F.cross_entropy(found, wanted.flatten(), reduction="sum"))
    return total / (count * LENGTH)


def qkvae(train: str, valid: str, settings: dict[str, Any], steps: int) -> tuple[float, float, float, float]:
    """Seconds of the loop and of the whole call; nats a character in such rows, and by its own evaluation."""
    import torch

    import qkvae as library
    from qkvae.config import TextGeneration
    from qkvae.config.serial import from_dict

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "train.txt").write_text(train, encoding="utf-8")
        (folder / "valid.txt").write_text(valid, encoding="utf-8")
        paths = {"paths": [str(folder / "train.txt")], "valid": [str(folder / "valid.txt")]}
        config = from_dict(TextGeneration, {**settings, "data": {**settings["data"], **paths}})
        begun = time.perf_counter()
        run = library.train("text-generation", config, steps=steps, out=folder / "run", quiet=True)
        whole = time.perf_counter() - begun
        loop = max(record["seconds"] for record in run.run.records() if "seconds" in record)
        writer: Any = run.answerer
        numbers = torch.tensor(writer.tokenizer.encode(valid))
        own = run.evaluate([str(folder / "valid.txt")])["nll"]
        return loop, whole, judged(lambda inputs, _: writer.model(inputs), numbers), own


SETTINGS: dict[str, Any] = {
    "data": {"tokenizer": "char", "length": LENGTH},
    "model": {
        "depth": 4,
        "max_length": LENGTH,
        "block": {"dim": 128, "heads": 4, "hidden": 512, "dropout": 0.0, "activation": "relu2"},
    },
    "optimizer": {"lr": 0.01},
    "training": {"batch_tokens": LENGTH * ROWS, "validations": 1},
}
"""The recipe's size; every setting that is not here is the default."""


def main() -> None:
    """Train both, judge both, print."""
    options = parser(__doc__)
    options.add_argument("--steps", type=int, default=700, help="of qkvae")
    options.set_defaults(threads=2)  # the clock on the wall, whatever the threads
    asked = options.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(asked.threads)
    train, valid = split(asked.tiny)
    rows = ["| who | seconds of training | of the whole call | nats a character |", "|---|---|---|---|"]
    if asked.peer:
        sys.path.insert(0, str(asked.peer))
        used, nats = nanogpt(train, valid, 5 if asked.tiny else STEPS)
        rows.append(f"| nanoGPT | {used:.1f} | | {nats:.4f} |")
    loop, whole, nats, own = qkvae(train, valid, SETTINGS, 5 if asked.tiny else asked.steps)
    rows.append(f"| qkvae | {loop:.1f} | {whole:.1f} | {nats:.4f} (its own evaluation {own:.4f}) |")
    if asked.peer:
        rows.append(f"| nanoGPT took | {used / loop:.1f} × | | |")
    print("\n".join([*rows, "", circumstances(asked)]))


if __name__ == "__main__":
    main()
