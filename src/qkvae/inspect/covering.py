"""Whether a map of a picture tells the truth: patches are covered, and the answer is asked for again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from qkvae.inspect.picture_maps import check_class, in_use
from qkvae.models import Vision
from qkvae.nn.patches import to_grid

_ROWS = 64  # covered pictures that are read together

Chances = Callable[[Tensor], Tensor]
"""From a model's numbers, float32[rows, classes], to the probability of each class."""


def one_of(told: Float[Tensor, "rows classes"]) -> Float[Tensor, "rows classes"]:
    """Probabilities of classes of which one is right: softmax.

    >>> one_of(torch.zeros(1, 4))
    tensor([[0.2500, 0.2500, 0.2500, 0.2500]])
    """
    return told.softmax(-1)


@dataclass(frozen=True)
class Curve:
    """The probability of a class while a picture loses its patches, or gets them."""

    shares: Float[Tensor, " steps"]
    """Part of the patches that was covered (deletion) or shown (insertion), from 0 to 1."""

    probabilities: Float[Tensor, " steps"]
    """p(class) then."""

    @property
    def area(self) -> float:
        """The area below it, by trapezoids: small for deletion, large for insertion, if the map is true.

        >>> Curve(torch.tensor([0.0, 0.5, 1.0]), torch.tensor([1.0, 0.0, 0.0])).area
        0.25
        """
        return float(torch.trapezoid(self.probabilities, self.shares))


def occlusion(
    model: Vision,
    picture: Float[Tensor, "c *size"],
    chosen: int,
    fill: float = 0.0,
    chances: Chances = one_of,
) -> Float[Tensor, "*grid"]:
    """p(class) less p(class | this patch is covered), for each patch.  Zeiler and Fergus 2014, section 4.2.

    Above zero: the patch speaks for the class ``chosen``.

    Args:
        fill: what is seen in place of a patch; 0 is the mean colour of pictures that were normalised.
        chances: how the run that answers makes probabilities of what its model tells.

    >>> from qkvae import config
    >>> settings = config.Vision(
    ...     patches=config.Patches(size=(8, 12), channels=1), head=config.LinearClasses(count=3)
    ... )
    >>> occlusion(Vision(settings), torch.zeros(1, 8, 12), chosen=2)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])

    Raises:
        ValueError: there is no such class.
    """
    count = model.input.count(picture[None])
    n = torch.Size(count).numel()
    covered = torch.cat([torch.zeros(1, n, dtype=torch.bool), torch.eye(n, dtype=torch.bool)])
    told = _probabilities(model, picture, covered, chosen, fill, chances)
    return (told[0] - told[1:]).view(count)


def deletion(
    model: Vision,
    picture: Float[Tensor, "c *size"],
    chosen: int,
    found: Float[Tensor, "*grid"],
    fill: float = 0.0,
    steps: int = 16,
    chances: Chances = one_of,
) -> Curve:
    """p(class) while patches are covered, those first to which the map ``found`` gives most.

    Petsiuk et al. 2018, arXiv:1806.07421, section 4.2.

    >>> from qkvae import config
    >>> settings = config.Vision(
    ...     patches=config.Patches(size=(8, 12), channels=1), head=config.LinearClasses(count=3)
    ... )
    >>> curve = deletion(Vision(settings), torch.zeros(1, 8, 12), 0, torch.rand(2, 3), steps=3)
    >>> curve.shares
    tensor([0.0000, 0.3333, 0.6667, 1.0000])
    """
    return _curve(model, picture, chosen, found, fill, steps, chances, covers=True)


def insertion(
    model: Vision,
    picture: Float[Tensor, "c *size"],
    chosen: int,
    found: Float[Tensor, "*grid"],
    fill: float = 0.0,
    steps: int = 16,
    chances: Chances = one_of,
) -> Curve:
    """p(class) while patches of a covered picture are shown, those first to which the map gives most.

    Petsiuk et al. 2018, as above.
    """
    return _curve(model, picture, chosen, found, fill, steps, chances, covers=False)


def _curve(
    model: Vision,
    picture: Tensor,
    chosen: int,
    found: Tensor,
    fill: float,
    steps: int,
    chances: Chances,
    covers: bool,
) -> Curve:
    n = found.numel()
    place = torch.empty(n, dtype=torch.long)
    place[found.flatten().argsort(descending=True, stable=True)] = torch.arange(n)
    numbers = torch.linspace(0, n, min(steps, n) + 1).round().long()
    reached = place[None] < numbers[:, None]
    covered = reached if covers else ~reached
    return Curve(numbers / n, _probabilities(model, picture, covered, chosen, fill, chances))


def _probabilities(
    model: Vision, picture: Tensor, covered: Tensor, chosen: int, fill: float, chances: Chances
) -> Float[Tensor, " rows"]:
    """p(class) of the picture with some of its patches covered: bool[rows, n] says which."""
    check_class(model, chosen)
    count, sides = model.input.count(picture[None]), model.settings.patches.sides
    inside = torch.Size(sides).numel()
    hidden = to_grid(covered[..., None].float().expand(-1, -1, inside), count, sides).bool()
    device, told = next(model.parameters()).device, list[Tensor]()
    with in_use(model), torch.no_grad():
        for some in torch.split(hidden, _ROWS):
            shown = torch.where(some, torch.tensor(fill, dtype=picture.dtype), picture).to(device)
            told.append(chances(model(shown).float())[:, chosen].cpu())
    return torch.cat(told)
