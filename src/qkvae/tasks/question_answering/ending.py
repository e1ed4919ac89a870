"""After the last step: choose when not to answer, measure, and write the report and the model card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qkvae import metrics
from qkvae.data.squad import Questions
from qkvae.inspect.sections import Sample, Section
from qkvae.models import Encoder
from qkvae.run import Run
from qkvae.tasks.answering import kept_model
from qkvae.tasks.ending import Ending, tell_figures, write_pages
from qkvae.tasks.question_answering.corpus import Encoded
from qkvae.tasks.question_answering.evaluate import answered, figures
from qkvae.tasks.question_answering.spans import Span, best_spans, read_windows
from qkvae.train.progress import Reporter

_SAMPLES = 15
_AROUND = 120  # characters of the context that a sample shows on each side of the answer
_SILENT = (
    "it answers no question of the validation part: to tell that there is no answer is all it has learned; "
    "train longer, on more questions, or begin with what fill-mask trained (--from RUN)"
)
_LIMITS = (
    "It points at words of the text it is given; it knows nothing else and does not reason.",
    "It answers questions like those it was trained on; others get an answer too, and often a wrong one.",
    "It repeats whatever bias its data holds.",
)


def finish(run: Run, encoded: Encoded, reporter: Reporter) -> None:
    """Judge the weights that the run keeps, and write everything that people read."""
    config: Any = run.config
    model: Encoder = kept_model(run)
    asked, longest = encoded.valid_questions, config.generation.longest
    scores = read_windows(model, encoded.valid)
    spans = [best_spans(encoded.valid, scores, number, longest) for number in range(len(asked))]
    margin = config.generation.margin
    chosen = margin is None and not encoded.always
    if chosen:
        margin = choose_margin(asked, [each[0] for each in spans])
        run.update_resolved({"generation": {"margin": margin}})
        reporter.say(
            f"an answer must be more probable than none by {margin:.2f} nats (chosen on validation data)"
        )
    answers = [answered(each, margin) for each in spans]
    if chosen and not any(answers) and not all(each.impossible for each in asked.questions):
        reporter.say(f"warning: {_SILENT}")
    found = figures(asked, answers)
    shown = tell_figures(run, reporter, found, len(asked), "question")
    ending = Ending(
        shown=shown,
        sections=[_answers(asked, answers, [each[0] for each in spans])],
        does="Finds the answer to a question in a text",
        example="What is the capital?\tRome is the capital of Italy.",
        limits=(*_LIMITS, f"Questions and texts are read {config.data.max_length} tokens at a time."),
        split="split off by hash of the text",
        examples=(len(set(encoded.train.question.tolist())), len(asked)),
        parameters=sum(p.numel() for p in model.parameters()),
        figures=found,
        where=f"{len(asked)} validation questions",
    )
    write_pages(run, ending)


def choose_margin(questions: Questions, spans: Sequence[Span]) -> float:
    """The margin over "no answer" that gives the best mean F₁; between the scores of two answers.

    >>> from qkvae.data.squad import Question
    >>> asked = [Question("a", "?", 0, ("blue",), (0, 4)), Question("b", "?", 0, (), None)]
    >>> choose_margin(Questions(["blue"], asked), [Span(0, 4, "blue", 3.0), Span(0, 4, "blue", 1.0)])
    2.0
    """
    with_answer = np.array(
        [metrics.f1(each.text, asked.answers) for each, asked in zip(spans, questions.questions, strict=True)]
    )
    without = np.array([metrics.f1("", asked.answers) for asked in questions.questions])
    score = np.array([each.score for each in spans])
    order = np.argsort(score, kind="stable")
    # After place k of the order the answers begin that are given.
    total = np.concatenate([[0.0], np.cumsum((without - with_answer)[order])])
    best, ordered = int(total.argmax()), score[order]
    if best in (0, len(order)):
        return float(ordered[0] - 1 if best == 0 else ordered[-1] + 1)
    return float((ordered[best - 1] + ordered[best]) / 2)


def _answers(questions: Questions, answers: Sequence[str], spans: Sequence[Span]) -> Section:
    """Questions with the answers known and given."""
    samples: list[Sample] = []
    for place in range(min(_SAMPLES, len(questions))):
        each, text, span = questions.questions[place], questions.context(place), spans[place]
        before, after = text[max(0, span.start - _AROUND) : span.start], text[span.end : span.end + _AROUND]
        parts = (
            ("question", each.question),
            ("text", f"…{before}{span.text}{after}…"),
            ("known", " / ".join(each.answers) or "no answer"),
            ("told", answers[place] or "no answer"),
        )
        samples.append(Sample(parts=parts, right=bool(metrics.exact_match(answers[place], each.answers))))
    return Section(
        title="What it answers",
        note="Questions of the validation part, about texts that the training never saw.",
        samples=samples,
    )
