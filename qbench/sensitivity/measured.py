"""Measured cost: the KL divergence between the full-precision model and the model in which something really was lowered.

One unit lowered in a full-precision model (leave one in), and one unit restored in a lowered model. Logits are never kept beyond a batch.
"""

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qbench.levels import Level
from qbench.quant.intx import quantize
from qbench.sensitivity.parts import Part
from qbench.sensitivity.taps import Answer, Scored

PIECE = 1 << 22
"""Logits that are compared at a time, in float64: a KL of 1e-6 is lost in the rounding of float32."""


def divergence(base: Scored, other: Scored) -> NDArray[np.float64]:
    """KL(base ‖ other) in nats, summed over the scored positions of each sequence: (sequences,)."""
    nats = torch.zeros(base.n_sequences, dtype=torch.float64, device=base.logits.device)
    step = max(1, PIECE // base.logits.shape[-1])
    for start in range(0, len(base.logits), step):
        ours, theirs = (scored.logits[start : start + step].double().log_softmax(-1) for scored in (base, other))
        nats.index_add_(0, base.sequence[start : start + step], (ours.exp() * (ours - theirs)).sum(-1))
    # What is left of 0 by rounding is not less than nothing.
    found: NDArray[np.float64] = nats.clamp_(min=0).cpu().numpy()
    return found


@contextlib.contextmanager
def lowered(parts: Sequence[Part], level: Level) -> Iterator[None]:
    """The model with the weights of these units at a level, for as long as the block lasts; beside it, a copy of their originals."""
    weights = [weight for part in parts for weight in part.weights]
    originals = [weight.weight.data.clone() for weight in weights]
    try:
        for weight in weights:
            for matrix in weight.matrices(weight.weight.data):
                matrix.copy_(quantize(matrix, level))
        yield
    finally:
        for weight, original in zip(weights, originals, strict=True):
            weight.weight.data.copy_(original)


class Divergences:
    """KL of a batch between the model as it is now, in full precision, and with something lowered.

    Leave one in is one unit lowered. What restoring a unit gives back is what all units lowered cost, less what all others do.
    """

    def __init__(self, batch: Any, answer: Answer) -> None:
        self.batch, self.answer = batch, answer

    @functools.cached_property
    def base(self) -> Scored:
        return self.answer(self.batch)

    @torch.no_grad()
    def lowering(self, parts: Sequence[Part], level: Level) -> NDArray[np.float64]:
        """Nats of each sequence, summed over its scored positions, with these units at a level and all others in full precision."""
        base = self.base
        with lowered(parts, level):
            return divergence(base, self.answer(self.batch))


def measure(
    parts: Sequence[Part], formats: Mapping[str, Level], batches: Sequence[Any], answer: Answer
) -> NDArray[np.float64]:
    """Leave one in: what `qbench.sensitivity.predicted.predict` predicts, as (units, formats, sequences).

    A pass over the batches for each unit at each format.
    """
    found = []
    for batch in batches:
        divergences = Divergences(batch, answer)
        found.append([[divergences.lowering([part], level) for level in formats.values()] for part in parts])
    return np.concatenate([np.asarray(own) for own in found], axis=2)
