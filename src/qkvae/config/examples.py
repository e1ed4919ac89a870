"""Commands that the help of each task ends with."""

from __future__ import annotations

TRAINING: dict[str, str] = {
    "translation": """\
qkvae train translation --minutes 3 --out runs/demo
qkvae train translation train.en.gz train.de.gz --valid val.en.gz val.de.gz --minutes 30 --out runs/mine
qkvae train translation pairs.tsv --source en --target it --model.dim 256 --steps 2000
qkvae train translation --config recipes/europarl-en-it.toml --out runs/europarl""",
    "text-generation": """\
qkvae train text-generation --minutes 3 --out runs/demo
qkvae train text-generation book.txt --minutes 10 --out runs/book
qkvae train text-generation texts/ more.jsonl.gz --text body --tokenizer bpe --length 512 --out runs/texts
qkvae train text-generation chats.jsonl --format chat --minutes 30 --out runs/chats""",
    "fill-mask": """\
qkvae train fill-mask --minutes 3 --out runs/demo
qkvae train fill-mask texts/ more.jsonl.gz --text body --minutes 30 --out runs/mlm
qkvae train fill-mask book.txt --mask words --tokenizer word --length 64 --out runs/book""",
    "text-classification": """\
qkvae train text-classification --minutes 3 --out runs/demo
qkvae train text-classification train.tsv --valid dev.tsv --text 0 --label 1 --minutes 10 --out runs/mine
qkvae train text-classification pairs.tsv --text first --pair second --label score --kind number
qkvae train text-classification reviews/ --class-weights balanced --out runs/reviews""",
    "question-answering": """\
qkvae train question-answering --minutes 3 --out runs/demo
qkvae train question-answering squad.json --valid squad-dev.json --minutes 60 --out runs/squad
qkvae train question-answering questions.jsonl --max-length 384 --overlap 128 --out runs/mine""",
    "feature-extraction": """\
qkvae train feature-extraction --minutes 3 --out runs/demo
qkvae train feature-extraction pairs.tsv --text first --pair second --label score --out runs/alike
qkvae train feature-extraction train.en train.de --group 128 --minutes 10 --out runs/both""",
    "image-classification": """\
qkvae train image-classification --minutes 2 --out runs/digits
qkvae train image-classification photos/ --minutes 60 --flip 0.5 --out runs/photos
qkvae train image-classification train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz --out runs/mine
qkvae train image-classification photos/ --from runs/masked --out runs/tuned""",
    "masked-image-modeling": """\
qkvae train masked-image-modeling --minutes 2 --out runs/masked-digits
qkvae train masked-image-modeling photos/ --size 64 --minutes 60 --out runs/masked""",
    "signal-classification": """\
qkvae train signal-classification --minutes 2 --out runs/waves
qkvae train signal-classification beats.csv --label rhythm --minutes 10 --out runs/beats""",
    "video-classification": """\
qkvae train video-classification --minutes 5 --out runs/moving
qkvae train video-classification clips.npz --model.patch 2 8 8 --minutes 30 --out runs/clips""",
    "vae": """\
qkvae train vae --minutes 3 --out runs/digits
qkvae train vae photos/ --size 64 --model.net convolutional --minutes 20 --out runs/faces
qkvae train vae readings.csv --ignore class --out runs/readings
qkvae train vae captions.txt --minutes 20 --out runs/captions
qkvae train vae train-images-idx3-ubyte.gz --bound iwae --draws 5 --minutes 30""",
    "vq-vae": """\
qkvae train vq-vae --minutes 2 --out runs/codes
qkvae train vq-vae photos/ --size 64 --model.codes 512 --minutes 30 --out runs/photo-codes
qkvae train vq-vae train-images-idx3-ubyte.gz --model.codes 128 --minutes 8 --out runs/vq""",
    "image-generation": """\
qkvae train image-generation --from runs/codes --minutes 3 --out runs/drawn
qkvae train image-generation train-images-idx3-ubyte.gz --from runs/vq --minutes 12 --out runs/prior
qkvae train image-generation photos/ --condition label --from runs/photo-codes --model.depth 6""",
}
"""Below `qkvae train TASK --help`."""

TRIAL: dict[str, str] = {
    "image-classification": "picture.png",
    "masked-image-modeling": "picture.png",
    "signal-classification": "signals.npy",
    "video-classification": "clips.npy",
    "vae": "--sample 16",
    "vq-vae": "picture.png",
    "image-generation": "--sample 64 --png grid.png",
}
"""What is typed behind `qkvae use RUN` to try a run of these tasks; a text for any other."""

CHECKING: dict[str, str] = {
    "translation": """\
qkvae data check translation train.en.gz train.de.gz --valid val.en.gz val.de.gz
qkvae data check translation pairs.tsv --source en --target it --json""",
    "text-generation": """\
qkvae data check text-generation texts/ --valid held-out.txt
qkvae data check text-generation chats.jsonl --format chat""",
    "fill-mask": """\
qkvae data check fill-mask texts/ --valid held-out.txt
qkvae data check fill-mask reviews.jsonl --text body --json""",
    "text-classification": """\
qkvae data check text-classification train.tsv --valid dev.tsv --text 0 --label 1
qkvae data check text-classification reviews/ --json""",
    "question-answering": """\
qkvae data check question-answering squad.json --valid squad-dev.json
qkvae data check question-answering questions.jsonl --json""",
    "feature-extraction": """\
qkvae data check feature-extraction pairs.tsv --text first --pair second --label score
qkvae data check feature-extraction train.en train.de --json""",
    "image-classification": """\
qkvae data check image-classification photos/ --valid held-out/
qkvae data check image-classification pictures.csv --picture file --label species --json""",
    "masked-image-modeling": """\
qkvae data check masked-image-modeling photos/ --size 64""",
    "signal-classification": """\
qkvae data check signal-classification beats.csv --label rhythm""",
    "video-classification": """\
qkvae data check video-classification clips.npz""",
    "vae": """\
qkvae data check vae photos/ --size 64
qkvae data check vae readings.csv --valid later.csv --ignore class""",
    "vq-vae": """\
qkvae data check vq-vae photos/ --size 64""",
    "image-generation": """\
qkvae data check image-generation photos/ --condition label""",
}
"""Below `qkvae data check TASK --help`."""
