"""The units of a profile: which weights are lowered as one, and what they weigh at each format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from qbench import profiles
from qbench.errors import ProfileError, did_you_mean
from qbench.levels import Level, layer_of
from qbench.profiles import UNIT_KINDS
from qbench.quant import modules
from qbench.quant.intx import group_size_for, quantize
from qbench.quant.proof import FULL_PRECISION_BYTES

TABLES = (torch.nn.Embedding,)


@dataclass(frozen=True)
class Part:
    """One unit of a profile, with its weights."""

    name: str
    layer: int | None
    kind: str
    weights: tuple[modules.Unit, ...]


def parts(model: torch.nn.Module, unit: str) -> list[Part]:
    """Return the units of a kind, in the model's order; together they hold every weight that levels apply to.

    What belongs to no layer (embeddings, the head) is a unit of its own in each kind. A block is what has one name inside a layer, such as
    ``self_attn`` and ``mlp``; weights that hang from the layer itself, as OPT's two of the MLP do, are one block, the ``rest``.

    Raises:
        ProfileError: there is no such kind.
        LevelError: as `qbench.quant.modules.units`.
    """
    if unit not in UNIT_KINDS:
        raise ProfileError(f"A unit is a {', '.join(UNIT_KINDS)}, not {unit!r}.{did_you_mean(unit, UNIT_KINDS)}")
    grouped: dict[str, list[modules.Unit]] = {}
    for weight in modules.units(model):
        grouped.setdefault(_name(weight.name, unit), []).append(weight)
    return [
        Part(name, layer_of(weights[0].name), _kind(model, name, weights, unit), tuple(weights))
        for name, weights in grouped.items()
    ]


def _name(module: str, unit: str) -> str:
    layer = layer_of(module)
    if layer is None or unit == "module":
        return module
    before, _, inside = f".{module}.".partition(f".{layer}.")
    of_layer = f"{before}.{layer}".strip(".")
    block, is_inside, _ = inside.strip(".").partition(".")
    return f"{of_layer}.{block}" if unit == "block" and is_inside else of_layer


def _kind(model: torch.nn.Module, name: str, weights: Sequence[modules.Unit], unit: str) -> str:
    if layer_of(weights[0].name) is None or unit == "module":
        return _role(model, weights[0])
    leaf = name.rpartition(".")[2]
    if leaf.isdecimal():
        return "layer" if unit == "layer" else "rest"
    return leaf


def _role(model: torch.nn.Module, weight: modules.Unit) -> str:
    """The last part of a module's name; tables and heads have other names in every architecture, and one here."""
    if weight.parameter_name == weight.name:  # fused experts
        return weight.name.rpartition(".")[2]
    module = model.get_submodule(weight.name)
    outputs = getattr(model, "get_output_embeddings", lambda: None)()
    if isinstance(module, TABLES):
        return "embedding"
    return "head" if module is outputs else weight.name.rpartition(".")[2]


# ---------------------------------------------------------------- what is known without a probe


@torch.no_grad()
def describe(part: Part, formats: Mapping[str, Level]) -> profiles.Unit:
    """Size, magnitude, and the error of every format: what the weights alone say."""
    n_weights = sum(weight.weight.numel() for weight in part.weights)
    total = sum(float(weight.weight.double().abs().sum()) for weight in part.weights)
    squares = sum(float(weight.weight.double().square().sum()) for weight in part.weights)
    sizes, errors = {}, {}
    for name, level in formats.items():
        sizes[name] = sum(storage_bytes(weight, level) for weight in part.weights)
        errors[name] = sum(
            float((quantize(matrix, level).double() - matrix.double()).square().sum())
            for weight in part.weights
            for matrix in weight.matrices(weight.weight)
        )
    return profiles.Unit(
        name=part.name,
        modules=tuple(weight.name for weight in part.weights),
        layer=part.layer,
        kind=part.kind,
        n_weights=n_weights,
        full_bytes=FULL_PRECISION_BYTES * n_weights,
        bytes=sizes,
        magnitude=total / n_weights,
        relative_error={name: (error / squares) ** 0.5 if squares else 0.0 for name, error in errors.items()},
        squared_error=errors,
    )


def storage_bytes(weight: modules.Unit, level: Level) -> float:
    """As the proof of a level counts it."""
    n_inputs = weight.matrices(weight.weight)[0].shape[1]
    return weight.weight.numel() * level.bits_per_weight(group_size_for(level, n_inputs)) / 8
