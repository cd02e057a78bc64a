"""The intx engine and its proof."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from qbench.errors import LevelError
from qbench.levels import LEVELS, Level, resolve, shipped_mixes
from qbench.models import QBenchLM
from qbench.quant import intx
from qbench.quant.apply import apply
from qbench.quant.intx import changes, group_size_for, quantize
from qbench.quant.modules import units
from qbench.quant.weights import Checkpoint

LOWERED = [level for level in LEVELS.values() if level.engine == "intx" and not level.is_full_precision]
GROUP = 64


@pytest.fixture
def model(random_llama: Path) -> torch.nn.Module:
    loaded: torch.nn.Module = AutoModelForCausalLM.from_pretrained(random_llama, dtype=torch.float32).eval()
    return loaded


def grouped(weight: torch.Tensor, size: int) -> np.ndarray:
    return weight.reshape(-1, size).numpy()


@pytest.mark.parametrize("level", LOWERED, ids=lambda level: level.name)
def test_a_group_holds_no_more_values_than_its_bits_allow(level: Level) -> None:
    weight = torch.randn(16, 256, generator=torch.Generator().manual_seed(1))
    values = [len(np.unique(group)) for group in grouped(quantize(weight, level), GROUP)]
    assert max(values) <= level.distinct_values
    assert max(values) > level.distinct_values // 2 or level.bits == 8  # 64 weights cannot fill 256 codes


@pytest.mark.parametrize("level", LOWERED, ids=lambda level: level.name)
def test_no_weight_moves_further_than_one_step(level: Level) -> None:
    """Round to nearest on a grid over the group's range: the error is at most half a step, a whole one where the range is clipped."""
    weight = torch.randn(16, 256, generator=torch.Generator().manual_seed(2))
    groups, lowered = grouped(weight, GROUP), grouped(quantize(weight, level), GROUP)
    assert level.bits is not None
    if level.symmetric:
        step = np.abs(groups).max(1) / ((2**level.bits - 1) / 2)
    else:
        step = (np.maximum(groups.max(1), 0) - np.minimum(groups.min(1), 0)) / (2**level.bits - 1)
    assert (np.abs(lowered - groups).max(1) <= 1.01 * step).all()


def by_torchao(weight: torch.Tensor, level: Level, group_size: int) -> torch.Tensor:
    """The weight as torchao's own tensor represents it."""
    from torchao.quantization import IntxWeightOnlyConfig, MappingType, PerGroup, quantize_

    config = IntxWeightOnlyConfig(
        weight_dtype=getattr(torch, f"int{level.bits}"),
        granularity=PerGroup(group_size),
        mapping_type=MappingType.SYMMETRIC if level.symmetric else MappingType.ASYMMETRIC,
        scale_dtype=torch.float16,
    )
    holder = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    holder.weight = torch.nn.Parameter(weight, requires_grad=False)
    quantize_(holder, config)
    lowered: torch.Tensor = holder.weight.dequantize()
    return lowered


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", range(2, 9))
def test_the_numbers_are_torchaos_bit_for_bit(bits: int, symmetric: bool) -> None:
    generator = torch.Generator().manual_seed(bits)
    weight = torch.randn(700, 192, generator=generator) * torch.logspace(-2, 3, 700)[:, None]
    weight[3] = 0
    weight[5] = weight[5].abs()  # groups on one side of zero
    weight[7] = weight[5].abs().neg()
    for group_size in (32, 64, 192):
        level = Level("own", bits=bits, group_size=group_size, symmetric=symmetric)
        assert torch.equal(quantize(weight, level), by_torchao(weight, level, group_size)), group_size


def test_pieces_in_place_and_columns_make_the_same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = torch.randn(96, 128, generator=torch.Generator().manual_seed(3))
    expected = quantize(weight, LEVELS["q4"])
    monkeypatch.setattr(intx, "PIECE", 1 << 9)
    in_place, columns = weight.clone(), weight.T.contiguous()
    norms = intx.lower(in_place, LEVELS["q4"], in_place)
    assert torch.equal(in_place, expected)
    assert norms == pytest.approx((float((weight - expected).norm()), float(weight.norm())), rel=1e-5)
    intx.lower(columns.T, LEVELS["q4"], columns.T)
    assert torch.equal(columns.T, expected)


@pytest.mark.parametrize("level", LOWERED, ids=lambda level: level.name)
def test_very_small_weights_are_rounded_and_not_blown_up(level: Level) -> None:
    """An embedding of a token that was never trained: the inverse of its scale is beyond fp16 and is still a number."""
    weight = 3e-4 * torch.randn(4, 64, generator=torch.Generator().manual_seed(4))
    lowered = quantize(weight, level)
    assert (lowered - weight).norm() < (0.02 if level.bits == 8 else 0.6) * weight.norm()
    assert torch.equal(quantize(1e-12 * weight, level), torch.zeros(4, 64))


def test_a_level_in_bf16_rounds_to_what_the_model_holds() -> None:
    weight = torch.randn(8, 64, generator=torch.Generator().manual_seed(5)).bfloat16()
    lowered = quantize(weight, LEVELS["q4"])
    assert lowered.dtype == torch.bfloat16
    assert torch.equal(lowered, quantize(weight.float(), LEVELS["q4"]).bfloat16())


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
    assert [module.name for module in proof.modules if module.bits is None] == ["transformer.wpe"]
    lowered = gpt2.transformer.h[0].attn.c_attn.weight.detach()
    assert torch.equal(lowered, quantize(original.T.contiguous(), LEVELS["q4"]).T)


def test_a_mix_reaches_every_module(model: torch.nn.Module) -> None:
    proof = apply(model, resolve("attention8-mlp4-embed6"))
    bits = {module.name: module.bits for module in proof.modules}
    assert bits["model.embed_tokens"] == 6
    assert bits["model.layers.1.self_attn.v_proj"] == 8
    assert bits["model.layers.1.mlp.gate_proj"] == 4


@pytest.mark.parametrize("name", sorted(shipped_mixes()))
def test_every_mix_changes_the_answers_of_nano_less_than_q2(name: str) -> None:
    nano = QBenchLM(batch_size=1)
    ids = torch.tensor([nano.tok_encode("What is 17 + 25? Give the number alone.")])
    with torch.inference_mode():
        before = nano.model(ids).logits.log_softmax(-1)
        cost = {}
        for level in (name, "q2"):
            proof = nano.set_level(level)
            after = nano.model(ids).logits.log_softmax(-1)
            cost[level] = float((before.exp() * (before - after)).sum(-1).mean())
            assert 0 < proof.share_quantized <= 1
    assert 0 < cost[name] < cost["q2"]


def test_odd_rows_get_smaller_groups() -> None:
    assert group_size_for(LEVELS["q4"], 96) == 32
    assert group_size_for(LEVELS["q4"], 100) == 100


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(37, 192), (3, 65)])
def test_the_changes_of_several_levels_are_what_each_makes(
    shape: tuple[int, int], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qbench.quant.intx.PIECE", 1000)
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(dtype)
    levels = [LEVELS["q4"], Level("symmetric", 3, group_size=32, symmetric=True), LEVELS["q2"]]
    expected = [quantize(weight, level).float() - weight.float() for level in levels]
    assert torch.equal(changes(weight, levels), torch.stack(expected, 1))
    columns = weight.T.contiguous().T  # a Conv1D seen as rows
    assert torch.equal(changes(columns, levels), torch.stack(expected, 1))


def test_infinite_weights_are_refused() -> None:
    with pytest.raises(LevelError, match="infinite or NaN"):
        changes(torch.full((2, 64), float("inf")), [LEVELS["q4"], LEVELS["q8"]])
    with pytest.raises(LevelError, match="infinite or NaN"):
        quantize(torch.full((2, 64), float("inf")), LEVELS["q4"])
