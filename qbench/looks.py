"""Which documents each look of a sequential sweep asks, declared before the first answer is known.

A look adds templates, not items of templates that were asked before, because templates are what the intervals count. In each task the
templates come in an order shuffled by the seed and the task's name alone; after look k a share of them (`qbench.stats.SHARES`) has been
asked, rounded up, so that subcategories stay in balance. In a task that is not of the bank every document is its own template.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from qbench.samples import ITEM_FIELDS
from qbench.stats import SHARES, look_confidences

Document = Mapping[str, Any]


def look_of_each(documents: Iterable[Document], *, task: str, seed: int) -> list[int]:
    """The look that asks each document, counted from 1."""
    templates = [_template(document, position) for position, document in enumerate(documents)]
    names = list(dict.fromkeys(templates))
    shuffled = np.random.default_rng([seed, zlib.crc32(task.encode())]).permutation(len(names))
    asked = np.ceil(np.array(SHARES) * len(names))
    look = {names[i]: int(np.searchsorted(asked, rank, side="right")) + 1 for rank, i in enumerate(shuffled)}
    return [look[template] for template in templates]


def groups(documents: Iterable[Document], *, task: str) -> set[str]:
    """What is decided on when these documents are asked: their category, or the task where it is not of the bank."""
    return {str(document["category"]) if document.keys() >= ITEM_FIELDS else task for document in documents}


def declared(documents: Mapping[str, Sequence[Document]], *, seed: int, confidence: float) -> list[dict[str, Any]]:
    """What sweep.json says of each look: the share of the templates it reaches, the confidence of its intervals, the items it adds
    to each task, and the templates that those are of."""
    looks = {task: look_of_each(found, task=task, seed=seed) for task, found in documents.items()}
    return [
        {
            "share": share,
            "confidence": round(look_confidence, 6),
            "items": {task: of_documents.count(look) for task, of_documents in looks.items()},
            "templates": {
                task: sorted(
                    {
                        document["template"]
                        for document, own in zip(documents[task], of_documents, strict=True)
                        if own == look
                    }
                )
                for task, of_documents in looks.items()
                if all(document.keys() >= ITEM_FIELDS for document in documents[task])
            },
        }
        for look, (share, look_confidence) in enumerate(zip(SHARES, look_confidences(confidence), strict=True), start=1)
    ]


def _template(document: Document, position: int) -> str:
    return str(document["template"]) if document.keys() >= ITEM_FIELDS else str(position)
