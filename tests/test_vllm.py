"""Levels that vLLM runs. No machine of the tests can run vLLM, so it is a stub, which has transformers compute the folder that it is given:
what qbench hands over, and what it makes of what comes back, are real."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stub_vllm
import torch
from lm_eval import simple_evaluate
from lm_eval.api.instance import Instance
from safetensors.torch import load_file, save_file

from qbench import bridge
from qbench.errors import LevelError, ModelError, QBenchError
from qbench.harness import find_tasks
from qbench.models import QBenchLM, open_model
from qbench.scoring import FAILED
from qbench.sweep import sweep

GENERATED, CHOSEN = "qbench_numerical_arithmetic", "qbench-choice-numerical-arithmetic"
FP32 = {"dtype": "float32"}  # as QBenchLM computes on a CPU


@pytest.fixture(scope="module", autouse=True)
def vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with stub_vllm.installed(tmp_path_factory.mktemp("site")):
        yield


@pytest.fixture(autouse=True)
def nothing_made() -> None:
    stub_vllm.LLM.made.clear()


def changed_copy(folder: Path, target: Path) -> Path:
    """The same model with one layer half as strong again, as a ready-made checkpoint."""
    shutil.copytree(folder, target)
    tensors = load_file(target / "model.safetensors")
    name = "model.layers.1.mlp.up_proj.weight"
    save_file({**tensors, name: 1.5 * tensors[name]}, target / "model.safetensors", metadata={"format": "pt"})
    return target


def test_a_sweep_through_vllm_is_the_sweep_that_transformers_makes(random_llama: Path, tmp_path: Path) -> None:
    ready_made = changed_copy(random_llama, tmp_path / "made" / "elsewhere")
    options: dict[str, Any] = {
        "levels": ["fp16", "attention8-mlp4-embed6", f"as-is:{ready_made}"],
        "tasks": [GENERATED, CHOSEN],
        "limit": 1,
        "model_args": FP32,
        "progress": False,
    }
    ours = sweep(str(random_llama), run=tmp_path / "vllm", model_backend="vllm", **options)
    theirs = sweep(str(random_llama), run=tmp_path / "transformers", **options)
    assert ours.levels == theirs.levels
    for level in ours.levels:
        found, expected = ours.run(level), theirs.run(level)
        for task in (GENERATED, CHOSEN):
            for sample, other in zip(found.samples(task), expected.samples(task), strict=True):
                assert sample["prompt_hash"] == other["prompt_hash"]
                assert sample["failed"] is other["failed"] is None
                assert sample["truncated"] == other["truncated"]
                if task == GENERATED:
                    assert sample["resps"] == other["resps"]
                else:
                    assert scores(sample) == pytest.approx(scores(other), abs=1e-3)
        assert found.info["proof"]["bits_per_weight"] == expected.info["proof"]["bits_per_weight"]
        assert found.info["proof"]["modules"] == expected.info["proof"]["modules"]
        assert found.info["model_backend"] == "vllm"
        assert found.info["cost"]["prompt_tokens_per_second"] > 0
        assert found.info["cost"]["resident_bytes"] is found.info["cost"]["peak_bytes"] is None  # another process's
    assert json.loads((tmp_path / "vllm" / "sweep.json").read_text())["model_backend"] == "vllm"
    folders = [made["model"] for made in stub_vllm.LLM.made]  # the noise floor asks the baseline that is there
    assert [folders[0], folders[2]] == [str(random_llama), str(ready_made)]
    assert not Path(folders[1]).exists()


def scores(sample: dict[str, Any]) -> list[float]:
    return [float(response[0][0]) for response in sample["resps"]]


def test_arguments_are_those_of_lm_evals_own_model(random_llama: Path) -> None:
    bridge.install()
    manager, _ = find_tasks([GENERATED])
    arguments = f"model_backend=vllm,pretrained={random_llama},level=q8,dtype=float32,tensor_parallel_size=2,gpu_memory_utilization=0.5"
    shown = simple_evaluate(
        model="qbench", model_args=arguments, tasks=[GENERATED], limit=1, task_manager=manager, bootstrap_iters=0
    )
    (made,) = stub_vllm.LLM.made
    assert made["model"] != made["tokenizer"] == str(random_llama)
    assert made["dtype"] == "float32"
    assert (made["tensor_parallel_size"], made["gpu_memory_utilization"]) == (2, 0.5)
    assert shown["config"]["qbench_level"] == "q8"
    assert shown["config"]["qbench_proof"]["share_quantized"] > 0.9


def test_a_lowered_folder_is_in_the_dtype_of_the_checkpoint(random_llama: Path) -> None:
    lm = open_model("vllm", pretrained=str(random_llama), level="q4")
    expected = QBenchLM(str(random_llama), level="q4", dtype="bfloat16").model.state_dict()
    for name, weight in lm.model.network.state_dict().items():
        assert weight.dtype == torch.bfloat16
        assert torch.equal(weight, expected[name]), name


@pytest.mark.parametrize("level", ["nf4", "int8"])
def test_bitsandbytes_codes_are_handed_over_as_they_are(
    random_llama: Path, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    with pytest.raises(LevelError, match=f"This vLLM runs no bitsandbytes, which level {level} is made by"):
        open_model("vllm", pretrained=str(random_llama), level=level)
    monkeypatch.setattr(stub_vllm, "QUANTIZATION_METHODS", ["bitsandbytes"])
    monkeypatch.setattr("qbench.vllm.QUANTIZATION_METHODS", ["bitsandbytes"])
    lm = open_model("vllm", pretrained=str(random_llama), level=level, **FP32)
    expected = QBenchLM(str(random_llama), level=level)
    ids = torch.arange(1, 60)[None]
    with torch.inference_mode():
        torch.testing.assert_close(lm.model.network(ids).logits, expected.model(ids).logits, rtol=1e-3, atol=1e-3)
    assert expected.proof is not None
    assert lm.proof.bits_per_weight == pytest.approx(expected.proof.bits_per_weight)


def test_what_does_not_fit_is_not_asked_and_how_responses_end_is_noted(random_llama: Path) -> None:
    lm = open_model("vllm", pretrained=str(random_llama), max_model_len=64, **FP32)
    lm.record_failures = True
    asked = [
        Instance("generate_until", {}, (prompt, {"until": [], "max_gen_toks": 8}), at)
        for at, prompt in enumerate(["short", "long " * 40])
    ]
    response, refused = lm.generate_until(asked, disable_tqdm=True)
    assert response
    assert refused.startswith(f"{FAILED}not applicable: a prompt of 200 tokens")
    assert (lm.notes["short"].n_tokens, lm.notes["short"].truncated) == (8, True)
    pairs = [Instance("loglikelihood", {}, (context, " x"), at) for at, context in enumerate(["a" * 61, "a" * 62])]
    (fits, _), (too_long, _) = lm.loglikelihood(pairs, disable_tqdm=True)
    assert fits < 0
    assert too_long != too_long
    assert "exceed the window of 64" in lm.notes["a" * 62].failed


def test_a_ready_made_checkpoint_is_proved_from_its_files(random_llama: Path, tmp_path: Path) -> None:
    lm = open_model("vllm", pretrained=str(random_llama))
    changed = changed_copy(random_llama, tmp_path / "changed")
    proof = lm.set_level(f"as-is:{changed}")
    errors = {module.name: module.relative_error for module in proof.modules if module.relative_error}
    assert errors == {"model.layers.1.mlp.up_proj": pytest.approx(0.5, abs=0.01)}
    same = tmp_path / "same"
    shutil.copytree(random_llama, same)
    with pytest.raises(LevelError, match="holds the very weights"):
        lm.set_level(f"as-is:{same}")


def test_what_vllm_does_not_run_is_refused_before_anything_is_loaded(random_llama: Path, tmp_path: Path) -> None:
    with pytest.raises(LevelError, match="none of the engine 'gguf'"):
        open_model("vllm", pretrained=str(random_llama), engine="gguf")
    with pytest.raises(ModelError, match="There is no model backend 'vlm'; known is vllm"):
        open_model("vlm", pretrained=str(random_llama))
    with pytest.raises(ModelError, match="There is no model at"):
        open_model("vllm", pretrained=str(tmp_path / "nowhere"))
    quantized = changed_copy(random_llama, tmp_path / "quantized")
    config = json.loads((quantized / "config.json").read_text())
    (quantized / "config.json").write_text(json.dumps({**config, "quantization_config": {"quant_method": "fp8"}}))
    with pytest.raises(LevelError, match="is quantized already"):
        open_model("vllm", pretrained=str(quantized))
    with pytest.raises(QBenchError, match=r"must not set model_backend: .*--model-backend do"):
        sweep(str(random_llama), run=tmp_path / "run", model_args={"model_backend": "vllm"})
    assert stub_vllm.LLM.made == []


def test_without_vllm_one_sentence_says_what_to_install(random_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "qbench.vllm", raising=False)
    monkeypatch.delitem(sys.modules, "lm_eval.models.vllm_causallms", raising=False)
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ModelError, match=r"needs vLLM .*: pip install 'qbench\[vllm\]'\.$"):
        open_model("vllm", pretrained=str(random_llama))
