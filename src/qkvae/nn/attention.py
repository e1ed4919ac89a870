"""Scaled dot-product attention: a pure function whose three kernels agree; the mask decides which runs."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from qkvae.nn.masks import EVERYTHING, Mask


def attention(
    queries: Float[Tensor, "b h n w"],
    keys: Float[Tensor, "b k m w"],
    values: Float[Tensor, "b k m w"],
    mask: Mask = EVERYTHING,
    bias: Float[Tensor, "#h n m"] | None = None,
    offset: int = 0,
) -> Float[Tensor, "b h n w"]:
    """softmax(Q Kᵀ / √w + bias) V over the keys that the mask allows.

    Vaswani et al. 2017, arXiv:1706.03762, equation 1.  Query i stands at place ``offset + i`` of the keys'
    sequence.  With fewer key heads k than query heads h, each is shared by h/k of them (Ainslie et al. 2023,
    arXiv:2305.13245).  A query that may see nothing gets zeros.

    >>> q = k = v = torch.eye(2)[None, None]
    >>> attention(q, k, v, Mask(causal=True))[0, 0]
    tensor([[1.0000, 0.0000],
            [0.3302, 0.6698]])
    """
    keys, values = shared(keys, queries), shared(values, queries)
    n, m = queries.shape[2], keys.shape[2]
    if n == 1 and mask.only_causal and offset == m - 1:
        mask = EVERYTHING  # the newest place: all keys are its past
    window, plain = mask.window, mask.documents is None and mask.lineage is None and bias is None
    # Below a few windows the blocks hold more than the square they replace.
    if window is not None and plain and offset == 0 and n == m and n > 4 * window:
        return windowed(queries, keys, values, mask)
    # bf16 SDPA is slow on short rows of a processor, backwards up to ten times.
    if queries.dtype == torch.bfloat16 and queries.device.type == "cpu" and n * m <= 256 * 256:
        return explicit(queries, keys, values, mask, bias, offset)
    return fused(queries, keys, values, mask, bias, offset)


def scores(
    queries: Float[Tensor, "b h n w"],
    keys: Float[Tensor, "b h m w"],
    mask: Mask = EVERYTHING,
    bias: Float[Tensor, "#h n m"] | None = None,
    offset: int = 0,
) -> Float[Tensor, "b h n m"]:
    """Q Kᵀ / √w + bias, and −∞ where the mask forbids.

    >>> scores(torch.ones(1, 1, 2, 4), torch.ones(1, 1, 2, 4), Mask(causal=True))[0, 0]
    tensor([[2., -inf],
            [2., 2.]])
    """
    (b, h, n, w), m = queries.shape, keys.shape[2]
    scale = 1 / math.sqrt(w)
    if _every_row_sees(mask, n, m, offset):
        # The product is added to what bias and mask add: no other pass over the n × m scores.
        added = None if bias is None else bias.to(queries.dtype)
        if not mask.hides_nothing:
            table = mask.added(n, m, offset, queries.device, queries.dtype)
            added = table if added is None else table + added
        raw = queries.new_zeros(b * h, n, m) if added is None else _copies(added, b, h)
        right = keys.reshape(b * h, m, w).transpose(1, 2)
        return raw.baddbmm_(queries.reshape(b * h, n, w), right, alpha=scale).view(b, h, n, m)
    raw = queries @ keys.transpose(-1, -2) * scale
    if bias is not None:
        raw = (raw + bias).to(raw.dtype)
    if mask.hides_nothing:
        return raw
    # This also keeps a row that sees nothing, and is not a number, out of the gradients.
    return raw.masked_fill(~mask.allowed(n, m, offset, queries.device), -math.inf)


def weights(scores: Float[Tensor, "b h n m"]) -> Float[Tensor, "b h n m"]:
    """softmax over the keys; exactly zero where the score is −∞, also where all of a row are.

    >>> weights(torch.tensor([[[[0.0, 0.0], [-torch.inf, -torch.inf]]]]))[0, 0]
    tensor([[0.5000, 0.5000],
            [0.0000, 0.0000]])
    """
    shares = scores.softmax(-1)
    return shares.masked_fill(scores == -math.inf, 0.0)


def explicit(
    queries: Float[Tensor, "b h n w"],
    keys: Float[Tensor, "b h m w"],
    values: Float[Tensor, "b h m w"],
    mask: Mask = EVERYTHING,
    bias: Float[Tensor, "#h n m"] | None = None,
    offset: int = 0,
) -> Float[Tensor, "b h n w"]:
    """The equation as it is written: scores, softmax, weighted sum.

    >>> q = k = v = torch.eye(2)[None, None]
    >>> explicit(q, k, v, Mask(causal=True))[0, 0]
    tensor([[1.0000, 0.0000],
            [0.3302, 0.6698]])
    """
    raw = scores(queries, keys, mask, bias, offset)
    # Where every row sees some key, the softmax of −∞ is already an exact zero.
    shares = (
        raw.softmax(-1) if _every_row_sees(mask, queries.shape[2], keys.shape[2], offset) else weights(raw)
    )
    return shares @ values


def fused(
    queries: Float[Tensor, "b h n w"],
    keys: Float[Tensor, "b h m w"],
    values: Float[Tensor, "b h m w"],
    mask: Mask = EVERYTHING,
    bias: Float[Tensor, "#h n m"] | None = None,
    offset: int = 0,
) -> Float[Tensor, "b h n w"]:
    """PyTorch's fused kernel, which never holds the n × m weights.

    >>> q, k, v = torch.randn(3, 1, 2, 5, 4)
    >>> torch.allclose(fused(q, k, v, Mask(causal=True)), explicit(q, k, v, Mask(causal=True)), atol=1e-5)
    True
    """
    n, m = queries.shape[2], keys.shape[2]
    if bias is None and mask.hides_nothing:
        return F.scaled_dot_product_attention(queries, keys, values)
    if bias is None and offset == 0 and n == m and mask.only_causal:
        return F.scaled_dot_product_attention(queries, keys, values, is_causal=True)
    allowed = mask.allowed(n, m, offset, queries.device)
    if bias is None:
        # A processor's kernel takes numbers, and would make them of truth values in every block anew.
        on_cpu = queries.device.type == "cpu"
        table = mask.added(n, m, offset, queries.device, queries.dtype) if on_cpu else allowed
        mixed = F.scaled_dot_product_attention(queries, keys, values, attn_mask=table)
    else:
        added = bias.to(queries.dtype).masked_fill(~allowed, -math.inf)
        mixed = F.scaled_dot_product_attention(queries, keys, values, attn_mask=added)
    if _every_row_sees(mask, n, m, offset):
        return mixed
    return mixed.masked_fill(~allowed.any(-1, keepdim=True), 0.0)


def windowed(
    queries: Float[Tensor, "b h n w"],
    keys: Float[Tensor, "b h n w"],
    values: Float[Tensor, "b h n w"],
    mask: Mask,
) -> Float[Tensor, "b h n w"]:
    """Window attention at a cost linear in the length: blocks of one window's size, each with its neighbours.

    Block i of the queries can see blocks i−1, i and, unless the mask is causal, i+1 of the keys.

    >>> (q, k, v), mask = torch.randn(3, 1, 2, 9, 4), Mask(causal=True, window=2)
    >>> torch.allclose(windowed(q, k, v, mask), explicit(q, k, v, mask), atol=1e-5)
    True
    """
    b, h, n, w = queries.shape
    allowed = mask.window_table(n, queries.device)
    c, s, t = allowed.shape[2:]
    short = c * s - n

    def blocks(x: Tensor, before: int, after: int) -> Tensor:
        padded = F.pad(x, (0, 0, before, after)) if before or after else x
        return padded.view(b, h, padded.shape[2] // s, s, w).transpose(1, 2)  # [b, c, h, s, w]

    def neighbours(x: Tensor) -> Tensor:
        x = blocks(x, s, short if mask.causal else short + s)
        return torch.cat([x[:, i : i + c] for i in range(t // s)], dim=3)

    # Blocks become rows of the batch, so that one kernel call serves all of them.
    rows = [x.flatten(0, 1) for x in (blocks(queries, 0, short), neighbours(keys), neighbours(values))]
    table = allowed.transpose(1, 2).expand(b, c, 1, s, t).flatten(0, 1)
    mixed = F.scaled_dot_product_attention(*rows, attn_mask=table)
    if not mask.same_for_all_rows:  # a window holds its own place, but padding may leave a query nothing
        mixed = mixed.masked_fill(~table.any(-1, keepdim=True), 0.0)
    return mixed.view(b, c, h, s, w).transpose(1, 2).flatten(2, 3)[:, :, :n]


def _copies(added: Float[Tensor, "*#b #h n m"], b: int, h: int) -> Float[Tensor, "bh n m"]:
    """What is added to the scores of each head, once for every row of the batch.

    No view of another tensor: what is added in place to a view costs two more passes backwards.
    """
    n, m = added.shape[-2:]
    copies = added.new_empty(b * h, n, m)
    copies.view(b, h, n, m).copy_(added)
    return copies


def shared(x: Tensor, queries: Tensor) -> Tensor:
    """Each key head repeated for the query heads that share it.

    >>> shared(torch.tensor([1.0, 2.0]).view(1, 2, 1, 1), torch.zeros(1, 4, 1, 1)).flatten()
    tensor([1., 1., 2., 2.])
    """
    groups = queries.shape[1] // x.shape[1]
    return x if groups == 1 else x.repeat_interleave(groups, dim=1)


def _every_row_sees(mask: Mask, n: int, m: int, offset: int) -> bool:
    """Whether it is certain that each query may see some key.

    A hypothesis sees itself, so does a token where the keys are of the queries' own documents, a window holds
    its own place, and without a window the first key is seen by all, unless the row is all padding.
    """
    if mask.lineage is not None:
        return True
    if mask.documents is not None:
        return mask.key_documents is None and mask.key_lengths is None and offset == 0 and n == m
    if mask.window is not None:
        return mask.key_lengths is None and offset + n <= m
    return mask.every_row_has_keys
