"""bAbI: which part of each task's test questions a run answers wrongly.

The run is one of ``recipes/babi.toml`` (text-generation with format chat: it reads a story sentence by
sentence and answers in the light of its own earlier answers, never of the right ones), or one of
text-classification on the same stories.

    QKVAE_DATA=/path/to/data qkvae train text-generation --config recipes/babi.toml --out runs/babi
    QKVAE_DATA=/path/to/data python benchmarks/babi.py runs/babi
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from qkvae import load
from qkvae.data.files import Lines, TextFile, inside_archive
from qkvae.data.pairs import Tally
from qkvae.data.stories import Asked, questions_of
from qkvae.tasks.task import Answerer

TEST = "babi/babi-en-10k.tar.xz/*_test.txt"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--data", default=TEST, help="test files of the tasks, inside an archive")
    parser.add_argument("--most", type=int, default=1000, help="questions asked of each task, at most")
    asked = parser.parse_args()

    begun = time.monotonic()
    run = load(asked.run)
    errors: dict[str, float] = {}
    for file in sorted(inside_archive(asked.data), key=_number):
        name = f"qa{_number(file)}"
        wrong, total = measured(run.answerer, file, asked.most, chat=run.run.task == "text-generation")
        errors[name] = wrong / total
        print(f"{name:5} {100 * errors[name]:6.2f}% wrong of {total:,} questions", flush=True)
    found = {
        "errors": errors,
        "mean_error": statistics.fmean(errors.values()),
        "tasks_within_5_percent": sum(error <= 0.05 for error in errors.values()),
        "seconds": round(time.monotonic() - begun, 1),
    }
    print(json.dumps(found, indent=2))


def measured(answerer: Answerer, file: TextFile, most: int, chat: bool) -> tuple[int, int]:
    """How many questions were answered wrongly, and how many were asked."""
    wrong = total = 0
    for story in stories(file):
        if total >= most:
            break
        answers = answerer.stream(list(_turns(story) if chat else _pairs(story)))
        wrong += sum(found.text.strip() != each.answer for found, each in zip(answers, story, strict=True))
        total += len(story)
    return wrong, total


def stories(file: TextFile) -> Iterator[list[Asked]]:
    """The questions of each story."""
    story: list[Asked] = []
    for asked in questions_of(Lines(file, Tally())):
        if asked.first and story:
            yield story
            story = []
        story.append(asked)
    if story:
        yield story


def _turns(story: list[Asked]) -> Iterator[str]:
    """What is told and asked, one question after the other."""
    return (f"{asked.told} {asked.question}".strip() for asked in story)


def _pairs(story: list[Asked]) -> Iterator[str]:
    """All that was told before each question, and the question."""
    told = ""
    for asked in story:
        told = f"{told} {asked.told}".strip()
        yield f"{told}\t{asked.question}"


def _number(file: TextFile) -> int:
    """The number of a task."""
    found = re.search(r"qa(\d+)_", file.name)
    return int(found[1]) if found else 0


if __name__ == "__main__":
    main()
