"""The GGUF engine against transformers: the same model, computed twice by different people's code."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scripts import benchmark
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

REASON = "llama-cpp-python is an optional extra that takes minutes to build: pip install 'qbench[gguf]'"
llama_cpp = pytest.importorskip("llama_cpp", reason=REASON)
gguf = pytest.importorskip("gguf", reason=REASON)

from lm_eval import simple_evaluate  # noqa: E402
from lm_eval.api.instance import Instance  # noqa: E402

from qbench import bridge, cli  # noqa: E402
from qbench.errors import LevelError, MixError, ModelError  # noqa: E402
from qbench.gguf import files, llama  # noqa: E402
from qbench.gguf.files import GGUFProof, at_level, from_folder, open_file, prove  # noqa: E402
from qbench.gguf.gate import PROBES, log_probabilities, log_probabilities_of_transformers  # noqa: E402
from qbench.gguf.llama import Llama, Tree  # noqa: E402
from qbench.gguf.model import GGUFLM  # noqa: E402
from qbench.gguf.types import TYPES, module_name, tensor_name  # noqa: E402
from qbench.harness import find_tasks  # noqa: E402
from qbench.levels import resolve  # noqa: E402
from qbench.models import QBenchLM, nano_path  # noqa: E402
from qbench.report import read_table  # noqa: E402
from qbench.report.citation import methods  # noqa: E402
from qbench.report.wording import notes  # noqa: E402
from qbench.scoring import FAILED  # noqa: E402
from qbench.sweep import sweep  # noqa: E402

LEAF = "qbench_numerical_arithmetic"
LADDER = list(TYPES)
QUESTIONS = [
    "What is 12 + 30?\nAnswer:",
    "A train leaves at 9:40 and arrives at 11:05. How long does it travel?\nAnswer:",
    "Complete the sequence: 2, 4, 8, 16,",
    "Which word has the wrong spelling: recieve, believe, achieve?",
    "If all cats are animals and Tom is a cat, then",
    "Write a short poem about the sea.",
    "3, 1, 4, 1, 5, 9, 2, 6,",
    "The capital of France is",
]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """llama.cpp's threads wait for each other in busy loops, which takes minutes on a machine with other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("QBENCH_CACHE", str(folder))
        yield folder


def random_model(folder: Path, model_class: Any, config: Any, tokenizer_of: Path) -> Path:
    torch.manual_seed(11)
    model_class(config).to(torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tokenizer_of).save_pretrained(folder)
    return folder


SHAPE: dict[str, Any] = {
    "vocab_size": 257,
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.1,
    "bos_token_id": None,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
STRETCHED = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
FAMILY = {
    "grouped-query": (LlamaForCausalLM, LlamaConfig(**SHAPE, tie_word_embeddings=False)),
    "biases": (LlamaForCausalLM, LlamaConfig(**SHAPE, attention_bias=True, mlp_bias=True)),
    "stretched": (LlamaForCausalLM, LlamaConfig(**SHAPE, rope_parameters=STRETCHED)),
    "mistral": (MistralForCausalLM, MistralConfig(**SHAPE, sliding_window=None)),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**SHAPE)),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(**SHAPE, head_dim=32)),
}


@pytest.fixture(scope="module")
def wide_llama(random_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama whose rows are wide enough for K-quants, with two query heads to a key head."""
    return random_model(tmp_path_factory.mktemp("wide-llama"), *FAMILY["grouped-query"], tokenizer_of=random_llama)


def compared(folder: Path, path: Path) -> tuple[float, float]:
    """Mean KL, and mean absolute difference of the tokens' log-likelihoods, of a GGUF file against transformers in fp32."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = AutoTokenizer.from_pretrained(folder).encode(" ".join(PROBES))[:500]
    theirs, ours = log_probabilities_of_transformers(model, ids), log_probabilities(Llama(path, 1), ids)
    divergence = (theirs.exp() * (theirs - ours)).sum(-1).mean()
    difference = (theirs - ours)[:-1].gather(1, torch.tensor(ids[1:])[:, None]).abs().mean()
    return float(divergence), float(difference)


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("kind", FAMILY)
def test_the_f16_file_computes_what_transformers_computes(random_llama: Path, tmp_path: Path, kind: str) -> None:
    folder = random_model(tmp_path / kind, *FAMILY[kind], tokenizer_of=random_llama)
    divergence, difference = compared(folder, from_folder(str(folder)).path)
    assert divergence < 1e-4
    assert difference < 1e-2


def test_nano_computes_the_same_too() -> None:
    divergence, difference = compared(Path(nano_path()), from_folder(nano_path()).path)
    assert divergence < 1e-4
    assert difference < 1e-2


def test_a_stretched_window_is_not_an_unstretched_one(random_llama: Path, tmp_path: Path) -> None:
    """So the test above would notice if the file said nothing of it."""
    folder = random_model(tmp_path / "stretched", *FAMILY["stretched"], tokenizer_of=random_llama)
    config = json.loads((folder / "config.json").read_text())
    config["rope_parameters"] = {"rope_type": "default", "rope_theta": 10000.0}
    plain = shutil.copytree(folder, tmp_path / "plain")
    (plain / "config.json").write_text(json.dumps(config))
    assert compared(folder, from_folder(str(plain)).path)[0] > 1e-3


def test_divergence_grows_as_bits_fall(wide_llama: Path) -> None:
    source = from_folder(str(wide_llama))
    files = [at_level(source, resolve(level), 1) for level in LADDER]
    divergences = [compared(wide_llama, file.path)[0] for file in files]
    assert divergences == sorted(divergences)
    assert divergences[1] < 0.01 < 0.1 < divergences[-1]
    sizes = [file.path.stat().st_size for file in files]
    assert sizes == sorted(sizes, reverse=True)


def test_a_mix_gives_every_tensor_its_type(wide_llama: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        "default: q5\nrules:\n"
        '  - {modules: "*embed*", level: fp16}\n'
        '  - {modules: "*mlp*", layers: last, level: q2}\n'
        '  - {modules: ["*q_proj", "*k_proj"], level: q8}\n'
    )
    made = at_level(from_folder(str(wide_llama)), resolve(str(path)), 1)
    types = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(made.path).tensors}
    expected = {
        "token_embd": "F16",
        "output": "Q5_K",
        "blk.0.attn_q": "Q8_0",
        "blk.1.attn_k": "Q8_0",
        "blk.0.attn_v": "Q5_K",
        "blk.0.ffn_down": "Q5_K",
        "blk.1.ffn_down": "Q2_K",
        "blk.1.ffn_gate": "Q2_K",
        "blk.1.attn_norm": "F32",
    }
    assert {name: types[f"{name}.weight"] for name in expected} == expected


@pytest.mark.parametrize("mix", ["attention8-mlp4-embed6", "early2-middle-late4", "int6-int4", "last-layer-int4"])
def test_the_mixes_of_the_package_are_mixes_here_too(mix: str) -> None:
    source = from_folder(nano_path())
    proof = prove(at_level(source, resolve(mix), 1), source, resolve(mix), {})
    intx = QBenchLM(level=mix).proof
    assert intx is not None
    bits = {module.name: module.bits for module in proof.modules}
    assert bits == {module.name: module.bits for module in intx.modules}


def test_a_rule_that_matches_nothing_is_an_error(wide_llama: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("default: q8\nrules:\n  - {modules: '*experts*', level: q4}\n")
    with pytest.raises(MixError, match=r"'\*experts\* -> q4' decides for no module"):
        at_level(from_folder(str(wide_llama)), resolve(str(path)), 1)


def test_names_go_both_ways() -> None:
    for module, tensor in [
        ("model.layers.12.self_attn.o_proj", "blk.12.attn_output.weight"),
        ("model.layers.0.mlp.down_proj", "blk.0.ffn_down.weight"),
        ("model.embed_tokens", "token_embd.weight"),
        ("lm_head", "output.weight"),
    ]:
        assert tensor_name(f"{module}.weight") == tensor
        assert module_name(tensor) == module
    assert tensor_name("model.layers.0.mlp.experts.3.w1.weight") is None


def test_a_file_is_made_once(wide_llama: Path) -> None:
    made = at_level(from_folder(str(wide_llama)), resolve("q4"), 1).path
    before = made.stat()
    again = at_level(from_folder(str(wide_llama)), resolve("q4"), 1).path
    assert (again, again.stat().st_mtime_ns, again.stat().st_ino) == (made, before.st_mtime_ns, before.st_ino)


def test_other_weights_are_another_file(wide_llama: Path, tmp_path: Path) -> None:
    other = shutil.copytree(wide_llama, tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    weights["model.norm.weight"] *= 2
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    assert from_folder(str(other)).path != from_folder(str(wide_llama)).path
    assert from_folder(str(other)).path.name.endswith("-F16.gguf")


def test_a_failure_leaves_no_half_file(wide_llama: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(source: Path, target: Path, *_: object) -> None:
        target.write_bytes(b"half")
        raise LevelError("out of luck")

    monkeypatch.setattr(files, "quantize_file", fail)
    before = set(own_cache.rglob("*"))
    with pytest.raises(LevelError, match="out of luck"):
        at_level(from_folder(str(wide_llama)), resolve("int6-int4"), 1)
    assert set(own_cache.rglob("*")) == before | set(own_cache.rglob("*-F16.gguf"))


def test_the_proof_is_read_from_the_file(wide_llama: Path) -> None:
    source, level = from_folder(str(wide_llama)), resolve("q4")
    made = at_level(source, level, 1)
    proof = prove(made, source, level, {})
    tensors = gguf.GGUFReader(made.path).tensors
    n_bytes = sum(int(tensor.n_bytes) for tensor in tensors)
    n_weights = sum(int(tensor.n_elements) for tensor in tensors)
    assert proof.storage_bytes == proof.resident_bytes == n_bytes
    assert proof.bits_per_weight == pytest.approx(8 * n_bytes / n_weights)
    assert n_bytes < proof.file_bytes < n_bytes + 20_000
    assert {module.level for module in proof.modules} == {"Q4_K", "Q6_K"}  # what Q4_K_M is
    (gate,) = [module for module in proof.modules if module.name == "model.layers.0.mlp.gate_proj"]
    original = load_file(wide_llama / "model.safetensors")["model.layers.0.mlp.gate_proj.weight"].float().numpy()
    stored = next(tensor for tensor in tensors if tensor.name == "blk.0.ffn_gate.weight")
    lowered = gguf.dequantize(np.array(stored.data), stored.tensor_type)
    assert gate.relative_error == pytest.approx(np.linalg.norm(lowered - original) / np.linalg.norm(original), rel=1e-3)


def test_narrow_rows_fall_back_and_the_proof_says_so(random_llama: Path) -> None:
    """Rows of 64 and 128 weights are no multiple of 256."""
    source, level = from_folder(str(random_llama)), resolve("q4")
    proof = prove(at_level(source, level, 1), source, level, {})
    assert set(proof.fallbacks) == {module.name for module in proof.modules}
    assert not any(module.level.endswith("_K") for module in proof.modules)
    assert all(module.bits and module.bits >= 4 for module in proof.modules)


def test_a_level_that_changes_nothing_is_an_error(wide_llama: Path) -> None:
    source = from_folder(str(wide_llama))
    with pytest.raises(LevelError, match="Level q4 changed nothing"):
        prove(source, source, resolve("q4"), {})


def test_a_quantized_file_gets_no_levels(wide_llama: Path) -> None:
    lowered = at_level(from_folder(str(wide_llama)), resolve("q3"), 1)
    with pytest.raises(LevelError, match="quantized already"):
        at_level(open_file(lowered.path), resolve("q2"), 1)


def test_other_architectures_are_refused_by_name(tmp_path: Path) -> None:
    GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=1, n_head=2, vocab_size=64, n_positions=32)).save_pretrained(tmp_path)
    with pytest.raises(LevelError, match=r"is a gpt2 model.*llama, mistral, qwen2, qwen3.*convert_hf_to_gguf"):
        from_folder(str(tmp_path))


def test_weights_beyond_f16_are_refused(wide_llama: Path, tmp_path: Path) -> None:
    huge = shutil.copytree(wide_llama, tmp_path / "huge")
    weights = load_file(huge / "model.safetensors")
    weights["lm_head.weight"][3, 5] = 1e6
    save_file(weights, huge / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lm_head\.weight.*F16 cannot hold"):
        from_folder(str(huge))


def test_a_missing_library_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    llama.library.cache_clear()
    try:
        assert cli.main(["sweep", "--engine", "gguf", "--levels", "fp16,q4", "--tasks", LEAF]) == 2
    finally:
        llama.library.cache_clear()
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("qbench:")]
    assert "pip install 'qbench[gguf]'" in line


# ---------------------------------------------------------------- the gate


with_tokenizer = benchmark("gguf_engine").with_tokenizer
"""nano as somebody else would ship it: one file, with a tokenizer inside."""


def test_a_file_with_the_right_tokenizer_passes(tmp_path: Path) -> None:
    lm = GGUFLM(pretrained=str(with_tokenizer(tmp_path / "nano.gguf")), reference=nano_path(), level="q8")
    theirs = AutoTokenizer.from_pretrained(nano_path())
    for text in [*PROBES, *QUESTIONS]:
        assert lm.tok_encode(text) == theirs.encode(text)
        assert lm.tok_decode(theirs.encode(text)) == theirs.decode(theirs.encode(text))
    assert lm.proof is not None
    assert lm.proof.to_json()["gguf"]["gate"]["mean_kl"] < 1e-4
    assert lm.eot_token_id == 0
    assert lm.apply_chat_template([{"role": "user", "content": "Hi"}]) == "<user>Hi"


@pytest.mark.parametrize("tampered", [{"merges": slice(0, 500)}, {"pre": "default"}], ids=["merges", "pre-tokenizer"])
def test_a_tampered_tokenizer_is_refused(tmp_path: Path, tampered: dict[str, Any]) -> None:
    path = with_tokenizer(tmp_path / "nano.gguf", **tampered)
    with pytest.raises(ModelError, match=r"The tokenizer inside .* disagree"):
        GGUFLM(pretrained=str(path), reference=nano_path())


def test_unpermuted_heads_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(files, "rotated_pairs_together", lambda weight, n_heads: weight)
    with pytest.raises(ModelError, match=r"disagree: over \d+ probe tokens.*so nothing is scored"):
        GGUFLM()


def test_the_file_of_another_model_is_refused(random_llama: Path, wide_llama: Path) -> None:
    other = from_folder(str(wide_llama)).path
    with pytest.raises(ModelError, match="disagree: over"):
        GGUFLM(pretrained=str(other), tokenizer=str(random_llama), reference=str(random_llama))


def test_a_file_without_a_tokenizer_asks_for_one(wide_llama: Path) -> None:
    path = str(from_folder(str(wide_llama)).path)
    with pytest.raises(ModelError, match="no tokenizer inside"):
        GGUFLM(pretrained=path)
    lm = GGUFLM(pretrained=path, tokenizer=str(wide_llama), reference=str(wide_llama))
    assert lm.tok_encode("abc") == AutoTokenizer.from_pretrained(wide_llama).encode("abc")


# ---------------------------------------------------------------- the model


@pytest.fixture(scope="module")
def ours() -> GGUFLM:
    lm = GGUFLM()
    lm.record_failures = True
    return lm


@pytest.fixture(scope="module")
def theirs() -> QBenchLM:
    return QBenchLM()


def scoring(pairs: list[tuple[str, str]]) -> list[Instance]:
    return [Instance("loglikelihood", {}, pair, at) for at, pair in enumerate(pairs)]


def asking(prompts: list[str], **options: Any) -> list[Instance]:
    arguments = {"until": ["\n\n"], "max_gen_toks": 40, **options}
    return [Instance("generate_until", {}, (prompt, arguments), at) for at, prompt in enumerate(prompts)]


CHOICES = [
    (question, f" {choice}") for question in QUESTIONS for choice in ("42", "Paris", "a long way home", "32, 64")
]


def test_log_likelihoods_are_those_of_transformers(ours: GGUFLM, theirs: QBenchLM) -> None:
    requests = scoring([*CHOICES, ("", "The sea is blue.")])
    for (own, greedy), (expected, expected_greedy) in zip(
        ours.loglikelihood(requests, disable_tqdm=True), theirs.loglikelihood(requests, disable_tqdm=True), strict=True
    ):
        assert own == pytest.approx(expected, abs=0.05)
        assert greedy == expected_greedy


def test_a_batch_of_one_gives_the_same(ours: GGUFLM) -> None:
    """What is shared in a batch is computed alone here."""
    together = ours.loglikelihood(scoring(CHOICES), disable_tqdm=True)
    ours.batch_size_per_gpu = 1
    alone = ours.loglikelihood(scoring(CHOICES), disable_tqdm=True)
    ours.batch_size_per_gpu = 16
    assert [score for score, _ in together] == pytest.approx([score for score, _ in alone], abs=0.05)


def test_rolling_log_likelihoods_run_through_windows(theirs: QBenchLM) -> None:
    text = " ".join(PROBES)
    request = [Instance("loglikelihood_rolling", {}, (text,), 0)]
    windowed = GGUFLM(max_length=100)
    assert windowed.loglikelihood_rolling(request, disable_tqdm=True)[0] == pytest.approx(
        QBenchLM(max_length=100).loglikelihood_rolling(request, disable_tqdm=True)[0], abs=0.5
    )


def test_a_tree_holds_what_is_shared_once() -> None:
    tree = Tree()
    paths = [tree.add(sequence) for sequence in ([5, 6, 7], [5, 6, 8, 9], [5, 6, 7])]
    assert paths == [[0, 1, 2], [0, 1, 3, 4], [0, 1, 2]]
    assert tree.positions == [0, 1, 2, 2, 3]
    assert tree.sequences == [[0, 1, 2], [0, 1, 2], [0, 2], [1], [1]]
    assert tree.n_new([5, 6, 8, 1]) == 1


def test_a_tree_gives_the_logits_of_its_branches(ours: GGUFLM) -> None:
    shared = list(range(10, 610))  # longer than a chunk
    tree = Tree()
    for tail in ([700, 701, 702], [800, 801]):
        tree.add([*shared, *tail])
    ours.llama.clear(len(tree))
    chunks = [logits.clone() for _, logits in ours.llama.compute(tree, [True] * len(tree))]
    logits = torch.log_softmax(torch.cat(chunks).double(), -1)
    for tail, nodes in ([700, 701, 702], [600, 601, 602]), ([800, 801], [603, 604]):
        alone = log_probabilities(ours.llama, [*shared, *tail])
        assert float((logits[nodes] - alone[600:]).abs().max()) < 0.05


def test_greedy_answers_are_those_of_transformers(ours: GGUFLM, theirs: QBenchLM) -> None:
    """F16 and fp32 may part where two tokens are nearly equally likely; most answers must be equal to the letter."""
    own = ours.generate_until(asking(QUESTIONS), disable_tqdm=True)
    expected = theirs.generate_until(asking(QUESTIONS), disable_tqdm=True)
    assert sum(a == b for a, b in zip(own, expected, strict=True)) >= 0.75 * len(QUESTIONS)
    assert len(set(own)) > 1


def test_drafts_change_no_answer() -> None:
    """At q2 a pass of eight tokens gives other logits than one of four, so a draft that was looked at would change what is written."""
    lm = GGUFLM(level="q2")
    plain = lm.generate_until(asking(QUESTIONS), disable_tqdm=True)
    wrong = {prompt: text[: len(text) // 2] + " no, 17" for prompt, text in zip(QUESTIONS, plain, strict=True)}
    for drafts in (dict(zip(QUESTIONS, plain, strict=True)), wrong):
        lm.drafts = drafts
        assert lm.generate_until(asking(QUESTIONS), disable_tqdm=True) == plain


def test_a_stop_string_ends_an_answer(ours: GGUFLM) -> None:
    answers = ours.generate_until(asking(QUESTIONS), disable_tqdm=True)
    prompt, free = max(zip(QUESTIONS, answers, strict=True), key=lambda pair: len(pair[1]))
    stop = free[len(free) // 2 :][:3]
    n_tokens = ours.notes[prompt].n_tokens
    (stopped,) = ours.generate_until(asking([prompt], until=[stop]), disable_tqdm=True)
    assert stopped == free[: free.index(stop)]
    assert 0 < ours.notes[prompt].n_tokens < n_tokens
    assert not ours.notes[prompt].truncated


def test_what_does_not_fit_is_noted_and_never_cut(ours: GGUFLM) -> None:
    long = "word " * ours.max_length
    assert ours.generate_until(asking([long]), disable_tqdm=True)[0].startswith(FAILED)
    assert "not applicable" in ours.notes[long].failed
    ((score, _),) = ours.loglikelihood(scoring([(long, " yes")]), disable_tqdm=True)
    assert np.isnan(score)


def test_samples_and_unknown_arguments_are_refused(ours: GGUFLM) -> None:
    with pytest.raises(ModelError, match="decodes greedily"):
        ours.generate_until(asking(QUESTIONS[:1], do_sample=True, temperature=0.7), disable_tqdm=True)
    with pytest.raises(ModelError, match="takes no argument dtype"):
        GGUFLM(dtype="float32")


def test_llama_cpp_keeps_silent(capfd: pytest.CaptureFixture[str]) -> None:
    lm = GGUFLM()
    lm.set_level("q8")
    lm.loglikelihood(scoring(CHOICES[:2]), disable_tqdm=True)
    printed = capfd.readouterr()
    assert not [line for line in (printed.out + printed.err).splitlines() if "llama" in line or "ggml" in line]


def test_a_ready_made_file_is_a_level_as_it_stands(tmp_path: Path) -> None:
    lm = GGUFLM(level="q3")
    assert isinstance(lm.proof, GGUFProof)
    path = tmp_path / "somebody-elses.gguf"
    shutil.copy(lm.source.path.parent / lm.proof.file, path)
    ready_made = GGUFLM(level=f"as-is:{path}")
    assert ready_made.proof is not None
    assert ready_made.proof.modules == lm.proof.modules
    requests = scoring(CHOICES[:4])
    assert ready_made.loglikelihood(requests, disable_tqdm=True) == lm.loglikelihood(requests, disable_tqdm=True)


def test_the_ready_made_file_of_another_model_is_refused(ours: GGUFLM, wide_llama: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is another model: its embedding is 257 x 256"):
        ours.check_level(f"as-is:{from_folder(str(wide_llama)).path}")
    other = shutil.copytree(wide_llama, tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    query = weights["model.layers.1.self_attn.q_proj.weight"]
    query.copy_(query.flip(0))  # the right sizes, the wrong order
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(LevelError, match=r"not made from these weights: model\.layers\.1\.self_attn\.q_proj differs"):
        GGUFLM(pretrained=str(wide_llama), level=f"as-is:{from_folder(str(other)).path}")


def test_a_damaged_file_is_one_sentence(ours: GGUFLM, tmp_path: Path) -> None:
    whole = at_level(ours.source, resolve("q4"), 1).path.read_bytes()
    weights = int(gguf.GGUFReader(at_level(ours.source, resolve("q4"), 1).path).tensors[0].data_offset)
    embedding = whole.index(b"token_embd.weight")
    n_rows = embedding + len(b"token_embd.weight") + 4 + 8  # behind the number of dimensions and the first of them
    damaged = {
        **{
            f"cut-{n}": whole[:n] for n in (0, 3, 20, 24, 40, weights // 2, weights - 40, weights + 500, len(whole) - 9)
        },
        "renamed": whole.replace(b"token_embd.weight", b"token_embd.weighs"),
        "fewer-rows": whole[:n_rows] + (17).to_bytes(8, "little") + whole[n_rows + 8 :],
        "a-type-that-there-is-not": whole[: n_rows + 8] + (250).to_bytes(4, "little") + whole[n_rows + 12 :],
        "a-type-of-no-weights": whole[: n_rows + 8] + (26).to_bytes(4, "little") + whole[n_rows + 12 :],  # I32
        "not-a-number": whole[:weights] + b"\xff" * 4000 + whole[weights + 4000 :],
    }
    for name, content in damaged.items():
        path = tmp_path / f"{name}.gguf"
        path.write_bytes(content)
        level = resolve(f"as-is:{path}")
        with pytest.raises(
            ModelError, match=r"Copy or convert it anew|damaged|is another model: its embedding is 17 x "
        ):
            prove(at_level(ours.source, level, 1), ours.source, level, {})


def test_levels_are_checked_before_hours_of_work(ours: GGUFLM) -> None:
    for name in [*LADDER, "int6-int4"]:
        ours.check_level(name)
    with pytest.raises(LevelError, match=r"engine gguf has no level nf4, which bnb makes"):
        ours.check_level("nf4")
    with pytest.raises(LevelError, match=r"takes \.gguf files as they stand"):
        ours.check_level("as-is:models/llama-awq")


# ---------------------------------------------------------------- through lm-eval, and in a sweep


def test_lm_eval_knows_the_engine() -> None:
    bridge.install()
    results = simple_evaluate(
        "qbench",
        model_args="engine=gguf,level=q4",
        tasks=[LEAF],
        limit=2,
        batch_size=2,
        bootstrap_iters=0,
        task_manager=find_tasks([LEAF])[0],
    )
    assert results["config"]["qbench_proof"]["gguf"]["weights_by_type"].keys() == {"Q4_K", "Q6_K"}
    assert len(results["samples"][LEAF]) == 2


def test_a_sweep_over_files(random_llama: Path, tmp_path: Path) -> None:
    def run(folder: str) -> Any:
        return sweep(
            str(random_llama),
            levels=["fp16", "q4"],
            tasks=[LEAF, "qbench-choice-numerical-arithmetic"],
            engine="gguf",
            items=1,
            limit=3,
            batch_size=4,
            run=tmp_path / folder,
            progress=False,
        )

    finished = run("one")
    assert finished.levels == ["fp16", "q4"]
    assert finished.noise_floor == "fp16-repeat"
    info = finished.run("q4").info
    assert info["engine"] == "gguf"
    assert info["level"]["engine"] == "gguf"
    assert info["versions"]["llama_cpp_python"] == llama_cpp.__version__
    assert info["proof"]["gguf"]["gate"]["mean_kl"] < 1e-4
    assert info["proof"]["bits_per_weight"] < finished.run("fp16").info["proof"]["bits_per_weight"] / 2
    files = {path.relative_to(finished.dir): path.read_bytes() for path in finished.dir.glob("*/samples_*.jsonl")}
    assert len(files) == 6
    again = run("two")
    assert files == {path.relative_to(again.dir): path.read_bytes() for path in again.dir.glob("*/samples_*.jsonl")}
    run("one")  # nothing left to do
    (said,) = [note for note in notes(read_table(finished.dir)) if "noise floor" in note]
    assert said.startswith("The noise floor is that of fp16 alone")
    assert said in methods(read_table(finished.dir))
    assert info["cost"]["arithmetic"] == "native"
    assert info["cost"]["generation_tokens_per_second"] > 0


def test_a_file_that_nothing_was_compared_with_says_so(
    wide_llama: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = from_folder(str(wide_llama)).path
    finished = sweep(
        str(path),
        levels=["fp16"],
        tasks=[LEAF],
        engine="gguf",
        model_args={"tokenizer": str(wide_llama)},
        limit=1,
        run=tmp_path / "run",
        noise_floor=False,
        cost=False,
        progress=False,
    )
    assert "is scored without being compared with transformers" in capsys.readouterr().err
    assert finished.run("fp16").info["proof"]["gguf"]["gate"] == {"reference": None}
