"""What a layer costs, by its type: the table of the 2017 paper beside measured times.

    python benchmarks/layer_types.py            # print
    python benchmarks/layer_types.py --write    # and write docs/layer-types.md with its pictures

Vaswani et al. 2017, arXiv:1706.03762, table 1, compares self-attention, recurrent, convolutional and
restricted self-attention layers of n places and d channels.  Here each is run forwards and backwards for
growing n (at d = 256) and growing d (at n = 512), in turns, on one thread, in CPU seconds.  An exponent is
the slope of log time over log n (or d) in the upper half of the range: the lower half is ruled by the fixed
cost of a call.  Whole layers are timed, projections included, as one would use them.  The last line is
window against full causal attention, without projections, at the greatest length.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from qkvae.config import Block
from qkvae.inspect.charts import Series, line_chart
from qkvae.nn.attention import attention
from qkvae.nn.masks import Mask
from qkvae.nn.multihead import SelfAttention
from timing import circumstances, parser

DOCS = Path(__file__).parent.parent / "docs"
WINDOW, HEADS, KERNEL = 128, 4, 3
LENGTHS, DIM = (64, 128, 256, 512, 1024, 2048, 4096, 8192), 256
DIMS, LENGTH = (64, 128, 256, 512, 1024), 512

# Paper's table 1; r is the window, k the kernel's width.
THEORY = {
    "self-attention": ("n² · d", "1", "1"),
    "recurrent (GRU)": ("n · d²", "n", "n"),
    "convolutional (k = 3)": ("k · n · d²", "1", "n / k, or log_k n if dilated"),
    "restricted (r = 128)": ("r · n · d", "1", "n / r"),
}

Step = Callable[[], None]


def layer(kind: str, n: int, d: int) -> Step:
    """One pass forwards and backwards through a layer of this kind."""
    x = torch.randn(1, n, d, requires_grad=True)
    pull = torch.randn(1, n, d)
    block = Block(dim=d, heads=HEADS, hidden=d, positions="none", dropout=0.0)
    module: nn.Module
    match kind.split()[0]:
        case "self-attention":
            module = SelfAttention(block, n)
            forward: Callable[[Tensor], Tensor] = module
        case "restricted":
            module, mask = SelfAttention(block, n), Mask(window=WINDOW, causal=True)
            forward = lambda x: module(x, mask)  # noqa: E731
        case "recurrent":
            module = nn.GRU(d, d, batch_first=True)
            forward = lambda x: module(x)[0]  # noqa: E731
        case _:
            module = nn.Conv1d(d, d, KERNEL, padding=KERNEL // 2)
            forward = lambda x: module(x.mT).mT  # noqa: E731
    return lambda: _there_and_back(forward, (x,), pull, module)


def alone(mask: Mask, n: int) -> Step:
    """One pass forwards and backwards through attention without projections."""
    parts = [torch.randn(1, HEADS, n, DIM // HEADS, requires_grad=True) for _ in range(3)]
    pull = torch.randn(1, HEADS, n, DIM // HEADS)
    return lambda: _there_and_back(lambda q, k, v: attention(q, k, v, mask), parts, pull)


def _there_and_back(
    forward: Callable[..., Tensor], inputs: Sequence[Tensor], pull: Tensor, module: nn.Module | None = None
) -> None:
    forward(*inputs).backward(pull)
    for tensor in (*inputs, *(module.parameters() if module is not None else ())):
        tensor.grad = None


def take_turns(steps: dict[str, Step], rounds: int, least: float) -> dict[str, list[float]]:
    """Seconds a call, round by round; short calls are repeated until they fill ``least`` seconds."""
    repeats: dict[str, int] = {}
    for name, step in steps.items():
        step()
        begun = time.process_time()
        step()
        repeats[name] = max(1, math.ceil(least / max(time.process_time() - begun, 1e-6)))
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            begun = time.process_time()
            for _ in range(repeats[name]):
                step()
            seconds[name].append((time.process_time() - begun) / repeats[name])
    return seconds


def exponent(xs: Sequence[int], ys: Sequence[float]) -> float:
    """The slope of log y over log x, least squares, in the upper half of the range.

    >>> round(exponent([1, 2, 4, 8, 16, 32], [9, 9, 9, 64, 256, 1024]), 3)
    2.0
    """
    half = len(xs) // 2
    return statistics.linear_regression(
        [math.log(x) for x in xs[half:]], [math.log(y) for y in ys[half:]]
    ).slope


def sweep(sizes: Sequence[tuple[int, int]], rounds: int, least: float) -> dict[str, list[float]]:
    """Median seconds of every kind of layer at each (n, d)."""
    medians: dict[str, list[float]] = {kind: [] for kind in THEORY}
    for n, d in sizes:
        for kind, seconds in take_turns({kind: layer(kind, n, d) for kind in THEORY}, rounds, least).items():
            medians[kind].append(statistics.median(seconds))
    return medians


def charts(xs: Sequence[int], medians: dict[str, list[float]], x_label: str, title: str) -> str:
    """Time over length or width, both logarithmic."""
    series = [
        Series(name=kind, xs=list(xs), ys=[1000 * value for value in values], marked=True)
        for kind, values in medians.items()
    ]
    return line_chart(
        series, title=title, x_label=x_label, y_label="ms", log_x=True, log_y=True, width=620, height=380
    )


def table(head: str, xs: Sequence[int], medians: dict[str, list[float]]) -> str:
    """Milliseconds and the fitted exponent."""
    lines = [f"| {head} | {' | '.join(f'{x:,}' for x in xs)} | exponent |", "|---" * (len(xs) + 2) + "|"]
    for kind, values in medians.items():
        cells = " | ".join(f"{1000 * value:.3g}" for value in values)
        lines.append(f"| {kind} | {cells} | {exponent(xs, values):.2f} |")
    return "\n".join(lines)


def window_against_full(n: int, rounds: int) -> str:
    """How many times as quick the window is, paired by round."""
    steps = {"window": alone(Mask(causal=True, window=WINDOW), n), "full": alone(Mask(causal=True), n)}
    seconds = take_turns(steps, rounds, 0.0)
    ratio = statistics.median(a / b for a, b in zip(seconds["full"], seconds["window"], strict=True))
    window, full = (1000 * statistics.median(seconds[name]) for name in ("window", "full"))
    return (
        f"Attention alone, {HEADS} heads of width {DIM // HEADS}, causal, {n:,} places, forwards and "
        f"backwards: window of {WINDOW} {window:.0f} ms, full (torch's fused kernel) {full:.0f} ms: "
        f"**{ratio:.1f} times** as quick."
    )


def main() -> None:
    """Measure, print, and write the docs' page and pictures."""
    options = parser(__doc__)
    options.add_argument("--write", action="store_true", help="write docs/layer-types.md and its pictures")
    options = options.parse_args()
    torch.set_num_threads(1)
    rounds = options.rounds or (1 if options.tiny else 5)
    lengths, dims = ((64, 128, 256), (32, 64, 128)) if options.tiny else (LENGTHS, DIMS)
    least = 0.001 if options.tiny else 0.03
    by_length = sweep([(n, dims[0] if options.tiny else DIM) for n in lengths], rounds, least)
    by_dim = sweep([(64 if options.tiny else LENGTH, d) for d in dims], rounds, least)
    theory = ["| layer | complexity | sequential operations | longest path |", "|---|---|---|---|"]
    theory += [f"| {kind} | {' | '.join(cells)} |" for kind, cells in THEORY.items()]
    parts = {
        "theory": "\n".join(theory),
        "length": table("ms for n =", lengths, by_length),
        "width": table("ms for d =", dims, by_dim),
        "window": window_against_full(1024 if options.tiny else lengths[-1], rounds),
        "circumstances": circumstances(options),
    }
    print("\n\n".join(parts.values()))
    if options.write:
        title = "One layer, forwards and backwards"
        write(
            parts,
            charts(lengths, by_length, "length n", f"{title}, d = {DIM}"),
            charts(dims, by_dim, "width d", f"{title}, n = {LENGTH}"),
        )


def write(parts: dict[str, str], by_length: str, by_dim: str) -> None:
    """The docs' page, made anew with its pictures."""
    (DOCS / "images" / "layer-types.svg").write_text(by_length, encoding="utf-8")
    (DOCS / "images" / "layer-types-width.svg").write_text(by_dim, encoding="utf-8")
    template = (Path(__file__).parent / "layer_types.md").read_text(encoding="utf-8")
    (DOCS / "layer-types.md").write_text(template.format(**parts), encoding="utf-8")


if __name__ == "__main__":
    main()
