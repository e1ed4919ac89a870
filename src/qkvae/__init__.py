"""Train a Transformer or a Variational Autoencoder on your own data, see every number inside it, and ship it.

The verbs of the command line are the functions of this package::

    run = qkvae.train("translation", ["train.en", "train.de"], minutes=10, out="runs/mine")
    run = qkvae.load("runs/mine")
    run.use("Two dogs play in the snow.")

Nothing heavy is imported until a verb is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["load", "train"]

if TYPE_CHECKING:
    from qkvae.api import load, train


def __getattr__(name: str) -> Any:
    if name in __all__:
        from qkvae import api

        return getattr(api, name)
    raise AttributeError(f"module 'qkvae' has no attribute {name!r}")
