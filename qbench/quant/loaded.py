"""Models that another library has quantized: bitsandbytes levels, and ready-made checkpoints as they stand."""

import contextlib
import logging
from collections.abc import Iterator


@contextlib.contextmanager
def without_import_complaints() -> Iterator[None]:
    """Hide what torchao says when transformers first imports it, about CUDA kernels that nobody here calls."""
    loggers = [logging.getLogger(name) for name in ("torchao", "torch.utils._pytree")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
