"""Against transformers with the same weights: GPT-2, Llama, BERT, RoBERTa, Marian, read and written back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from qkvae import config
from qkvae.interop import huggingface as hf
from qkvae.models import Decoder, Encoder, Seq2Seq, build
from torch_twins import shake

CLOSE = {"rtol": 0, "atol": 1e-5}
VOCAB = 40
GPT2: dict[str, Any] = {
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 4,
    "n_positions": 24,
    "vocab_size": VOCAB,
    "initializer_range": 0.3,
    "bos_token_id": 7,
    "eos_token_id": 7,
}
LLAMA: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 24,
    "vocab_size": VOCAB,
    "initializer_range": 0.3,
}
BERT: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 24,
    "vocab_size": VOCAB,
    "initializer_range": 0.3,
}
DECODERS = [
    ("GPT2LMHeadModel", GPT2),
    ("GPT2LMHeadModel", GPT2 | {"n_inner": 20, "activation_function": "relu", "layer_norm_epsilon": 1e-3}),
    ("GPT2LMHeadModel", GPT2 | {"tie_word_embeddings": False, "activation_function": "gelu"}),
    ("LlamaForCausalLM", LLAMA),
    ("LlamaForCausalLM", LLAMA | {"tie_word_embeddings": True, "num_key_value_heads": 4}),
    ("LlamaForCausalLM", LLAMA | {"attention_bias": True, "mlp_bias": True, "rms_norm_eps": 1e-3}),
    (
        "LlamaForCausalLM",
        LLAMA | {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}, "num_key_value_heads": 1},
    ),
]
ENDINGS = ["ForMaskedLM", "ForSequenceClassification", "ForQuestionAnswering", "Model"]
ENCODERS = [(name, ending) for name in ("Bert", "Roberta") for ending in ENDINGS]


def theirs_of(name: str, settings: dict[str, Any]) -> Any:
    """A random model made by transformers."""
    transformers = pytest.importorskip("transformers")
    kind = getattr(transformers, name)
    model = kind(kind.config_class(**settings)).eval()
    shake(model)
    return model


def read(folder: Path) -> Any:
    found = hf.read(folder)
    model = build(found.settings).eval()
    model.load_state_dict(found.state)
    return model


def bert_logits(ours: Encoder, theirs: Any) -> tuple[Tensor, Tensor]:
    """Both models' answers to texts of different lengths, made of two segments."""
    tokens, lengths = torch.randint(3, VOCAB, (2, 9)), torch.tensor([9, 5])
    segments = (torch.arange(9) > 3).long().expand(2, -1) if ours.settings.segments > 1 else None
    attended = torch.arange(9)[None] < lengths[:, None]
    found = theirs(input_ids=tokens, attention_mask=attended.long(), token_type_ids=segments)
    mine = ours(tokens, lengths, segments)
    match ours.settings.head:
        case config.Spans():
            return mine[attended], torch.stack([found.start_logits, found.end_logits], -1)[attended]
        case config.Vector():
            features = ours.features(tokens, lengths, segments)
            return features[attended], found.last_hidden_state[attended]
        case config.MaskedWords():
            return mine[attended], found.logits[attended]
        case _:
            return mine, found.logits


@pytest.mark.peer
@pytest.mark.parametrize(("name", "settings"), DECODERS)
@torch.no_grad()
def test_a_decoder_is_read_and_written_back(name: str, settings: dict[str, Any], tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = theirs_of(name, settings)
    theirs.save_pretrained(tmp_path / "theirs")
    ours, tokens = read(tmp_path / "theirs"), torch.randint(VOCAB, (2, 20))
    expected = theirs(tokens).logits
    assert float(expected.std()) > 0.3
    assert_close(ours(tokens), expected, **CLOSE)
    keep = json.loads((tmp_path / "theirs/config.json").read_text(encoding="utf-8"))
    hf.write(ours, tmp_path / "ours", keep=keep)
    back = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "ours").eval()
    assert type(back) is type(theirs)
    assert back.config.eos_token_id == theirs.config.eos_token_id
    assert torch.equal(back(tokens).logits, expected)


@pytest.mark.peer
@pytest.mark.parametrize(("name", "ending"), ENCODERS)
@pytest.mark.parametrize("kinds", [1, 2])
@torch.no_grad()
def test_an_encoder_is_read_and_written_back(name: str, ending: str, kinds: int, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    settings = BERT | {"type_vocab_size": kinds, "num_labels": 3 if "Classification" in ending else 2}
    theirs = theirs_of(name + ending, settings)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = read(tmp_path / "theirs")
    assert_close(*bert_logits(ours, theirs), **CLOSE)
    hf.write(ours, tmp_path / "ours", kind=name.lower())
    auto = "AutoModel" + ending.removeprefix("Model")
    kind = getattr(transformers, auto)
    back = kind.from_pretrained(tmp_path / "ours").eval()
    assert type(back) is type(theirs)
    assert_close(*bert_logits(ours, back), **CLOSE)


@pytest.mark.peer
@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
@torch.no_grad()
def test_a_decoder_of_our_own_is_loaded_by_transformers(positions: Any, tmp_path: Path) -> None:
    """Also where our look-ups are scaled, which no model there does."""
    transformers = pytest.importorskip("transformers")
    llama: dict[str, Any] = {"norm": "rms", "activation": "swiglu", "key_heads": 2}
    parts = llama if positions == "rotary" else {}
    block = config.Block(dim=24, heads=4, hidden=20, positions=positions, **parts)
    ours = build(config.Decoder(block=block, depth=2, vocab=VOCAB, max_length=24)).eval()
    shake(ours)
    hf.write(ours, tmp_path)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    tokens = torch.randint(VOCAB, (2, 20))
    assert_close(theirs(tokens).logits, ours(tokens), **CLOSE)
    again = read(tmp_path)
    assert_close(again(tokens), ours(tokens), **CLOSE)


@pytest.mark.peer
@torch.no_grad()
def test_marian_is_read_and_written_as_a_folder(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    block = config.Block(dim=16, heads=4, hidden=20, norm_order="post")
    ours = build(
        config.Seq2Seq(block=block, encoder_depth=1, decoder_depth=2, vocab=VOCAB, max_length=24)
    ).eval()
    hf.write(ours, tmp_path)
    theirs = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path).eval()
    source, target = torch.randint(3, VOCAB, (2, 7)), torch.randint(3, VOCAB, (2, 5))
    expected = theirs(input_ids=source, decoder_input_ids=target).logits
    assert_close(ours(source, target), expected, **CLOSE)
    again = read(tmp_path)
    assert isinstance(again, Seq2Seq)
    assert torch.equal(again(source, target), ours(source, target))


@pytest.mark.peer
def test_what_other_heads_need_is_left_out_and_said(tmp_path: Path) -> None:
    theirs = theirs_of("BertForPreTraining", BERT)
    theirs.save_pretrained(tmp_path)
    found = hf.read(tmp_path)
    assert set(found.left_out) == {
        "pooler.dense.weight",
        "pooler.dense.bias",
        "cls.seq_relationship.weight",
        "cls.seq_relationship.bias",
    }
    ours = build(found.settings).eval()
    ours.load_state_dict(found.state)
    tokens = torch.randint(VOCAB, (2, 9))
    assert_close(ours(tokens), theirs(input_ids=tokens).prediction_logits, **CLOSE)


def own(family: str, **block: Any) -> Decoder | Encoder:
    """Small models that can be written."""
    made: dict[str, Any] = {"dim": 16, "heads": 4, "hidden": 20, "positions": "learned", **block}
    match family:
        case "gpt2":
            return build(config.Decoder(block=config.Block(**made), depth=1, vocab=VOCAB, embedding="plain"))
        case "llama":
            made = {"norm": "rms", "activation": "swiglu", **made, "positions": "rotary"}
            return build(config.Decoder(block=config.Block(**made), depth=1, vocab=VOCAB, biases="none"))
        case _:
            made = {"norm_order": "post", "activation": "gelu", **made}
            return build(config.Encoder(block=config.Block(**made), depth=1, vocab=VOCAB, embedding="normed"))


@pytest.mark.parametrize(
    ("family", "change", "message"),
    [
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx is True"),
        ("gpt2", {"activation_function": "tanh"}, 'activation_function is "tanh", but .* gelu_new'),
        ("gpt2", {"n_layer": 2}, "h.1.ln_1.weight is missing"),
        ("gpt2", {"n_layer": 0}, "depth is 0"),
        ("gpt2", {"model_type": "gpt3"}, 'model_type is "gpt3".*did you mean "gpt2"'),
        ("llama", {"head_dim": 8}, "head_dim is 8, but a model here needs 4"),
        ("llama", {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "rope_type is yarn"),
        ("llama", {"rope_parameters": None, "rope_scaling": {"type": "linear"}}, "rope_scaling is"),
        ("llama", {"mlp_bias": True}, "mlp_bias is True"),
        ("llama", {"hidden_act": "gelu"}, "hidden_act is gelu"),
        ("bert", {"is_decoder": True}, "is_decoder is True"),
        ("bert", {"architectures": ["BertForTokenClassification"]}, "BertForTokenClassification, but only"),
        ("bert", {"position_embedding_type": "relative_key"}, "position_embedding_type is relative_key"),
        ("bert", {"architectures": ["BertModel"]}, "cls.predictions.bias is no weight of a bert"),
    ],
)
def test_what_we_cannot_compute_is_refused(
    family: str, change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    hf.write(own(family), tmp_path)
    path = tmp_path / "config.json"
    settings = json.loads(path.read_text(encoding="utf-8")) | change
    path.write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        hf.read(tmp_path)


@pytest.mark.parametrize(
    ("family", "kind", "block", "message"),
    [
        ("gpt2", None, {"norm": "rms"}, "norm is rms, but GPT-2 has layer"),
        ("gpt2", None, {"positions": "alibi"}, "positions is alibi"),
        ("gpt2", None, {"key_heads": 2}, "key_heads is 2"),
        ("gpt2", None, {"window": 2}, "window is 2"),
        ("gpt2", None, {"activation": "swiglu"}, "activation is swiglu, but GPT-2 has gelu or"),
        ("gpt2", "llama", {}, "norm is layer, but Llama has rms"),
        (
            "gpt2",
            None,
            {"norm": "rms", "positions": "alibi", "window": 2},
            "norm is rms, .*; positions is alibi, .*; window is 2, .*: it cannot be written so; "
            "train it with --model.norm layer --model.positions learned and without --model.window$",
        ),
        ("gpt2", None, {"window": 2}, "train it without --model.window$"),
        ("gpt2", "bert", {}, "a Decoder cannot be written as bert"),
        ("llama", "gpt2", {}, "GPT-2"),
        ("bert", None, {"norm_order": "pre"}, "norm_order is pre, but Bert has post"),
        ("bert", "gpt2", {}, "an? Encoder cannot be written as gpt2"),
    ],
)
def test_what_they_cannot_compute_is_refused(
    family: str, kind: str | None, block: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        hf.write(own(family, **block), tmp_path, kind)


@pytest.mark.parametrize(("family", "name"), [("gpt2", "GPT-2"), ("llama", "Llama"), ("bert", "Bert")])
def test_a_short_convolution_is_refused(family: str, name: str, tmp_path: Path) -> None:
    settings = dataclasses.replace(own(family).settings, conv_size=3)
    with pytest.raises(ValueError, match=f"conv_size is 3, but {name} has 0"):
        hf.write(build(settings), tmp_path)


@pytest.mark.parametrize("family", ["gpt2", "llama", "bert"])
def test_there_and_back_every_bit_is_the_same(family: str, tmp_path: Path) -> None:
    ours = own(family)
    shake(ours)
    hf.write(ours, tmp_path)
    found = hf.read(tmp_path)
    if family == "llama":  # whose look-ups are not scaled: another matrix for the head, the same product
        assert found.settings.tie == "none"  # pyright: ignore
        assert_close(found.state["input.embedding.weight"], 4 * ours.state_dict()["input.embedding.weight"])
        return
    assert found.settings.block == ours.settings.block
    for name, tensor in ours.state_dict().items():
        assert torch.equal(found.state[name], tensor), name
