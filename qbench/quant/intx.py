"""Engine ``intx``: groupwise round-to-nearest integers of 2 to 8 bits, by torchao.

torchao decides scales, zero points and codes; the weights are then written back as the numbers those codes stand for. Every later
computation is the same as torchao's own weight-only kernels make on a CPU (they dequantize before they multiply), at the speed of
the full-precision model. What is not simulated is the small file: storage is reported as computed, memory as measured.
"""

import contextlib
import logging
from collections.abc import Iterator

import torch

from qbench.errors import LevelError
from qbench.levels import Level


@contextlib.contextmanager
def without_import_complaints() -> Iterator[None]:
    """Hide what torchao says when it is first imported, by us or by transformers, about CUDA kernels that nobody here calls."""
    loggers = [logging.getLogger(name) for name in ("torchao", "torch.utils._pytree")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def group_size_for(level: Level, n_inputs: int) -> int:
    """The level's group size, or the largest power-of-two part of it that divides a row; rows of odd length are one group."""
    size = level.group_size
    while size > 8 and n_inputs % size:
        size //= 2
    return size if n_inputs % size == 0 else n_inputs


def quantize(weight: torch.Tensor, level: Level) -> torch.Tensor:
    """Return the (out, in) weight as its codes represent it, in the dtype it came in.

    Raises:
        LevelError: the weight contains infinities or NaN, which no code can represent.
    """
    with without_import_complaints():
        from torchao.quantization import IntxWeightOnlyConfig, MappingType, PerGroup, quantize_

    if level.bits is None:
        return weight
    if not torch.isfinite(weight).all():
        raise LevelError(
            "A weight of this model is infinite or NaN; the checkpoint is damaged or was saved in too narrow a format."
        )
    config = IntxWeightOnlyConfig(
        weight_dtype=getattr(torch, f"int{level.bits}"),
        granularity=PerGroup(group_size_for(level, weight.shape[1])),
        mapping_type=MappingType.SYMMETRIC if level.symmetric else MappingType.ASYMMETRIC,
        scale_dtype=torch.float16,
    )
    # torchao works on modules; an empty linear layer around the one weight is the smallest.
    holder = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    holder.weight = torch.nn.Parameter(weight.float(), requires_grad=False)
    quantize_(holder, config)
    return holder.weight.dequantize().to(weight.dtype)
