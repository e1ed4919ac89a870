"""Text generation as the loop sees it: data, loss, parts and figures."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from small_texts import small_config, small_objective, write_book, write_chats, write_folder
from torch import Tensor
from torch.testing import assert_close

from qkvae.data.tokenizer import BOS, EOS
from qkvae.tasks.text_generation.evaluate import measure, overlap, watched
from qkvae.tasks.text_generation.objective import TextObjective

WRITERS = [(write_book, "text"), (write_folder, "text"), (write_chats, "chat")]
KINDS = pytest.mark.parametrize(("write", "form"), WRITERS, ids=["book", "folder", "chats"])
Write = Callable[[Path], str]


@KINDS
def test_the_loss_is_the_cross_entropy_of_what_counts(tmp_path: Path, write: Write, form: str) -> None:
    objective, _ = small_objective(small_config(write(tmp_path), format=form))
    objective.model.eval()
    for batch in islice(objective.batches(0), 3):
        loss = objective.loss(batch)
        log_p = objective.decoder(batch.inputs, batch.documents).log_softmax(-1)
        of_targets = log_p.gather(-1, batch.targets[..., None])[..., 0]
        assert_close(loss.total, -of_targets[batch.counted].sum(), rtol=1e-5, atol=1e-4)
        assert loss.count == objective.size(batch) == batch.tokens
        assert batch.inputs.shape[1] == 16
        assert len(batch.inputs) == 64 // 16 or form == "chat"


def test_what_is_not_the_assistants_may_count_a_little(tmp_path: Path) -> None:
    path = write_chats(tmp_path)
    plain, weighted = (
        small_objective(small_config(path, format="chat", length=60, prompt_weight=weight))[0]
        for weight in (None, 0.25)
    )
    for objective in (plain, weighted):
        objective.model.eval()
    batch = next(plain.batches(0))
    assert batch.documents is not None
    log_p = plain.decoder(batch.inputs, batch.documents).log_softmax(-1)
    of_targets = log_p.gather(-1, batch.targets[..., None])[..., 0]
    others = (batch.documents >= 0) & ~batch.counted
    assert (batch.documents < 0).any()
    one, other = plain.loss(batch), weighted.loss(batch)
    assert_close(other.total - one.total, -0.25 * of_targets[others].sum(), rtol=1e-5, atol=1e-4)
    assert (other.count, float(other.nll)) == (one.count, float(one.nll))


@KINDS
def test_parts_add_up_to_the_batch(tmp_path: Path, write: Write, form: str) -> None:
    objective, _ = small_objective(small_config(write(tmp_path), format=form))
    objective.model.eval()
    batch = next(objective.batches(2))
    whole = objective.loss(batch)
    parts = [objective.loss(part) for part in objective.parts(batch, 3)]
    assert_close(
        sum(float(part.total.detach()) for part in parts), float(whole.total.detach()), rtol=1e-5, atol=1e-4
    )
    assert sum(part.count for part in parts) == whole.count


def with_memory(tmp_path: Path, write: Write, form: str) -> TextObjective:
    config = small_config(write(tmp_path), format=form)
    objective = small_objective(replace(config, model=replace(config.model, memory=24)))[0]
    objective.model.eval()
    return objective


@KINDS
def test_with_a_memory_a_row_is_read_after_what_stands_before_it(
    tmp_path: Path, write: Write, form: str
) -> None:
    """The loss is that of one reading of both, over the row alone; no gradient flows into what is before."""
    objective = with_memory(tmp_path, write, form)
    leaves: list[Tensor] = []
    objective.decoder.input.embedded.listener = lambda x: (
        leaves.append(x.detach().requires_grad_()) or leaves[-1]
    )
    for batch in islice(objective.batches(0), 3):
        assert batch.inputs.shape == (64 // 16, 24 + 16)
        assert not batch.counted[:, :24].any()
        leaves.clear()
        loss = objective.loss(batch)
        before, own = torch.autograd.grad(loss.total, leaves, allow_unused=True)
        assert before is None
        assert own.shape[1] == 16
        log_p = objective.decoder(batch.inputs, batch.documents).log_softmax(-1)
        of_targets = log_p.gather(-1, batch.targets[..., None])[..., 0]
        assert_close(loss.total, -of_targets[batch.counted].sum(), rtol=1e-5, atol=1e-4)
        parts = [objective.loss(part).total.detach() for part in objective.parts(batch, 3)]
        assert_close(torch.stack(parts).sum(), loss.total.detach(), rtol=1e-5, atol=1e-4)


def test_with_a_memory_the_validation_text_is_read_with_it_too(tmp_path: Path) -> None:
    objective = with_memory(tmp_path, write_book, "text")
    total = watched(objective.decoder, objective.encoded.valid, 24 + 16, 16, 10**9)
    assert objective.validate()["valid_nll"] == pytest.approx(total.nll / total.tokens, rel=1e-6)


def test_accumulation_cuts_the_batch_and_not_the_step(tmp_path: Path) -> None:
    config = small_config(write_book(tmp_path))
    config = replace(config, training=replace(config.training, accumulate=4))
    objective, _ = small_objective(config)
    assert next(objective.batches(0)).inputs.shape == (1, 16)


@KINDS
@pytest.mark.parametrize("tokenizer", ["char", "byte", "bpe", "word"])
def test_the_figures_are_those_of_every_validation_token(
    tmp_path: Path, write: Write, form: str, tokenizer: str
) -> None:
    """Each document alone, token by token, with what its window shows before it."""
    objective, writer = small_objective(small_config(write(tmp_path), format=form, tokenizer=tokenizer))
    objective.model.eval()
    found = objective.validate()
    encoded = objective.encoded.valid
    rows = encoded.tokens.to_lists()
    stream: list[tuple[int, int, int]] = []
    for number, ids in enumerate(rows):
        targets = [*ids, EOS] if encoded.ends else ids
        stream += [(*both, number) for both in zip([BOS, *ids], targets, strict=False)]
    total = 0.0
    counted = [True] * len(stream) if encoded.counted is None else encoded.counted.tolist()
    begins = np.repeat(encoded.tokens.starts[:-1], encoded.tokens.lengths)
    for at, (_, target, number) in enumerate(stream):
        # Windows side by side; the last one is moved back so that it is full.
        start = min(at // 16 * 16, max(0, len(stream) - 16))
        if form == "chat":  # of each conversation, and each moves on by half
            begin, length = int(begins[at]), len(rows[number])
            window = max(0, -(-(at - begin - 15) // 8))
            start = begin + min(window * 8, max(0, length - 16))
        seen = [token for token, _, document in stream[start : at + 1] if document == number]
        with torch.no_grad():
            log_p = writer.model(torch.tensor([seen]))[0, -1].log_softmax(-1)
        total -= float(log_p[target]) * counted[at]
    tokens = sum(counted)
    assert found["valid_nll"] == pytest.approx(total / tokens, rel=1e-4)
    assert found["perplexity"] == pytest.approx(math.exp(total / tokens), rel=1e-3)
    texts = objective.encoded.valid_texts
    if tokenizer == "word":
        assert "bits_per_byte" not in found
    elif form == "text":
        size = sum(len(text.encode()) for text in texts.texts)
        assert found["bits_per_byte"] == pytest.approx(total / math.log(2) / size, rel=1e-4)
    else:
        said = [turn.content for each in texts.conversations for turn in each if turn.role == "assistant"]
        size = sum(len(text.encode()) for text in said)
        assert found["bits_per_byte"] == pytest.approx(total / math.log(2) / size, rel=1e-4)


def test_windows_that_overlap_count_the_same_tokens(tmp_path: Path) -> None:
    objective, writer = small_objective(small_config(write_book(tmp_path)))
    valid = objective.encoded.valid
    side_by_side = measure(writer.model, valid, 16, 16)
    closer = measure(writer.model, valid, 16, overlap(16))
    assert side_by_side is not None
    assert closer is not None
    assert side_by_side.tokens == closer.tokens == valid.predictions
    assert side_by_side.nll != closer.nll


def test_measuring_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    objective, writer = small_objective(small_config(write_book(tmp_path)))
    assert measure(writer.model, objective.encoded.valid, 16, 1, seconds=0.0) is None


def test_a_batch_in_which_nothing_counts_is_a_step_without_gradient(tmp_path: Path) -> None:
    objective, _ = small_objective(small_config(write_chats(tmp_path), format="chat"))
    batch = next(objective.batches(0))
    batch.counted[:] = False
    loss = objective.loss(batch)
    loss.total.backward()
    assert (float(loss.total.detach()), loss.count, objective.size(batch)) == (0.0, 0, 1)
    assert all(p.grad is None or not bool(p.grad.any()) for p in objective.model.parameters())


def test_of_a_long_text_an_evenly_spread_part_is_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective, _ = small_objective(small_config(write_book(tmp_path)))
    monkeypatch.setattr("qkvae.tasks.text_generation.evaluate._TOKENS", 16)  # a window in each batch
    whole = watched(objective.decoder, objective.encoded.valid, 16, 16, 10**9)
    half = watched(objective.decoder, objective.encoded.valid, 16, 16, whole.tokens // 2)
    assert whole.tokens == objective.encoded.valid.predictions
    assert abs(half.tokens - whole.tokens / 2) <= 16
    assert half.nll / half.tokens == pytest.approx(whole.nll / whole.tokens, rel=0.1)
