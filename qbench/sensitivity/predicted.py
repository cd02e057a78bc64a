"""Predicted cost: what lowering a unit will cost in KL divergence, from a pass forward and a few back, at all formats at once.

To second order, the KL between a model and the same model with its weights changed by ΔW is half the Fisher information's quadratic form,

    KL ≈ ½ Σ_t E_y[(∂ log p_t(y) · ΔW)²],        y drawn from the model's own softmax p_t at the scored position t

(Martens 2020, JMLR 21:146, section 5). The gradient of log p(y) at the logits is the label less p, and all that the form needs of it is its
covariance, diag(p) − p pᵀ. A model that is sure of its answer nearly always draws that answer, whose gradient is nearly nothing, and once
in a long while another: the mean of many draws is right, that of three is not. So labels are not drawn, but random signs z of every answer
but the likeliest (Hutchinson 1990, Commun. Stat. Simul. Comput. 19:433), laid on an orthonormal basis of all that is at right angles to √p:
the columns of the reflection that takes √p to the likeliest answer e (Householder 1958), each nearly "this answer, and not the likeliest".

    u = √p ∘ (z − 2 h (h · z) / (h · h)),        h = √p − e

has that covariance; between two answers it is ±√(p q), and its square the same in every draw. The u of different positions are independent,
so the squares of single positions add up to the square of their sum, and one pass back from all positions of a sequence at once is enough
for a draw. With A = Σ_t ∂(logits_t · u_t), the gradient of a sequence n in a draw k with respect to the weights, and a_o the part of A · ΔW
in the rows o (outputs) of the weights,

    whole  = (Σ_o a_o)²            unbiased, but one square with one degree of freedom for each sequence and draw
    rows   = Σ_o a_o²              hundreds of squares; leaves out what the rounding of two rows has in common, which is little

    s(unit, format) = 1 / (2 K Σ_n T_n) Σ_n Σ_k [rows + β (whole − rows)]

β, one number for a text, is the share of what the two differ by that is not the noise of the draws (`blend`). docs/sensitivity.md has the
measurement, also with labels, and with the squares of single tokens, which leave out what the tokens of a sequence have in common, and that
is much.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qbench.levels import Level
from qbench.quant.intx import changes
from qbench.sensitivity.parts import Part
from qbench.sensitivity.taps import Answer, Rows, Scored, Taps

DEFAULT_DRAWS = 3


def predict(
    model: torch.nn.Module,
    parts: Sequence[Part],
    formats: Mapping[str, Level],
    batches: Sequence[Any],
    answer: Answer,
    *,
    draws: int = DEFAULT_DRAWS,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Predict the cost of every unit at every format.

    Args:
        model: in full precision; it is left as it was.
        parts: what is lowered as one; a unit of several modules is predicted with what its modules do to one another.
        formats: what each may be lowered to.
        batches: whatever ``answer`` takes, each of one or more sequences.
        answer: runs the model on a batch; see `qbench.sensitivity.taps.Scored`.
        draws: K above; the standard error that draws add falls with its root.
        seed: of the draws; a batch draws the same whatever other batches there are.

    Returns:
        Nats of KL of every sequence, summed over its scored positions: (units, formats, sequences), sequences in the order of the batches.
    """
    found = [
        squares(model, parts, formats, batch, answer, draws=draws, seed=(seed, i)) for i, batch in enumerate(batches)
    ]
    return blend(np.concatenate(found, axis=-1))


def blend(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """One estimate of two: ``rows``, moved towards ``whole`` by the share of their difference that is not noise.

    With d = whole / rows − 1 of a unit at a format, E d² is what rows leave out, squared, and the noise of d, which its sequences tell
    (the variance of a ratio of sums: Cochran 1977, 2.11). The share of the first, from the means over units and formats, is what a
    regression of the truth on d would have for its slope (empirical Bayes: Efron & Morris 1973, JASA 68:117).

    Args:
        squares: of `squares`, (2, units, formats, sequences).

    Returns:
        (units, formats, sequences), in nats as the squares are; of a single sequence, whose noise cannot be told, ``rows``.
    """
    whole, rows = squares
    n = rows.shape[-1]
    sums = rows.sum(-1)
    sums[sums == 0] = 1  # of a unit that a format leaves as it is
    d = (whole - rows).sum(-1) / sums
    noise = np.square(whole - rows - d[..., None] * rows).sum(-1) / np.square(sums) * n / max(n - 1, 1)
    spread = np.square(d).mean()
    share = max(0.0, 1 - noise.mean() / spread) if n > 1 and spread > 0 else 0.0
    blended: NDArray[np.float64] = rows + share * (whole - rows)
    return blended


def squares(
    model: torch.nn.Module,
    parts: Sequence[Part],
    formats: Mapping[str, Level],
    batch: Any,
    answer: Answer,
    *,
    draws: int,
    seed: tuple[int, ...],
) -> NDArray[np.float64]:
    """``whole`` and ``rows`` of one batch, halved and as a mean over the draws: (2, units, formats, sequences), in nats."""
    part_of = {weight.name: place for place, part in enumerate(parts) for weight in part.weights}
    levels = list(formats.values())

    def take(rows: Rows) -> None:
        along = torch.bmm(changes(rows.weight, levels), rows.gradient.permute(1, 2, 0))  # (rows, formats, sequences)
        place = part_of[rows.unit.name]
        whole[place] += along.sum(0).to(whole.device)  # of a model that is spread over several devices
        apart[place] += along.square().sum(0).to(whole.device)

    with Taps(model, [weight for part in parts for weight in part.weights], take) as taps:
        scored = answer(batch)
        taps.n_sequences = scored.n_sequences
        total = torch.zeros(2, len(parts), len(formats), scored.n_sequences, device=scored.logits.device)
        whole, apart = torch.zeros_like(total)
        draw = _drawing(scored, seed)
        for k in range(draws):
            whole.zero_()
            apart.zero_()
            torch.autograd.backward(scored.logits, draw(), retain_graph=k < draws - 1)
            total += torch.stack([whole.square(), apart])
    found: NDArray[np.float64] = (total / (2 * draws)).double().cpu().numpy()
    return found


def _drawing(scored: Scored, seed: tuple[int, ...]) -> Callable[[], torch.Tensor]:
    """Each call gives a random u for every scored position (positions, vocabulary): mean 0, covariance diag(p) − p pᵀ."""
    device = scored.logits.device
    state = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
    generator = torch.Generator(device).manual_seed(int(state >> np.uint64(1)))
    p = scored.logits.detach().float().softmax(-1)
    likeliest = p.argmax(-1, keepdim=True)
    highest = p.gather(-1, likeliest).sqrt_()
    others = p.scatter(-1, likeliest, 0).sum(-1, keepdim=True).clamp_(min=torch.finfo(p.dtype).tiny)
    root = p.sqrt_()
    behind = others / (1 + highest)  # 1 − √p of the likeliest, which rounding would not leave of a sure model
    squared = others + behind.square()  # h · h

    def draw() -> torch.Tensor:
        z = torch.empty_like(root).random_(0, 2, generator=generator).mul_(2).sub_(1).scatter_(-1, likeliest, 0)
        along = 2 * torch.linalg.vecdot(root, z)[:, None] / squared
        return (
            z.addcmul_(root, along, value=-1).scatter_(-1, likeliest, along * behind).mul_(root).to(scored.logits.dtype)
        )

    return draw
