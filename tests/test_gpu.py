"""What only a machine with a CUDA device can show: levels, drafts, choices and cost on a GPU are those of a CPU."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lm_eval.api.instance import Instance
from transformers import AutoModelForCausalLM

from qbench import cost
from qbench.decoding import Ending, decode
from qbench.levels import LEVELS, resolve
from qbench.models import QBenchLM
from qbench.quant.apply import apply
from qbench.quant.intx import quantize

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
IDS = torch.arange(1, 60)[None]
LOWERED = ["q8", "q6", "q5", "q4", "q3", "q2"]


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(IDS.to(model.get_input_embeddings().weight.device)).logits
    return found.float().cpu()


@pytest.mark.parametrize("level", LOWERED)
def test_codes_are_those_of_a_cpu(level: str) -> None:
    weight = torch.randn(512, 768, generator=torch.Generator().manual_seed(1))
    on_cpu, on_gpu = quantize(weight, LEVELS[level]), quantize(weight.cuda(), LEVELS[level]).cpu()
    differing = (on_cpu != on_gpu).float().mean()
    assert differing < 1e-4  # a weight half way between two codes may go either way


@pytest.mark.parametrize("level", ["fp16", "q4", "attention8-mlp4-embed6"])
def test_a_level_gives_the_logits_of_a_cpu(random_llama: Path, level: str) -> None:
    on_cpu, on_gpu = (
        QBenchLM(str(random_llama), level=level, device=device, dtype="float32") for device in ("cpu", "cuda")
    )
    assert on_gpu.device.type == "cuda"
    expected = logits(on_cpu.model)
    assert (logits(on_gpu.model) - expected).norm() < 1e-3 * expected.norm()
    assert on_cpu.proof is not None
    assert on_gpu.proof is not None
    assert on_gpu.proof.bits_per_weight == on_cpu.proof.bits_per_weight


@pytest.mark.parametrize("level", ["int8", "nf4", "fp4"])
def test_bitsandbytes_makes_its_levels_on_a_gpu(level: str) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    base, lm = (QBenchLM(level=name, device="cuda", dtype="bfloat16") for name in ("fp16", level))
    assert lm.proof is not None
    assert lm.proof.share_quantized > 0.5
    before, after = (logits(model).log_softmax(-1) for model in (base.model, lm.model))
    assert 0 < float((before.exp() * (before - after)).sum(-1).mean()) < 0.5


def test_a_part_in_the_hosts_memory_gets_its_level_too(random_llama: Path) -> None:
    on_gpu = ("model.embed_tokens", "model.rotary_emb", "model.layers.0", "model.norm", "lm_head")
    device_map: dict[str, Any] = {**dict.fromkeys(on_gpu, 0), "model.layers.1": "cpu"}
    whole = AutoModelForCausalLM.from_pretrained(random_llama, dtype=torch.float32).eval()
    spread = AutoModelForCausalLM.from_pretrained(random_llama, dtype=torch.float32, device_map=device_map).eval()
    for model in (whole, spread):
        apply(model, resolve("q4"))
    expected = logits(whole)
    assert (logits(spread) - expected).norm() < 1e-3 * expected.norm()


def test_a_model_spread_by_lm_eval_answers_as_the_whole_one(random_llama: Path) -> None:
    spread = QBenchLM(str(random_llama), level="q4", parallelize=True, dtype="float32")
    whole = QBenchLM(str(random_llama), level="q4", device="cuda", dtype="float32")
    expected = logits(whole.model)
    assert (logits(spread.model) - expected).norm() < 1e-3 * expected.norm()


def test_drafts_change_no_token(random_llama: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(random_llama, dtype=torch.float32).eval().cuda()
    rng = np.random.default_rng(3)
    prompts = [rng.integers(1, 257, int(length)).tolist() for length in rng.integers(3, 40, 30)]
    ending, limits = Ending(frozenset(), lambda tokens: False), [24] * len(prompts)
    plain = [result.tokens for result in decode(model, prompts, limits, ending, batch_size=8)]
    drafts = [tokens[:12] + [(token + 1) % 257 for token in tokens[12:]] for tokens in plain]
    drafted = decode(model, prompts, limits, ending, batch_size=8, drafts=drafts)
    assert [result.tokens for result in drafted] == plain
    assert sum(result.accepted for result in drafted) == 12 * len(prompts)


def test_choices_behind_one_context_are_scored_as_on_a_cpu(random_llama: Path) -> None:
    asked = [
        Instance("loglikelihood", {}, ("The sea is", choice), at)
        for at, choice in enumerate([" blue", " dry", " a cat"])
    ]
    on_cpu, on_gpu = (
        QBenchLM(str(random_llama), device=device, dtype="float32").loglikelihood(asked, disable_tqdm=True)
        for device in ("cpu", "cuda")
    )
    assert [score for score, _ in on_gpu] == pytest.approx([score for score, _ in on_cpu], abs=1e-2)


def test_a_level_costs_time_and_memory_of_the_gpu(random_llama: Path) -> None:
    cost.reset_peak()
    lm = QBenchLM(str(random_llama), level="q4", device="cuda")
    assert lm.proof is not None
    assert lm.proof.resident_bytes <= cost.resident_bytes() <= cost.peak_bytes()
    speed = cost.measure(lm.timed_pass, lm.max_length)
    assert speed.prompt_tokens_per_second is not None
    assert speed.prompt_tokens_per_second > 0
    if "nvml" in speed.energy_from:  # Volta or newer, with nvidia-ml-py
        assert speed.energy_joules is not None
        assert speed.energy_joules >= 0
