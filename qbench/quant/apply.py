"""Applying a level to a loaded model, module by module, in place."""

from collections.abc import Callable
from importlib import import_module

import torch

from qbench.errors import LevelError
from qbench.levels import ENGINES, Level, Mix
from qbench.quant.intx import group_size_for
from qbench.quant.modules import Loader, Unit, units
from qbench.quant.proof import ModuleProof, Proof


@torch.no_grad()
def apply(model: torch.nn.Module, level: Level | Mix, load: Loader | None = None) -> Proof:
    """Write the weights of a level into the model and say what was done.

    One matrix at a time: beside the model itself only one of its weights is in memory twice.

    Args:
        model: the model, which keeps its structure; only weights change.
        level: a level for every unit, or a mix.
        load: gives a unit's full-precision weight by parameter name; without it the model's own weights are taken, which must then
            still be in full precision.

    Raises:
        LevelError: the model has weights that no level applies to, or a quantized weight equals its original.
        MixError: a rule of the mix decides for no module.
    """
    found = units(model)
    names = [unit.name for unit in found]
    levels = level.assign(names) if isinstance(level, Mix) else dict.fromkeys(names, level)
    proofs = tuple(_apply_to(unit, levels[unit.name], load) for unit in found)
    covered = {id(unit.weight) for unit in found}
    others = [parameter for parameter in model.parameters() if id(parameter) not in covered]
    return Proof(
        modules=proofs,
        n_parameters=sum(parameter.numel() for parameter in model.parameters()),
        resident_bytes=sum(parameter.numel() * parameter.element_size() for parameter in model.parameters()),
        other_bytes=2.0 * sum(parameter.numel() for parameter in others),
    )


def _apply_to(unit: Unit, level: Level, load: Loader | None) -> ModuleProof:
    original = unit.weight if load is None else load(unit.parameter_name)
    original = unit.rows(original.to(device=unit.weight.device, dtype=unit.weight.dtype))
    relative_error = 0.0
    group_size = None
    if level.is_full_precision:
        lowered = original
    else:
        lowered = _quantizer(level)(original, level)
        group_size = group_size_for(level, original.shape[1])
        change = torch.linalg.vector_norm((lowered - original).float())
        relative_error = float(change / torch.linalg.vector_norm(original.float()).clamp_min(1e-30))
        if relative_error == 0.0 and original.any():
            raise LevelError(
                f"Level {level.name} changed nothing in {unit.name}: its weights already have at most {level.distinct_values} values a "
                "group. Is the checkpoint quantized already? Evaluate it with level fp16."
            )
    if load is not None or not level.is_full_precision:
        unit.weight.copy_(unit.rows(lowered))
    return ModuleProof(
        name=unit.name,
        level=level.name,
        bits=level.bits,
        group_size=group_size,
        relative_error=relative_error,
        n_weights=original.numel(),
        storage_bytes=original.numel() * level.bits_per_weight(group_size) / 8,
    )


def _quantizer(level: Level) -> Callable[[torch.Tensor, Level], torch.Tensor]:
    module, _, function = ENGINES[level.engine].partition(":")
    quantizer: Callable[[torch.Tensor, Level], torch.Tensor] = getattr(import_module(module), function)
    return quantizer
