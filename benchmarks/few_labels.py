"""What masked patches are worth where labels are few: one classifier begins so, one from scratch.

    python benchmarks/few_labels.py --out runs/few-labels
    python benchmarks/few_labels.py --out runs/chosen --choose     # judged on pictures of the training part

1. The training file is split by hash as the recipes of Fashion-MNIST split it: a twelfth is the test part.
2. A masked autoencoder learns the rest without labels (`recipes/fashion-mnist-masked.toml`).
3. One picture of a hundred of each class, drawn by the seed, keeps its label.
4. Two classifiers of one architecture learn these by the same settings in the same time: one begins with the
   autoencoder, the other anew.  The time of step 2 is not given to the other: it has seen its pictures often.
5. Both are judged on the test part, by a paired bootstrap.

With `--reuse` step 2 is left out and the autoencoder in `--out` is taken.  Flags of `qkvae train
image-classification` may follow, such as `--steps 500`; they are for both classifiers.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from qkvae import api
from qkvae.cli import main as qkvae
from qkvae.data.default_pictures import default_pictures
from qkvae.data.pictures import Pictures, split_pictures
from qkvae.data.read_pictures import read_pictures

RECIPE = Path(__file__).parents[1] / "recipes" / "fashion-mnist-masked.toml"
TRAIN = "fashion-mnist/train-images-idx3-ubyte.gz"
TEST = 0.0833333  # as in the recipe
TUNING = [
    *("--crop", "2", "--flip", "0.5", "--zoom", "0.2", "--operations", "0", "--erase", "0.25"),
    *("--mixup", "0.2", "--batch-tokens", "3136", "--valid-fraction", "0.15", "--optimizer.lr", "1e-3"),
]


def main() -> None:
    """Train what is not there, judge, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the data and the runs")
    parser.add_argument("--share", type=float, default=0.01, help="part of each class that keeps its label")
    parser.add_argument("--minutes", default="12", help="of masked patches")
    parser.add_argument("--tuning", default="2", help="minutes of each classifier")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--choose", action="store_true", help="judge on the training part's other pictures")
    parser.add_argument("--reuse", action="store_true", help="take the autoencoder that is there")
    parser.add_argument("--tiny", action="store_true", help="a few steps on small digits")
    asked, more = parser.parse_known_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    few, judged = _parts(asked)
    masked, tuned, scratch = (asked.out / name for name in ("masked", "tuned", "scratch"))
    if not asked.reuse:
        data = [str(asked.out / "whole.npz")] if asked.tiny else []
        _train("masked-image-modeling", data, masked, ["--config", str(RECIPE), *_length(asked, "minutes")])
    length = [] if "--steps" in more else _length(asked, "tuning")
    told = [*TUNING, *length, "--seed", str(asked.seed), *more]
    _train("image-classification", [str(few)], tuned, ["--from", str(masked), *told])
    print(f"from scratch, with every setting of {tuned}", flush=True)
    api.train("image-classification", api.load(tuned).run.config, out=scratch, overwrite=True)
    found = api.compare(tuned, scratch, str(judged))
    print(f"{found['first']:.4f} from masked patches, {found['second']:.4f} from scratch")
    low, high = found["interval"]
    print(f"difference {found['difference']:+.4f} ({low:+.4f} to {high:+.4f}), p {found['p']:.4f}")
    print(found["verdict"])


def _parts(asked: argparse.Namespace) -> tuple[Path, Path]:
    """Files with the few labelled pictures, and with those to judge on."""
    whole = default_pictures() if asked.tiny else read_pictures(TRAIN)
    rest, test = split_pictures(whole, TEST)
    labels = np.array(rest.labels)
    draw = np.random.default_rng(asked.seed)
    chosen: list[int] = []
    for name in np.unique(labels):
        places = draw.permutation(np.flatnonzero(labels == name))
        chosen += places[: max(3, round(asked.share * len(places)))].tolist()
    others = np.setdiff1d(np.arange(len(rest)), chosen)[: len(test)].tolist()
    print(f"{len(chosen)} of {len(rest):,} pictures keep their labels")
    if asked.tiny:
        _saved(asked.out / "whole.npz", whole)
    judged = rest.select(others) if asked.choose else test
    return _saved(asked.out / "few.npz", rest.select(chosen)), _saved(asked.out / "judged.npz", judged)


def _saved(path: Path, pictures: Pictures) -> Path:
    np.savez(path, x=pictures.values[:, 0], y=np.array(pictures.labels))
    return path


def _length(asked: argparse.Namespace, which: str) -> list[str]:
    return ["--steps", "5"] if asked.tiny else ["--minutes", getattr(asked, which)]


def _train(task: str, data: list[str], out: Path, flags: list[str]) -> None:
    words = ["train", task, *data, *flags, "--overwrite", "--out", str(out)]
    print("qkvae", *words, flush=True)
    if code := qkvae(words):
        raise SystemExit(code)


if __name__ == "__main__":
    main()
