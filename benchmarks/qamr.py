"""QAMR: questions about sentences, from scratch and from a model that filled blanks first, and a baseline.

The development part is split by a hash of the sentence: a fifth is asked at the end only, a tenth of the rest
validates.  The baseline gives every question the answer that is the most frequent in training.  What fills
blanks first learns from WikiText-2 and from the sentences that are not asked about at the end.

    QKVAE_DATA=/path/to/data python benchmarks/qamr.py --minutes 10 --pretraining 30 --out runs/qamr
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import qkvae
from qkvae.cli.recipe import read_recipe
from qkvae.data.squad import Questions, read_squad, split_questions
from qkvae.tasks.question_answering.evaluate import figures

RECIPE = Path(__file__).parent.parent / "recipes" / "qamr.toml"
TEXT = ("wikitext-2/valid.txt.gz", "wikitext-2/test.txt.gz")
TEST, VALID = 0.2, 0.08


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10, help="of each training on questions")
    parser.add_argument("--pretraining", type=float, default=30, help="minutes of filling blanks")
    parser.add_argument("--seed", type=int, default=1, help="of everything random")
    parser.add_argument("--out", type=Path, default=Path("runs/qamr"), help="folder of the runs")
    asked = parser.parse_args()

    asked.out.mkdir(parents=True, exist_ok=True)
    train, held = split_questions(read_squad("qamr/dev.tsv.gz"), TEST + VALID)
    valid, test = split_questions(held, TEST)  # by the same hash: those below it of the ones held out
    parts = {"train": train, "valid": valid, "test": test}
    files = {name: _written(part, asked.out / f"{name}.jsonl") for name, part in parts.items()}
    sentences = asked.out / "sentences.txt"
    sentences.write_text("\n".join([*_contexts(train), *_contexts(valid)]) + "\n", encoding="utf-8")

    found: dict[str, Any] = {"questions": {name: len(part) for name, part in parts.items()}}
    found["majority"] = figures(test, [majority(train)] * len(test))
    training = {"seed": asked.seed}
    blanks = {
        "data": {"paths": [*TEXT, str(sentences)]},
        "model": {"block": {"positions": "rotary"}},  # as the readers have it
        "training": training,
    }
    out = asked.out / "blanks"
    first = qkvae.train("fill-mask", blanks, minutes=asked.pretraining, out=out, overwrite=True)
    for name, base in (("from scratch", None), ("from blanks", first.path)):
        out = asked.out / name.replace(" ", "-")
        settings = _settings(files, training)
        run = qkvae.train(
            "question-answering", settings, minutes=asked.minutes, out=out, base=base, overwrite=True
        )
        found[name] = run.evaluate(files["test"])
    print(json.dumps(found, indent=2))


def majority(train: Questions) -> str:
    """The answer that is given most often."""
    counted = Counter(train.answer(place) or "" for place in range(len(train)))
    return counted.most_common(1)[0][0]


def _settings(files: dict[str, str], training: dict[str, Any]) -> dict[str, Any]:
    """Those of the recipe, on these parts."""
    settings = dict(read_recipe(RECIPE, "question-answering").settings)
    usual = {key: value for key, value in settings["training"].items() if key != "minutes"}
    return {
        "data": {"max_length": 128, "paths": [files["train"]], "valid": [files["valid"]]},
        "training": {**usual, **training},
    }


def _contexts(part: Questions) -> list[str]:
    return [part.contexts[place] for place in sorted({each.context for each in part.questions})]


def _written(part: Questions, path: Path) -> str:
    """A part in SQuAD's format, a line each, and where it is.  The answer that is learned comes first."""
    rows: list[str] = []
    for place, each in enumerate(part.questions):
        known = part.answer(place)
        others = [answer for answer in each.answers if answer != known]
        texts = others if known is None else [known, *others]
        starts = [-1] * len(texts)  # accepted, but not learned
        if each.span is not None:
            starts[0] = each.span[0]
        row = {"id": each.id, "question": each.question, "context": part.context(place)}
        rows.append(json.dumps({**row, "answers": {"text": texts, "answer_start": starts}}))
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return str(path)


if __name__ == "__main__":
    main()
