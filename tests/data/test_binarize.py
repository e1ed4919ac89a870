"""Numbers drawn as 0 or 1: a pure function of seed and step, with the right chances."""

from __future__ import annotations

import numpy as np
import torch

from qkvae.data.binarize import binarized


def test_binarisation_is_a_function_of_seed_and_step_with_the_right_chances() -> None:
    chances = torch.tensor([0, 1, 64, 128, 254, 255]).div(255).expand(40_000, 6)
    one = binarized(chances, (3, 5))
    assert one.dtype == torch.float32
    assert torch.equal(one, binarized(chances, (3, 5)))
    assert not torch.equal(one, binarized(chances, (3, 6)))
    assert not torch.equal(one, binarized(chances, (4, 5)))
    found = one.mean(0)
    assert found[0] == 0
    assert found[-1] == 1
    torch.testing.assert_close(found, chances[0], atol=0.012, rtol=0)
    assert abs(float(np.corrcoef(one[:, 2], one[:, 3])[0, 1])) < 0.02
