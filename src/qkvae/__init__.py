"""Train a Transformer or a Variational Autoencoder on your own data, see every number inside it, and ship it.

The verbs of the command line are the functions of this package::

    run = qkvae.train("translation", ["train.en", "train.de"], minutes=10, out="runs/mine")
    run = qkvae.load("runs/mine")
    run.use("Two dogs play in the snow.")

Nothing heavy is imported until a verb is called.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["load", "train"]

if TYPE_CHECKING:
    from qkvae.api import load, train


class _Package(ModuleType):
    """This package, with its verbs as attributes that are imported when they are asked for."""

    @property
    def load(self) -> Any:
        from qkvae import api

        return api.load

    @property
    def train(self) -> Any:
        from qkvae import api

        return api.train

    @train.setter
    def train(self, room: ModuleType) -> None:
        """Importing the room of this name binds it here; the verb stays, or it could be called only once."""


sys.modules[__name__].__class__ = _Package
