"""Where a classifier looked."""

from __future__ import annotations

from functools import partial

import torch

from qkvae.inspect.picture_look import look_at
from qkvae.inspect.sections_page import SectionsPage
from qkvae.tasks.grids import asked
from qkvae.tasks.image_classification.classifier import GridClassifier
from qkvae.tasks.labelling import chances, told_of


def look(classifier: GridClassifier, path: str, name: str) -> SectionsPage:
    """Label the first example of a file, and show every map of where the model looked for its best label.

    Raises:
        ValueError, FileNotFoundError: there is no such file, or it cannot be read.
    """
    if not path.strip():
        raise ValueError("there is nothing to look at: give the path of a file")
    found, form, labels = (
        asked(classifier.data, classifier.form, path.strip()),
        classifier.form,
        classifier.labels,
    )
    answer = told_of(labels, path, classifier.read(found)[0], classifier.generation)
    told = [(label, p, labels.names.index(label)) for label, p in answer.probabilities.items()]
    shares = form.shares(torch.from_numpy(found.values[:1].copy()))
    size = " × ".join(map(str, form.size))
    more = f" Only the first of {len(found):,} examples in it is shown." if len(found) > 1 else ""
    note = f"{answer.text}, read at {size}.{more}"
    return look_at(
        classifier.model,
        form.normalised(shares)[0],
        shares[0],
        told,
        path.strip(),
        note,
        name,
        partial(chances, labels),
    )
