"""What answers are worth: of text, of classes, of numbers, of spans; and whether chance made a difference."""

from qkvae.metrics.answers import exact_match, f1, normalised_answer
from qkvae.metrics.bootstrap import (
    LEVEL,
    Comparison,
    Verdict,
    mean_of,
    paired_bootstrap,
    paired_bootstrap_of_losses,
)
from qkvae.metrics.labels import (
    accuracy,
    calibration,
    class_f1,
    confusion,
    expected_calibration_error,
    macro_f1,
    matthews,
    pearson,
    spearman,
)
from qkvae.metrics.text import Bleu, bits_per_byte, bleu, chrf, compare_bleu, length_ratio, perplexity

__all__ = [
    "LEVEL",
    "Bleu",
    "Comparison",
    "Verdict",
    "accuracy",
    "bits_per_byte",
    "bleu",
    "calibration",
    "chrf",
    "class_f1",
    "compare_bleu",
    "confusion",
    "exact_match",
    "expected_calibration_error",
    "f1",
    "length_ratio",
    "macro_f1",
    "matthews",
    "mean_of",
    "normalised_answer",
    "paired_bootstrap",
    "paired_bootstrap_of_losses",
    "pearson",
    "perplexity",
    "spearman",
]
