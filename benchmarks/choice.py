"""Forced choice against lm-eval's own Hugging Face model: items per second, and how far the log-likelihoods are apart.

    python benchmarks/choice.py [--items 16] [--batch-size 8] [--repeats 3]
    python benchmarks/choice.py --write    # also quote the result in docs/speed.md

A randomly initialised Llama of about 100 million parameters answers questions of four choices behind a context of 500 tokens or more.
Both sides score the same requests in this one process, in turns, on one thread; what counts is processor time, so that a busy machine
disturbs it little. In bf16 the yardstick is the distance of lm-eval's model from itself at another batch size.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from quoting import quote
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from qbench.models import QBenchLM

N_CHOICES = 4
WORDS = 32_000


def random_llama(folder: Path) -> str:
    """A Llama of 110 million parameters whose tokens are whole words."""
    vocabulary = {"<end>": 0, **{f"w{n}": n for n in range(1, WORDS)}}
    tokenizer = Tokenizer(models.WordLevel(vocab=vocabulary, unk_token="<end>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<end>").save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=WORDS,
        hidden_size=768,
        intermediate_size=2048,
        num_hidden_layers=12,
        num_attention_heads=12,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        eos_token_id=0,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    print(f"random Llama, {model.num_parameters() / 1e6:.0f} million parameters")
    return str(folder)


def questions(n_items: int, n_words: tuple[int, int]) -> list[Instance]:
    """Items of four choices; contexts of 500 to 600 tokens, choices of as many tokens as asked for."""
    rng = np.random.default_rng(0)

    def text(low: int, high: int) -> str:
        return " ".join(f"w{n}" for n in rng.integers(1, WORDS, rng.integers(low, high)))

    pairs = [
        (context, f" {text(*n_words)}")
        for context in (text(500, 601) for _ in range(n_items))
        for _ in range(N_CHOICES)
    ]
    return [Instance("loglikelihood", {}, pair, index) for index, pair in enumerate(pairs)]


def seconds(lm: HFLM, requests: Sequence[Instance]) -> tuple[float, np.ndarray]:
    started = time.process_time()
    results = lm.loglikelihood(list(requests), disable_tqdm=True)
    return time.process_time() - started, np.array([value for value, _ in results])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="quote the result in docs/speed.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = table(options.items, options.batch_size, options.repeats)
    print(*lines, sep="\n")
    if options.write:
        quote("docs/speed.md", {"choice": lines})


def table(n_items: int, batch_size: int, repeats: int) -> list[str]:
    others = (1, batch_size // 2 + 1)
    lines = [
        f"{n_items} items of {N_CHOICES} choices behind contexts of 500 to 600 tokens, batches of {batch_size}, one thread, "
        f"processor time, median of {repeats} runs. Distances are those of log-likelihoods in nats: mean, and in brackets the largest.",
        "",
        "| dtype | choices | hf, items/s | qbench, items/s | times | qbench from hf | "
        + " | ".join(f"hf from itself at batch size {other}" for other in others)
        + " |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        model = random_llama(Path(folder))
        for dtype in ("float32", "bfloat16"):
            arguments: dict[str, Any] = dict(pretrained=model, device="cpu", dtype=dtype, batch_size=batch_size)
            hf, ours = HFLM(**arguments), QBenchLM(**arguments)
            for n_words in ((4, 13), (1, 2)):
                requests = questions(n_items, n_words)
                times: dict[str, list[float]] = {"hf": [], "qbench": []}
                values = {}
                for _ in range(repeats):
                    for name, lm in (("hf", hf), ("qbench", ours)):
                        taken, values[name] = seconds(lm, requests)
                        times[name].append(taken)
                rate = {name: n_items / statistics.median(taken) for name, taken in times.items()}
                distances = [apart(values["qbench"], values["hf"])]
                for other in others:
                    hf.batch_size_per_gpu = other
                    distances.append(apart(seconds(hf, requests)[1], values["hf"]))
                hf.batch_size_per_gpu = batch_size
                length = "1 token" if n_words == (1, 2) else f"{n_words[0]} to {n_words[1] - 1} tokens"
                lines.append(
                    f"| {dtype} | {length} | {rate['hf']:.2f} | {rate['qbench']:.2f} | {rate['qbench'] / rate['hf']:.1f} | "
                    + " | ".join(distances)
                    + " |"
                )
                print(lines[-1], flush=True)
    return lines


def apart(some: np.ndarray, others: np.ndarray) -> str:
    difference = np.abs(some - others)
    return f"{difference.mean():.1e} ({difference.max():.1e})"


if __name__ == "__main__":
    main()
