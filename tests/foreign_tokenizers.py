"""Tokenizers as other people's folders have them, trained here on a few lines."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers

LINES = [
    "The quick brown fox jumps over the lazy dog, it's 1,234.50 dollars!",
    "naïve café — “quotes” and 日本語 text",
    "the dog and the fox and the cat sat on the mat",
] * 4

AWKWARD = [
    "",
    " ",
    "  two  spaces ",
    "\n\n\tthe",
    "it's the dog's 1,234.50!",
    "naïve café — “quotes”",
    "👩‍👩‍👧 🏳️‍🌈 the 🦊",
    "日本語 テキスト",
    "zero\u200bwidth \u00a0 space",
    "cafe\u0301 ﬁne ｆｕｌｌ",
    "x" * 150,
    "مرحبا the שלום",
    "The QUICK Brown",
    "<s> the [MASK] </s> <|endoftext|>",
]


def trained(backend: tokenizers.Tokenizer, trainer: Any) -> tokenizers.Tokenizer:
    backend.train_from_iterator(LINES, trainer)
    return backend


def gpt2() -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.ByteLevel(trim_offsets=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    kinds = trainers.BpeTrainer(
        vocab_size=320, initial_alphabet=alphabet, special_tokens=[], show_progress=False
    )
    trained(backend, kinds)
    backend.add_special_tokens(["<|endoftext|>"])
    return backend


def roberta() -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    names = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trained(
        backend,
        trainers.BpeTrainer(
            vocab_size=320, initial_alphabet=alphabet, special_tokens=names, show_progress=False
        ),
    )
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return backend


def llama() -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trained(backend, trainers.BpeTrainer(vocab_size=400, special_tokens=names, show_progress=False))
    described = json.loads(backend.to_str())
    described["added_tokens"] = described["added_tokens"][:3]
    backend = tokenizers.Tokenizer.from_str(json.dumps(described))
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)]
    )
    return backend


def llama3() -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.BPE(ignore_merges=True))
    pattern = Regex(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+"
    )
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(pattern, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trained(backend, trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet, show_progress=False))
    backend.add_special_tokens(["<s>", "</s>"])
    return backend


def bert() -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trained(backend, trainers.WordPieceTrainer(vocab_size=160, special_tokens=names, show_progress=False))
    cls, sep = ("[CLS]", 2), ("[SEP]", 3)
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[cls, sep]
    )
    return backend


NAMES = {
    "gpt2": dict.fromkeys(("bos_token", "eos_token"), "<|endoftext|>"),
    "roberta": {
        "bos_token": "<s>",
        "eos_token": "</s>",
        "cls_token": "<s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
    },
    "llama": {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
    "llama3": {"bos_token": "<s>", "eos_token": "</s>"},
    "bert": {
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "mask_token": "[MASK]",
    },
}
MADE = {"gpt2": gpt2, "roberta": roberta, "llama": llama, "llama3": llama3, "bert": bert}


def save(kind: str, folder: Path) -> Any:
    """Write a tokenizer as transformers does, and load it as it does."""
    transformers = pytest.importorskip("transformers")
    if kind == "marian":
        return marian(folder)
    made = transformers.PreTrainedTokenizerFast(tokenizer_object=MADE[kind](), **NAMES[kind])
    made.save_pretrained(folder)
    return transformers.AutoTokenizer.from_pretrained(folder)


def marian(folder: Path) -> Any:
    """Two sentencepiece models over one vocabulary, its special tokens where published models have them."""
    transformers, spm = pytest.importorskip("transformers"), pytest.importorskip("sentencepiece")
    folder.mkdir(exist_ok=True)
    pieces: dict[str, None] = {}
    for name, lines in (("source", LINES), ("target", [line.upper() for line in LINES])):
        model = io.BytesIO()
        spm.SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=model, vocab_size=55, minloglevel=2
        )
        (folder / f"{name}.spm").write_bytes(model.getvalue())
        loaded = spm.SentencePieceProcessor(model_proto=model.getvalue())
        pieces |= dict.fromkeys(loaded.id_to_piece(index) for index in range(3, loaded.get_piece_size()))
    names = ["</s>", "<unk>", *pieces, ">>de<<", "<pad>"]
    vocab = folder / "vocab.json"
    vocab.write_text(json.dumps({name: index for index, name in enumerate(names)}), encoding="utf-8")
    made = transformers.MarianTokenizer(
        source_spm=str(folder / "source.spm"),
        target_spm=str(folder / "target.spm"),
        vocab=str(vocab),
        source_lang="en",
        target_lang="de",
    )
    made.save_pretrained(folder)
    return transformers.MarianTokenizer.from_pretrained(folder)
