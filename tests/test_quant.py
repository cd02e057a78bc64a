"""The intx engine and its proof."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, MixtralConfig, MixtralForCausalLM

from qbench.errors import LevelError
from qbench.levels import LEVELS, Level, resolve
from qbench.quant.apply import apply
from qbench.quant.intx import group_size_for, quantize
from qbench.quant.modules import units
from qbench.quant.weights import Checkpoint

LOWERED = [level for level in LEVELS.values() if not level.is_full_precision]


@pytest.fixture
def model(random_llama: Path) -> torch.nn.Module:
    loaded: torch.nn.Module = AutoModelForCausalLM.from_pretrained(random_llama, dtype=torch.float32).eval()
    return loaded


def grouped(weight: torch.Tensor, size: int) -> np.ndarray:
    return weight.reshape(-1, size).numpy()


@pytest.mark.parametrize("level", LOWERED, ids=lambda level: level.name)
def test_a_group_holds_no_more_values_than_its_bits_allow(level: Level) -> None:
    weight = torch.randn(16, 256, generator=torch.Generator().manual_seed(1))
    values = [len(np.unique(group)) for group in grouped(quantize(weight, level), level.group_size)]
    assert max(values) <= level.distinct_values
    assert max(values) > level.distinct_values // 2 or level.bits == 8  # 64 weights cannot fill 256 codes


@pytest.mark.parametrize("level", LOWERED, ids=lambda level: level.name)
def test_no_weight_moves_further_than_one_step(level: Level) -> None:
    """Round to nearest on a grid over the group's range: the error is at most half a step, a whole one where the range is clipped."""
    weight = torch.randn(16, 256, generator=torch.Generator().manual_seed(2))
    groups, lowered = grouped(weight, level.group_size), grouped(quantize(weight, level), level.group_size)
    assert level.bits is not None
    if level.symmetric:
        step = np.abs(groups).max(1) / ((2**level.bits - 1) / 2)
    else:
        step = (np.maximum(groups.max(1), 0) - np.minimum(groups.min(1), 0)) / (2**level.bits - 1)
    assert (np.abs(lowered - groups).max(1) <= 1.01 * step).all()


@pytest.mark.parametrize("level", LOWERED, ids=lambda level: level.name)
def test_the_logits_are_those_of_torchaos_own_model(random_llama: Path, level: Level) -> None:
    from torchao.quantization import IntxWeightOnlyConfig, MappingType, PerGroup, quantize_

    def is_layer(
        module: torch.nn.Module, name: str
    ) -> bool:  # the tied head would need the embedding's own configuration
        return isinstance(module, torch.nn.Linear) and name != "lm_head"

    ours = AutoModelForCausalLM.from_pretrained(random_llama, dtype=torch.float32).eval()
    theirs = AutoModelForCausalLM.from_pretrained(random_llama, dtype=torch.float32).eval()
    for name, module in ours.named_modules():
        if is_layer(module, name):
            module.weight = torch.nn.Parameter(quantize(module.weight.detach(), level), requires_grad=False)
    config = IntxWeightOnlyConfig(
        weight_dtype=getattr(torch, f"int{level.bits}"),
        granularity=PerGroup(level.group_size),
        mapping_type=MappingType.SYMMETRIC if level.symmetric else MappingType.ASYMMETRIC,
        scale_dtype=torch.float16,
    )
    quantize_(theirs, config, is_layer)
    ids = torch.arange(1, 60)[None]
    with torch.inference_mode():
        torch.testing.assert_close(ours(ids).logits, theirs(ids).logits, rtol=1e-5, atol=1e-5)


def test_error_grows_as_bits_fall(model: torch.nn.Module, random_llama: Path) -> None:
    load = Checkpoint(str(random_llama)).__getitem__
    errors = [np.mean([module.relative_error for module in apply(model, level, load).modules]) for level in LOWERED]
    assert errors == sorted(errors)
    assert errors[0] < 0.02 < 0.3 < errors[-1] < 1


def test_a_level_is_undone_from_the_checkpoint(model: torch.nn.Module, random_llama: Path) -> None:
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    load = Checkpoint(str(random_llama)).__getitem__
    apply(model, LEVELS["q2"])
    assert not torch.equal(
        before["model.layers.0.mlp.up_proj.weight"], model.get_parameter("model.layers.0.mlp.up_proj.weight")
    )
    apply(model, LEVELS["fp16"], load)
    for name, parameter in model.named_parameters():
        assert torch.equal(before[name], parameter), name


def test_the_proof_counts_every_parameter(model: torch.nn.Module) -> None:
    proof = apply(model, LEVELS["q4"])
    norms = sum(parameter.numel() for name, parameter in model.named_parameters() if "norm" in name)
    assert proof.n_parameters == sum(module.n_weights for module in proof.modules) + norms
    assert proof.n_quantized == proof.n_parameters - norms
    weights = LEVELS["q4"].bits_per_weight() * proof.n_quantized
    assert proof.bits_per_weight == pytest.approx((weights + 16 * norms) / proof.n_parameters)


def test_a_tied_head_is_one_unit(model: torch.nn.Module) -> None:
    (embedding,) = [unit for unit in units(model) if "embed" in unit.name]
    assert embedding.tied_to == ("lm_head",)


def test_a_level_that_changes_nothing_is_an_error(model: torch.nn.Module) -> None:
    for unit in units(model):  # 0 and 15/16 are codes 0 and 15 of a scale of 1/16
        unit.weight.data = torch.where(unit.weight > 0, 15 / 16, 0.0)
    with pytest.raises(LevelError, match=r"Level q4 changed nothing in model\.embed_tokens"):
        apply(model, LEVELS["q4"])


def test_gpt2_conv1d_is_quantized_along_its_inputs() -> None:
    torch.manual_seed(0)
    gpt2 = GPT2LMHeadModel(GPT2Config(n_embd=64, n_layer=1, n_head=2, vocab_size=100, n_positions=64))
    original = gpt2.transformer.h[0].attn.c_attn.weight.detach().clone()
    proof = apply(gpt2, LEVELS["q4"])
    assert {module.name for module in proof.modules} >= {
        "transformer.wte",
        "transformer.h.0.attn.c_attn",
        "transformer.h.0.mlp.c_fc",
    }
    assert not any("wpe" in module.name for module in proof.modules)
    lowered = gpt2.transformer.h[0].attn.c_attn.weight.detach()
    assert torch.equal(lowered, quantize(original.T.contiguous(), LEVELS["q4"]).T)


def test_fused_experts_are_refused_by_name() -> None:
    config = MixtralConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        num_local_experts=2,
    )
    with pytest.raises(LevelError, match=r"fused weights.*experts"):
        apply(MixtralForCausalLM(config), LEVELS["q4"])


def test_a_mix_reaches_every_module(model: torch.nn.Module) -> None:
    proof = apply(model, resolve("attention8-mlp4-embed6"))
    bits = {module.name: module.bits for module in proof.modules}
    assert bits["model.embed_tokens"] == 6
    assert bits["model.layers.1.self_attn.v_proj"] == 8
    assert bits["model.layers.1.mlp.gate_proj"] == 4


def test_odd_rows_get_smaller_groups() -> None:
    assert group_size_for(LEVELS["q4"], 96) == 32
    assert group_size_for(LEVELS["q4"], 100) == 100


def test_infinite_weights_are_refused() -> None:
    with pytest.raises(LevelError, match="infinite or NaN"):
        quantize(torch.full((2, 64), float("inf")), LEVELS["q4"])
