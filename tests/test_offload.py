"""Models that do not fit: weights that accelerate keeps in the host's memory get their level, and those on the disk are refused."""

from pathlib import Path
from typing import Any

import accelerate
import pytest
import torch
from lm_eval.api.instance import Instance
from transformers import AutoModelForCausalLM

from qbench.errors import LevelError
from qbench.levels import resolve
from qbench.models import QBenchLM
from qbench.quant.apply import apply
from qbench.quant.weights import Checkpoint

IDS = torch.arange(1, 60)[None]


def load(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def offload(module: Any) -> None:
    accelerate.cpu_offload(module, execution_device=torch.device("cpu"))


@pytest.mark.parametrize("part", ["", "model.layers.1"], ids=["everything", "one layer"])
def test_a_level_reaches_weights_in_the_hosts_memory(random_llama: Path, part: str) -> None:
    plain, offloaded = load(random_llama), load(random_llama)
    offload(offloaded.get_submodule(part))
    assert offloaded.model.layers[1].mlp.up_proj.weight.device.type == "meta"
    checkpoint = Checkpoint(str(random_llama)).__getitem__
    for level in ("q4", "attention8-mlp4-embed6", "q2", "fp16"):
        expected, proof = (apply(model, resolve(level), checkpoint) for model in (plain, offloaded))
        with torch.inference_mode():
            assert torch.equal(offloaded(IDS).logits, plain(IDS).logits), level
        assert proof == expected  # tied tables counted once


def test_an_offloaded_model_answers_as_the_whole_one(random_llama: Path) -> None:
    asked = Instance("generate_until", {}, ("What is 12 + 30?", {"until": ["\n"], "max_gen_toks": 8}), 0)
    pairs = [Instance("loglikelihood", {}, ("The sea is", choice), at) for at, choice in enumerate([" blue", " dry"])]
    plain, offloaded = load(random_llama), load(random_llama)
    offload(offloaded)
    answers = []
    for model in (plain, offloaded):
        lm = QBenchLM(model, tokenizer=str(random_llama), level="q4")
        answers.append((lm.generate_until([asked], disable_tqdm=True), lm.loglikelihood(pairs, disable_tqdm=True)))
    assert answers[0] == answers[1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU this model is on it")
@pytest.mark.parametrize("level", ["fp16", "q4", "int8-selective-int4"])
def test_weights_on_the_disk_are_refused_by_name(random_llama: Path, tmp_path: Path, level: str) -> None:
    """Without a GPU, lm-eval's parallelize=True leaves transformers no memory at all."""
    with pytest.raises(LevelError, match=r"^model\.embed_tokens\.weight is offloaded to the disk.*max_cpu_memory"):
        QBenchLM(str(random_llama), level=level, parallelize=True, offload_folder=str(tmp_path))
