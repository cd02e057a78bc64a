"""What a level takes in memory while it is made: peaks of the process, in sizes of the model.

    python benchmarks/memory.py [--layers 14]
    python benchmarks/memory.py --write    # also quote the result in docs/speed.md

A random Llama of about 330 million parameters in bf16, in shards, is loaded and brought from level to level as a sweep does, in bf16, in a
process of its own. The peak is what Linux calls VmHWM, set back before each step; files that are only mapped count as far as they are read.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from quoting import quote
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from qbench import cost
from qbench.models import QBenchLM, nano_path

LEVELS = ("q4", "q2", "attention8-mlp4-embed6", "fp16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=14)
    parser.add_argument("--measure", metavar="FOLDER", help="what the process of its own does")
    parser.add_argument("--write", action="store_true", help="quote the result in docs/speed.md")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    lines = table(options.layers)
    print(*lines, sep="\n")
    if options.write:
        quote("docs/speed.md", {"memory": lines})


def random_llama(folder: Path, n_layers: int) -> int:
    """Write the model, and return its bytes."""
    config = LlamaConfig(
        vocab_size=32_000,
        hidden_size=1280,
        intermediate_size=3456,
        num_hidden_layers=n_layers,
        num_attention_heads=20,
        tie_word_embeddings=True,
        dtype="bfloat16",
        eos_token_id=0,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    model = LlamaForCausalLM(config)
    model.save_pretrained(folder, max_shard_size="200MB")
    AutoTokenizer.from_pretrained(nano_path()).save_pretrained(folder)
    return 2 * int(model.num_parameters())


def measure(folder: str) -> list[tuple[str, int, int]]:
    """Of each step: its name, the bytes in use before it, and the most in use during it."""
    steps = []

    def step(name: str, before: int) -> None:
        steps.append((name, before, cost.peak_bytes()))
        cost.reset_peak()

    QBenchLM(device="cpu")  # imports everything, and is gone
    cost.reset_peak()
    before = cost.resident_bytes()
    lm = QBenchLM(folder, device="cpu", dtype="bfloat16")
    step("load", before)
    for level in LEVELS:
        before = cost.resident_bytes()
        lm.set_level(level)
        step(level, before)
    return steps


def table(n_layers: int) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        n_bytes = random_llama(Path(folder), n_layers)
        command = [sys.executable, __file__, "--measure", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    (_, empty, _), *_ = steps = json.loads(done.stdout.splitlines()[-1])
    lines = [
        f"A random Llama of {n_bytes / 2e6:.0f} million parameters, {n_bytes / 1e6:.0f} MB in bf16; sizes of the model, less what the "
        "process takes without it.",
        "",
        "| step | in use before | peak | more |",
        "|---|--:|--:|--:|",
    ]
    for name, before, peak in steps:
        shares = ((before - empty) / n_bytes, (peak - empty) / n_bytes, (peak - before) / n_bytes)
        lines.append(f"| {name} | " + " | ".join(f"{share:.2f}" for share in shares) + " |")
    return lines


if __name__ == "__main__":
    main()
