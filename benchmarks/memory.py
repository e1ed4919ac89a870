"""Peak memory of whole processes: training, on Multi30k and on a text of 1 GB; a million pairs.

    QKVAE_DATA=~/data python benchmarks/memory.py

- training: ``qkvae train translation`` on Multi30k, 20 steps, with its evaluation, saves, report and
  ending;
- checking: ``qkvae data check translation`` on two files of a million lines;
- a large text: ``qkvae train text-generation`` on 1 GB of made-up paragraphs, 20 steps of the model that is
  the default; once with an empty cache, and again with the token ids there;
- preparing: reading them, splitting, learning the vocabulary, encoding: all that a training does before
  its first step, with ``--data.bpe-dropout 0``.

The million pairs are Multi30k's put together two by two, each combination once: real words, real lengths, a
true translation.
"""

from __future__ import annotations

import argparse
import gzip
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from processes import run
from timing import circumstances, parser

COUNT = 1_000_000

CLI = "import sys; from qkvae.cli import main; sys.argv[0] = 'qkvae'; sys.exit(main())"

PREPARE = """
import sys
from qkvae.config import TranslationData
from qkvae.tasks.translation.corpus import encode_corpus, read_corpus, train_tokenizer
data = TranslationData(paths=tuple(sys.argv[1:3]), vocab_size=int(sys.argv[3]), bpe_dropout=0.0)
corpus = read_corpus(data, 1)
encoded = encode_corpus(corpus, train_tokenizer(corpus.train, data), data)
assert len(encoded.train)
"""

MULTI30K = "multi30k/train.en.gz multi30k/train.de.gz --valid multi30k/val.en.gz multi30k/val.de.gz"
STANDARD = ["--model.dim", "256", "--model.hidden", "1024"]
STANDARD += ["--model.encoder-depth", "3", "--model.decoder-depth", "3"]
LARGE_TEXT = "training, 1 GB of text"
SMALL = ["--model.dim", "32", "--model.heads", "2", "--model.hidden", "64", "--model.encoder-depth", "1"]


def wanted(what: str, options: argparse.Namespace) -> bool:
    """Whether this was asked for."""
    return not options.only or any(word in what for word in options.only)


def lines(name: str) -> list[str]:
    """The lines of a file of Multi30k."""
    path = Path(os.environ["QKVAE_DATA"]) / "multi30k" / name
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return file.read().splitlines()


def sentences(tiny: bool) -> tuple[list[str], list[str]]:
    """Two sides of whole sentences."""
    if tiny:
        return tuple([f"{word} {i} ." for i in range(100)] for word in ("dog number", "Hund Nummer"))  # type: ignore
    return lines("train.en.gz"), lines("train.de.gz")


def combined(count: int, size: int) -> Iterator[tuple[int, int]]:
    """``count`` different pairs of numbers below ``size``."""
    chooser = random.Random(1)
    for place in chooser.sample(range(size * size), count):
        yield divmod(place, size)


def write_pairs(folder: Path, count: int, tiny: bool) -> list[str]:
    """Two aligned files; their paths."""
    sides = sentences(tiny)
    paths = [folder / "many.en", folder / "many.de"]
    chosen = list(combined(count, len(sides[0])))
    for path, side in zip(paths, sides, strict=True):
        with path.open("w", encoding="utf-8") as file:
            file.writelines(f"{side[i]} {side[j]}\n" for i, j in chosen)
    return [str(path) for path in paths]


def write_text(folder: Path, size: int) -> str:
    """Paragraphs of made-up words, some as frequent as in a language, in a random order; the file's path."""
    draw = random.Random(1)
    words = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(2, 9))) for _ in range(20_000)]
    shares = [1 / (rank + 3) for rank in range(len(words))]
    paragraphs = [" ".join(draw.choices(words, shares, k=400)) + ".\n\n" for _ in range(2000)]
    path = folder / "large.txt"
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < size:
            file.write("".join(draw.choices(paragraphs, k=400)))
    return str(path)


def main() -> None:
    """Measure and print."""
    options = parser(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = 2000 if options.tiny else COUNT
        many = write_pairs(folder, count, options.tiny)
        data, steps = many if options.tiny else MULTI30K.split(), "2" if options.tiny else "20"
        train = ["train", "translation", *data, "--steps", steps, "--validations", "1"]
        size = SMALL if options.tiny else STANDARD
        vocab = "300" if options.tiny else "8000"
        os.environ["QKVAE_CACHE"] = f"{name}/cache"
        text = write_text(folder, 3 * 2**26 if options.tiny else 10**9) if wanted(LARGE_TEXT, options) else ""
        write = ["train", "text-generation", text, "--validations", "1", "--overwrite"]
        write += ["--steps", steps, *([*SMALL[:6], "--model.depth", "1"] if options.tiny else [])]
        commands = {
            "training, standard model": [CLI, *train, *size, "--out", f"{name}/run"],
            LARGE_TEXT: [CLI, *write, "--out", f"{name}/written"],
            f"{LARGE_TEXT} again": [CLI, *write, "--out", f"{name}/written"],
            f"checking {count:,} pairs": [CLI, "data", "check", "translation", *many],
            f"preparing {count:,} pairs": [PREPARE, *many, vocab],
        }
        print("| what | CPU seconds | seconds on the wall | peak MB |\n|---|---|---|---|", flush=True)
        for what, words in commands.items():
            if not wanted(what, options):
                continue
            cost = run([sys.executable, "-c", *words], options.threads)
            print(f"| {what} | {cost.cpu:.1f} | {cost.wall:.1f} | {cost.peak:,.0f} |", flush=True)
    print("\n" + circumstances(options))


if __name__ == "__main__":
    main()
