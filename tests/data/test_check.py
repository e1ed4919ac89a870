"""The check of sentence pairs: each planted fault is found, where it is, and clean data passes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkvae.data.alignment import stretches
from qkvae.data.check import check_pairs
from qkvae.data.findings import ADVICE, Finding, Report
from qkvae.data.pairs import Note, Pairs
from qkvae.data.tokenizer import Tokenizer

ENGLISH = ["the dog", "a small cat", "my old friend", "two children", "the young woman", "nobody here"]
GERMAN = [
    "der Hund",
    "eine kleine Katze",
    "mein alter Freund",
    "zwei Kinder",
    "die junge Frau",
    "niemand hier",
]
VERBS = ["sees", "looks for", "often thinks about", "paints", "cannot find", "would like to buy"]
VERBEN = ["sieht", "sucht nach", "denkt oft über", "malt", "findet nicht", "möchte kaufen"]
THINGS = ["the house", "a very long and winding road", "water", "the green garden behind the church", "snow"]
DINGE = [
    "das Haus",
    "eine sehr lange kurvige Straße",
    "Wasser",
    "den grünen Garten hinter der Kirche",
    "Schnee",
]


def clean(count: int = 1500, seed: int = 0) -> Pairs:
    """Sentences of two languages, of varied length, no two alike."""
    draw = random.Random(seed)
    rows: list[tuple[str, str]] = []
    for number in range(count):
        english, german = [f"{seed}{number:05d}"], [f"{seed}{number:05d}"]
        for _ in range(draw.randint(1, 4)):
            who, does, what = (draw.randrange(len(side)) for side in (ENGLISH, VERBS, THINGS))
            english += [ENGLISH[who], VERBS[does], THINGS[what]]
            german += [GERMAN[who], VERBEN[does], DINGE[what]]
        rows.append((" ".join(english), " ".join(german)))
    return Pairs([source for source, _ in rows], [target for _, target in rows])


def altered(pairs: Pairs, change: Callable[[list[str], list[str]], object]) -> Pairs:
    sources, targets = list(pairs.sources), list(pairs.targets)
    change(sources, targets)
    return Pairs(sources, targets)


def found(report: Report, kind: str, part: str = "train") -> Finding:
    (finding,) = [finding for finding in report.findings if (finding.kind, finding.part) == (kind, part)]
    assert finding.advice == ADVICE[kind]
    return finding


def lines(finding: Finding) -> list[int]:
    return [example.line for example in finding.examples]


def test_clean_data_passes() -> None:
    report = check_pairs(clean(), clean(300, seed=1))
    assert report.findings == ()
    assert "nothing odd was found" in str(report)


def test_duplicates_and_several_targets() -> None:
    def change(sources: list[str], targets: list[str]) -> None:
        sources[7], targets[7] = sources[3].upper(), targets[3]
        sources[9] = sources[2]
        sources[12] = sources[1]

    report = check_pairs(altered(clean(), change))
    assert (found(report, "duplicates").count, lines(found(report, "duplicates"))) == (1, [8])
    assert (found(report, "several targets").count, lines(found(report, "several targets"))) == (
        4,
        [2, 13, 3],
    )


def test_leaks() -> None:
    train = clean()

    def change(sources: list[str], targets: list[str]) -> None:
        sources[0], targets[0] = train.sources[5], train.targets[5]
        sources[1] = train.sources[6]
        targets[2] = train.targets[7]

    report = check_pairs(train, altered(clean(400, seed=1), change))
    for place, kind in enumerate(("source and target", "source", "target"), 1):
        leak = found(report, f"leaks ({kind})", "valid")
        assert (leak.count, lines(leak), leak.share) == (1, [place], 1 / 400)


def test_lengths() -> None:
    def change(sources: list[str], targets: list[str]) -> None:
        sources[10], targets[10] = " ".join(sources[100:160]), " ".join(targets[100:160])
        targets[20] = "@@"

    report = check_pairs(altered(clean(), change))
    assert lines(found(report, "very long")) == [11]
    assert lines(found(report, "length ratio")) == [21]


@pytest.mark.parametrize("slip", [1, 3, -2])
def test_a_slipped_side_is_found_with_its_shift(slip: int) -> None:
    def change(sources: list[str], targets: list[str]) -> None:
        targets[400:900] = list(np.roll(targets[400:900], slip))

    finding = found(check_pairs(altered(clean(), change)), "misaligned")
    assert abs(finding.count - 500) <= 150
    assert abs(finding.examples[0].line - 401) <= 100
    assert f"target {abs(slip)} line(s) {'later' if slip > 0 else 'earlier'}" in finding.detail


def test_a_shuffled_stretch_fits_nothing() -> None:
    def change(sources: list[str], targets: list[str]) -> None:
        middle = targets[400:900]
        random.Random(2).shuffle(middle)
        targets[400:900] = middle

    assert "no line nearby" in found(check_pairs(altered(clean(), change)), "misaligned").detail


def test_shuffled_sides_are_unrelated() -> None:
    report = check_pairs(altered(clean(), lambda _, targets: random.Random(1).shuffle(targets)))
    assert found(report, "unrelated").share == 1


def test_sorted_data_is_not_called_misaligned() -> None:
    pairs = clean()
    order = sorted(range(len(pairs)), key=lambda i: len(pairs.sources[i]))
    assert check_pairs(pairs.select(order)).findings == ()


def test_equal_lengths_say_nothing() -> None:
    assert stretches(np.full(500, 20.0), np.full(500, 25.0)) == ([], None)
    report = check_pairs(Pairs([f"{n:06d}" for n in range(200)], [f"{-n:06d}" for n in range(200)]))
    assert any("too equal in length" in remark for remark in report.remarks)


def test_languages() -> None:
    places = {"swapped": [50, 350, 650], "wrong language": [150, 450], "neither language": [250]}

    def change(sources: list[str], targets: list[str]) -> None:
        for place in places["swapped"]:
            sources[place], targets[place] = targets[place], sources[place]
        sources[150] = "eine kleine Katze sieht das Haus und die junge Frau"
        targets[450] = "my old friend would like to buy a very long and winding road"
        targets[250] = "Дом стоит на берегу реки, и никто его не видит"

    report = check_pairs(altered(clean(), change))
    for kind, expected in places.items():
        assert lines(found(report, kind)) == [place + 1 for place in expected]
        assert found(report, kind).count == len(expected)


def test_a_swapped_validation_part() -> None:
    valid = clean(300, seed=1)
    report = check_pairs(clean(), Pairs(valid.targets, valid.sources))
    assert found(report, "swapped", "valid").share > 0.99


def test_one_language_on_both_sides_is_not_judged() -> None:
    pairs = clean()
    report = check_pairs(Pairs(pairs.sources, [text.replace("snow", "ice") for text in pairs.sources]))
    assert not [finding for finding in report.findings if "language" in finding.kind]
    assert any("look alike" in remark for remark in report.remarks)


@pytest.mark.parametrize("text", ["schön", "Привет, мир", "Ωμέγα", "it’s “so”", "à côté"])
def test_encoding_faults(text: str) -> None:
    spoilt = text.encode().decode("cp1252", "replace")

    def change(sources: list[str], targets: list[str]) -> None:
        targets[30] += " " + spoilt
        targets[40] += " " + text
        sources[50] += " \ufffd"

    assert lines(found(check_pairs(altered(clean(), change)), "encoding")) == [31, 51]


@settings(deadline=None)
@given(st.text(st.sampled_from("äöüßéèàçñÄÖÜÉÀâêîôû“”„’‘«»–—…€ .,ABCabc")))
def test_right_text_is_no_encoding_fault(text: str) -> None:
    if "â€" in text:
        return
    report = check_pairs(Pairs(["x " + text], ["y"]))
    assert not [finding for finding in report.findings if finding.kind == "encoding"]


def test_untranslated_and_markup() -> None:
    def change(sources: list[str], targets: list[str]) -> None:
        targets[5] = sources[5].upper()
        sources[6] += " &amp; co"
        targets[7] = f"<b>{targets[7]}</b>"
        sources[8] += " 3 < 4 & 5 > 2"

    report = check_pairs(altered(clean(), change))
    assert lines(found(report, "untranslated")) == [6]
    assert lines(found(report, "markup")) == [7, 8]


def test_what_is_cut_is_counted_by_the_tokenizer() -> None:
    pairs = clean()
    tokenizer = Tokenizer.train([*pairs.sources, *pairs.targets], "bpe", 400, 2)
    both = (tokenizer.encode_batch(side).lengths for side in (pairs.sources, pairs.targets))
    lengths = np.maximum(*both)
    limit = int(np.percentile(lengths, 90))
    cut = found(check_pairs(pairs, tokenizer=tokenizer, max_length=limit), "cut")
    assert cut.count == int((lengths + 1 > limit).sum()) > 0
    report = check_pairs(pairs, max_length=30)
    sizes = [max(len(s.encode()), len(t.encode())) for s, t in zip(pairs.sources, pairs.targets, strict=True)]
    assert found(report, "cut").count == sum(size > 4 * 29 for size in sizes) > 0
    assert any("estimated" in remark for remark in report.remarks)


def test_report_for_programs_and_for_people() -> None:
    pairs = altered(clean(), lambda sources, _: sources.__setitem__(3, "x" * 500))
    report = check_pairs(Pairs(pairs.sources, pairs.targets, notes=(Note("k", 2, "things were done"),)))
    read = json.loads(json.dumps(report.to_dict()))
    assert read["pairs"] == 1500
    assert read["findings"][0]["examples"][0]["line"] == 4
    assert "while reading: 2 things were done" in str(report)
    assert max(map(len, str(report).splitlines())) < 220


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=60))
def test_no_data_upsets_it(rows: list[tuple[str, str]]) -> None:
    pairs = Pairs([source for source, _ in rows], [target for _, target in rows])
    json.dumps(check_pairs(pairs, pairs).to_dict())


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="max_length is 0"):
        check_pairs(clean(20), max_length=0)
    with pytest.raises(ValueError, match="valid holds no pairs"):
        check_pairs(clean(20), Pairs([], []))
