"""The curves of a run as a picture for the docs.

python benchmarks/curve.py runs/europarl docs/images/europarl-loss.svg
"""

from __future__ import annotations

import argparse
from pathlib import Path

from qkvae.inspect.charts import Series, line_chart
from qkvae.run import Run

CURVES = {"loss": "training", "valid_loss": "validation", "valid_nll": "validation, unsmoothed"}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("out", type=Path, help="the picture, .svg")
    asked = parser.parse_args()
    records = Run.open(asked.run).records()
    series = [
        Series(
            name=name, xs=[r["step"] for r in records if key in r], ys=[r[key] for r in records if key in r]
        )
        for key, name in CURVES.items()
    ]
    chart = line_chart(series, title=f"Loss of {asked.run.name}", x_label="step", y_label="nats per token")
    asked.out.write_text(chart, encoding="utf-8")


if __name__ == "__main__":
    main()
