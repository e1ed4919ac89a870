"""What training minimises, in nats, summed; whoever averages says over what."""

from qkvae.losses.answers import classes, contrastive, many_labels, mixed_classes, numbers, span
from qkvae.losses.patches import masked_patches
from qkvae.losses.tokens import (
    consistent_cross_entropy,
    cross_entropy,
    masked_words,
    projected_cross_entropy,
)

__all__ = [
    "classes",
    "consistent_cross_entropy",
    "contrastive",
    "cross_entropy",
    "many_labels",
    "masked_patches",
    "masked_words",
    "mixed_classes",
    "numbers",
    "projected_cross_entropy",
    "span",
]
