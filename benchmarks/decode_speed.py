"""Translating speed: sentences a second with the same weights and answers of a forced length.

    QKVAE_DATA=~/data python benchmarks/decode_speed.py                        # one thread, CPU seconds
    QKVAE_DATA=~/data python benchmarks/decode_speed.py --threads 2 --whole    # 1,000 sentences, wall clock

Beam 4 and greedy, one sentence at a time and 32 side by side, by qkvae (``--precision auto``, and fp32),
Hugging Face's generate and CTranslate2 (fp32 and int8).  The model has 3 + 3 post-norm blocks of dim 256 and
a vocabulary of 8,000, its weights are random, and its end token can never win (`peers.py`): every answer has
16 tokens, about the mean of Multi30k.  Sources are Multi30k's, longest first.  Before anything is timed, all
in fp32 must give the same greedy answers.  A round is a share of the sentences, another one each round;
``--whole`` makes it all of the 1,000.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from pathlib import Path
from typing import Any

from material import material
from peers import CT2, MARIAN, SPECIALS, read_ours, write_ctranslate2, write_marian, write_ours
from timing import Candidate, Work, measure, parser, report

LENGTH = 16
SENTENCES = 1000
EOS = 2

Sources = list[list[int]]


def rounds_of(sources: Sources, each: int, translate: Any, batch: int) -> Work:
    """Rounds of ``each`` sentences, longest first, in batches."""

    def one(number: int) -> float:
        start = number * each % len(sources)
        share = sorted((sources[start:] + sources[:start])[:each], key=len, reverse=True)
        for first in range(0, each, batch):
            translate(share[first : first + batch])
        return each

    return one


def qkvae(
    sources: Sources, each: int, beam: int, batch: int, folder: Path, made: Any, precision: Any
) -> Work:
    """`qkvae.generate.generate`."""
    translate = qkvae_translator(folder, made, beam, batch, precision)
    return rounds_of(sources, each, translate, batch)


def qkvae_translator(folder: Path, made: Any, beam: int, batch: int, precision: Any) -> Any:
    """Token ids to token ids."""
    from qkvae.config import Generation
    from qkvae.generate import generate
    from qkvae.generate.quick import quick
    from qkvae.generate.search import rows_of

    settings = Generation(beam=beam, batch=batch, max_length=LENGTH)
    model = quick(read_ours(folder, made), precision, rows_of(settings))  # once, as a translator does
    return lambda share: [list(found[0].ids) for found in generate(model, share, settings)]


def marian(sources: Sources, each: int, beam: int, batch: int, folder: Path) -> Work:
    """transformers' generate."""
    return rounds_of(sources, each, marian_translator(folder, beam), batch)


def marian_translator(folder: Path, beam: int) -> Any:
    """Token ids to token ids."""
    import torch
    from transformers import GenerationConfig, MarianMTModel

    model = MarianMTModel.from_pretrained(folder / MARIAN).eval()
    settings = GenerationConfig(
        num_beams=beam, max_new_tokens=LENGTH, do_sample=False, early_stopping=beam > 1,
        pad_token_id=0, bos_token_id=1, eos_token_id=EOS, decoder_start_token_id=1,
    )  # fmt: skip

    def translate(share: Sources) -> Sources:
        longest = max(map(len, share)) + 1
        ids = torch.tensor([[*source, EOS] + [0] * (longest - len(source) - 1) for source in share])
        with torch.inference_mode():
            said = model.generate(ids, attention_mask=(ids != 0).long(), generation_config=settings)
        return said[:, 1:].tolist()

    return translate


def ctranslate2(
    sources: Sources, each: int, beam: int, batch: int, folder: Path, kind: str, threads: int
) -> Work:
    """CTranslate2's translate_batch."""
    return rounds_of(sources, each, ctranslate2_translator(folder, beam, kind, threads), batch)


def ctranslate2_translator(folder: Path, beam: int, kind: str, threads: int) -> Any:
    """Token ids to token ids; it speaks words, so ours are written as such before."""
    import ctranslate2 as ct2

    translator = ct2.Translator(str(folder / f"{CT2}-{kind}"), compute_type=kind, intra_threads=threads)

    def translate(share: Sources) -> Sources:
        words = [[*(f"t{token}" for token in source), SPECIALS[EOS]] for source in share]
        answers = translator.translate_batch(
            words, beam_size=beam, max_decoding_length=LENGTH, max_batch_size=len(words)
        )
        return [[int(word[1:]) for word in answer.hypotheses[0]] for answer in answers]

    return translate


def same_answers(sources: Sources, folder: Path, made: Any) -> float:
    """Part of the greedy answers' tokens on which the three agree."""
    said = [
        translate(sources)
        for translate in (
            qkvae_translator(folder, made, 1, len(sources), "fp32"),
            marian_translator(folder, 1),
            ctranslate2_translator(folder, 1, "float32", 1),
        )
    ]
    triples = [set(words) for answers in zip(*said, strict=True) for words in zip(*answers, strict=True)]
    return sum(len(triple) == 1 for triple in triples) / len(triples)


def write_all(folder: Path, made: Any, sources: Sources) -> None:
    """Write the models and compare their answers; in a process of its own, as it imports everybody."""
    write_ours(folder, made)
    write_marian(folder, made)
    for kind in ("float32", "int8"):
        write_ctranslate2(folder, made.vocab, kind)
    agreed = same_answers(sources, folder, made)
    print(f"greedy answers of {len(sources)} sentences: the three agree on {agreed:.1%} of the tokens\n")
    if agreed < 0.99:
        raise SystemExit("these are not the same weights")


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--whole", action="store_true", help="1,000 sentences a round")
    options = options.parse_args()
    rounds = options.rounds or (1 if options.tiny else 5)
    data = material(options.tiny, "post")
    sources = [data.encoded.sources[i].tolist() for i in range(min(SENTENCES, len(data.encoded)))]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        writing = multiprocessing.get_context("spawn").Process(
            target=write_all, args=(folder, data.model, sources[:8])
        )
        writing.start()
        writing.join()
        if writing.exitcode:
            raise SystemExit(writing.exitcode)
        for beam in (4, 1):
            for batch in (1, 32):
                each = SENTENCES if options.whole else 2 * batch if options.tiny else max(12, 2 * batch)
                usual = (sources, each, beam, batch, folder)
                candidates = [
                    Candidate("qkvae", qkvae, (*usual, data.model, "auto")),
                    Candidate("qkvae in fp32", qkvae, (*usual, data.model, "fp32")),
                    Candidate("HF generate", marian, usual),
                    Candidate("CTranslate2 fp32", ctranslate2, (*usual, "float32", options.threads)),
                    Candidate("CTranslate2 int8", ctranslate2, (*usual, "int8", options.threads)),
                ]
                way = "greedy" if beam == 1 else f"beam {beam}"
                print(f"### {way}, batch {batch}, {each} sentences a round\n")
                print(report(measure(candidates, options, rounds), options, "sentences/s"), "\n", flush=True)
            if options.tiny:
                break


if __name__ == "__main__":
    main()
