"""A training that begins with a model of codes or other latents: the same again, or a prior of its codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from qkvae.config import VAE, VQ, CodePrior

Coded = VQ | CodePrior | VAE
"""The settings of a model of codes, or of other latents of pictures."""

PRIOR = "prior."
"""The weights that begin anew where the base has no prior."""


def adds_a_prior(there: object, here: object) -> bool:
    """Whether a base is a VQ-VAE, whose codes the training is to learn."""
    return isinstance(there, VQ) and isinstance(here, CodePrior)


def with_codes(there: Any, usual: Any) -> Any:
    """A base's settings; of a VQ-VAE whose codes are to be learned, within those of the model that does.

    >>> with_codes(VQ(codes=64), CodePrior()).vq.codes
    64
    """
    return replace(usual, vq=there) if adds_a_prior(there, usual) else there


def named_within(state: Mapping[str, Tensor], there: object, here: object) -> Mapping[str, Tensor]:
    """The base's weights by their names in the model that begins with them."""
    return {f"vq.{name}": x for name, x in state.items()} if adds_a_prior(there, here) else state


def refuse_rows(there: object, path: Path) -> None:
    """Refuse a base of rows of a table.

    Raises:
        ValueError: it is one.
    """
    if isinstance(there, VAE) and there.likelihood == "mixed":
        raise ValueError(
            f"{path} is a run of rows, whose columns and their scaling are those of its own data: train "
            "anew, without --from"
        )


def require_shape(there: object, here: object, path: Path) -> None:
    """Refuse data of which a variational autoencoder that is begun with tells nothing.

    Raises:
        ValueError: they are of another shape, or of another number of classes.
    """
    if not (isinstance(there, VAE) and isinstance(here, VAE)):
        return
    for what, known, found in (
        ("of shape", there.shape, here.shape),
        ("told classes", there.classes, here.classes),
    ):
        if known != found:
            raise ValueError(
                f"the data are {what} {found}, but {path} was trained on {known}: bring them to the same"
            )
