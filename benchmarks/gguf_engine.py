"""The GGUF engine against transformers, level by level, and against lm-eval's own gguf model in front of llama-cpp-python's server.

python benchmarks/gguf_engine.py            # print both tables
python benchmarks/gguf_engine.py --write    # and quote them in docs/gguf.md

Needs ``pip install 'qbench[gguf]' 'llama-cpp-python[server]'``. Two cores, a few minutes.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.gguf import GGUFLM as ServerLM
from quoting import quote
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from qbench.gguf.files import at_level, from_folder, prove
from qbench.gguf.gate import log_probabilities, log_probabilities_of_transformers
from qbench.gguf.llama import Llama
from qbench.gguf.model import GGUFLM
from qbench.gguf.types import TYPES
from qbench.harness import find_tasks, quiet
from qbench.levels import LEVELS
from qbench.models import QBenchLM, nano_path

GENERATED = ["qbench_numerical_arithmetic", "qbench_logic_deduction", "qbench_knowledge_practical"]
CHOICES = ["qbench-choice-numerical-arithmetic", "qbench-choice-knowledge-practical", "qbench-choice-logic-deduction"]
THREADS = 1


def requests_of(tasks: Sequence[str], limit: int) -> list[Instance]:
    """What lm-eval would ask a model in the first items of these tasks."""
    manager, names = find_tasks(tasks)
    asked: list[Instance] = []
    with quiet():
        for task in manager.load(names)["tasks"].values():
            task.build_all_requests(limit=limit, rank=0, world_size=1)
            asked += task.instances
    return asked


# ---------------------------------------------------------------- against transformers


def random_llama(folder: Path) -> Path:
    """A Llama with random weights, two query heads to a key head, and nano's tokenizer."""
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=3072,
        hidden_size=512,
        intermediate_size=1024,
        num_hidden_layers=4,
        num_attention_heads=8,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        initializer_range=0.05,
        tie_word_embeddings=False,
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    AutoTokenizer.from_pretrained(nano_path()).save_pretrained(folder)
    return folder


def agreement(folder: Path, texts: Sequence[str]) -> Iterator[str]:
    """A table with a row for every level: how far llama.cpp's predictions are from those of transformers in fp32."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = [tokenizer.encode(text) for text in texts]
    expected = [log_probabilities_of_transformers(model, sequence) for sequence in ids]
    source = from_folder(str(folder))
    yield (
        f"\nllama.cpp against transformers in fp32: {folder.name}, {source.n_parameters / 1e6:.1f} million parameters, "
        f"{sum(map(len, ids)):,} tokens of {len(ids)} prompts of the bank.\n"
    )
    yield "| level | type of the file | bits per weight | KL, nats per token | difference of log-likelihoods, nats |"
    yield "|---|---|--:|--:|--:|"
    for name, stored in TYPES.items():
        made = at_level(source, LEVELS[name], THREADS)
        llama = Llama(made.path, THREADS)
        divergence, difference, n_tokens = 0.0, 0.0, 0
        for sequence, theirs in zip(ids, expected, strict=True):
            ours = log_probabilities(llama, sequence)
            divergence += float((theirs.exp() * (theirs - ours)).sum())
            following = torch.tensor(sequence[1:])[:, None]
            difference += float((theirs - ours)[:-1].gather(1, following).abs().sum())
            n_tokens += len(sequence)
        llama.close()
        size = prove(made, source, LEVELS[name], {}).bits_per_weight
        yield f"| {name} | {stored.file} | {size:.2f} | {divergence / n_tokens:.1e} | {difference / (n_tokens - len(ids)):.1e} |"


# ---------------------------------------------------------------- against a server


def with_tokenizer(path: Path, *, merges: slice = slice(None), pre: str = "smollm") -> Path:
    """nano as somebody else would ship it: one F16 file, with the tokenizer inside.

    Args:
        path: the file to write.
        merges: of the tokenizer's merges, those to keep.
        pre: llama.cpp's name for how text is split before merging; nano splits as SmolLM does.
    """
    source = from_folder(nano_path())
    tokenizer = json.loads((Path(nano_path()) / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].__getitem__)
    special = {token["content"] for token in tokenizer["added_tokens"]}
    writer = gguf.GGUFWriter(path, "llama")
    for name, stored in gguf.GGUFReader(source.path).fields.items():
        if name.startswith("llama."):
            writer.add_key_value(name, stored.contents(), stored.types[0])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(vocabulary)
    writer.add_token_types(
        [gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL for token in vocabulary]
    )
    writer.add_token_merges([" ".join(merge) for merge in tokenizer["model"]["merges"][merges]])
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template("{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}{% endfor %}")
    for tensor in source.tensors.values():
        writer.add_tensor(tensor.name, np.array(tensor.data))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@contextmanager
def server(model: Path) -> Iterator[str]:
    """llama-cpp-python's server with all logits, which log-likelihoods need; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(model), "--port", str(port)]
    command += ["--host", "127.0.0.1", "--logits_all", "true", "--n_ctx", "2048", "--n_threads", str(THREADS)]
    command += ["--n_threads_batch", str(THREADS), "--interrupt_requests", "false", "--verbose", "false"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/v1/models", timeout=1).close()
                break
            except urllib.error.URLError:
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


def timed(model: Any, asked: list[Instance]) -> tuple[float, list[float]]:
    """Seconds, and the log-likelihoods."""
    started = time.perf_counter()
    results = model.loglikelihood(asked, disable_tqdm=True)
    return time.perf_counter() - started, [score for score, _ in results]


def speed(path: Path, asked: list[Instance]) -> Iterator[str]:
    """A row for each way to the same log-likelihoods, in one run."""
    expected = np.array(timed(QBenchLM(), asked)[1])
    ours, own = timed(GGUFLM(pretrained=str(path), threads=THREADS, batch_size=64), asked)
    with server(path) as address:
        theirs, far = timed(ServerLM(base_url=address), asked)
    for name, seconds, scores in (
        ("lm-eval's `gguf` and llama-cpp-python's server", theirs, far),
        ("`engine=gguf`", ours, own),
    ):
        rate, off = len(asked) / seconds, float(np.abs(np.array(scores) - expected).mean())
        yield f"| {name} | {seconds:.1f} | {rate:.1f} | {theirs / seconds:.1f} | {off:.1e} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, default=12, help="of each task")
    parser.add_argument("--write", action="store_true", help="quote the tables in docs/gguf.md")
    options = parser.parse_args()
    lines: list[str] = []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("QBENCH_CACHE", folder)
        texts = [request.args[0] for request in requests_of(GENERATED, options.items)]
        for model in (Path(nano_path()), random_llama(Path(folder) / "a random Llama")):
            for row in agreement(model, texts):
                say(row)
        asked = requests_of(CHOICES, options.items)
        say(f"\nThe same {len(asked)} log-likelihoods of nano at F16, {THREADS} thread each.\n")
        say("| way | seconds | requests per second | times as fast | difference from transformers, nats per request |")
        say("|---|--:|--:|--:|--:|")
        for row in speed(with_tokenizer(Path(folder) / "nano.gguf"), asked):
            say(row)
    if options.write:
        quote("docs/gguf.md", {"gguf_engine": lines})


if __name__ == "__main__":
    main()
