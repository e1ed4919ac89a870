"""Where a classifier looked."""

from __future__ import annotations

from functools import partial

import torch

from qkvae.config.names import nearest
from qkvae.data.labels import Labels
from qkvae.inspect.picture_look import View, look_at
from qkvae.inspect.sections_page import SectionsPage
from qkvae.tasks.grids import asked
from qkvae.tasks.image_classification.classifier import GridClassifier
from qkvae.tasks.labelling import chances, told_of
from qkvae.tasks.task import Aim

_USUAL = Aim()


def look(classifier: GridClassifier, path: str, name: str, aim: Aim = _USUAL) -> SectionsPage:
    """Label the first example of a file, and show every map of where the model looked for its best label, or
    for the class asked for.

    Raises:
        ValueError, FileNotFoundError: there is no such file, class or block, or the file cannot be
            read.
    """
    if not path.strip():
        raise ValueError("there is nothing to look at: give the path of a file")
    form, labels = classifier.form, classifier.labels
    view = View(chances=partial(chances, labels), chosen=_number(labels, aim), block=aim.block)
    found = asked(classifier.data, form, path.strip())
    answer = told_of(labels, path, classifier.read(found)[0], classifier.generation)
    told = [(label, p, labels.names.index(label)) for label, p in answer.probabilities.items()]
    shares = form.shares(torch.from_numpy(found.values[:1].copy()))
    size = " × ".join(map(str, form.size))
    more = f" Only the first of {len(found):,} examples in it is shown." if len(found) > 1 else ""
    about = f" The maps are for “{aim.class_name}”." if aim.class_name is not None else ""
    note = f"{answer.text}, read at {size}.{more}{about}"
    read = form.normalised(shares)[0]
    return look_at(classifier.model, read, shares[0], told, path.strip(), note, name, view)


def _number(labels: Labels, aim: Aim) -> int | None:
    """The place of the class asked for.

    Raises:
        ValueError: the run has no such class.
    """
    if aim.class_name is None:
        return None
    if aim.class_name not in labels.names:
        raise ValueError(
            f'class "{aim.class_name}" is none of the {len(labels.names)} classes of the run: '
            f"{nearest(aim.class_name, labels.names)}"
        )
    return labels.names.index(aim.class_name)
