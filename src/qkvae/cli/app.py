"""The table of verbs and the one place where errors become a line and an exit code."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from cyclopts import App, CycloptsError, Parameter

from qkvae import __version__
from qkvae.cli.errors import explain, is_expected
from qkvae.cli.terminal import as_epilogue, complain, say


@dataclass(frozen=True, kw_only=True)
class Verb:
    """One row of the table: where the verb's function is, its line in the help, and how it is typed."""

    target: str
    help: str
    examples: str = ""


VERBS: dict[str, Verb] = {
    "train": Verb(target="qkvae.cli.train:app", help="Train a model on your data."),
    "resume": Verb(
        target="qkvae.cli.train:resume",
        help="Go on with a run that was interrupted, as if it never had been.",
        examples="qkvae resume runs/mine",
    ),
    "use": Verb(
        target="qkvae.cli.use:use",
        help="Answer with a trained run: each INPUT, or each line of --file or of stdin, in order.",
        examples="""\
qkvae use runs/demo "the third of May 2024"
qkvae use runs/demo --beam 5 --nbest 3 --json < sentences.txt
qkvae use runs/demo --file sentences.txt.gz > answers.txt
qkvae use runs/demo --embed < sentences.txt > vectors.npy
qkvae use runs/demo --neighbours sentences.txt "the third of May" --count 5""",
    ),
    "eval": Verb(
        target="qkvae.cli.measure:evaluate",
        help="Measure a run on data with known answers.",
        examples="""\
qkvae eval runs/mine test.en.gz test.de.gz
qkvae eval runs/mine pairs.tsv --source en --target it --json
qkvae eval runs/photos test/ --report test.html""",
    ),
    "compare": Verb(
        target="qkvae.cli.measure:compare",
        help="Say whether one of two runs is better on the same data, or that the data cannot tell.",
        examples="qkvae compare runs/a runs/b test.en.gz test.de.gz",
    ),
    "look": Verb(
        target="qkvae.cli.show:look",
        help="Write one self-contained page with what goes on inside for one input.",
        examples="""\
qkvae look runs/demo "the third of May 2024" --out page.html
qkvae look runs/photos cat.jpg --class dog --block 2""",
    ),
    "data": Verb(target="qkvae.cli.check:app", help="Check data before training on it."),
    "info": Verb(
        target="qkvae.cli.show:info",
        help="Say what a run is: task, settings, data, scores.",
        examples="""\
qkvae info runs/mine
qkvae info runs/mine --json""",
    ),
    "import": Verb(
        target="qkvae.cli.foreign:import_",
        help="Make a run of a Hugging Face folder, to be used, measured or fine-tuned.",
        examples="qkvae import models/gpt2 --out runs/gpt2",
    ),
    "export": Verb(
        target="qkvae.cli.foreign:export",
        help="Write a run as others read it: a folder for transformers' from_pretrained.",
        examples="qkvae export runs/gpt2 models/mine --to huggingface",
    ),
    "prove": Verb(
        target="qkvae.cli.measure:prove",
        help="Check on your run the invariances every correct model keeps; exit code 1 if one fails.",
        examples="qkvae prove runs/mine",
    ),
}

EXAMPLES = """\
qkvae train translation --minutes 3 --out runs/demo
qkvae use runs/demo "the third of May 2024"
qkvae look runs/demo "the third of May 2024"
qkvae train translation --help"""


def build() -> App:
    """The application: every verb of the table by its import path, so that help needs none of them."""
    app = App(
        name="qkvae",
        help="Train a Transformer or a VAE on your own data, see every number inside it, and use it.",
        help_epilogue=as_epilogue(EXAMPLES),
        help_format="plaintext",
        version=__version__,
        default_parameter=Parameter(negative=(), show_default=False),
        print_error=False,
        exit_on_error=False,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for place, (name, verb) in enumerate(VERBS.items()):
        own = {"help_epilogue": as_epilogue(verb.examples)} if verb.examples else {}
        app.command(verb.target, name=name, help=verb.help, sort_key=place, **own)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and give its exit code.

    Arguments:
        arguments: the words after ``qkvae``; those of the process if not given.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
    try:
        code = build()(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except KeyboardInterrupt:
        say("qkvae: stopped")
        return 130
    except BrokenPipeError:
        return _reader_left()
    except Exception as error:
        return _fail(error)
    return code if isinstance(code, int) else 0


def _fail(error: Exception) -> int:
    """Say what went wrong in one line; the traceback only for those who ask."""
    debug = os.environ.get("QKVAE_DEBUG", "") not in ("", "0")
    if debug and not isinstance(error, CycloptsError):
        import traceback

        traceback.print_exception(error)
    code, line = explain(error)
    hint = "" if debug or is_expected(error) else " (QKVAE_DEBUG=1 shows where)"
    complain(f"qkvae: {line}{hint}")
    return code


def _reader_left() -> int:
    """Our reader has closed the pipe (``| head``): end in silence, as a program killed by SIGPIPE does."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141
