"""A level is made weight by weight from the mapped files: beside the model, never more than one of its weights is in memory."""

from pathlib import Path

import pytest
import torch
from torch.profiler import ProfilerActivity, profile
from transformers import LlamaConfig, LlamaForCausalLM

from qbench.levels import resolve
from qbench.quant import intx
from qbench.quant.apply import apply
from qbench.quant.weights import Checkpoint

SIZE = 768  # of every weight, in both directions


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model in files of one weight each, since the profiler counts a file that is mapped as memory that is allocated."""
    config = LlamaConfig(
        vocab_size=SIZE,
        hidden_size=SIZE,
        intermediate_size=SIZE,
        num_hidden_layers=1,
        num_attention_heads=12,
        tie_word_embeddings=False,
    )
    folder = tmp_path_factory.mktemp("shards")
    torch.manual_seed(0)
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder, max_shard_size=2 * SIZE**2)
    return folder


def most_allocated(recorded: profile) -> int:
    """Bytes that were allocated at once, at most, beside what was there before."""
    now = most = 0
    for event in recorded.profiler.kineto_results.events():  # type: ignore[union-attr]
        if event.name() == "[memory]":
            now += event.nbytes()  # type: ignore[union-attr]
            most = max(most, now)
    return most


@pytest.mark.parametrize("level", ["q4", "attention8-mlp4-embed6", "fp16"])
def test_no_more_than_one_weight_is_in_memory_twice(shards: Path, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(Checkpoint(str(shards)).files) >= 9
    monkeypatch.setattr(intx, "PIECE", 1 << 10)  # so that the scratch is small beside a weight
    model = LlamaForCausalLM.from_pretrained(shards, dtype=torch.float32)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        apply(model, resolve(level), Checkpoint(str(shards)).__getitem__)
    assert 2 * SIZE**2 <= most_allocated(recorded) <= 4 * SIZE**2  # between a weight in bf16 and one in float32
