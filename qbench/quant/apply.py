"""Applying a level to a loaded model, weight by weight, in place."""

import math
from importlib import import_module
from typing import Protocol

import torch

from qbench.errors import LevelError
from qbench.levels import ENGINES, Level, Mix, Rung
from qbench.quant.intx import group_size_for
from qbench.quant.modules import Loader, Unit, kept, parameters, units
from qbench.quant.proof import ModuleProof, Proof, vector_bytes


@torch.no_grad()
def apply(model: torch.nn.Module, level: Rung, load: Loader | None = None) -> Proof:
    """Write the weights of a level into the model and say what was done.

    One weight at a time: beside the model itself only one of its weights is in memory twice.

    Args:
        model: the model, which keeps its structure; only weights change.
        level: a level for every unit, or a mix.
        load: gives a unit's full-precision weight by parameter name; without it the model's own weights are taken, which must then
            still be in full precision.

    Raises:
        LevelError: the model has weights that no level applies to, or a quantized weight equals its original.
        MixError: a rule of the mix decides for no module, or the mix changes nothing.
    """
    found = units(model)
    names = [unit.name for unit in found]
    if isinstance(level, Mix):
        levels = level.lower(names)
    elif isinstance(level, Level) and not level.is_made_on_loading:
        levels = dict.fromkeys(names, level)
    else:
        raise LevelError(
            f"Level {level.name} is made while a model is loaded; give its folder to qbench.models.QBenchLM."
        )
    proofs = [_apply_to(unit, levels[unit.name], load) for unit in found]
    proofs += [
        ModuleProof.as_loaded(name.removesuffix(".weight"), parameter.numel()) for name, parameter in kept(model, found)
    ]
    return Proof(
        modules=tuple(proofs),
        n_parameters=sum(parameter.numel() for parameter in parameters(model)),
        resident_bytes=sum(parameter.numel() * parameter.element_size() for parameter in parameters(model)),
        other_bytes=vector_bytes(model),
    )


def _apply_to(unit: Unit, level: Level, load: Loader | None) -> ModuleProof:
    original = unit.weight if load is None else load(unit.parameter_name).to(unit.weight.device)
    if level.is_full_precision:
        if load is not None:
            unit.weight.copy_(original)
        return ModuleProof.as_loaded(unit.name, original.numel())
    lower = _engine(level)
    pairs = list(zip(unit.matrices(original), unit.matrices(unit.weight.data), strict=True))
    norms = [lower(matrix, level, out) for matrix, out in pairs]
    change, total = (math.hypot(*values) for values in zip(*norms, strict=True))
    if change == 0 < total:
        raise LevelError(
            f"Level {level.name} changed nothing in {unit.name}: its weights already have at most {level.distinct_values} values a "
            "group. Is the checkpoint quantized already? Evaluate it with level fp16."
        )
    group_size = group_size_for(level, pairs[0][0].shape[1])
    return ModuleProof(
        name=unit.name,
        level=level.name,
        bits=level.bits,
        group_size=group_size,
        relative_error=change / total if total else 0.0,
        n_weights=original.numel(),
        storage_bytes=original.numel() * level.bits_per_weight(group_size) / 8,
    )


class Lower(Protocol):
    """What an engine does: write a matrix at a level into ``out`` and return the norms of the change and of the weight."""

    def __call__(self, weight: torch.Tensor, level: Level, out: torch.Tensor) -> tuple[float, float]: ...


def _engine(level: Level) -> Lower:
    module, _, function = ENGINES[level.engine].partition(":")
    lower: Lower = getattr(import_module(module), function)
    return lower
