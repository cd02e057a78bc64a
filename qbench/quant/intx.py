"""Engine ``intx``: groupwise round-to-nearest integers of 2 to 8 bits, the numbers that torchao's ``IntxWeightOnlyConfig`` makes.

The weights are written back as the numbers that their codes stand for. Every later computation is the same as torchao's own
weight-only kernels make on a CPU (they dequantize before they multiply), at the speed of the full-precision model. What is not
simulated is the small file: storage is reported as computed, memory as measured.

torchao takes some forty passes over a whole matrix. The same few operations on pieces that stay in the processor's cache give the same
numbers, bit for bit (a test compares them), several times as fast (``benchmarks/quantize.py``). They differ in one place: torchao
inverts the fp16 scale in fp16, which is infinity below 1.5e-5, so that a group of very small weights becomes noise. There we invert in
fp32.
"""

import math
from collections.abc import Sequence

import torch

from qbench.errors import LevelError
from qbench.levels import Level

PIECE = 1 << 16
"""Weights of a piece, for each thread of a CPU: with its scratch half a megabyte, which fits a core's second-level cache."""
PIECES = 8
"""Pieces whose grids are chosen together, since a grid takes twenty operations, each too short to be worth its call on one piece."""
DEVICE_PIECE = 1 << 25
"""Weights of a piece on an accelerator, where only the memory for scratch is a limit."""
SMALLEST, LARGEST = torch.finfo(torch.float32).smallest_normal, torch.finfo(torch.float32).max


def group_size_for(level: Level, n_inputs: int) -> int:
    """The level's group size, or the largest power-of-two part of it that divides a row; rows of odd length are one group."""
    size = level.group_size or n_inputs
    while size > 8 and n_inputs % size:
        size //= 2
    return size if n_inputs % size == 0 else n_inputs


def lower(weight: torch.Tensor, level: Level, out: torch.Tensor) -> tuple[float, float]:
    """Write the (out, in) weight as its codes represent it into ``out``, which may be the weight itself and sets the dtype.

    Returns:
        The Frobenius norms of the change and of the weight.

    Raises:
        LevelError: the weight contains infinities or NaN, which no code can represent.
    """
    if not out.is_contiguous():  # a Conv1D seen as rows
        lowered = torch.empty_like(out, memory_format=torch.contiguous_format)
        norms = lower(weight, level, lowered)
        out.copy_(lowered)
        return norms
    group_size = group_size_for(level, weight.shape[1])
    groups, lowered = weight.contiguous().view(-1, group_size), out.view(-1, group_size)
    piece = (PIECE * torch.get_num_threads() if out.device.type == "cpu" else DEVICE_PIECE) // group_size or 1
    scratch = torch.empty(min(piece, len(groups)), group_size, device=out.device)
    in_place = groups.data_ptr() == lowered.data_ptr()
    change, total = torch.zeros((), device=out.device), torch.zeros((), device=out.device)
    for original, target in zip(torch.split(groups, PIECES * piece), torch.split(lowered, PIECES * piece), strict=True):
        values = original.to(out.dtype).to(torch.float32, copy=in_place)
        extremes = torch.amin(values, 1, keepdim=True), torch.amax(values, 1, keepdim=True)
        pieces = (torch.split(part, piece) for part in (values, target, *grid(*extremes, level)))
        for weights, results, inverse, smallest, largest, scale in zip(*pieces, strict=True):
            codes = torch.mul(weights, inverse, out=scratch[: len(weights)]).round_()
            torch.clamp_min(codes, smallest, out=codes)
            torch.clamp_max(codes, largest, out=codes)
            torch.mul(codes, scale, out=results)
            error = torch.sub(weights, results, out=codes).view(-1)
            change += torch.dot(error, error)
            total += torch.dot(weights.view(-1), weights.view(-1))
    _check_finite(change + total)
    return math.sqrt(float(change)), math.sqrt(float(total))


def grid(
    smallest: torch.Tensor, largest: torch.Tensor, level: Level
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Choose the grid of each group from its (n, 1) smallest and largest weights.

    Not a tidy sequence of operations but torchao's: each rounds where torchao rounds.

    Returns:
        Of each group, as (n, 1): the inverse of the scale, the smallest and the largest code, less the zero point, and the scale.
    """
    assert level.bits is not None
    lowest, highest = -(1 << (level.bits - 1)), (1 << (level.bits - 1)) - 1
    smallest, largest = smallest.clamp(max=0), largest.clamp(min=0)
    if level.symmetric:
        exact = torch.maximum(-smallest, largest).div_((highest - lowest) / 2).clamp_(min=SMALLEST)
        zero_point = torch.zeros_like(exact)
    else:
        exact = (largest - smallest).div_(float(highest - lowest)).clamp_(min=SMALLEST)
        zero_point = (smallest / exact).round_().neg_().add_(lowest).clamp_(lowest, highest)
    stored = exact.half()
    scale, inverse = stored.float(), stored.reciprocal().float()
    inverse = torch.where(inverse.isinf(), scale.reciprocal().clamp_(max=LARGEST), inverse)
    return inverse, lowest - zero_point, highest - zero_point, scale


def changes(weight: torch.Tensor, levels: Sequence[Level]) -> torch.Tensor:
    """What each level changes in an (out, in) weight: (out, levels, in), float32. The numbers of `quantize`, less the weight.

    Raises:
        LevelError: as `lower`.
    """
    n_inputs = weight.shape[1]
    found = torch.empty(len(weight), len(levels), n_inputs, device=weight.device)
    n_rows = max(1, (PIECE * torch.get_num_threads() if weight.device.type == "cpu" else DEVICE_PIECE) // n_inputs)
    for original, change in zip(torch.split(weight, n_rows), torch.split(found, n_rows), strict=True):
        values = original.float().contiguous()
        extremes: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        for column, level in enumerate(levels):
            size = group_size_for(level, n_inputs)
            groups = values.view(-1, size)
            if size not in extremes:
                extremes[size] = torch.amin(groups, 1, keepdim=True), torch.amax(groups, 1, keepdim=True)
            inverse, smallest, largest, scale = grid(*extremes[size], level)
            codes = torch.mul(groups, inverse).round_()
            torch.clamp_min(codes, smallest, out=codes)
            torch.clamp_max(codes, largest, out=codes)
            change[:, column] = codes.mul_(scale).to(weight.dtype).float().sub_(groups).view_as(values)
    _check_finite(found.sum())
    return found


def _check_finite(total: torch.Tensor) -> None:
    if not math.isfinite(float(total)):
        raise LevelError(
            "A weight of this model is infinite or NaN, or beyond what an fp16 scale can reach; the checkpoint is damaged or was saved in "
            "too narrow a format."
        )


def quantize(weight: torch.Tensor, level: Level) -> torch.Tensor:
    """Return the (out, in) weight as its codes represent it, in the dtype it came in."""
    lowered = torch.empty_like(weight, memory_format=torch.contiguous_format)
    lower(weight, level, lowered)
    return lowered
