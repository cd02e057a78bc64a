"""Levels that a library makes on loading: bitsandbytes, and checkpoints that are quantized already. All of them are real ones."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from qbench import records
from qbench.errors import LevelError, MixError, ModelError, QBenchError
from qbench.levels import AsIs, read_mix, resolve
from qbench.models import QBenchLM, nano_path
from qbench.quant import bnb
from qbench.quant.apply import apply
from qbench.sweep import sweep

IDS = torch.arange(1, 60)[None]
LAYER = "model.layers.1.mlp.down_proj"
MLP = 768  # the width of nano's
N_EMBEDDING, N_LINEAR, N_NORMS = 3072 * 256, 4 * (4 * 256 * 256 + 3 * 256 * MLP), 9 * 256


def copy_of_nano(folder: Path, **changes: object) -> Path:
    """A folder like nano's, with another configuration."""
    shutil.copytree(nano_path(), folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    return folder


@pytest.fixture(scope="module")
def fp8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nano with its linear layers in 8-bit floats, a scale for 128 x 128 weights, as DeepSeek and Qwen publish theirs."""
    said = {"quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "dynamic"}
    folder = copy_of_nano(tmp_path_factory.mktemp("fp8") / "nano-fp8", quantization_config=said)
    tensors = {}
    for name, weight in load_file(folder / "model.safetensors").items():
        tensors[name] = weight
        if "proj" in name:
            blocks = weight.float().view(weight.shape[0] // 128, 128, weight.shape[1] // 128, 128)
            scale = blocks.abs().amax((1, 3)) / 448
            tensors[name] = (blocks / scale[:, None, :, None]).view(weight.shape).to(torch.float8_e4m3fn)
            tensors[f"{name}_scale_inv"] = scale
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def compressed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nano packed by compressed-tensors, 4 bits in groups of 64."""
    package = pytest.importorskip("compressed_tensors", reason="compressed-tensors is not installed")
    from compressed_tensors.compressors import ModelCompressor
    from compressed_tensors.quantization import QuantizationConfig, apply_quantization_config

    assert package
    folder = copy_of_nano(tmp_path_factory.mktemp("compressed") / "nano-w4a16")
    model = transformers.AutoModelForCausalLM.from_pretrained(nano_path(), dtype=torch.bfloat16)
    weights = {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group", "group_size": 64}
    groups = {"group_0": {"targets": ["Linear"], "weights": weights}}
    apply_quantization_config(model, QuantizationConfig(config_groups=groups, ignore=["lm_head"]))
    for module in model.modules():
        if hasattr(module, "weight_scale"):
            module.weight_scale.data = (
                module.weight.data.view(len(module.weight), -1, 64).abs().amax(-1) / 7.5
            ).bfloat16()
    compressor = ModelCompressor.from_pretrained_model(model, quantization_format="pack-quantized")
    compressor.compress_model(model)
    model.save_pretrained(folder)
    compressor.update_config(str(folder))
    return folder


@pytest.fixture(scope="module")
def nf4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nano as bitsandbytes and ``save_pretrained`` write it."""
    folder = copy_of_nano(tmp_path_factory.mktemp("bnb") / "nano-nf4")
    four_bits("nf4").save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def torchao(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nano as torchao and ``save_pretrained`` write it: 8 bits, a scale a row."""
    from torchao.quantization import Int8WeightOnlyConfig

    folder = copy_of_nano(tmp_path_factory.mktemp("torchao") / "nano-int8wo")
    config = transformers.TorchAoConfig(Int8WeightOnlyConfig(version=2))
    transformers.AutoModelForCausalLM.from_pretrained(
        nano_path(), dtype=torch.bfloat16, quantization_config=config, device_map={"": "cpu"}
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def finetuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another checkpoint of the same model, not quantized: one layer is different."""
    folder = copy_of_nano(tmp_path_factory.mktemp("plain") / "nano-tuned")
    tensors = load_file(folder / "model.safetensors")
    tensors[f"{LAYER}.weight"] *= 1.5
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def four_bits(kind: str) -> Any:
    """nano in four bits as plain transformers loads it; never used, so that its codes are where they were loaded."""
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    config = transformers.BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type=kind, bnb_4bit_compute_dtype=torch.float32
    )
    return transformers.AutoModelForCausalLM.from_pretrained(
        nano_path(), dtype=torch.float32, quantization_config=config, device_map={"": "cpu"}
    ).eval()


@torch.no_grad()
def kl(model: torch.nn.Module, base: torch.Tensor) -> float:
    return float((base.exp() * (base - log_probabilities(model))).sum(-1).mean())


def two_bits(lm: QBenchLM, base: torch.Tensor) -> float:
    """What no sound format of four bits or more costs; how much that is depends on how sure nano is of its answers."""
    lm.set_level("q2")
    return kl(lm.model, base)


@torch.no_grad()
def log_probabilities(model: torch.nn.Module) -> torch.Tensor:
    answers: torch.Tensor = model(IDS).logits.double().log_softmax(-1)
    return answers


@pytest.fixture(scope="module")
def lm() -> QBenchLM:
    return QBenchLM(batch_size=2)


@pytest.fixture(scope="module")
def base(lm: QBenchLM) -> torch.Tensor:
    lm.set_level("fp16")
    return log_probabilities(lm.model)


# ---------------------------------------------------------------- bitsandbytes


@pytest.mark.parametrize("kind", ["nf4", "fp4"])
def test_four_bits_of_bitsandbytes_are_those_of_transformers(kind: str, lm: QBenchLM, base: torch.Tensor) -> None:
    theirs = four_bits(kind)
    from bitsandbytes.functional import dequantize_4bit

    weight = theirs.get_submodule(LAYER).weight
    actual = dequantize_4bit(weight.data, weight.quant_state)  # before a pass on a CPU repacks the codes
    original = load_file(Path(nano_path()) / "model.safetensors")[f"{LAYER}.weight"].float()
    proof = lm.set_level(kind)
    torch.testing.assert_close(log_probabilities(lm.model), log_probabilities(theirs), rtol=0, atol=1e-9)
    (module,) = [module for module in proof.modules if module.name == LAYER]
    # The kernel of a CPU keeps the scales in bf16, which the layer's answers show and dequantizing does not.
    assert module.relative_error == pytest.approx(float((actual - original).norm() / original.norm()), rel=0.01)
    assert (module.level, module.bits, module.group_size) == (kind, 4, 64)
    # Half a byte a weight, four bytes for every 64; sixteen values and a description in each layer.
    assert module.storage_bytes == pytest.approx(256 * MLP * (4 + 32 / 64) / 8, abs=200)
    assert proof.share_quantized == N_LINEAR / (N_LINEAR + N_EMBEDDING + N_NORMS)
    assert 0.005 < kl(lm.model, base) < two_bits(lm, base)


def test_int8_of_bitsandbytes(lm: QBenchLM, base: torch.Tensor) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    proof = lm.set_level("int8")
    (module,) = [module for module in proof.modules if module.name == LAYER]
    original = load_file(Path(nano_path()) / "model.safetensors")[f"{LAYER}.weight"].float()
    scale = original.abs().amax(1, keepdim=True) / 127
    rounded = (original / scale).round() * scale
    assert module.relative_error == pytest.approx(float((rounded - original).norm() / original.norm()), rel=0.05)
    assert module.storage_bytes == pytest.approx(256 * MLP + 4 * 256, abs=8)  # a byte a weight, four a row
    unquantized = {module.name for module in proof.modules if module.bits is None}
    assert unquantized == {"model.embed_tokens"}
    # codes and scales, the embedding and the norms; the model computes in float32
    n_rows = 4 * (5 * 256 + 2 * MLP)
    assert proof.resident_bytes == pytest.approx(N_LINEAR + 4 * n_rows + 4 * (N_EMBEDDING + N_NORMS), rel=0.001)
    assert proof.bits_per_weight == pytest.approx(
        (8 * N_LINEAR + 32 * n_rows + 16 * (N_EMBEDDING + N_NORMS)) / proof.n_parameters, rel=0.001
    )
    assert 0 < kl(lm.model, base) < 0.02


def test_a_level_after_bitsandbytes_is_made_of_the_checkpoint_again(lm: QBenchLM, base: torch.Tensor) -> None:
    four_bits("nf4")
    lm.set_level("nf4")
    lm.set_level("fp16")
    assert torch.equal(log_probabilities(lm.model), base)


def test_a_model_that_bitsandbytes_leaves_as_it_is_is_no_level(tmp_path: Path) -> None:
    """Falcon has a linear layer of its own, which transformers' replacement passes over in silence."""
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    sizes = {"vocab_size": 3072, "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    falcon = transformers.FalconForCausalLM(transformers.FalconConfig(**sizes, bos_token_id=0, eos_token_id=0))
    falcon.save_pretrained(copy_of_nano(tmp_path / "falcon"))
    with pytest.raises(LevelError, match="nf4 changed nothing: bitsandbytes found no layer"):
        QBenchLM(pretrained=str(tmp_path / "falcon"), level="nf4")


def test_without_bitsandbytes_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bnb, "is_bitsandbytes_available", lambda: False)
    with pytest.raises(LevelError, match=r"Level nf4 needs bitsandbytes.*pip install 'qbench\[bnb\]'\.$"):
        QBenchLM(level="nf4")


def test_a_level_made_on_loading_is_neither_applied_nor_mixed(tmp_path: Path) -> None:
    with pytest.raises(LevelError, match="nf4 is made while a model is loaded"):
        apply(torch.nn.Linear(64, 64), resolve("nf4"))
    own = tmp_path / "own.yaml"
    own.write_text("default: q4\nrules: [{modules: '*mlp*', level: nf4}]")
    with pytest.raises(MixError, match="nf4 is made of a whole model at once"):
        read_mix(own)


# ---------------------------------------------------------------- ready-made checkpoints


@pytest.mark.parametrize(
    ("made", "bits", "bits_per_weight", "error"),
    [
        ("fp8", 8, 8 + 32 / 128**2, (0.02, 0.035)),  # three bits behind the point
        ("compressed", 4, 4 + 16 / 64, (0.08, 0.13)),
        ("nf4", 4, 4 + 32 / 64, (0.08, 0.11)),
        ("torchao", 8, 8 + 16 / MLP, (0.004, 0.012)),
    ],
)
def test_a_ready_made_checkpoint_is_a_level_with_a_proof(
    made: str,
    bits: int,
    bits_per_weight: float,
    error: tuple[float, float],
    lm: QBenchLM,
    base: torch.Tensor,
    request: pytest.FixtureRequest,
) -> None:
    folder: Path = request.getfixturevalue(made)
    proof = lm.set_level(f"as-is:{folder}")
    (module,) = [module for module in proof.modules if module.name == LAYER]
    assert module.bits == bits
    # shapes, names and zero points take a little more
    assert 8 * module.storage_bytes / (256 * MLP) == pytest.approx(bits_per_weight, abs=0.05)
    assert error[0] < module.relative_error < error[1]
    assert proof.share_quantized == pytest.approx(N_LINEAR / (N_LINEAR + N_EMBEDDING + N_NORMS))
    head = 8 + int.from_bytes((folder / "model.safetensors").read_bytes()[:8], "little")
    assert proof.storage_bytes == (folder / "model.safetensors").stat().st_size - head
    assert lm.level.name == f"as-is-{folder.parent.name}-{folder.name}"
    assert 0 < kl(lm.model, base) < two_bits(lm, base)


def test_a_plain_checkpoint_of_the_same_model_is_a_level_too(lm: QBenchLM, base: torch.Tensor, finetuned: Path) -> None:
    (finetuned / "tokenizer.json").unlink()  # then it is asked in the model's tokens
    proof = lm.set_level(f"as-is:{finetuned}")
    changed = {module.name: module.relative_error for module in proof.modules if module.relative_error}
    assert changed == {LAYER: pytest.approx(0.5, abs=0.01)}
    assert proof.share_quantized == 0
    assert kl(lm.model, base) > 0


def test_a_checkpoint_can_be_evaluated_alone(fp8: Path, lm: QBenchLM) -> None:
    lm.set_level(f"as-is:{fp8}")
    alone = QBenchLM(pretrained=str(fp8), level=f"as-is:{fp8}", batch_size=2)
    assert torch.equal(log_probabilities(alone.model), log_probabilities(lm.model))


def test_what_cannot_be_a_level_is_refused_in_one_sentence(lm: QBenchLM, fp8: Path, tmp_path: Path) -> None:
    gptq = {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False, "sym": True}
    other = copy_of_nano(tmp_path / "other")
    tokenizer = json.loads((other / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["Ġthe"], vocabulary["Ġof"] = vocabulary["Ġof"], vocabulary["Ġthe"]
    (other / "tokenizer.json").write_text(json.dumps(tokenizer))
    refused: dict[str, tuple[type[QBenchError], str]] = {
        str(copy_of_nano(tmp_path / "same")): (LevelError, "holds the very weights"),
        str(tmp_path / "nowhere"): (ModelError, "There is no model at"),
        str(copy_of_nano(tmp_path / "odd", quantization_config={"quant_method": "odd"})): (ModelError, "got odd"),
        str(other): (ModelError, "2 tokens differ"),
    }
    if not transformers.utils.is_optimum_available():
        refused[str(copy_of_nano(tmp_path / "gptq", quantization_config=gptq))] = (ModelError, "pip install optimum")
    for path, (kind, message) in refused.items():
        with pytest.raises(kind, match=message) as error:
            lm.set_level(f"as-is:{path}")
        assert "\n" not in str(error.value)
    for quantized in (
        str(fp8),
        str(copy_of_nano(tmp_path / "base", quantization_config=gptq)),
    ):  # no library is asked for
        with pytest.raises(LevelError, match=r"is quantized already.*as the level as-is:"):
            QBenchLM(pretrained=quantized)
    with pytest.raises(LevelError, match="needs the folder or hub id"):
        resolve("as-is:")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("TheBloke/Llama-2-7B-AWQ", "as-is-TheBloke-Llama-2-7B-AWQ"),
        ("/data/models/llama-3.1-awq/", "as-is-models-llama-3.1-awq"),
        ("../x y", "as-is-x-y"),
        ("C:\\models\\awq", "as-is-models-awq"),
    ],
)
def test_the_name_of_a_checkpoint_is_a_folder(path: str, name: str) -> None:
    assert AsIs(path).name == name


# ---------------------------------------------------------------- sweeps


def test_a_sweep_pairs_engines_mixes_and_checkpoints(tmp_path: Path, fp8: Path) -> None:
    levels = ["fp16", "q4", "int8-selective-int4", f"as-is:{fp8}"]
    run = tmp_path / "run"
    finished = sweep(
        levels=levels, tasks=["qbench_numerical_arithmetic"], limit=2, run=run, noise_floor=False, progress=False
    )
    folder = f"as-is-{fp8.parent.name}-nano-fp8"
    assert finished.levels == ["fp16", "q4", "int8-selective-int4", folder]
    info = records.read_run(run / folder).info
    assert info["level"]["kind"] == "as-is"
    assert info["level"]["quantization"]["quant_method"] == "fp8"
    assert info["proof"]["share_quantized"] > 0.7
    assert info["model"]["n_parameters"] == N_LINEAR + N_EMBEDDING + N_NORMS
    ids = [
        [sample["doc_id"] for sample in finished.run(name).samples("qbench_numerical_arithmetic")]
        for name in finished.levels
    ]
    assert ids == [ids[0]] * 4
    twin = copy_of_nano(tmp_path / fp8.parent.name / "nano-fp8")  # the same name, other weights
    levels[-1] = f"as-is:{twin}"
    with pytest.raises(QBenchError, match="differs in stored_as"):
        sweep(levels=levels, tasks=["qbench_numerical_arithmetic"], limit=2, run=run, noise_floor=False)


def test_two_levels_of_one_name_and_impossible_levels_end_a_sweep_before_it_begins(tmp_path: Path) -> None:
    with pytest.raises(QBenchError, match="q4 and q4 would be written to one folder"):
        sweep(levels=["fp16", "q4", "q4"], run=tmp_path / "run")
    mix = tmp_path / "mix.yaml"
    mix.write_text("default: q4\nrules: [{modules: '*conv*', level: q8}]")
    with pytest.raises(MixError, match="decides for no module"):
        sweep(levels=["fp16", str(mix)], tasks=["qbench_numerical_arithmetic"], run=tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()
