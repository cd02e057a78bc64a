"""Engine ``bnb``: bitsandbytes' int8, nf4 and fp4, through transformers' own configuration, on a CPU as on a GPU.

The library replaces the linear layers while the model is loaded; embeddings and the head stay as they are. ``int8`` is LLM.int8: its
layers also round what flows into them, outliers excepted (Dettmers et al., arXiv:2208.07339). ``nf4`` and ``fp4`` round weights alone.
"""

from typing import Any

import torch
import transformers
from transformers.utils import is_bitsandbytes_available

from qbench.errors import LevelError
from qbench.levels import Level


def configuration(level: Level, dtype: Any) -> Any:
    """Return the ``transformers.BitsAndBytesConfig`` of a level.

    Args:
        level: int8, nf4 or fp4.
        dtype: what the model computes in, as lm-eval takes it: a name, a torch dtype, or ``auto`` for the checkpoint's own.

    Raises:
        LevelError: bitsandbytes is not installed.
    """
    if not is_bitsandbytes_available():
        raise LevelError(f"Level {level.name} needs bitsandbytes, which is not installed: pip install 'qbench[bnb]'.")
    if level.bits == 8:
        return transformers.BitsAndBytesConfig(load_in_8bit=True)
    computing = getattr(torch, dtype) if isinstance(dtype, str) and dtype != "auto" else dtype
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=level.name,
        bnb_4bit_compute_dtype=computing if isinstance(computing, torch.dtype) else torch.bfloat16,
    )
