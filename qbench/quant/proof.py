"""Proof that a level was applied: what became of every module, and what the whole model weighs.

Two ways of counting never mix: *storage* is what the codes and scales of a level would take in a file, *resident* is what the running
model takes in memory (the same at every level of an engine that computes with dequantized weights).
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Self

import torch

FULL_PRECISION_BYTES = 2.0
"""What a file stores of a weight that no level touched, whatever the running model computes in."""


@dataclass(frozen=True)
class ModuleProof:
    """What a level did to one weight: a matrix, a table, or the stacked matrices of fused experts."""

    name: str
    level: str
    bits: int | None
    """Code width; None where the weight was left as loaded."""
    group_size: int | None
    relative_error: float
    """Frobenius norm of the change over that of the weight; 0 where nothing changed, NaN where no original is known."""
    n_weights: int
    storage_bytes: float

    @classmethod
    def as_loaded(cls, name: str, n_weights: int, storage_bytes: float | None = None) -> Self:
        """A weight that the level leaves in full precision."""
        n_bytes = FULL_PRECISION_BYTES * n_weights if storage_bytes is None else storage_bytes
        return cls(name, "fp16", None, None, 0.0, n_weights, n_bytes)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "relative_error": None if math.isnan(self.relative_error) else self.relative_error}


@dataclass(frozen=True)
class Proof:
    """What a level did to a model."""

    modules: tuple[ModuleProof, ...]
    n_parameters: int
    resident_bytes: int
    other_bytes: float
    """Storage of norms and biases, which no level applies to, and of what a ready-made checkpoint holds beside its modules."""

    @property
    def n_quantized(self) -> int:
        return sum(module.n_weights for module in self.modules if module.bits is not None)

    @property
    def share_quantized(self) -> float:
        """Share of all parameters that were quantized."""
        return self.n_quantized / self.n_parameters

    @property
    def storage_bytes(self) -> float:
        return sum(module.storage_bytes for module in self.modules) + self.other_bytes

    @property
    def bits_per_weight(self) -> float:
        """Storage per parameter of the whole model, scales and unquantized parts included."""
        return 8 * self.storage_bytes / self.n_parameters

    def to_json(self) -> dict[str, Any]:
        return {
            "share_quantized": self.share_quantized,
            "bits_per_weight": self.bits_per_weight,
            "storage_bytes": round(self.storage_bytes),
            "resident_bytes": self.resident_bytes,
            "n_parameters": self.n_parameters,
            "modules": [module.to_json() for module in self.modules],
        }


def vector_bytes(model: torch.nn.Module) -> float:
    """Storage of a model's norms and biases."""
    return FULL_PRECISION_BYTES * sum(parameter.numel() for parameter in model.parameters() if parameter.ndim < 2)
