"""Training speed on pictures: pictures read a second.

    python benchmarks/vision_speed.py
    python benchmarks/vision_speed.py --size tiny-224

Everybody learns from the same random pictures, with a class token, learned positions, GELU, no dropout and
gradients clipped to norm 1.  Making the batches is counted for nobody.

- small: 28 × 28 of 1 channel, patches of 4, 6 blocks of 128, 4 heads, hidden 512, 128 pictures a batch;
- tiny-224: ViT-Tiny, 224 × 224 of 3 channels, patches of 16, 12 blocks of 192, 3 heads, 32 pictures a batch.

Who:

- qkvae: the loop's own step with Muon, the default, and with AdamW, which is what the peers use;
- Hugging Face ViT and timm's VisionTransformer: in fp32 and under bf16 autocast.  timm imports torchvision
  for layers that this model has not; where that is missing, timm is left out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from steps import Arrays, ours, rounds, usual
from timing import Candidate, Work, measure, parser, report


class Size(NamedTuple):
    """A model and its batches."""

    side: int
    channels: int
    patch: int
    dim: int
    heads: int
    depth: int
    batch: int
    classes: int
    each: int
    """Batches a round."""


SIZES = {
    "small": Size(28, 1, 4, 128, 4, 6, 128, 10, 4),
    "tiny-224": Size(224, 3, 16, 192, 3, 12, 32, 1000, 1),
}
SMALLEST = Size(8, 1, 4, 16, 2, 1, 4, 3, 1)


def pictures(size: Size, count: int) -> list[Arrays]:
    """Random pictures and classes."""
    draw = np.random.default_rng(1)
    shape = (size.batch, size.channels, size.side, size.side)
    return [
        {
            "pictures": draw.standard_normal(shape, dtype=np.float32),
            "classes": draw.integers(size.classes, size=size.batch),
        }
        for _ in range(count)
    ]


def qkvae(batches: list[Arrays], each: int, size: Size, optimizer: str, precision: str) -> Work:
    """A step as `qkvae.train` takes it."""
    from qkvae import config, losses
    from qkvae.models import build

    block = config.Block(
        dim=size.dim,
        heads=size.heads,
        hidden=4 * size.dim,
        activation="gelu",
        positions="learned",
        dropout=0.0,
    )
    patches = config.Patches(size=(size.side, size.side), channels=size.channels, patch=(size.patch,))
    head = config.LinearClasses(count=size.classes)
    model: Any = build(config.Vision(block=block, depth=size.depth, patches=patches, head=head))
    step = ours(
        model,
        lambda batch: (losses.classes(model(batch["pictures"]), batch["classes"]), size.batch),
        optimizer,
        precision,
    )
    return _counted(step, batches, each, size)


def vit(batches: list[Arrays], each: int, size: Size, bf16: bool) -> Work:
    """ViTForImageClassification of transformers."""
    import transformers

    config = transformers.ViTConfig(
        image_size=size.side, num_channels=size.channels, patch_size=size.patch, hidden_size=size.dim,
        num_attention_heads=size.heads, num_hidden_layers=size.depth, intermediate_size=4 * size.dim,
        num_labels=size.classes,
    )  # fmt: skip
    model = transformers.ViTForImageClassification(config).train()

    def loss(batch: Any) -> Any:
        return model(batch["pictures"], labels=batch["classes"]).loss

    return _counted(usual(model, loss, bf16), batches, each, size)


def timm(batches: list[Arrays], each: int, size: Size, bf16: bool) -> Work:
    """VisionTransformer of timm."""
    import torch
    from timm.models.vision_transformer import VisionTransformer  # pyright: ignore[reportMissingImports]

    model = VisionTransformer(
        img_size=size.side, in_chans=size.channels, patch_size=size.patch, embed_dim=size.dim,
        num_heads=size.heads, depth=size.depth, num_classes=size.classes,
    ).train()  # fmt: skip

    def loss(batch: Any) -> Any:
        return torch.nn.functional.cross_entropy(model(batch["pictures"]).float(), batch["classes"])

    return _counted(usual(model, loss, bf16), batches, each, size)


def _counted(step: Any, batches: list[Arrays], each: int, size: Size) -> Work:
    def told(batch: Any) -> float:
        step(batch)
        return size.batch

    return rounds(told, batches, each)


def main() -> None:
    """Measure and print."""
    own = parser(__doc__)
    own.add_argument("--size", choices=SIZES, default="small", help="which model and pictures")
    options = own.parse_args()
    number = options.rounds or (1 if options.tiny else 7)
    size = SMALLEST if options.tiny else SIZES[options.size]
    each, batches = size.each, pictures(size, size.each)
    candidates = [
        Candidate(f"qkvae, {name}, {precision}", qkvae, (batches, each, size, optimizer, precision))
        for precision in ("bf16", "fp32")
        for name, optimizer in (("Muon", "muon"), ("AdamW", "adamw"))
    ]
    candidates += [
        Candidate(f"{name}, {precision}", work, (batches, each, size, precision != "fp32"))
        for name, work in (("HF ViT", vit), ("timm ViT", timm))
        for precision in ("fp32", "bf16 autocast")
    ]
    print(report(measure(candidates, options, number), options, "pictures/s"))


if __name__ == "__main__":
    main()
