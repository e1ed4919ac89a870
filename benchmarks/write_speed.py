"""Writing speed: tokens a second of one text, the most probable token each time, with the same weights.

    python benchmarks/write_speed.py                  # one thread, CPU seconds
    python benchmarks/write_speed.py --runs runs/book runs/draft

The model has GPT-2's smallest shape (12 blocks of 768, 12 heads, a vocabulary of 50,257, learned positions)
and random weights.  A round continues a prompt of 16 tokens by 32.

- qkvae: what ``qkvae use`` does at each step (`generate.writing.Pen`), with 8-bit products, with weights of
  4 bits, and in fp32;
- Hugging Face: ``GPT2LMHeadModel.generate``;
- CTranslate2: ``Generator.generate_batch``, int8 and fp32.

Before anything is timed, all in fp32 must write the same tokens.

With ``--runs`` two trained runs with one tokenizer write instead: the first alone, and with the second as its
draft (`generate.speculative`), 200 tokens a round after the first words of a text, drawn at temperature 0.8.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from pathlib import Path
from typing import Any

from timing import Candidate, Work, measure, parser, report

HF, CT2 = "huggingface", "ctranslate2"
PROMPT = 16


def rounds(write: Any, tokens: int, vocab: int) -> Work:
    """Each round another prompt."""

    def one(number: int) -> float:
        write(prompt(number, vocab), tokens)
        return tokens

    return one


def prompt(number: int, vocab: int) -> list[int]:
    """Some tokens."""
    return [(7919 * (number * PROMPT + place) + 13) % vocab for place in range(PROMPT)]


def qkvae(folder: Path, precision: Any) -> Any:
    """`generate.writing.Pen`."""
    from qkvae.config import Writing
    from qkvae.generate.quick import quick
    from qkvae.generate.writing import Pen
    from qkvae.interop import huggingface
    from qkvae.models import Decoder

    found = huggingface.read(folder / HF)
    model = Decoder(found.settings)  # pyright: ignore[reportArgumentType]
    model.load_state_dict(found.state, strict=False)
    model = quick(model.eval(), precision)  # once, as a writer does

    def write(ids: list[int], tokens: int) -> list[int]:
        settings = Writing(tokens=tokens, temperature=0, precision=precision)
        pen = Pen(model, [ids], settings, model.settings.max_length)
        while pen.live:
            pen.step()
        return pen.texts[0][len(ids) :]

    return write


def huggingface(folder: Path) -> Any:
    """transformers' generate."""
    import torch
    from transformers import GenerationConfig, GPT2LMHeadModel

    model = GPT2LMHeadModel.from_pretrained(folder / HF).eval()

    def write(ids: list[int], tokens: int) -> list[int]:
        settings = GenerationConfig(
            max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False, eos_token_id=None, pad_token_id=0
        )
        with torch.inference_mode():
            given = torch.tensor([ids])
            said = model.generate(given, attention_mask=torch.ones_like(given), generation_config=settings)
        return said[0, len(ids) :].tolist()

    return write


def ctranslate2(folder: Path, kind: str, threads: int) -> Any:
    """CTranslate2's generate_batch; it speaks words, so ours are written as such before."""
    import ctranslate2 as ct2

    generator = ct2.Generator(str(folder / CT2), compute_type=kind, intra_threads=threads)

    def write(ids: list[int], tokens: int) -> list[int]:
        (found,) = generator.generate_batch(
            [[f"t{token}" for token in ids]], max_length=tokens, min_length=tokens, end_token=["</end>"],
            include_prompt_in_result=False,
        )  # fmt: skip
        return found.sequences_ids[0]

    return write


def drafted(run: Path, draft: Path | None, ahead: int) -> Work:
    """A run that writes, alone or with a draft."""
    from dataclasses import replace

    from qkvae.run import Run
    from qkvae.tasks.text_generation.writer import Writer

    writer = Writer.from_run(Run.open(run, "text-generation"))

    def one(number: int) -> float:
        settings = replace(writer.generation, tokens=200, seed=number, batch=1)
        if draft is not None:
            settings = replace(settings, draft=str(draft), ahead=ahead)
        return sum(written.tokens for written in writer.stream(["The "], settings))

    return one


def timed(make: str, tokens: int, vocab: int, *arguments: Any) -> Work:
    """A candidate's rounds."""
    return rounds(globals()[make](*arguments), tokens, vocab)


def write_all(folder: Path, size: dict[str, int], tokens: int) -> None:
    """Write the weights for everybody, and compare what they say."""
    import torch
    from ctranslate2.converters.transformers import GPT2Loader
    from transformers import GPT2LMHeadModel

    from qkvae.config import Block, Decoder
    from qkvae.interop import huggingface as interop
    from qkvae.models import build

    torch.manual_seed(0)
    block = Block(
        dim=size["dim"],
        heads=size["heads"],
        hidden=4 * size["dim"],
        activation="gelu_tanh",
        positions="learned",
    )
    made = Decoder(block=block, depth=size["depth"], vocab=size["vocab"], embedding="plain", max_length=1024)
    interop.write(build(made), folder / HF, "gpt2")
    spec = GPT2Loader().get_model_spec(GPT2LMHeadModel.from_pretrained(folder / HF))
    spec.register_vocabulary([*(f"t{token}" for token in range(size["vocab"] - 1)), "</end>"])
    spec.config.bos_token = spec.config.unk_token = "t0"
    spec.config.eos_token = "</end>"
    spec.validate()
    (folder / CT2).mkdir()
    spec.save(str(folder / CT2))
    ids = prompt(1, size["vocab"])
    said = [qkvae(folder, "fp32"), huggingface(folder), ctranslate2(folder, "float32", 1)]
    texts = [write(ids, tokens) for write in said]
    agreed = sum(len(set(each)) == 1 for each in zip(*texts, strict=True)) / tokens
    print(f"{tokens} tokens in fp32: the three agree on {agreed:.1%}\n")
    if agreed < 0.99:
        raise SystemExit(f"these are not the same weights: {texts}")


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--runs", nargs=2, type=Path, help="two runs: one that writes, and its draft")
    options = options.parse_args()
    rounds_wanted = options.rounds or (1 if options.tiny else 5)
    if options.runs:
        run, draft = options.runs
        alone = [Candidate("alone", drafted, (run, None, 0))]
        helped = [Candidate(f"with the draft, {n} ahead", drafted, (run, draft, n)) for n in (2, 4, 8)]
        print(report(measure([*alone, *helped], options, rounds_wanted), options, "tokens/s"), flush=True)
        return
    size = {"dim": 768, "heads": 12, "depth": 12, "vocab": 50257}
    if options.tiny:
        size = {"dim": 64, "heads": 2, "depth": 2, "vocab": 2000}
    tokens = 4 if options.tiny else 32
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        writing = multiprocessing.get_context("spawn").Process(target=write_all, args=(folder, size, tokens))
        writing.start()
        writing.join()
        if writing.exitcode:
            raise SystemExit(writing.exitcode)
        usual = (tokens, size["vocab"])
        candidates = [
            Candidate("qkvae int8", timed, ("qkvae", *usual, folder, "int8")),
            Candidate("qkvae int4", timed, ("qkvae", *usual, folder, "int4")),
            Candidate("qkvae fp32", timed, ("qkvae", *usual, folder, "fp32")),
            Candidate("HF generate", timed, ("huggingface", *usual, folder)),
            Candidate("CTranslate2 int8", timed, ("ctranslate2", *usual, folder, "int8", options.threads)),
            Candidate("CTranslate2 fp32", timed, ("ctranslate2", *usual, folder, "float32", options.threads)),
        ]
        print(report(measure(candidates, options, rounds_wanted), options, "tokens/s"), flush=True)


if __name__ == "__main__":
    main()
