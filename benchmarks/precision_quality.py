"""Does training with bf16 products cost quality?  BLEU of the same steps in fp32 and in bf16, seed by seed.

For each seed the plain translation command runs for some minutes in fp32; then the same seed takes as many
steps in bf16, on the same batches.  Both are measured on the validation part, with the length penalty that
each chose there.

    QKVAE_DATA=/path/to/data python benchmarks/precision_quality.py --minutes 10 --seeds 1 2 3
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import qkvae

TRAIN = ("multi30k/train.en.gz", "multi30k/train.de.gz")
VALID = ("multi30k/val.en.gz", "multi30k/val.de.gz")


def main() -> None:
    """Train the pairs of runs and print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10, help="of each run in fp32")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="a pair of runs for each")
    parser.add_argument("--out", type=Path, default=Path("runs/precision"), help="folder of the runs")
    asked = parser.parse_args()

    rows: list[dict[str, Any]] = []
    for seed in asked.seeds:
        folders = [asked.out / f"{kind}-{seed}" for kind in ("fp32", "bf16")]
        exact = trained(folders[0], seed, "fp32", minutes=asked.minutes)
        rounded = trained(folders[1], seed, "bf16", steps=exact["steps"])
        rows.append({"seed": seed, "fp32": exact, "bf16": rounded})
        print(json.dumps(rows[-1]), flush=True)
    found = {kind: [row[kind]["bleu"] for row in rows] for kind in ("fp32", "bf16")}
    differences = [b - a for a, b in zip(found["fp32"], found["bf16"], strict=True)]
    print(json.dumps({"bleu": found, "mean_difference": statistics.fmean(differences)}, indent=2))


def trained(
    out: Path, seed: int, precision: str, minutes: float | None = None, steps: int | None = None
) -> dict[str, Any]:
    """A run's steps and seconds, and its quality on the validation part."""
    settings = {
        "data": {"paths": [*TRAIN], "valid": [*VALID]},
        "training": {"seed": seed, "precision": precision},
    }
    begun = time.monotonic()
    run = qkvae.train("translation", settings, minutes=minutes, steps=steps, out=out, overwrite=True)
    seconds = time.monotonic() - begun
    watched = [record for record in run.run.records() if "valid_nll" in record]
    return {
        "steps": watched[-1]["step"],
        "seconds": round(seconds),
        "nll": watched[-1]["valid_nll"],
        "bleu": run.evaluate(VALID)["bleu"],
    }


if __name__ == "__main__":
    main()
