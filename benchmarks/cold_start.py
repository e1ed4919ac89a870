"""One sentence as a whole process, from a cold start: CPU seconds and peak memory.

    python benchmarks/cold_start.py

Import, load, tokenise, translate with beam 4, print: by ``qkvae use``, by the shortest script around
Hugging Face's Marian, and by one around CTranslate2; the same weights, the same tokenizer file, an answer
of 16 tokens for all.  "Cold" means a new process; the files lie in the system's cache, as the first,
uncounted turn leaves them.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from processes import Cost, run
from timing import circumstances, parser

SENTENCE = "the third of May 2024"
LENGTH = 16

# Everybody's script as its user would write it; {folder} holds the models, {sentence} is translated.
SCRIPTS = {
    "qkvae use": """
import sys
from qkvae.cli import main
sys.argv = ["qkvae", "use", "{folder}/run", "{sentence}", "--beam", "4", "--max-length", "{length}"]
sys.exit(main())
""",
    "HF generate": """
import torch
from transformers import MarianMTModel, PreTrainedTokenizerFast
tokenizer = PreTrainedTokenizerFast(tokenizer_file="{folder}/run/tokenizer.json")
model = MarianMTModel.from_pretrained("{folder}/marian")
ids = torch.tensor([tokenizer.encode("{sentence}") + [2]])
said = model.generate(ids, num_beams=4, max_new_tokens={length})
print(tokenizer.decode(said[0], skip_special_tokens=True))
""",
    "CTranslate2 int8": """
import ctranslate2, tokenizers
tokenizer = tokenizers.Tokenizer.from_file("{folder}/run/tokenizer.json")
translator = ctranslate2.Translator("{folder}/ctranslate2-int8", compute_type="int8", intra_threads={threads})
words = [f"t{{token}}" for token in tokenizer.encode("{sentence}").ids]
said = translator.translate_batch([[*words, "</s>"]], beam_size=4, max_decoding_length={length})
print(tokenizer.decode([int(word[1:]) for word in said[0].hypotheses[0]]))
""",
}


def prepare(folder: Path, tiny: bool) -> None:
    """Write the run and the peers' models; called in a process of its own, which grows large."""
    from dataclasses import replace

    from material import material
    from peers import read_ours, write_ctranslate2, write_marian, write_ours
    from qkvae import config
    from qkvae.run import Run

    data = material(tiny, "post")
    write_ours(folder, data.model)
    write_marian(folder, data.model)
    write_ctranslate2(folder, data.model.vocab, "int8")
    run = Run.create(folder / "run", "translation", replace(config.Translation(), model=data.model))
    run.save_tokenizer(data.tokenizer)
    run.save_model(read_ours(folder, data.model).state_dict())


def main() -> None:
    """Measure and print."""
    options = parser(__doc__).parse_args()
    rounds = options.rounds or (1 if options.tiny else 5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = "import sys; from cold_start import *; prepare(Path(sys.argv[1]), bool(sys.argv[2]))"
        words = [sys.executable, "-c", program, name, "tiny" if options.tiny else ""]
        subprocess.run(words, check=True, cwd=Path(__file__).parent, stderr=subprocess.DEVNULL)
        costs: dict[str, list[Cost]] = {who: [] for who in SCRIPTS}
        for _ in range(rounds + 1):
            for who, script in SCRIPTS.items():
                text = script.format(folder=folder, sentence=SENTENCE, length=LENGTH, threads=options.threads)
                costs[who].append(run([sys.executable, "-c", text], options.threads))
    print("| who | CPU seconds (median) | seconds on the wall | peak MB |\n|---|---|---|---|")
    for who, all_costs in costs.items():
        counted = all_costs[1:]
        cpu, wall, peak = (statistics.median(getattr(c, k) for c in counted) for k in ("cpu", "wall", "peak"))
        print(f"| {who} | {cpu:.2f} | {wall:.2f} | {peak:,.0f} |")
    print("\n" + circumstances(options))


if __name__ == "__main__":
    main()
