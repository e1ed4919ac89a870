"""Dialogues: bad ones are named, and what is learned is what the assistant says."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkvae.config import Marks
from qkvae.data.chat import ROLE_TOKENS, Chats, ChatTemplate, Conversation, Turn, read_chats, split_chats
from qkvae.data.packing import PackedBatches
from qkvae.data.tokenizer import EOS, Tokenizer

HELLO = [("system", "Be kind."), ("user", "Hello?"), ("assistant", "Hello!\nHow are you?")]
TOKENIZER = Tokenizer.train([], "byte", specials=ROLE_TOKENS)
TEMPLATE = ChatTemplate.of(TOKENIZER)


def row(said: list[tuple[Any, Any]]) -> str:
    return json.dumps({"messages": [{"role": role, "content": content} for role, content in said]})


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def conversation(said: list[tuple[str, str]]) -> Conversation:
    return tuple(Turn(role, content) for role, content in said)


def test_conversations_are_read_line_by_line(tmp_path: Path) -> None:
    more = [*HELLO, ("user", "Fine."), ("assistant", "Good.")]
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(row(HELLO).encode() + b"\n\n" + row(more).encode()))
    chats = read_chats([tmp_path / "a.jsonl.gz", write(tmp_path / "b.jsonl", row(HELLO[1:]))])
    assert chats.conversations == [conversation(said) for said in (HELLO, more, HELLO[1:])]
    assert [chats.where(at) for at in range(3)] == ["a.jsonl.gz:1", "a.jsonl.gz:3", "b.jsonl:1"]
    assert chats.notes == ()
    assert chats.figures["turns"] == 10
    assert list(chats.texts())[:2] == ["Be kind.", "Hello?"]


BAD = {
    "no messages": '{"text": "x"}',
    "unknown role": row([("user", "a"), ("bot", "b")]),
    "no answer": row([("system", "a"), ("user", "b")]),
    "out of order": row([("user", "a"), ("user", "b"), ("assistant", "c")]),
    "empty turn": row([("user", "a"), ("assistant", " ")]),
}


def test_bad_conversations_are_counted_and_named(tmp_path: Path) -> None:
    more = {
        "no messages": '{"messages": ["hello"]}',
        "unknown role": row([(None, "a")]),
        "no answer": row([("user", "a")]),
        "out of order": row([("assistant", "a"), ("user", "b"), ("assistant", "c")]),
        "empty turn": row([("user", "\x01"), ("assistant", "b")]),
    }
    again = [row([("user", ["parts"]), ("assistant", "b")]), row([("system", "a"), ("assistant", "b")])]
    chats = read_chats(write(tmp_path / "a.jsonl", row(HELLO), *BAD.values(), *more.values(), *again))
    assert len(chats) == 1
    found = {note.kind: note.count for note in chats.notes if note.kind in BAD}
    assert found == {kind: 3 if kind in ("empty turn", "out of order") else 2 for kind in BAD}
    assert [note.examples[0] for note in chats.notes if note.kind in BAD] == [
        f"a.jsonl:{n}" for n in range(2, 7)
    ]


@pytest.mark.parametrize("kind", BAD)
def test_nothing_but_bad_conversations(tmp_path: Path, kind: str) -> None:
    with pytest.raises(
        ValueError, match=r"a\.jsonl: there is no conversation to learn from: 1 conv.* dropped"
    ) as e:
        read_chats(write(tmp_path / "a.jsonl", BAD[kind]))
    assert "\n" not in str(e.value)


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.jsonl: line 2 is not JSON"):
        read_chats(write(tmp_path / "a.jsonl", row(HELLO), "{messages"))
    with pytest.raises(FileNotFoundError):
        read_chats(tmp_path / "none.jsonl")
    with pytest.raises(ValueError, match='role is "usr": did you mean "user"'):
        Turn("usr", "hello")
    with pytest.raises(ValueError, match="the user says nothing"):
        Turn("user", " ")


def test_what_is_handled(tmp_path: Path) -> None:
    said = [("user", "a\r\nb"), ("assistant", "c\x07"), ("user", "unanswered")]
    chats = read_chats(write(tmp_path / "a.jsonl", row(said)))
    assert chats.conversations == [(Turn("user", "a\nb"), Turn("assistant", "c "))]
    assert [note.kind for note in chats.notes] == ["unanswered", "carriage returns", "control characters"]


def test_the_assistants_turns_count() -> None:
    encoded = TEMPLATE.encode([conversation(HELLO), conversation(HELLO[1:])], TOKENIZER)
    assert len(encoded) == 2
    assert encoded.counted is not None
    shown = TOKENIZER.tokens(encoded.tokens[1])
    assert "".join(shown) == "<user>Hello?</s><assistant>Hello!\\nHow▁are▁you?</s>"
    answer = [*TOKENIZER.encode(HELLO[2][1]), EOS]
    assert encoded.tokens.flat[encoded.counted].tolist() == answer * 2
    batch = PackedBatches(encoded, 16, 100, seed=0)[0]
    epochs = 100 // -(-encoded.predictions // 16)
    assert batch.tokens == pytest.approx(len(answer) * 2 * epochs, rel=0.1)
    assert not set(batch.targets[batch.counted].tolist()) & {TOKENIZER.special(name) for name in ROLE_TOKENS}


def test_a_turn_ends_with_the_tokenizers_own_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tokenizer, "marks", Marks(eos=9))
    assert ChatTemplate.of(TOKENIZER).prompt([Turn("user", "Hello?")], TOKENIZER)[-2] == 9


TEXT = st.text(min_size=1, max_size=12).filter(lambda text: not text.isspace())
CHAT = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=4).map(
    lambda said: tuple(
        Turn(role, text) for pair in said for role, text in zip(("user", "assistant"), pair, strict=True)
    )
)


@settings(deadline=None)
@given(st.lists(CHAT, min_size=1, max_size=4))
def test_an_answer_follows_its_prompt(chats: list[Conversation]) -> None:
    """What is learned after each prompt is the answer and its end, whatever was said."""
    encoded = TEMPLATE.encode(chats, TOKENIZER)
    for number, chat in enumerate(chats):
        ids = encoded.tokens[number].tolist()
        for place in range(1, len(chat), 2):
            prompt = TEMPLATE.prompt(chat[:place], TOKENIZER)
            answer = [*TOKENIZER.encode(chat[place].content), TEMPLATE.end]
            assert ids[: len(prompt) + len(answer)] == prompt + answer
            start = int(encoded.tokens.starts[number]) + len(prompt)
            assert encoded.counted is not None
            assert encoded.counted[start : start + len(answer)].all()
            assert not encoded.counted[start - 1]


@pytest.mark.parametrize("roles", [[], ["assistant"], ["user", "assistant"], ["system"], ["user", "user"]])
def test_a_prompt_ends_with_the_user(roles: list[str]) -> None:
    with pytest.raises(ValueError, match=r"the turns are .*, but must be"):
        TEMPLATE.prompt([Turn(role, "x") for role in roles], TOKENIZER)


def test_a_tokenizer_without_roles() -> None:
    with pytest.raises(ValueError, match='no special token "<system>"'):
        ChatTemplate.of(Tokenizer.train([], "byte"))
    again = Tokenizer.from_json(TOKENIZER.to_json())
    assert ChatTemplate.of(again) == TEMPLATE


def test_split_by_hash() -> None:
    said = [(Turn("user", f"{n % 100}?"), Turn("assistant", f"{n % 100}!")) for n in range(200)]
    chats = Chats(said)
    train, valid = split_chats(chats, 0.2)
    assert len(train) + len(valid) == 200
    assert not set(train.conversations) & set(valid.conversations)
    assert 10 < len(valid) < 80
    assert chats.fingerprint != train.fingerprint
    with pytest.raises(ValueError, match="2 conversations that do not differ"):
        split_chats(Chats([said[0], said[0]]), 0.2)
    with pytest.raises(ValueError, match="fraction is 0"):
        split_chats(chats, 0)
