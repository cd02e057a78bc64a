"""Every architecture takes every level: small random models made from transformers' configurations, no weights needed.

Random weights say nothing about quality. They show that each weight is found, lowered along the right axis and counted.
"""

import copy
from typing import Any

import pytest
import torch
import transformers
from torch import nn

from qbench.errors import LevelError, MixError
from qbench.levels import LEVELS, Level, layer_of, resolve, shipped_mixes
from qbench.quant.apply import apply
from qbench.quant.intx import quantize

TOKENS: dict[str, Any] = {"vocab_size": 300, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
SIZES: dict[str, Any] = {**TOKENS, "hidden_size": 128, "num_attention_heads": 2}
LLAMA: dict[str, Any] = {**SIZES, "intermediate_size": 192, "num_key_value_heads": 1, "head_dim": 64}
EXPERTS: dict[str, Any] = {**LLAMA, "num_experts_per_tok": 2}
OPT: dict[str, Any] = {**SIZES, "ffn_dim": 192, "word_embed_proj_dim": 128, "max_position_embeddings": 64}
GPT2: dict[str, Any] = {**TOKENS, "n_embd": 128, "n_head": 2, "n_positions": 64}
BERT: dict[str, Any] = {**TOKENS, "dim": 128, "n_heads": 2, "hidden_dim": 192, "max_position_embeddings": 64}

FAMILIES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "Llama": ("LlamaConfig", "LlamaForCausalLM", {**LLAMA, "tie_word_embeddings": False}),
    "Llama, tied": ("LlamaConfig", "LlamaForCausalLM", {**LLAMA, "tie_word_embeddings": True}),
    "Qwen3": ("Qwen3Config", "Qwen3ForCausalLM", LLAMA),
    "Mistral": ("MistralConfig", "MistralForCausalLM", LLAMA),
    "Gemma 3": ("Gemma3TextConfig", "Gemma3ForCausalLM", LLAMA),
    "Phi-3": ("Phi3Config", "Phi3ForCausalLM", LLAMA),
    "OPT": ("OPTConfig", "OPTForCausalLM", OPT),
    "GPT-NeoX": ("GPTNeoXConfig", "GPTNeoXForCausalLM", {**SIZES, "intermediate_size": 192}),
    "GPT-2": ("GPT2Config", "GPT2LMHeadModel", GPT2),
    "Falcon": ("FalconConfig", "FalconForCausalLM", SIZES),
    "Mixtral": ("MixtralConfig", "MixtralForCausalLM", {**EXPERTS, "num_local_experts": 4}),
    "Qwen3-MoE": (
        "Qwen3MoeConfig",
        "Qwen3MoeForCausalLM",
        {**EXPERTS, "num_experts": 4, "moe_intermediate_size": 192},
    ),
    "gpt-oss": ("GptOssConfig", "GptOssForCausalLM", {**EXPERTS, "num_local_experts": 4}),
    "DistilBERT": ("DistilBertConfig", "DistilBertForSequenceClassification", BERT),
}
NEVER_LOWERED = ("position", "wpe", "gate.weight", "router.weight", "_bias")
"""Position tables, and the routers and biases of experts. A gate projection is `gate_proj`."""


def build(family: str, layers: int = 2) -> nn.Module:
    """A random model in evaluation mode, with weights large enough that its answers depend on them."""
    config_class, model_class, sizes = FAMILIES[family]
    depth = {"GPT-2": "n_layer", "DistilBERT": "n_layers"}.get(family, "num_hidden_layers")
    config = getattr(transformers, config_class)(**sizes, **{depth: layers})
    torch.manual_seed(11)
    model: nn.Module = getattr(transformers, model_class)(config).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(std=0.12)
    return model


@torch.inference_mode()
def log_probabilities(model: nn.Module) -> torch.Tensor:
    ids = torch.randint(1, 300, (4, 24), generator=torch.Generator().manual_seed(1))
    return torch.log_softmax(model(input_ids=ids).logits.double(), -1)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_architecture_is_lowered_whole_and_suffers_more_as_bits_fall(family: str) -> None:
    model = build(family)
    original = copy.deepcopy(model.state_dict())
    before = log_probabilities(model)
    lowered = {
        name: parameter.numel()
        for name, parameter in model.named_parameters()
        if parameter.ndim > 1 and not any(word in name for word in NEVER_LOWERED)
    }
    costs = []
    for name in ("q8", "q4", "q2"):
        proof = apply(model, LEVELS[name], original.__getitem__)
        after = log_probabilities(model)
        costs.append(float((before.exp() * (before - after)).sum(-1).mean()))
        bits = LEVELS[name].bits
        assert bits is not None
        assert proof.n_quantized == sum(lowered.values())
        assert proof.share_quantized > 0.9
        # The codes are the least that a weight takes; a sixteenth of the weights at most is kept in 16 bits.
        assert bits < proof.bits_per_weight < LEVELS[name].bits_per_weight() + 16 / 16
    assert 0 < costs[0] < 0.1 * costs[1] < costs[2]
    assert costs == sorted(costs)


def test_the_shares_of_a_llama_by_hand() -> None:
    """q and o 128 x 128, k and v 64 x 128, three of 192 x 128, in two layers; two tables of 300 x 128; five norms of 128."""
    layer = 2 * 128 * 128 + 2 * 64 * 128 + 3 * 192 * 128
    matrices, norms = 2 * layer + 2 * 300 * 128, 5 * 128
    proof = apply(build("Llama"), Level("own", bits=4, group_size=64, symmetric=False))
    assert proof.n_parameters == matrices + norms == 323_200
    assert proof.share_quantized == matrices / 323_200
    # 4 bits a weight; an fp16 scale and a 4-bit zero point for every 64
    assert proof.storage_bytes == pytest.approx(matrices * (4 + 20 / 64) / 8 + 2 * norms)
    assert proof.bits_per_weight == pytest.approx((matrices * 4.3125 + 16 * norms) / 323_200)
    assert proof.resident_bytes == 4 * 323_200


def test_a_tied_table_is_lowered_and_counted_once() -> None:
    tied = build("Llama, tied")
    proof = apply(tied, LEVELS["q4"])
    assert proof.n_parameters == 323_200 - 300 * 128
    assert [module.name for module in proof.modules if "embed" in module.name or "head" in module.name] == [
        "model.embed_tokens"
    ]
    assert tied.get_parameter("lm_head.weight") is tied.get_parameter("model.embed_tokens.weight")


@pytest.mark.parametrize("family", ["Mixtral", "Qwen3-MoE", "gpt-oss"])
def test_fused_experts_are_lowered_like_a_stack_of_linear_layers(family: str) -> None:
    model = build(family)
    name = "model.layers.1.mlp.experts.down_proj"
    original = model.get_parameter(name).detach().clone()
    proof = apply(model, LEVELS["q4"])
    for expert, lowered in zip(original, model.get_parameter(name).detach(), strict=True):
        if family == "gpt-oss":  # stores (in, out)
            expert, lowered = expert.T, lowered.T
        assert torch.equal(lowered, quantize(expert.contiguous(), LEVELS["q4"]))
    (module,) = [module for module in proof.modules if module.name == name]
    assert module.n_weights == 4 * 192 * 128 or family == "gpt-oss"
    assert 0.05 < module.relative_error < 0.2


def test_what_no_level_touches_is_said() -> None:
    kept = {
        module.name: module.n_weights for module in apply(build("Mixtral"), LEVELS["q4"]).modules if not module.bits
    }
    assert kept == {"model.layers.0.mlp.gate": 4 * 128, "model.layers.1.mlp.gate": 4 * 128}


def test_experts_of_an_unknown_layout_are_refused_by_name() -> None:
    config = transformers.Llama4TextConfig(
        **{**EXPERTS, "num_experts_per_tok": 1}, intermediate_size_mlp=192, num_local_experts=4, num_hidden_layers=2
    )
    with pytest.raises(LevelError, match=r"keeps 65% of its weights in 4 tensors.*first: model\.layers\.0.*experts"):
        apply(transformers.Llama4ForCausalLM(config), LEVELS["q4"])


# ---------------------------------------------------------------- mixes

FEED_FORWARD = ("mlp", "ffn", ".fc")
TABLES = ("embed", "wte", "lm_head")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", sorted(shipped_mixes()))
def test_every_mix_is_applied_to_every_architecture(name: str, family: str) -> None:
    """Six layers, the depth that the documents' single-layer study has; bits by layer as the documents give them."""
    proof = apply(build(family, layers=6), resolve(name))
    for module in proof.modules:
        layer = layer_of(module.name)
        if any(word in f"{module.name}.weight" for word in NEVER_LOWERED):
            expected = None
        elif name == "attention8-mlp4-embed6":
            is_table = any(word in module.name for word in TABLES)
            expected = 4 if any(word in module.name for word in FEED_FORWARD) else 6 if is_table else 8
        elif layer is None:
            expected = {"int8-selective-int4": 8, "last-layer-int4": None}.get(name, 4)
        elif name == "early2-middle-late4":
            is_feed_forward = any(word in module.name for word in FEED_FORWARD)
            expected = 2 if layer < 3 or (layer < 4 and is_feed_forward) else 4
        else:
            expected = {
                "int6-int4": (4, 4, 6, 6, 6, 4),
                "int8-selective-int4": (8, 8, 8, 8, 4, 4),
                "last-layer-int4": (None, None, None, None, None, 4),
            }[name][layer]
        assert module.bits == expected, module.name


def test_a_mix_with_a_range_of_layers_is_refused_where_the_model_has_none() -> None:
    with pytest.raises(MixError, match=r"decides for no module\. The model has 1 layers"):
        apply(build("Llama", layers=1), resolve("int8-selective-int4"))
