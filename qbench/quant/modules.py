"""Which weights of a model a level applies to, and which stay as they were loaded."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import transformers.pytorch_utils

from qbench.errors import LevelError

Loader = Callable[[str], torch.Tensor]
"""Gives the full-precision weight of a parameter by its name."""


@dataclass(frozen=True)
class Unit:
    """One weight that can be quantized: a linear layer, an embedding table, or the stacked matrices of fused experts."""

    name: str
    """Name of its module; of fused experts, of the parameter."""
    parameter_name: str
    weight: torch.Tensor
    """Where it is kept: in the module, or in the host's memory from which accelerate brings it for each pass."""
    transposed: bool
    """True where matrices are stored as (in, out), as in GPT-2's Conv1D, and not as (out, in) like those of a linear layer."""
    tied_to: tuple[str, ...] = ()
    """Other modules that hold the very same tensor, as a language-modelling head often does."""

    def matrices(self, weight: torch.Tensor) -> list[torch.Tensor]:
        """Views of the weight as (out, in) matrices, so that one row feeds one output and groups run along the inputs."""
        stored_as_rows = weight.transpose(-1, -2) if self.transposed else weight
        return [stored_as_rows] if weight.ndim == 2 else list(stored_as_rows)


# Position tables are small, and no engine that people deploy quantizes them.
POSITION_TABLES = ("position", "wpe")
# Routers and state-space parameters are a few thousandths of a model. More than this share in weights that nothing here knows is a
# model that a level would miss.
LARGEST_UNKNOWN_SHARE = 0.02


def units(model: torch.nn.Module) -> list[Unit]:
    """Return every weight of the model that levels apply to, tied ones once.

    Raises:
        LevelError: the model keeps much of its weights in a form that is neither a linear layer, nor an embedding, nor a known kind of
            fused experts, so that a level would silently leave them as they are; or some of its weights are offloaded to a disk.
    """
    found: dict[int, Unit] = {}
    for unit in _candidates(model):
        first = found.get(_identity(unit.weight))
        if first is not None:
            unit = Unit(first.name, first.parameter_name, first.weight, first.transposed, (*first.tied_to, unit.name))
        found[_identity(unit.weight)] = unit
    if not found:
        raise LevelError("This model has no linear layer that a level could be applied to.")
    unknown = {
        name: weight for name, weight in _others(model, found) if not any(word in name for word in POSITION_TABLES)
    }
    share = sum(weight.numel() for weight in unknown.values()) / sum(weight.numel() for weight in parameters(model))
    if share > LARGEST_UNKNOWN_SHARE:
        raise LevelError(
            f"This model keeps {share:.0%} of its weights in {len(unknown)} tensors that are neither linear layers, nor embeddings, nor "
            f"fused experts of a known layout (first: {next(iter(unknown))}), and a level would leave them as they are. Evaluate it with "
            "level fp16."
        )
    return list(found.values())


def kept(model: torch.nn.Module, found: list[Unit]) -> list[tuple[str, torch.Tensor]]:
    """Weight matrices that no level applies to, by name: position tables, routers of experts, convolutions."""
    return list(_others(model, {_identity(unit.weight): unit for unit in found}))


def parameters(model: torch.nn.Module) -> list[torch.Tensor]:
    """Every parameter of the model, where it is kept, tied ones once."""
    return list({_identity(weight): weight for _, weight in _named(model)}.values())


def _candidates(model: torch.nn.Module) -> Iterator[Unit]:
    """Every module that holds a weight which can be quantized, tied ones as often as they are held."""
    conv1d = transformers.pytorch_utils.Conv1D
    for name, module in model.named_modules():
        if any(word in name for word in POSITION_TABLES):
            continue
        if isinstance(module, (torch.nn.Linear, torch.nn.Embedding, conv1d)):
            yield Unit(name, f"{name}.weight", held(module, "weight", name), isinstance(module, conv1d))
        elif hasattr(module, "is_transposed"):  # how transformers marks a class of fused experts and their layout
            for own, parameter in module.named_parameters(prefix=name, recurse=False):
                if parameter.ndim == 3:
                    weight = held(module, own.removeprefix(f"{name}."), name)
                    yield Unit(own, own, weight, bool(module.is_transposed))


def _others(model: torch.nn.Module, found: dict[int, Unit]) -> Iterator[tuple[str, torch.Tensor]]:
    for name, weight in _named(model):
        if weight.ndim >= 2 and _identity(weight) not in found:
            yield name, weight


def _named(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    for name, module in model.named_modules():
        for own, _ in module.named_parameters(recurse=False):
            yield f"{name}.{own}" if name else own, held(module, own, name)


def _identity(weight: torch.Tensor) -> int:
    """The same for tied weights, of which accelerate makes several tensors of one memory."""
    return weight.data_ptr() or id(weight)


def held(module: torch.nn.Module, name: str, module_name: str) -> torch.Tensor:
    """A parameter where it can be read and written: in its module, or where accelerate offloads it to in the host's memory.

    Raises:
        LevelError: it is offloaded to the disk.
    """
    parameter = module.get_parameter(name)
    hook = getattr(module, "_hf_hook", None)
    offloaded = getattr(hook, "weights_map", None)
    if parameter.device.type != "meta" or hook is None:
        return parameter
    if offloaded is None or (tensor := offloaded[name]) is not offloaded[name]:  # a file is read anew each time
        raise LevelError(
            f"{module_name}.{name} is offloaded to the disk, where no level can be written; leave the model more memory "
            "(max_memory_per_gpu, max_cpu_memory), or take more or larger GPUs."
        )
    in_memory: torch.Tensor = tensor
    return in_memory
