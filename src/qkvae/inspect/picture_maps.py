"""Where a model of pictures looked: attention per head, its rollout, and Grad-CAM for a class.

Every map has a number for each patch, in the shape of the patches' grid.  None of them is an explanation by
itself: `qkvae.inspect.covering` measures whether what a map points at decides the answer.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn

from qkvae import config
from qkvae.inspect.taps import record, replace
from qkvae.models import Vision

WEIGHTS = "stack.blocks.{}.attention.weights"
READ = "stack.blocks.{}.residual_pre"


@contextmanager
def in_use(model: nn.Module) -> Generator[None]:
    """The model as it is used, nothing left out by chance; afterwards as it was.

    >>> model = nn.Dropout(0.5)
    >>> with in_use(model):
    ...     model(torch.ones(2))
    tensor([1., 1.])
    """
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def attention_maps(model: Vision, picture: Float[Tensor, "c *size"]) -> Float[Tensor, "depth heads *grid"]:
    """How much what stands for the picture looked at each patch, in each block and head.

    That is the class token's row of the weights, or the mean of the patches' rows where their mean stands
    for the picture.  What leading tokens got is left out, so that a map sums to one or less.

    >>> model = Vision(config.Vision(patches=config.Patches(size=(8, 12), channels=1), head=config.Vector()))
    >>> attention_maps(model, torch.zeros(1, 8, 12)).shape
    torch.Size([6, 3, 2, 3])
    """
    weights = torch.stack(_weights(model, picture))
    return _as_grid(model, picture, _seen_from(model, weights))


def rollout(model: Vision, picture: Float[Tensor, "c *size"]) -> Float[Tensor, "*grid"]:
    """How much of each patch reaches what stands for the picture, if attention only ever mixed values.

    Π_l ½(W_l + 1), W_l the mean of the heads' weights in block l, the last block's factor first; the ½·1 is
    the residual stream; what convolutions mix is not in it.  Abnar and Zuidema 2020, arXiv:2005.00928.

    >>> model = Vision(config.Vision(patches=config.Patches(size=(8, 12), channels=1), head=config.Vector()))
    >>> rollout(model, torch.zeros(1, 8, 12)).shape
    torch.Size([2, 3])
    """
    mixed: Tensor | None = None
    for weights in _weights(model, picture):
        own = (weights.mean(0) + torch.eye(weights.shape[1])) / 2
        mixed = own if mixed is None else own @ mixed
    assert mixed is not None
    return _as_grid(model, picture, _seen_from(model, mixed))


def grad_cam(
    model: Vision, picture: Float[Tensor, "c *size"], chosen: int, block: int = -1
) -> Float[Tensor, "*grid"]:
    """max(0, Σ_c α_c A_nc): patches whose features, as a block reads them, speak for the class ``chosen``.

    A are the features of the patches that the block reads, and α_c the mean over all patches of the
    derivative of the class's logit with respect to channel c.  Selvaraju et al. 2017, arXiv:1610.02391,
    equations 1 and 2.  It is what a block reads, and not what it writes, because of what the last one writes
    a class token's logit depends on the class token only.

    Args:
        block: which one; −1 is the last.

    >>> settings = config.Vision(
    ...     patches=config.Patches(size=(8, 12), channels=1), head=config.LinearClasses(count=3)
    ... )
    >>> grad_cam(Vision(settings), torch.zeros(1, 8, 12), chosen=2).shape
    torch.Size([2, 3])

    Raises:
        ValueError: there is no such class or block, or the model tells no classes.
    """
    check_class(model, chosen)
    depth, leading = model.settings.depth, model.settings.leading
    if not -depth <= block < depth:
        raise ValueError(f"block {block}, but there are {depth}: choose 0 to {depth - 1}, or −1 for the last")
    read: list[Tensor] = []

    def keep(x: Tensor) -> Tensor:
        read.append(x.detach().requires_grad_())
        return read[-1]

    with in_use(model), torch.enable_grad(), replace(model, READ.format(block % depth), keep):
        logit = model(_alone(model, picture))[0, chosen]
    (gradient,) = torch.autograd.grad(logit, read)
    weights = gradient[0, leading:].float().mean(0)
    found = (read[0].detach()[0, leading:].float() @ weights).relu().cpu()
    return _as_grid(model, picture, found)


def check_class(model: Vision, chosen: int) -> None:
    """Refuse a class that the model does not know.

    Raises:
        ValueError: there is none of this number, or the model tells no classes.
    """
    head = model.settings.head
    if not isinstance(head, config.LinearClasses):
        raise ValueError(f"the model's head is {type(head).__name__}, which tells no classes")
    if not 0 <= chosen < head.count:
        raise ValueError(f"class {chosen}, but the model knows {head.count}: choose 0 to {head.count - 1}")


def _weights(model: Vision, picture: Tensor) -> list[Float[Tensor, "h n n"]]:
    """The attention of every block."""
    names = [WEIGHTS.format(block) for block in range(model.settings.depth)]
    with in_use(model), torch.no_grad(), record(model, names) as seen:
        model.features(_alone(model, picture))  # of all, not only of those that the head reads
    return [seen[name][0].float().cpu() for name in names]


def _alone(model: Vision, picture: Tensor) -> Tensor:
    """A batch of one, where the model is."""
    return picture[None].to(next(model.parameters()).device)


def _seen_from(model: Vision, weights: Float[Tensor, "*stack n n"]) -> Float[Tensor, "*stack patches"]:
    """The row of what stands for the picture, at the patches."""
    leading = model.settings.leading
    if model.settings.head.pooling == "class":
        return weights[..., 0, leading:]
    return weights[..., leading:, leading:].mean(-2)


def _as_grid(model: Vision, picture: Tensor, found: Float[Tensor, "*stack patches"]) -> Tensor:
    """The patches in the shape of their grid."""
    return found.reshape(*found.shape[:-1], *model.input.count(picture[None]))
