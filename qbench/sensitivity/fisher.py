"""What the documents rank layers by: gradients of the loss on the text's own tokens, without what a format would change, or with its sign.

Over the sequences n of a probe, with L_n the mean log-likelihood of a scored token and w the weights of a unit,

    diagonal Fisher     mean over n and w of (∂L_n/∂w)²
    gradient magnitude  mean over n and w of |∂L_n/∂w|
    signed gradient     |mean over n of ⟨∂L_n/∂W, ΔW⟩|

The first two know nothing of a format and the third nothing of the second order, which is all there is at a minimum of the loss. A tied
table's two uses are counted one by one in the first two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qbench.errors import ProfileError
from qbench.levels import Level
from qbench.quant.intx import changes
from qbench.sensitivity.parts import Part
from qbench.sensitivity.taps import Answer, Rows, Taps


@dataclass(frozen=True)
class Gradients:
    """Sums over the sequences of a batch."""

    squared: NDArray[np.float64]
    """(units,): of the mean over weights of the squared gradient."""
    absolute: NDArray[np.float64]
    """(units,): of the mean over weights of the absolute gradient."""
    signed: NDArray[np.float64]
    """(units, formats): of gradient · ΔW."""


def gradients(
    model: torch.nn.Module, parts: Sequence[Part], formats: Mapping[str, Level], batch: Any, answer: Answer
) -> Gradients:
    """Go through the gradients of a batch's log-likelihoods.

    Raises:
        ProfileError: ``answer`` gives no labels.
    """
    part_of = {weight.name: place for place, part in enumerate(parts) for weight in part.weights}
    levels = list(formats.values())
    sizes = torch.tensor([sum(weight.weight.numel() for weight in part.weights) for part in parts], dtype=torch.float64)
    squared, absolute = torch.zeros(len(parts), dtype=torch.float64), torch.zeros(len(parts), dtype=torch.float64)
    signed = torch.zeros(len(parts), len(formats), dtype=torch.float64)

    def take(rows: Rows) -> None:
        place = part_of[rows.unit.name]
        squared[place] += float(rows.gradient.square().sum())
        absolute[place] += float(rows.gradient.abs().sum())
        along = torch.bmm(changes(rows.weight, levels), rows.gradient.sum(0)[:, :, None])  # (rows, formats, 1)
        signed[place] += along.sum((0, 2), dtype=torch.float64).cpu()

    with Taps(model, [weight for part in parts for weight in part.weights], take) as taps:
        scored = answer(batch)
        if scored.labels is None:
            raise ProfileError("Gradients of the loss need labels; give them to Scored.")
        taps.n_sequences = scored.n_sequences
        log_likelihoods = scored.logits.float().log_softmax(-1).gather(1, scored.labels[:, None])[:, 0]
        counts = torch.bincount(scored.sequence, minlength=scored.n_sequences)
        torch.autograd.backward((log_likelihoods / counts[scored.sequence]).sum())
    return Gradients((squared / sizes).numpy(), (absolute / sizes).numpy(), signed.numpy())
