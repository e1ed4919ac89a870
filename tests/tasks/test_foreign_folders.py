"""Hugging Face folders become runs, are fine-tuned, and are written back for transformers."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

import qkvae
from foreign_tokenizers import AWKWARD, save
from qkvae.cli import main
from qkvae.loaded import load
from qkvae.run import Run
from qkvae.tasks.foreign import export, import_folder
from qkvae.train.base import read_base
from torch_twins import shake

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")]
CLOSE = {"rtol": 0, "atol": 1e-5}
SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
    "hidden_dropout_prob": 0.0,
}
GPT2 = {"n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 64, "initializer_range": 0.3}
MARIAN: dict[str, Any] = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "max_position_embeddings": 64,
    "scale_embedding": True,
    "activation_function": "swish",
    "init_std": 0.3,
}
NAMES = {
    "gpt2": "GPT2LMHeadModel",
    "llama": "LlamaForCausalLM",
    "bert": "BertForMaskedLM",
    "roberta": "RobertaForMaskedLM",
    "marian": "MarianMTModel",
}


def folder_of(kind: str, folder: Path, name: str | None = None, **more: Any) -> Any:
    """A random model of transformers and a tokenizer, saved together."""
    transformers = pytest.importorskip("transformers")
    tokenizer = save(kind, folder)
    size = len(tokenizer)
    match kind:
        case "gpt2":
            settings = {**GPT2, "bos_token_id": size - 1, "eos_token_id": size - 1}
        case "marian":
            ids = {"pad_token_id": size - 1, "decoder_start_token_id": size - 1, "eos_token_id": 0}
            settings = {**MARIAN, **ids, "forced_eos_token_id": None}
        case _:
            settings = dict(SIZES)
    kind = getattr(transformers, name or NAMES[kind])
    torch.manual_seed(0)
    model = kind(kind.config_class(vocab_size=size, **settings, **more)).eval()
    shake(model)
    model.save_pretrained(folder)
    return model, tokenizer


def data_of(kind: str, folder: Path) -> tuple[str, dict[str, Any]]:
    """What each is fine-tuned on."""
    draw, words = random.Random(0), ["the", "quick", "brown", "fox", "dog", "cat", "sat", "on", "mat"]
    rows = [" ".join(draw.choice(words) for _ in range(5)) for _ in range(60)]
    match kind:
        case "gpt2" | "llama":
            (folder / "text.txt").write_text("\n".join(rows), encoding="utf-8")
            return "text-generation", {"paths": [str(folder / "text.txt")], "length": 32}
        case "marian":
            lines = [f"{row}\t{row.upper()}\n" for row in rows]
            (folder / "pairs.tsv").write_text("".join(lines), encoding="utf-8")
            return "translation", {"paths": [str(folder / "pairs.tsv")]}
        case _:
            lines = [f"{row}\t{row} again\t{'fox' in row}\n" for row in rows]
            (folder / "labels.tsv").write_text("".join(lines), encoding="utf-8")
            columns = {"text": "0", "pair": "1", "label": "2"}
            return "text-classification", {"paths": [str(folder / "labels.tsv")], **columns}


def theirs_of(folder: Path, task: str) -> tuple[Any, Any]:
    transformers = pytest.importorskip("transformers")
    kind = {
        "text-generation": "AutoModelForCausalLM",
        "translation": "AutoModelForSeq2SeqLM",
        "text-classification": "AutoModelForSequenceClassification",
    }[task]
    model = getattr(transformers, kind).from_pretrained(folder).eval()
    return model, transformers.AutoTokenizer.from_pretrained(folder)


@torch.no_grad()
def logits(model: Any, theirs: Any, task: str, vocab: int) -> tuple[torch.Tensor, torch.Tensor]:
    tokens, target = torch.randint(5, vocab, (2, 9)), torch.randint(5, vocab, (2, 4))
    match task:
        case "translation":
            return model(tokens, target), theirs(input_ids=tokens, decoder_input_ids=target).logits
        case _:
            return model(tokens), theirs(input_ids=tokens).logits


@pytest.mark.parametrize("kind", NAMES)
def test_a_folder_is_fine_tuned_and_written_back(kind: str, tmp_path: Path) -> None:
    folder, out = tmp_path / "theirs", tmp_path / "run"
    _, tokenizer = folder_of(kind, folder)
    task, data = data_of(kind, tmp_path)
    training = {"steps": 2, "batch_tokens": 200, "validations": 1, "device": "cpu", "precision": "fp32"}
    asked: dict[str, Any] = {"data": data, "training": training, "optimizer": {"lr": 1e-3}}
    if task == "text-classification":
        asked["model"] = {"head": {"pooling": "class"}}
    qkvae.train(task, asked, base=folder, out=out, quiet=True)
    run = Run.open(out)
    assert run.resolved["from"]["what"] == f"a Hugging Face folder of {kind}"
    model = load(out).model
    body = "input.embedding.weight" if kind != "marian" else "source_embedding.weight"
    moved = (model.state_dict()[body] - read_base(folder).state[body]).abs().max()
    assert 0 < float(moved) < 0.1
    theirs, their_tokenizer = theirs_of(export(out, tmp_path / "back"), task)
    assert_close(*logits(model, theirs, task, len(tokenizer)), **CLOSE)
    texts = AWKWARD[:-1]
    expected = [their_tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    assert run.tokenizer.encode_batch(texts).to_lists() == expected
    if task == "text-classification":
        assert theirs.config.id2label == {0: "False", 1: "True"}


def test_an_imported_decoder_writes_what_transformers_writes(tmp_path: Path) -> None:
    theirs, tokenizer = folder_of("gpt2", tmp_path / "theirs")
    run = import_folder(tmp_path / "theirs", tmp_path / "run")
    assert (run.task, run.config.model.max_length) == ("text-generation", 64)
    loaded = load(run.path)
    settings = loaded.config.generation.__class__(tokens=12, temperature=0, precision="fp32")
    answer = next(iter(loaded.use(["the quick"], settings)))
    prompt = torch.tensor([[theirs.config.bos_token_id, *tokenizer("the quick")["input_ids"]]])
    found = theirs.generate(prompt, max_new_tokens=12, do_sample=False, pad_token_id=0)[0, prompt.shape[1] :]
    assert answer.text == tokenizer.decode(found, skip_special_tokens=True)
    assert all(row.holds for row in loaded.prove())


def test_an_imported_marian_translates_as_transformers_does(tmp_path: Path) -> None:
    theirs, tokenizer = folder_of("marian", tmp_path / "theirs")
    theirs.final_logits_bias.normal_(std=2.0)
    theirs.save_pretrained(tmp_path / "theirs")
    loaded = load(import_folder(tmp_path / "theirs", tmp_path / "run").path)
    assert loaded.config.model.head == "affine"
    texts, pad = ["the quick fox", "a lazy dog sat on the mat"], theirs.config.pad_token_id
    settings = loaded.config.generation.__class__(beam=4, max_length=12)
    for text, answer in zip(texts, loaded.use(texts, settings), strict=True):
        found = theirs.generate(
            **tokenizer([text], return_tensors="pt"),
            num_beams=4,
            early_stopping=True,
            max_new_tokens=12,
            bad_words_ids=[[pad]],
        )
        assert answer.text == " ".join(tokenizer.decode(found[0], skip_special_tokens=True).split())
    assert all(row.holds for row in loaded.prove())


def test_imported_classes_keep_their_names(tmp_path: Path) -> None:
    names = {0: "sad", 1: "glad", 2: "neither"}
    folder_of("bert", tmp_path / "theirs", "BertForSequenceClassification", id2label=names)
    run = import_folder(tmp_path / "theirs", tmp_path / "run")
    assert run.task == "text-classification"
    answer = next(iter(load(run.path).use(["the dog"])))
    assert set(answer.record()["probabilities"]) == set(names.values())


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    folder_of("gpt2", tmp_path / "theirs")
    assert main(["use", "theirs", "the"]) == 2
    assert "qkvae import theirs --out RUN makes one of it" in capsys.readouterr().err
    assert main(["import", "theirs", "--out", "runs/a"]) == 0
    assert main(["use", "runs/a", "the", "--tokens", "3", "--seed", "1"]) == 0
    assert main(["export", "runs/a", "back"]) == 0
    assert json.loads(Path("back/config.json").read_text())["model_type"] == "gpt2"
    capsys.readouterr()
    for words, said in (
        (["export", "runs/a", "back"], "back is not empty: give another folder"),
        (["export", "runs/a", "b", "--shape", "bert"], "a Decoder cannot be written as bert"),
        (["import", "runs/a", "--out", "runs/b"], "runs/a holds no Hugging Face model"),
        (["import", "theirs", "--out", "runs/a"], "runs/a already holds a run"),
        (["train", "translation", "--from", "theirs", "--out", "runs/c"], "translation trains a Seq2Seq"),
        (
            ["train", "text-generation", "--from", "theirs", "--model.dim", "32", "--out", "runs/c"],
            "model.dim is 32, but theirs has 16",
        ),
    ):
        assert main(words) == 2
        told = capsys.readouterr().err
        assert said in told
        assert len(told.strip().splitlines()) == 1


def test_a_damaged_folder_is_refused(tmp_path: Path) -> None:
    folder_of("gpt2", tmp_path)
    path = tmp_path / "config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in settings.items() if name != "n_embd"}))
    with pytest.raises(ValueError, match=r"config\.json has no 'n_embd', which a gpt2 model needs"):
        read_base(tmp_path)
    path.write_text(json.dumps(settings))
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ValueError, match=r"there is no tokenizer\.json"):
        read_base(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nothing at all")
    with pytest.raises(ValueError, match=r"its \.safetensors are damaged"):
        read_base(tmp_path)
    path.write_text("{")
    with pytest.raises(ValueError, match="is no JSON"):
        read_base(tmp_path)
