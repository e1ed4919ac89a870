"""How well strange rows are found: a variational autoencoder beside isolation forest and PCA.

Each learns from all rows without their labels, as one meets them, and scores each row; the labels judge the
scores by the area under the ROC curve and by average precision.

    qkvae train vae --config recipes/mammography.toml --out runs/mammography
    python benchmarks/anomalies.py runs/mammography mammography/mammography.csv --label class
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score

import qkvae
from qkvae.data.mixed_table import counted, read_mixed_table
from qkvae.data.table_scaling import TableScaling


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run")
    parser.add_argument("table")
    parser.add_argument("--label", required=True, help="column that tells the strange rows, the rarer value")
    parser.add_argument("--seeds", type=int, default=3, help="of the isolation forest")
    asked = parser.parse_args()
    table = read_mixed_table(asked.table)
    cells = table.columns[asked.label]
    rare = min(counted(cells).items(), key=lambda item: item[1])[0]
    strange = np.array([cell == rare for cell in cells])
    bare = read_mixed_table(asked.table, [asked.label])
    rows = TableScaling.decide(bare).scale(bare).numbers
    print(f"{len(rows):,} rows, {strange.sum():,} strange")
    ways = {"VAE": [_by_vae(asked.run, asked.table)], "PCA": [_by_pca(rows)]}
    ways["isolation forest"] = [_by_forest(rows, seed) for seed in range(asked.seeds)]
    for name, several in ways.items():
        area = [float(roc_auc_score(strange, scores)) for scores in several]
        precision = [float(average_precision_score(strange, scores)) for scores in several]
        print(f"{name:<18} ROC-AUC {np.mean(area):.4f}   average precision {np.mean(precision):.4f}")


def _by_vae(run: str, table: str) -> NDArray[np.float64]:
    """−ln p of each row."""
    return np.array([answer.score for answer in qkvae.load(run).use([table])])  # pyright: ignore


def _by_forest(rows: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    return -IsolationForest(random_state=seed).fit(rows).score_samples(rows)


def _by_pca(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """The squared distance from what half of the components keep."""
    found = PCA(n_components=rows.shape[1] // 2).fit(rows)
    return np.square(rows - found.inverse_transform(found.transform(rows))).sum(1)


if __name__ == "__main__":
    main()
