"""What a reader is trained to do: tell the first and the last token of the answer."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from qkvae import losses
from qkvae.config import QuestionAnswering, Training
from qkvae.data.packed import PackedBatch, PackedSentences
from qkvae.data.windows import Windows
from qkvae.models import Encoder
from qkvae.tasks.question_answering.corpus import Encoded
from qkvae.tasks.question_answering.evaluate import answered, figures
from qkvae.tasks.question_answering.spans import best_spans, read_windows
from qkvae.tasks.reading import read_packed
from qkvae.train.objective import Loss


class AnswerObjective:
    """−½ (ln p(first) + ln p(last)) of every window; both at its first token if the answer is not in it."""

    metric = "f1"
    larger_is_better = True
    counted = "windows"

    def __init__(self, model: Encoder, encoded: Encoded, config: QuestionAnswering) -> None:
        self.model: nn.Module = model
        self.encoder, self.encoded, self.longest = model, encoded, config.generation.longest
        self.training: Training = config.training

    def batches(self, start: int) -> Iterator[PackedBatch]:
        """Batch ``start`` and all after it."""
        tokens = max(1, self.training.batch_tokens // self.training.accumulate)
        sentences = self.encoded.train.sentences
        longest = int(sentences.ids.lengths.max())
        batches = PackedSentences(sentences, longest, tokens, self.training.seed)
        return batches.stream(start, self.training.workers)

    def parts(self, batch: PackedBatch, count: int) -> list[PackedBatch]:
        """The batch cut by rows."""
        return [batch] if count == 1 else batch.split(count)

    def size(self, batch: PackedBatch) -> int:
        """Windows in a batch."""
        return len(batch.sentences)

    def loss(self, batch: PackedBatch) -> Loss:
        """The loss of every window, summed."""
        device = next(self.encoder.parameters()).device
        scores = read_packed(self.encoder, batch.to(device)).flatten(0, 1)
        windows, rows = self.encoded.train, batch.sentences
        lengths = torch.from_numpy(windows.sentences.ids.lengths)[rows]
        inside = torch.arange(int(lengths.max()))
        places = (batch.places[:, None] + inside).clamp_max(len(scores) - 1).to(device)
        total = losses.span(scores[places], _spans(windows, rows).to(device), lengths.to(device))
        return Loss(total, total.detach(), len(rows))

    def validate(self) -> dict[str, float]:
        """The loss on the watched windows; exact match and F₁ of the answers to their questions."""
        windows, asked = self.encoded.watched, self.encoded.watched_questions
        scores = read_windows(self.encoder, windows)
        loss = 0.0
        for row, each in enumerate(scores):
            spans = _spans(windows, torch.tensor([row]))
            loss += float(losses.span(torch.from_numpy(each)[None], spans))
        margin = None if self.encoded.always else 0.0
        spans = [best_spans(windows, scores, number, self.longest) for number in range(len(asked))]
        found = figures(asked, [answered(each, margin) for each in spans])
        return {"valid_loss": loss / len(scores), "exact_match": found["exact_match"], "f1": found["f1"]}


def _spans(windows: Windows, rows: Tensor) -> Tensor:
    """Places of the first and the last token of each row's answer."""
    both = (torch.from_numpy(each)[rows] for each in (windows.starts, windows.ends))
    return torch.stack(list(both), 1)
