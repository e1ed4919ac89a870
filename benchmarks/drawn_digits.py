"""Whether what a run draws is what it should be: a classifier trained on real pictures is asked.

Of all samples it tells which part is recognised, with a probability of at least 0.9, and as what; of samples
of one label each (--like label) also which part is recognised as that label.  The classifier knows nothing of
the run: it is an image-classification run, trained here on real pictures where its folder is not there yet.

    qkvae train vq-vae --config recipes/mnist-codes.toml --out runs/codes
    qkvae train image-generation --config recipes/mnist-prior.toml --from runs/codes --out runs/drawn
    python benchmarks/drawn_digits.py runs/drawn --like label --judge runs/judge \\
        --real mnist/train-images-idx3-ubyte.gz mnist/train-labels-idx1-ubyte.gz \\
        --test mnist/t10k-images-idx3-ubyte.gz mnist/t10k-labels-idx1-ubyte.gz

Any other pictures are judged likewise, such as those of a conditional VAE of Fashion-MNIST with --like label.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

import qkvae
from qkvae.config import Filtering
from qkvae.data.pictures import Pictures
from qkvae.tasks.vq_vae.coder import CodeCoder

SURE = 0.9
"""Probability from which a picture counts as recognised."""


class Judged(NamedTuple):
    """What a classifier says of pictures."""

    probabilities: Tensor
    """[count, classes]."""

    names: tuple[str, ...]

    @property
    def recognised(self) -> Tensor:
        """Which pictures it is sure of, [count]."""
        return self.probabilities.amax(1) >= SURE

    @property
    def chosen(self) -> Tensor:
        """What it takes each for, [count]."""
        return self.probabilities.argmax(1)

    def counts(self) -> dict[str, int]:
        """How many of the recognised pictures are of each class."""
        found = self.chosen[self.recognised].bincount(minlength=len(self.names))
        return dict(zip(self.names, found.tolist(), strict=True))


def main() -> None:
    """Draw, judge and print."""
    asked = _parser().parse_args()
    if not (Path(asked.judge) / "config.json").exists():
        learn(asked.judge, asked.real, asked.minutes)
    judge = qkvae.load(asked.judge)
    if asked.test:
        found = judge.evaluate(asked.test)
        real = judged_files(judge, asked.test)
        print(
            f"the judge on {len(real.recognised):,} real pictures: accuracy {found['accuracy']:.4f}, "
            f"{float(real.recognised.float().mean()):.1%} with p >= {SURE}"
        )
    pictures, labels = draw(
        qkvae.load(asked.run), asked.count, asked.like == "label", asked.seed, asked.top_p
    )
    print(f"{len(pictures):,} pictures drawn by {asked.run}, seed {asked.seed}")
    tell(judged(judge, pictures), labels)


def learn(folder: str, real: Sequence[str], minutes: float) -> None:
    """Train the judge.  It may be as sure as it likes: no label is smoothed and none blended."""
    if not real:
        raise SystemExit(f"{folder} is no run: give --real the pictures and labels to train the judge on")
    settings = {"data": {"paths": list(real)}, "learning": {"label_smoothing": 0.0}}
    qkvae.train("image-classification", settings, minutes=minutes, out=folder)


def draw(
    run: Any, count: int, like: bool, seed: int, top_p: float | None = None
) -> tuple[Tensor, list[str] | None]:
    """So many pictures, as parts of white [count, c, h, w]; with ``like`` of which label each is to be."""
    coder = run.answerer
    known = None if coder.labels is None else coder.labels.names
    if like and known is None:
        raise SystemExit(f"{run.path} was told no labels: leave --like out")
    places = None if known is None else torch.arange(count) * len(known) // count
    labels = [known[place] for place in places.tolist()] if like else None
    if top_p is None:
        return coder.drawn(count, places, False, seed), labels
    if not isinstance(coder, CodeCoder):
        raise SystemExit(f"{run.path} draws no codes: leave --top-p out")
    return coder.drawn(count, places, False, seed, Filtering(top_p=top_p)), labels


def judged(judge: Any, pictures: Tensor) -> Judged:
    """What the judge says of pictures, rounded to the 256 levels of a file."""
    white = judge.answerer.form.white
    values = (pictures * white).round().numpy().astype(np.uint8)
    return Judged(judge.answerer.read(Pictures(values)).softmax(1), judge.answerer.labels.names)


def judged_files(judge: Any, paths: Sequence[str]) -> Judged:
    """Likewise of real ones."""
    part = judge.task.examples(judge.config.data, list(paths), judge.config.data, 1)
    return Judged(judge.answerer.read(part).softmax(1), judge.answerer.labels.names)


def tell(found: Judged, labels: list[str] | None) -> None:
    """Print which part is recognised, and as what."""
    print(f"recognised with p >= {SURE}: {float(found.recognised.float().mean()):.1%}")
    print("as " + ", ".join(f"{name}: {count}" for name, count in found.counts().items()))
    if labels is None:
        return
    right = [found.names[place] == label for place, label in zip(found.chosen.tolist(), labels, strict=True)]
    print(f"recognised as the label asked for: {sum(right) / len(right):.1%}")
    for name in dict.fromkeys(labels):
        own = [hit for hit, label in zip(right, labels, strict=True) if label == name]
        print(f"  {name}: {sum(own) / len(own):.1%} of {len(own)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", help="what draws")
    parser.add_argument("--judge", required=True, help="an image-classification run, or where to train one")
    parser.add_argument("--real", nargs="+", default=[], help="pictures and labels to train the judge on")
    parser.add_argument("--minutes", type=float, default=4.0, help="how long it is trained")
    parser.add_argument("--test", nargs="+", default=[], help="real pictures and labels it has not seen")
    parser.add_argument("--count", type=int, default=1000, help="how many pictures are drawn")
    parser.add_argument("--like", choices=["label"], help="as many of each label, to be recognised as it")
    parser.add_argument("--top-p", type=float, help="codes are drawn among the fewest that hold so much")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn")
    return parser


if __name__ == "__main__":
    main()
