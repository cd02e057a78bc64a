"""Which weights of a model a level applies to."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import transformers.pytorch_utils

from qbench.errors import LevelError

Loader = Callable[[str], torch.Tensor]
"""Gives the full-precision weight of a parameter by its name."""


@dataclass(frozen=True)
class Unit:
    """One weight matrix that can be quantized: a linear layer or an embedding table."""

    name: str
    """Name of its module."""
    weight: torch.nn.Parameter
    transposed: bool
    """True for GPT-2's Conv1D, which stores (in, out) where a linear layer stores (out, in)."""
    tied_to: tuple[str, ...] = ()
    """Other modules that hold the very same tensor, as a language-modelling head often does."""

    @property
    def parameter_name(self) -> str:
        return f"{self.name}.weight"

    def rows(self, weight: torch.Tensor) -> torch.Tensor:
        """The weight as (out, in), so that one row feeds one output and groups run along the inputs."""
        return weight.T if self.transposed else weight


# Position tables are small, and no engine that people deploy quantizes them.
POSITION_TABLES = ("position", "wpe")


def units(model: torch.nn.Module) -> list[Unit]:
    """Return every weight matrix of the model that levels apply to, tied ones once.

    Raises:
        LevelError: the model keeps weight matrices that are no linear layer (fused experts, say), so that a level would silently leave
            most of the model as it is.
    """
    kinds = (torch.nn.Linear, torch.nn.Embedding, transformers.pytorch_utils.Conv1D)
    found: dict[int, Unit] = {}
    for name, module in model.named_modules():
        if not isinstance(module, kinds) or any(word in name for word in POSITION_TABLES):
            continue
        key = id(module.weight)
        if key in found:
            first = found[key]
            found[key] = Unit(first.name, first.weight, first.transposed, (*first.tied_to, name))
        else:
            transposed = isinstance(module, transformers.pytorch_utils.Conv1D)
            found[key] = Unit(name, module.get_parameter("weight"), transposed)
    fused = [name for name, parameter in model.named_parameters() if parameter.ndim >= 3 and id(parameter) not in found]
    if fused:
        raise LevelError(
            f"This model keeps {len(fused)} fused weights that are not linear layers (first: {fused[0]}), as mixture-of-experts models "
            "do; levels cannot be applied to them yet. Evaluate it with level fp16."
        )
    if not found:
        raise LevelError("This model has no linear layer that a level could be applied to.")
    return list(found.values())
