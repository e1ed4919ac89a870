"""One word per quantity: the other words for it are known at the border to other libraries only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from style_files import FILES, name, tree

FOREIGN = {
    "dim": {"d_model", "n_embd", "embed_dim", "emb_dim", "hidden_size", "model_dim", "embedding_size"},
    "width": {"d_k", "d_v", "head_dim", "d_head", "head_size", "dim_head"},
    "heads": {"n_head", "n_heads", "num_heads", "nhead", "num_attention_heads"},
    "hidden": {"d_ff", "ffn_dim", "dim_feedforward", "intermediate_size", "hidden_dim", "d_hidden"},
    "depth": {"n_layer", "n_layers", "num_layers", "num_hidden_layers", "nlayers"},
    "length": {"seq_len", "seqlen", "max_seq_len", "sequence_length", "block_size", "n_ctx"},
    "vocab": {"n_vocab", "num_embeddings", "ntoken", "ntokens"},
    "batch": {"batch_size", "bsz"},
}
WORD_FOR = {foreign: own for own, words in FOREIGN.items() for foreign in words}
INSIDE = [path for path in FILES if "interop" not in path.parts]


def named(path: Path) -> Iterator[tuple[int, str]]:
    """Every name that a file gives to something; keywords and attributes of other libraries keep theirs."""
    for node in ast.walk(tree(path)):
        match node:
            case ast.Name(id=word, lineno=line) | ast.arg(arg=word, lineno=line):
                yield line, word
            case ast.Attribute(attr=word, ctx=ast.Store(), lineno=line):
                yield line, word
            case ast.FunctionDef(name=word, lineno=line) | ast.ClassDef(name=word, lineno=line):
                yield line, word
            case _:
                pass


@pytest.mark.parametrize("path", INSIDE, ids=name)
def test_every_quantity_has_one_name(path: Path) -> None:
    found = [
        f"line {line}: {word} is {WORD_FOR[word]} here" for line, word in named(path) if word in WORD_FOR
    ]
    assert not found, f"{name(path)}: " + "; ".join(found)


def test_no_word_has_two_meanings() -> None:
    assert len(WORD_FOR) == sum(len(words) for words in FOREIGN.values())
    assert not WORD_FOR.keys() & FOREIGN.keys()
