"""Proof that a level was applied: what became of every module, and what the whole model weighs.

Two ways of counting never mix: *storage* is what the codes and scales of a level would take in a file, *resident* is what the running
model takes in memory (the same at every level of an engine that computes with dequantized weights).
"""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ModuleProof:
    """What a level did to one weight matrix."""

    name: str
    level: str
    bits: int | None
    """Code width; None where the weight was left as loaded."""
    group_size: int | None
    relative_error: float
    """Frobenius norm of the change over that of the weight; 0 where nothing changed."""
    n_weights: int
    storage_bytes: float


@dataclass(frozen=True)
class Proof:
    """What a level did to a model."""

    modules: tuple[ModuleProof, ...]
    n_parameters: int
    resident_bytes: int
    other_bytes: float
    """Storage of what no level applies to: norms, biases, position tables."""

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
            "modules": [asdict(module) for module in self.modules],
        }
