"""What every test stands on: one thread, the same seeds, and shapes in signatures checked at every call."""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported, which reads it once

import jaxtyping
import pytest

# Every function of qkvae imported from here on checks its arguments and its result: the types, and the shapes
# that jaxtyping's annotations name.  Outside the tests the annotations do nothing.
jaxtyping.install_import_hook("qkvae", "typecheck.checked")

collect_ignore_glob = ["*conftest.py"]  # they hold no doctests, and all have the same name


@pytest.fixture(autouse=True, scope="session")
def only_tiles_that_work() -> None:
    """Tests compute in bf16 and in 8 bits without asking for it by a verb that would see to this."""
    from qkvae.nn.tiles import spare_failing_tiles

    spare_failing_tiles()


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    """One thread, and the same random numbers for every test, whichever ran before it."""
    import random

    import numpy
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    numpy.random.seed(0)
    random.seed(0)
