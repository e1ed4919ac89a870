"""What a masked autoencoder is worth on pictures of which a part is hidden."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from qkvae import metrics
from qkvae.data.pictures import Pictures
from qkvae.tasks.masked_image_modeling.teller import Teller


def evaluate(teller: Teller, pictures: Pictures) -> dict[str, Any]:
    """Figures of what is told of hidden patches, over pictures.

    - ``loss``: their mean squared error, as it was minimised
    - ``mse``: that of their pixels, as parts of white; where patches are told less their mean and over their
      deviation, these are taken from the picture

    Raises:
        ValueError: the pictures are of another size or of other channels than those trained on.
    """
    told_of = list(teller.tell(pictures))
    loss = torch.cat([told.losses for told in told_of])
    squares = torch.cat([(told.told - told.shares).square().flatten(1).mean(1) for told in told_of])
    count = teller.model.settings.patches.count
    hidden = 1 - min(max(1, round(teller.seen * count)), count - 1) / count
    return {"loss": float(loss.mean()), "mse": float(squares.mean()) / hidden, "pictures": len(pictures)}


def compare(first: Teller, second: Teller, pictures: Pictures, samples: int = 1000) -> dict[str, Any]:
    """Which of two runs tells hidden patches better, by a paired bootstrap over pictures.

    Raises:
        ValueError: the two hide different parts, or minimise different errors; what `evaluate` raises.
    """
    one, other = (
        f"sees {each.seen} of patches of {' × '.join(map(str, each.model.settings.patches.sides))} and tells "
        f"{each.model.settings.target}"
        for each in (first, second)
    )
    if one != other:
        raise ValueError(f"one run {one}, the other {other}: give two runs whose losses are alike")
    rows = [
        np.stack([loss, np.ones_like(loss)], 1)
        for loss in (
            torch.cat([told.losses for told in each.tell(pictures)]).numpy() for each in (first, second)
        )
    ]
    return {**metrics.paired_bootstrap_of_losses("loss", *rows, samples=samples)}
