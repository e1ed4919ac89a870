"""Other people's tokenizers give the ids that transformers gives."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import pytest

from foreign_tokenizers import AWKWARD, MADE, save
from qkvae.config import Decoder, Encoder, Marks, Seq2Seq
from qkvae.data.encoded import encode_texts
from qkvae.data.foreign import ForeignTokenizer
from qkvae.data.tokenizer import Tokenizer
from qkvae.interop.huggingface.tokens import read_tokenizer

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore:Recommended. pip install sacremoses")]
FAMILIES: dict[str, Any] = {"bert": Encoder, "roberta": Encoder, "marian": Seq2Seq}


def both(kind: str, folder: Path, more: int = 0) -> tuple[ForeignTokenizer, Any]:
    """Ours and theirs, of one folder."""
    theirs = save(kind, folder)
    size, ids = len(theirs) + more, {"gpt2": (320, 320), "llama": (1, 2), "llama3": (320, 321)}
    bos, eos = (size - 1, 0) if kind == "marian" else ids.get(kind, (1, 2))
    pad = bos if kind == "marian" else eos
    marks = Marks(pad=pad, bos=bos, eos=eos, unk=None, between=2 if kind == "roberta" else 1)
    settings = FAMILIES.get(kind, Decoder)(vocab=size, marks=marks)
    return read_tokenizer(folder, kind.rstrip("3"), settings), theirs


@pytest.mark.parametrize("kind", MADE)
def test_ids_are_equal_on_awkward_texts(kind: str, tmp_path: Path) -> None:
    ours, theirs = both(kind, tmp_path)
    theirs.split_special_tokens = True
    expected = [theirs(text, add_special_tokens=False)["input_ids"] for text in AWKWARD]
    assert ours.encode_batch(AWKWARD).to_lists() == expected
    again = Tokenizer.from_json(ours.to_json())
    assert again.encode_batch(AWKWARD).to_lists() == expected
    assert copy.deepcopy(ours).encode(AWKWARD[4]) == ours.encode(AWKWARD[4])
    assert (again.marks, len(again), again.to_json()) == (ours.marks, len(theirs), ours.to_json())


@pytest.mark.parametrize("kind", MADE)
def test_special_tokens_are_where_theirs_are(kind: str, tmp_path: Path) -> None:
    ours, theirs = both(kind, tmp_path)
    assert set(ours.special_ids) >= set(theirs.all_special_ids)
    if kind in ("bert", "roberta"):
        marks = (theirs.pad_token_id, theirs.cls_token_id, theirs.sep_token_id, theirs.unk_token_id)
        assert (ours.marks.pad, ours.marks.bos, ours.marks.eos, ours.marks.unk) == marks
        assert ours.marks.between == (2 if kind == "roberta" else 1)
        assert ours.special("[MASK]") == theirs.mask_token_id
        marked = ours.encode_marked("the [MASK] dog", "[MASK]")
        assert theirs.mask_token_id in marked
    assert ours.decode([ours.marks.bos, *ours.encode("the dog"), ours.marks.eos]) == "the dog"


@pytest.mark.parametrize("kind", ["gpt2", "roberta", "llama", "llama3"])
def test_texts_come_back_exactly(kind: str, tmp_path: Path) -> None:
    ours, _ = both(kind, tmp_path)
    assert [ours.decode(ours.encode(text)) for text in AWKWARD] == AWKWARD
    decoder = ours.decoder()
    ids = ours.encode("naïve 🦊")
    assert "".join(decoder.add([index]) for index in ids) + decoder.end() == "naïve 🦊"
    assert ours.kind == "bpe"
    assert all(ours.tokens([index])[0].startswith("▁") for index in ours.beginning_with(" "))


@pytest.mark.parametrize("kind", ["gpt2", "bert"])
def test_places_in_the_text(kind: str, tmp_path: Path) -> None:
    ours, _ = both(kind, tmp_path)
    text = "The quick fox"
    found = [text[piece.start : piece.end].strip().lower() for piece in ours.pieces(text)]
    assert "".join(found) == "thequickfox"


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_texts_and_pairs_are_framed_alike(kind: str, tmp_path: Path) -> None:
    ours, theirs = both(kind, tmp_path)
    rows, _ = encode_texts(ours, ["the quick dog"], ["a cat"], 64)
    assert rows.ids.to_lists() == [theirs("the quick dog", "a cat")["input_ids"]]
    rows, _ = encode_texts(ours, ["the quick dog"], None, 64)
    assert rows.ids.to_lists() == [theirs("the quick dog")["input_ids"]]


def test_unknown_pieces_are_counted(tmp_path: Path) -> None:
    ours, _ = both("bert", tmp_path)
    assert ours.unknown(["the 🦊"]) == {"🦊": 1}
    assert ours.tokens(ours.encode("foxes"))[0].startswith("▁")


@pytest.mark.parametrize("kind", ["gpt2"])
def test_a_model_with_more_rows_than_tokens(kind: str, tmp_path: Path) -> None:
    ours, theirs = both(kind, tmp_path, more=7)
    assert len(ours) == len(theirs) + 7
    assert {*range(len(theirs), len(ours))} <= {*ours.special_ids}
    with pytest.raises(ValueError, match=r"has 321 tokens, but the model 314"):
        both(kind, tmp_path, more=-7)


def test_marian(tmp_path: Path) -> None:
    ours, theirs = both("marian", tmp_path)
    texts = [*AWKWARD[:-1], ">>de<< the dog"]
    expected = [theirs(text, add_special_tokens=False)["input_ids"] for text in texts]
    assert ours.encode_batch(texts).to_lists() == expected
    targets = [text.upper() for text in AWKWARD[:-1]]
    expected = [theirs(text_target=text, add_special_tokens=False)["input_ids"] for text in targets]
    again = Tokenizer.from_json(ours.to_json())
    assert again.target.encode_batch(targets).to_lists() == expected
    ids = again.target.encode("THE LAZY DOG")
    assert ours.decode(ids) == theirs.decode(ids) == "THE LAZY DOG"
    assert ours.marks.unk == 1


def test_without_sentencepiece_the_cure_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, _ = both("marian", tmp_path)
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(ValueError, match="pip install sentencepiece"):
        ours.encode("the")
    assert len(ours) == ours.size


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"there is no tokenizer\.json: save the tokenizer anew"):
        read_tokenizer(tmp_path, "gpt2", Decoder(vocab=9))
    (tmp_path / "tokenizer.json").write_text('{"model": 1}', encoding="utf-8")
    with pytest.raises(ValueError, match="cannot be read"):
        read_tokenizer(tmp_path, "gpt2", Decoder(vocab=9))
    ours, _ = both("gpt2", tmp_path)
    with pytest.raises(ValueError, match="BPE-dropout"):
        ours.words(["the"])
    with pytest.raises(ValueError, match="no special token"):
        ours.special("[MASK]")
    with pytest.raises(ValueError, match="not what qkvae wrote"):
        Tokenizer.from_json('{"format": "huggingface", "files": {}}')
