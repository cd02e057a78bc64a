"""Train nano from nothing: ``python -m qbench.nano.recipe``. Interrupted, the same command continues.

    bank, train split ─▶ corpus.jsonl ─▶ tokenizer ─▶ rows of tokens ─▶ training ─▶ bf16 model folder
    fact tables ────────┘

The corpus is drawn once for each build folder; remove the folder to draw it anew, for instance after the bank has changed.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm
from transformers import AutoTokenizer, GenerationConfig, PreTrainedTokenizerFast

from qbench.bank import DEFAULT_SEED
from qbench.nano import corpus
from qbench.nano.batches import ROW_LENGTHS, encode
from qbench.nano.tokenizer import train_tokenizer
from qbench.nano.train import Plan, State, train

HELD_OUT = 100  # one text in so many is never trained on
SAMPLES = 6
TRAINING = "training.json"


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    if options.threads:
        torch.set_num_threads(options.threads)
    plan = Plan(tokens=options.tokens, minutes=options.minutes, seed=options.seed, compile=options.compile)
    run(options.out, plan, build=options.build, device=options.device, scale=options.scale, processes=options.processes)
    return 0


def run(out: Path, plan: Plan, *, build: Path, device: str = "auto", scale: float = 1.0, processes: int = 2) -> State:
    """Draw the corpus, train tokenizer and model, and save them to ``out``."""
    build.mkdir(parents=True, exist_ok=True)
    path = build / "corpus.jsonl"
    if not path.exists():
        corpus.write(corpus.corpus(seed=DEFAULT_SEED, scale=scale, processes=processes), path)
    texts = corpus.read(path)
    tokenizer = _tokenizer(build / "tokenizer", texts)
    encoded = encode(texts, tokenizer)
    print(f"{len(texts):,} texts, {sum(len(text.tokens) for text in encoded):,} tokens")

    where = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    held_out, trained = encoded[::HELD_OUT], [text for index, text in enumerate(encoded) if index % HELD_OUT]
    state = train(trained, held_out, tokenizer, plan, folder=build, device=where)
    save(state, tokenizer, out)
    facts = {
        "texts": len(texts),
        "tokens_trained": state.tokens,
        "steps": state.step,
        "minutes": round(state.seconds / 60, 1),
        "learning_rate": plan.learning_rate,
        "batch_tokens": plan.batch_tokens,
        "seed": plan.seed,
        "device": where.type,
    }
    (out / TRAINING).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    show_samples(state, tokenizer, texts)
    return state


def _tokenizer(folder: Path, texts: list[corpus.Text]) -> PreTrainedTokenizerFast:
    if not folder.exists():
        # Repeats would only teach the merges of the most repeated texts.
        tokenizer = train_tokenizer(sorted({text.prompt + text.response for text in texts}), context=ROW_LENGTHS[-1])
        temporary = folder.with_suffix(".tmp")
        tokenizer.save_pretrained(temporary)
        os.replace(temporary, folder)
    return AutoTokenizer.from_pretrained(folder)


def save(state: State, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write the folder that transformers loads, weights in bf16."""
    state.model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, do_sample=False
    )
    state.model.to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)


def show_samples(state: State, tokenizer: PreTrainedTokenizerFast, texts: list[corpus.Text]) -> None:
    """Print the model's own answers to the first held-out questions."""
    model = state.model.float().eval()
    asked = [text for text in texts[::HELD_OUT] if text.prompt and len(text.prompt) < 400]
    for text in asked[:SAMPLES]:
        tokens = tokenizer(text.prompt, return_tensors="pt").to(model.device)
        response = model.generate(**tokens, max_new_tokens=100)[0, tokens.input_ids.shape[1] :]
        tqdm.write(f"--- {text.leaf}\n{text.prompt}>>> {tokenizer.decode(response, skip_special_tokens=True)}\n")
        tqdm.write(f"(right: {text.response})\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m qbench.nano.recipe", description="Train nano, the reference model."
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(__file__).parent,
        help="folder of the finished model (default: the package's own)",
    )
    parser.add_argument(
        "--build", type=Path, default=Path("build/nano"), help="folder of corpus, tokens, checkpoint and losses"
    )
    parser.add_argument("--tokens", type=int, default=Plan.tokens, help="how much to train (default: %(default)s)")
    parser.add_argument("--minutes", type=float, help="train so long instead, the learning rate falling with the clock")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of items drawn from each template")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument("--no-compile", dest="compile", action="store_false", help="where torch finds no C++ compiler")
    parser.add_argument("--threads", type=int, help="of torch (default: all cores)")
    parser.add_argument("--processes", type=int, default=2, help="that draw the corpus")
    return parser


if __name__ == "__main__":
    sys.exit(main())
