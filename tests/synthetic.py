"""Sensitivity profiles of models that were never run: as large as wanted, consistent, and with costs that are known."""

import math
from collections.abc import Mapping

import numpy as np

from qbench.levels import LEVELS, Level
from qbench.profiles import Activations, Attention, Cost, Costs, Model, Place, Probe, Profile, Unit

KINDS = {
    "self_attn.q_proj": (1.0, 1.0),
    "self_attn.k_proj": (0.25, 1.0),
    "self_attn.v_proj": (0.25, 3.0),
    "self_attn.o_proj": (1.0, 1.5),
    "mlp.gate_proj": (2.7, 1.2),
    "mlp.up_proj": (2.7, 2.0),
    "mlp.down_proj": (2.7, 4.0),
}
"""By name inside a layer: weights in units of width², and how fragile they are."""


def profile(
    n_layers: int = 4,
    *,
    name: str = "nano",
    width: int = 256,
    n_sequences: int = 16,
    formats: tuple[str, ...] = ("q8", "q6", "q5", "q4", "q3", "q2"),
    probes: tuple[str, ...] = ("numerical", "knowledge"),
    is_measured: bool = True,
    seed: int = 0,
) -> Profile:
    """A Llama of so many layers, whose first and last layers are the fragile ones and whose numerical text strains its MLPs."""
    rng = np.random.default_rng(seed)
    levels = {format: LEVELS[format] for format in formats}
    units = [_unit("model.embed_tokens", None, "embedding", 30 * width * width, levels, rng)]
    units += [
        _unit(f"model.layers.{layer}.{kind}", layer, kind.rpartition(".")[2], int(size * width * width), levels, rng)
        for layer in range(n_layers)
        for kind, (size, _) in KINDS.items()
    ]
    units.append(_unit("lm_head", None, "head", 30 * width * width, levels, rng))
    n_weights = sum(unit.n_weights for unit in units)
    return Profile(
        "0.1.0",
        Model(name, "0123456789abcdef" * 4, n_weights + 100 * width, 200.0 * width),
        "module",
        levels,
        seed=0,
        draws=3,
        units=tuple(units),
        probes=tuple(_probe(probe, units, levels, n_layers, n_sequences, is_measured, rng) for probe in probes),
    )


def fragility(unit: Unit, n_layers: int, probe: str) -> float:
    """The true cost of a unit at one bit of error, up to a factor that all units share."""
    if unit.layer is None:
        return 6.0 if unit.kind == "head" else 3.0
    depth = unit.layer / max(n_layers - 1, 1)
    (kind,) = (fragile for name, (_, fragile) in KINDS.items() if name.endswith(unit.kind))
    is_mlp = ".mlp." in unit.name
    return kind * (0.4 + 4 * (depth - 0.5) ** 2) * (1.8 if is_mlp and probe == "numerical" else 1.0)


def _unit(
    name: str, layer: int | None, kind: str, n_weights: int, levels: Mapping[str, Level], rng: np.random.Generator
) -> Unit:
    magnitude = 0.02 * math.exp(0.4 * rng.normal())
    error = {format: 2.0 ** -(level.bits or 16) for format, level in levels.items()}
    return Unit(
        name=name,
        modules=(name,),
        layer=layer,
        kind=kind,
        n_weights=n_weights,
        full_bytes=2.0 * n_weights,
        bytes={format: n_weights * level.bits_per_weight() / 8 for format, level in levels.items()},
        magnitude=magnitude,
        relative_error=error,
        squared_error={format: n_weights * (magnitude * own) ** 2 for format, own in error.items()},
    )


def _probe(
    name: str,
    units: list[Unit],
    levels: Mapping[str, Level],
    n_layers: int,
    n_sequences: int,
    is_measured: bool,
    rng: np.random.Generator,
) -> Probe:
    scored = tuple(int(count) for count in rng.integers(3, 30, n_sequences))
    names = [unit.name for unit in units]
    true = {
        unit.name: {
            format: fragility(unit, n_layers, name) * 4.0 ** -(level.bits or 16) for format, level in levels.items()
        }
        for unit in units
    }
    # Sequences are hard or easy for all units alike, and a little for each of them.
    hard = rng.gamma(4.0, 0.25, n_sequences)

    def costs(factor: float) -> Costs:
        return {
            unit: {
                format: Cost.of(
                    (factor * cost * hard * rng.gamma(6.0, 1 / 6, n_sequences) * np.array(scored)).tolist(), scored
                )
                for format, cost in row.items()
            }
            for unit, row in true.items()
        }

    missing = {unit: {format: Cost.missing() for format in levels} for unit in names}
    predicted = costs(1.0)
    whole = {
        format: Cost.of(np.sum([predicted[unit][format].sequences for unit in names], axis=0).tolist(), scored)
        for format in levels
    }
    return Probe(
        name=name,
        tasks=(f"qbench_{name}_arithmetic", f"qbench_{name}_precision"),
        responses="reference",
        split="validation",
        sha256="fedcba9876543210" * 4,
        items=tuple(f"{name}/{i}" for i in range(n_sequences)),
        scored=scored,
        n_tokens=4 * sum(scored),
        n_left_out=0,
        predicted=predicted,
        measured=costs(1.1) if is_measured else missing,
        restored=missing,
        lowered=whole if is_measured else {format: Cost.missing() for format in levels},
        fisher={
            unit.name: fragility(unit, n_layers, name) * 1e-6 * float(rng.gamma(6.0, 1 / 6)) / unit.n_weights**0.5
            for unit in units
        },
        gradient={unit.name: 1e-4 * float(rng.gamma(6.0, 1 / 6)) for unit in units},
        signed={
            unit: {format: abs(float(rng.normal(0, cost))) for format, cost in row.items()}
            for unit, row in true.items()
        },
        places=tuple(_places(n_layers, levels, rng)),
    )


def _places(n_layers: int, levels: Mapping[str, Level], rng: np.random.Generator) -> list[Place]:
    found = []
    for layer in range(n_layers):
        sparse, mean, wide, rank = rng.uniform([0.01, -0.1, 0.5, 30.0], [0.1, 0.1, 1.0, 60.0]).tolist()
        entropy, focus, special = rng.uniform([0.5, 0.2, 0.3], [2.5, 0.6, 0.7]).tolist()
        shifts = {"fp16": 0.0, **{format: 2.0 ** -(level.bits or 16) for format, level in levels.items()}}
        size = 4.0 * (1 + layer)
        looks = {
            format: Activations(sparse + shift / 9, mean, wide * (1 + shift), size * (1 + shift), rank * (1 - shift))
            for format, shift in shifts.items()
        }
        heads = {
            format: Attention(entropy * (1 - shift), focus + shift / 3, special + shift / 3)
            for format, shift in shifts.items()
        }
        found += [
            Place(f"model.layers.{layer}", layer, looks, {}),
            Place(f"model.layers.{layer}.self_attn", layer, looks, heads),
        ]
    return found
