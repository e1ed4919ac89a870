"""The families of models, and the table of them."""

from __future__ import annotations

from typing import Any, overload

from qkvae import config
from qkvae.models.code_prior import CodePrior
from qkvae.models.decoder import Decoder
from qkvae.models.encoder import Encoder
from qkvae.models.masked_image import MaskedImage
from qkvae.models.seq2seq import Seq2Seq
from qkvae.models.text_vae import TextVAE
from qkvae.models.vae import VAE
from qkvae.models.vision import Vision
from qkvae.models.vq import VQ

Family = Seq2Seq | Decoder | Encoder
"""A model of any family that reads texts."""

GridFamily = Vision | MaskedImage
"""A model of any family that reads signals, pictures or videos."""

LatentFamily = VAE | VQ | CodePrior | TextVAE
"""A model of any family with latent variables."""

Model = Family | GridFamily | LatentFamily
"""A model of any family."""

FAMILIES: dict[type, type[Any]] = {
    config.Seq2Seq: Seq2Seq,
    config.Decoder: Decoder,
    config.Encoder: Encoder,
    config.Vision: Vision,
    config.MaskedImage: MaskedImage,
    config.VAE: VAE,
    config.VQ: VQ,
    config.CodePrior: CodePrior,
    config.TextVAE: TextVAE,
}
"""Which model a family's config builds."""


@overload
def build(settings: config.Seq2Seq) -> Seq2Seq: ...
@overload
def build(settings: config.Decoder) -> Decoder: ...
@overload
def build(settings: config.Encoder) -> Encoder: ...
@overload
def build(settings: config.Vision) -> Vision: ...
@overload
def build(settings: config.MaskedImage) -> MaskedImage: ...
@overload
def build(settings: config.VAE) -> VAE: ...
@overload
def build(settings: config.VQ) -> VQ: ...
@overload
def build(settings: config.CodePrior) -> CodePrior: ...
@overload
def build(settings: config.TextVAE) -> TextVAE: ...
@overload
def build(settings: config.Family) -> Family: ...
@overload
def build(settings: config.ModelConfig) -> Model: ...
def build(settings: config.ModelConfig) -> Model:
    """The model that a family's config describes, with fresh weights.

    >>> build(config.Seq2Seq(block=config.Block(dim=8, heads=2, hidden=16), vocab=10)).head
    Linear(in_features=8, out_features=10, bias=False)
    """
    return FAMILIES[type(settings)](settings)


__all__ = [
    "FAMILIES",
    "VAE",
    "VQ",
    "CodePrior",
    "Decoder",
    "Encoder",
    "Family",
    "GridFamily",
    "LatentFamily",
    "MaskedImage",
    "Model",
    "Seq2Seq",
    "TextVAE",
    "Vision",
    "build",
]
