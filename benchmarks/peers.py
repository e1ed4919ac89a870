"""The same weights for everybody: one random model, written as qkvae, Hugging Face and CTranslate2 read it.

A model with random weights would end its answers at random.  Here its end token, and those that no answer
holds, have rows in the embedding that give a very low logit in every place: all decoders write exactly as
many tokens as they may.  Work is done as always; only the moment of the end is given.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qkvae import config

OURS, MARIAN, CT2 = "qkvae", "marian", "ctranslate2"
SPECIALS = ("<pad>", "<s>", "</s>", "<unk>")
_SHIFT = 0.1  # added to every channel of the last norm
_SPREAD = 4.0  # its gain: distributions far from flat, so that rounding hardly ever changes a choice


def write_ours(folder: Path, made: config.Seq2Seq) -> None:
    """The model's weights and its shape."""
    import torch
    from safetensors.torch import save_file

    from qkvae.models import build

    torch.manual_seed(0)
    model = build(made).eval()
    with torch.no_grad():
        last = model.decoder.blocks[-1].norm3  # post-norm: what the head reads
        last.weight.fill_(_SPREAD)
        last.bias.fill_(_SHIFT)
        # A norm's output less its bias sums to 0: a row of −1 gives the logit −dim · shift, whatever is read.
        for row in range(len(SPECIALS)):
            model.head.weight[row] = -1.0
    (folder / OURS).mkdir()
    weights = {name: p.detach().clone() for name, p in model.named_parameters()}
    save_file(weights, folder / OURS / "model.safetensors")


def read_ours(folder: Path, made: config.Seq2Seq) -> Any:
    """The model that `write_ours` wrote."""
    from safetensors.torch import load_file

    from qkvae.models import build

    model = build(made).eval()
    model.load_state_dict(load_file(folder / OURS / "model.safetensors"), strict=False)
    return model


def write_marian(folder: Path, made: config.Seq2Seq) -> None:
    """The same as Hugging Face's MarianMTModel."""
    from safetensors.torch import save_file

    from qkvae.interop.huggingface import to_marian

    settings, state = to_marian(read_ours(folder, made))
    (folder / MARIAN).mkdir()
    (folder / MARIAN / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    state = {name: tensor.clone() for name, tensor in state.items()}
    save_file(state, folder / MARIAN / "model.safetensors", {"format": "pt"})


def write_ctranslate2(folder: Path, vocab: int, quantization: str) -> None:
    """The same as CTranslate2 reads it, from the Marian weights; ``quantization`` is float32 or int8."""
    from ctranslate2.converters.transformers import BartLoader
    from transformers import MarianMTModel

    model = MarianMTModel.from_pretrained(folder / MARIAN)
    model.config.normalize_before = model.config.normalize_embedding = False
    spec = BartLoader().get_model_spec(model)
    tokens = [*SPECIALS, *(f"t{number}" for number in range(len(SPECIALS), vocab))]
    spec.register_source_vocabulary(tokens)
    spec.register_target_vocabulary(tokens)
    spec.config.bos_token = spec.config.decoder_start_token = SPECIALS[1]
    spec.config.eos_token, spec.config.unk_token = SPECIALS[2], SPECIALS[3]
    spec.validate()
    spec.optimize(quantization=None if quantization == "float32" else quantization)
    target = folder / f"{CT2}-{quantization}"
    target.mkdir()
    spec.save(str(target))
