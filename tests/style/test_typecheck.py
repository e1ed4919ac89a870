"""The tests' own net: a wrong shape or type in a call to qkvae is an error where it happens."""

from __future__ import annotations

import subprocess
import sys

import jaxtyping
import pytest
import torch

from qkvae.config import Optimizer
from qkvae.nn.attention import attention


def test_a_wrong_shape_is_caught() -> None:
    queries, keys = torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 5, 4)
    assert attention(queries, keys, keys).shape == (1, 2, 3, 4)
    with pytest.raises(jaxtyping.TypeCheckError, match="keys"):
        attention(queries, torch.zeros(1, 2, 5, 6), keys)
    with pytest.raises(jaxtyping.TypeCheckError, match="values"):
        attention(queries, keys, torch.zeros(1, 2, 6, 4))


def test_a_wrong_type_is_caught_and_an_int_is_a_float() -> None:
    assert Optimizer(lr=1).lr == 1
    with pytest.raises(jaxtyping.TypeCheckError, match="lr"):
        Optimizer(lr="1")  # type: ignore[arg-type]


def test_without_the_tests_nothing_is_checked() -> None:
    program = "import sys, qkvae.nn.attention; sys.exit('beartype' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
