"""Against Hugging Face's Marian with the same weights: logits, gradients, beam search, both ways."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from qkvae import config
from qkvae.config import Generation
from qkvae.generate import generate
from qkvae.interop.huggingface import from_marian, to_marian
from qkvae.models import Seq2Seq
from torch_twins import shake

CLOSE = {"rtol": 0, "atol": 1e-5}
MODELS = pytest.mark.parametrize("tie", ["all", "target", "none"])
SETTINGS: dict[str, Any] = {
    "vocab_size": 40,
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "decoder_start_token_id": 1,
    "eos_token_id": 2,
    "forced_eos_token_id": None,
    "scale_embedding": True,
    "activation_function": "relu",
    "dropout": 0.0,
    "init_std": 0.3,
}


def marian(**changes: Any) -> Any:
    """A random Marian model made by transformers."""
    transformers = pytest.importorskip("transformers")
    model = transformers.MarianMTModel(transformers.MarianConfig(**SETTINGS | changes)).eval()
    shake(model)
    return model


def tied(tie: str) -> dict[str, bool]:
    return {"share_encoder_decoder_embeddings": tie == "all", "tie_word_embeddings": tie != "none"}


def read(theirs: Any) -> Seq2Seq:
    made, state = from_marian(theirs.state_dict(), theirs.config.to_dict())
    ours = Seq2Seq(made).eval()
    ours.load_state_dict(state)
    return ours


def logits(ours: Seq2Seq, theirs: nn.Module) -> tuple[Tensor, Tensor]:
    """Both models' logits for the same sentences, one of them shorter."""
    source, target = torch.randint(3, 40, (2, 7)), torch.randint(3, 40, (2, 5))
    lengths = torch.tensor([7, 4])
    attended = (torch.arange(7)[None] < lengths[:, None]).long()
    expected = theirs(
        input_ids=source, attention_mask=attended, decoder_input_ids=target, use_cache=False
    ).logits
    return ours(source, target, lengths), expected


@pytest.mark.peer
@MODELS
@pytest.mark.parametrize("activation", ["relu", "swish"])
def test_logits_and_gradients_are_equal(tie: str, activation: str) -> None:
    theirs = marian(activation_function=activation, **tied(tie))
    ours = read(theirs)
    assert ours.settings.tie == tie
    mine, expected = logits(ours, theirs)
    assert_close(mine, expected, **CLOSE)
    pull = torch.randn_like(mine) / mine.numel()
    for output in (mine, expected):
        (output * pull).sum().backward()
    back = {name: p.grad for name, p in ours.named_parameters()}
    their_state = {name: p.grad for name, p in theirs.named_parameters() if p.grad is not None}
    _, turned = from_marian(_with_ties(their_state, theirs), theirs.config.to_dict())
    for name, gradient in back.items():
        assert_close(gradient, turned[name], **CLOSE)


def _with_ties(gradients: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Gradients under all names that a state has, so that they are turned as weights are."""
    first = {id(p): name for name, p in model.named_parameters()}
    names = dict(model.named_parameters(remove_duplicate=False))
    return {name: gradients[first[id(p)]] for name, p in names.items() if first[id(p)] in gradients}


@pytest.mark.peer
@MODELS
def test_logits_with_a_number_for_each_token(tie: str) -> None:
    theirs = marian(**tied(tie))
    theirs.final_logits_bias.normal_()
    ours = read(theirs)
    assert_close(*logits(ours, theirs), **CLOSE)
    settings, state = to_marian(ours)
    assert torch.equal(state["final_logits_bias"], theirs.final_logits_bias)
    made, again = from_marian(state, settings)
    assert made == ours.settings
    assert torch.equal(again["head.bias"], ours.state_dict()["head.bias"])


@pytest.mark.peer
@pytest.mark.parametrize(("pad", "start"), [(39, 38), (39, 39), (5, 17)])
def test_special_tokens_anywhere(pad: int, start: int) -> None:
    theirs = marian(pad_token_id=pad, decoder_start_token_id=start, eos_token_id=0)
    ours = read(theirs)
    marks = ours.settings.marks
    assert (marks.pad, marks.bos, marks.eos) == (pad, start, 0)
    assert_close(*logits(ours, theirs), **CLOSE)


@pytest.mark.peer
@MODELS
def test_a_folder_is_read_as_transformers_wrote_it(tie: str, tmp_path: Path) -> None:
    theirs = marian(**tied(tie))
    theirs.save_pretrained(tmp_path)
    made, state = from_marian(tmp_path)
    ours = Seq2Seq(made).eval()
    ours.load_state_dict(state)
    assert_close(*logits(ours, theirs), **CLOSE)


@pytest.mark.peer
@MODELS
def test_transformers_takes_what_we_write(tie: str) -> None:
    transformers = pytest.importorskip("transformers")
    ours = Seq2Seq(own(tie)).eval()
    shake(ours)
    settings, state = to_marian(ours)
    theirs = transformers.MarianMTModel(transformers.MarianConfig(**settings)).eval()
    missing, unexpected = theirs.load_state_dict(state, strict=False)
    assert not unexpected
    assert all("embed_positions" in name for name in missing)
    assert_close(*logits(ours, theirs), **CLOSE)


@pytest.mark.peer
@pytest.mark.parametrize(("beam", "penalty"), [(1, 1.0), (4, 1.0), (4, 0.0), (3, 1.7)])
def test_the_text_of_a_search_is_equal(beam: int, penalty: float) -> None:
    """Greedy and beam search over a model whose distributions are far from flat."""
    theirs = marian(**tied("none"))
    with torch.no_grad():  # ends come early, in the middle and not at all
        theirs.lm_head.weight[2] *= 2.5
        theirs.final_logits_bias.normal_()
    ours = read(theirs)
    assert ours.settings.head == "affine"
    sources = [torch.randint(4, 40, (n,)).tolist() for n in (9, 3, 6, 6, 1, 12)]
    longest = 14
    settings = Generation(beam=beam, length_penalty=penalty, max_length=longest, batch=4)
    found = [list(best[0].ids) for best in generate(ours, sources, settings)]
    width = max(map(len, sources)) + 1
    rows = torch.tensor([[*ids, 2] + [0] * (width - len(ids) - 1) for ids in sources])
    answers = theirs.generate(
        input_ids=rows,
        attention_mask=(torch.arange(width)[None] <= torch.tensor([[len(ids)] for ids in sources])).long(),
        num_beams=beam,
        length_penalty=penalty,
        early_stopping=True,
        do_sample=False,
        max_new_tokens=longest,
        bad_words_ids=[[0], [1]],
    )
    expected = []
    for row in answers[:, 1:].tolist():
        ended = row.index(2) if 2 in row else len([token for token in row if token != 0])
        expected.append(row[:ended])
    assert found == expected
    assert len({len(ids) for ids in found}) > 1


def own(tie: str = "all", **block: Any) -> config.Seq2Seq:
    made = {"dim": 16, "heads": 4, "hidden": 24, "norm_order": "post", "dropout": 0.0, **block}
    return config.Seq2Seq(
        block=config.Block(**made),
        encoder_depth=2,
        decoder_depth=1,
        vocab=40,
        max_length=30,
        tie=tie,  # pyright: ignore
    )


@MODELS
def test_there_and_back_every_bit_is_the_same(tie: str) -> None:
    ours = Seq2Seq(own(tie))
    shake(ours)
    settings, weights = to_marian(ours)
    made, state = from_marian(weights, json.loads(json.dumps(settings)))
    assert made == ours.settings
    assert state.keys() == ours.state_dict().keys()
    for name, tensor in ours.state_dict().items():
        assert torch.equal(state[name], tensor), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation_function": "tanh"}, 'activation_function is "tanh", but .* relu'),
        ({"model_type": "bart"}, 'model_type is "bart"'),
        ({"scale_embedding": False}, "scale_embedding is False"),
        ({"decoder_ffn_dim": 25}, "decoder_ffn_dim is 25, but a model here needs 24"),
        ({"decoder_attention_heads": 2}, "decoder_attention_heads is 2"),
        ({"decoder_vocab_size": 41}, "decoder_vocab_size is 41"),
        ({"normalize_before": True}, "normalize_before is True"),
        ({"tie_word_embeddings": False}, "the head does not"),
        ({"encoder_layers": 3}, "model.encoder.layers.2.self_attn.q_proj.weight is missing"),
        ({"encoder_layers": 1}, "model.encoder.layers.1.* is no weight"),
    ],
)
def test_what_we_cannot_compute_is_refused(change: dict[str, Any], message: str) -> None:
    settings, weights = to_marian(Seq2Seq(own()))
    with pytest.raises(ValueError, match=message):
        from_marian(weights, settings | change)


def test_weights_that_cannot_be_carried_are_refused() -> None:
    settings, weights = to_marian(Seq2Seq(own()))

    with pytest.raises(ValueError, match="not the sinusoids"):
        from_marian(weights | {"model.encoder.embed_positions.weight": torch.zeros(9, 16)}, settings)
    with pytest.raises(ValueError, match="differs from the matrix"):
        from_marian(weights | {"lm_head.weight": torch.zeros(40, 16)}, settings)
    with pytest.raises(ValueError, match="give its config too"):
        from_marian(weights)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"norm_order": "pre"}, "norm_order is pre, but Marian has post"),
        ({"norm": "rms"}, "norm is rms"),
        ({"positions": "rotary"}, "positions is rotary"),
        ({"activation": "swiglu"}, "swiglu"),
        ({"key_heads": 2}, "key_heads is 2"),
        ({"window": 3}, "window is 3"),
        ({"eps": 1e-3}, "eps is 0.001"),
    ],
)
def test_what_marian_cannot_compute_is_refused(block: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        to_marian(Seq2Seq(own(**block)))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"config\.json does not exist"):
        from_marian(tmp_path)
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="save the model anew"):
        from_marian(tmp_path)


def test_the_adapter_needs_only_the_core() -> None:
    code = "import sys, qkvae.interop.huggingface; sys.exit('transformers' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
