"""Which of llama.cpp's types stands for a level, and which of its tensors for a module. Loads nothing heavy."""

import re
from dataclasses import dataclass, replace

from qbench.errors import LevelError
from qbench.levels import Level, Mix, Rung


@dataclass(frozen=True)
class GGUFType:
    """How llama.cpp stores a level."""

    file: str
    """Its recipe for a whole file. ``Q4_K_M`` is mostly ``Q4_K``, with the tensors that matter most at more bits."""
    tensor: str
    """What a rule of a mix gives a tensor."""
    group_size: int | None
    """Weights that share one scale; None where there is no scale."""
    symmetric: bool
    bits_per_weight: float
    """Of a whole file of Llama 3.1 8B, by llama.cpp's dry run; what another model takes is in its run.json."""


TYPES = {
    "fp16": GGUFType("F16", "F16", None, True, 16.00),
    "q8": GGUFType("Q8_0", "Q8_0", 32, True, 8.50),
    "q6": GGUFType("Q6_K", "Q6_K", 16, True, 6.56),
    "q5": GGUFType("Q5_K_M", "Q5_K", 32, False, 5.70),
    "q4": GGUFType("Q4_K_M", "Q4_K", 32, False, 4.89),
    "q3": GGUFType("Q3_K_M", "Q3_K", 16, True, 4.00),
    "q2": GGUFType("Q2_K", "Q2_K", 16, False, 3.16),
}
"""The levels of the engine ``gguf``."""

K_QUANT_BLOCK = 256
"""Weights that a K-quant packs together; where a row is no multiple of it, llama.cpp takes a type with blocks of 32."""

# llama.cpp's name of a tensor, and the module of transformers that holds it.
OUTSIDE_LAYERS = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
IN_A_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_TENSORS = {module: tensor for tensor, module in (OUTSIDE_LAYERS | IN_A_LAYER).items()}


def of_level(level: Level) -> GGUFType:
    """llama.cpp's type for a level.

    Raises:
        LevelError: another engine makes this level.
    """
    if level.name not in TYPES:
        raise LevelError(
            f"The engine gguf has no level {level.name}, which {level.engine} makes; it has {', '.join(TYPES)}, and mixes of them."
        )
    return TYPES[level.name]


def as_gguf(level: Rung) -> Rung:
    """The level or mix as llama.cpp makes it: the same name and bits, its own groups."""
    if isinstance(level, Level):
        return _as_gguf(level)
    if isinstance(level, Mix):
        rules = tuple(replace(rule, level=_as_gguf(rule.level)) for rule in level.rules)
        return replace(level, default=_as_gguf(level.default), rules=rules)
    return level


def _as_gguf(level: Level) -> Level:
    stored = of_level(level)
    return replace(level, engine="gguf", group_size=stored.group_size, symmetric=stored.symmetric)


def tensor_name(parameter: str) -> str | None:
    """``model.layers.3.mlp.up_proj.weight`` is ``blk.3.ffn_up.weight``; None for a parameter that llama.cpp has no place for."""
    match = re.fullmatch(r"(?:model\.layers\.(\d+)\.)?(.+)\.(weight|bias)", parameter)
    if not match or match[2] not in _TENSORS:
        return None
    name = f"{_TENSORS[match[2]]}.{match[3]}"
    return name if match[1] is None else f"blk.{match[1]}.{name}"


def module_name(tensor: str) -> str:
    """``blk.3.ffn_up.weight`` is in ``model.layers.3.mlp.up_proj``; an unknown tensor keeps its name, with its layer in front."""
    match = re.fullmatch(r"(?:blk\.(\d+)\.)?(.+)\.(?:weight|bias)", tensor)
    if not match:
        return tensor
    if match[1] is None:
        return OUTSIDE_LAYERS.get(match[2], match[2])
    return f"model.layers.{match[1]}.{IN_A_LAYER.get(match[2], match[2])}"


def tensor_types(mix: Mix, tensors: list[str]) -> dict[str, str]:
    """The type that a mix gives each of these matrices.

    Raises:
        LevelError: the mix names a level that the engine gguf has not.
        MixError: a rule of the mix decides for no matrix, or the mix changes nothing.
    """
    assigned = mix.lower([module_name(tensor) for tensor in tensors])
    return {tensor: of_level(assigned[module_name(tensor)]).tensor for tensor in tensors}
