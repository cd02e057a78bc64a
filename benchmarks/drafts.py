"""What drafts save, and that they change nothing: every level decoded plainly and with the level above as a draft.

    python benchmarks/drafts.py [--items 1000] [--batch-size 64] [--keep runs/drafts.jsonl]
    python benchmarks/drafts.py --write    # also quote the result in docs/speed.md
    python benchmarks/drafts.py --model random --items 8 --batch-size 4 --levels fp16,q8,q6,q4 [--write]

Items of all leaves that ask for a response, in portions of four batches, as a sweep has them. Responses of 64 tokens or more at fp16 are
timed apart from the others. A portion that is in the kept file is not run again, so a long run can be stopped and continued. ``random``
is a Llama of 110 million parameters that nobody has trained, and answers with 64 tokens: what is measured on it is the machine.

Times are processor time of this process on one thread, so that a busy machine disturbs them little; ratios are of times taken in this
one run. lm-eval's ``hf`` answers the first portion.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from choice import WORDS, random_llama
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from quoting import quote

from qbench import models
from qbench.decoding import Decoded, decode
from qbench.harness import find_tasks, quiet
from qbench.models import QBenchLM, nano_path
from qbench.sweep import DEFAULT_LEVELS
from qbench.sweep.cells import PORTION_BATCHES

LONG = 64  # tokens of a response


@dataclass(frozen=True)
class Cell:
    """One level of one portion, responses of one length."""

    kind: str
    level: str
    n: int
    n_same: int
    """Responses whose tokens are the same with and without drafts."""
    n_whole: int
    """Responses equal to their draft."""
    plain_seconds: float
    drafted_seconds: float
    """At the first level, with its own responses as drafts."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--model", default=nano_path(), help="a folder, or random")
    parser.add_argument("--levels", default=",".join(DEFAULT_LEVELS), help="the first in full precision")
    parser.add_argument("--keep", type=Path, help="file that finished portions are kept in")
    parser.add_argument("--write", action="store_true", help="quote the result in docs/speed.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    is_random = options.model == "random"
    with tempfile.TemporaryDirectory() as folder:
        model = random_llama(Path(folder)) if is_random else options.model
        asked = random_requests(options.items) if is_random else requests(options.items)
        bench = Bench(model, options.batch_size, options.levels.split(","))
        size = PORTION_BATCHES * options.batch_size
        plan = {name: str(value) for name, value in vars(options).items() if name not in ("keep", "write")}
        plan["weights"] = bench.lm.weights_sha256()
        portions = [asked[at : at + size] for at in range(0, len(asked), size)]
        results = list(kept_or_run(bench, portions, options.keep, plan))
    name = "a random Llama" if is_random else "nano" if options.model == nano_path() else model
    lines = table(results, options.batch_size, f"{name} (weights {plan['weights'][:8]})")
    print(*lines, sep="\n")
    if options.write:
        quote("docs/speed.md", {"random drafts" if is_random else "drafts": lines})


def requests(n_items: int) -> list[Instance]:
    """The first items of every leaf of the bank that asks for a response, the leaves in turn."""
    manager, names = find_tasks(["qbench_*"], metadata={"qb_items": 4})
    found = []
    with quiet():
        for task in manager.load(names)["tasks"].values():
            task.set_config(key="num_fewshot", value=0)
            task.build_all_requests(limit=-(-n_items // 25), rank=0, world_size=1)
            found.append([instance for instance in task.instances if instance.request_type == "generate_until"])
    longest = max(map(len, found))
    return [leaf[at] for at in range(longest) for leaf in found if at < len(leaf)][:n_items]


def random_requests(n_items: int) -> list[Instance]:
    rng = np.random.default_rng(0)
    prompts = [" ".join(f"w{n}" for n in rng.integers(1, WORDS, rng.integers(100, 200))) for _ in range(n_items)]
    return [
        Instance("generate_until", {}, (prompt, {"until": [], "max_gen_toks": LONG}), at)
        for at, prompt in enumerate(prompts)
    ]


class Bench:
    """A model at all levels, with and without drafts."""

    def __init__(self, model: str, batch_size: int, levels: Sequence[str]) -> None:
        arguments: dict[str, Any] = dict(pretrained=model, batch_size=batch_size, device="cpu")
        self.levels = levels
        with quiet():
            self.lm, self.hf = QBenchLM(**arguments), HFLM(**arguments, dtype="float32")
        self.lm.record_failures = True

    def run(
        self, asked: Sequence[Instance], drafts: Mapping[str, str]
    ) -> tuple[float, list[list[int]], dict[str, str]]:
        """Return seconds, and the tokens and the text of each response."""
        self.lm.drafts = drafts
        with recorded() as decoded:
            started = time.process_time()
            responses = self.lm.generate_until(list(asked), disable_tqdm=True)
            seconds = time.process_time() - started
        texts = {request.args[0]: response for request, response in zip(asked, responses, strict=True)}
        return seconds, [result.tokens for result in decoded], texts

    def portion(self, asked: Sequence[Instance]) -> Iterator[Cell]:
        """Decode a portion at every level."""
        self.lm.set_level(self.levels[0])
        self.run(asked, {})
        notes = self.lm.notes
        for kind in ("long", "short"):
            some = [
                request
                for request in asked
                if not notes[request.args[0]].failed  # what the window cannot hold
                and (notes[request.args[0]].n_tokens >= LONG) == (kind == "long")
            ]
            drafts: dict[str, str] = {}
            for level in self.levels if some else ():
                self.lm.set_level(level)
                plain, expected, texts = self.run(some, {})
                drafts = drafts or texts
                drafted, found, _ = self.run(some, drafts)
                n_same = sum(a == b for a, b in zip(found, expected, strict=True))
                n_whole = sum(drafts[prompt] == text for prompt, text in texts.items())
                yield Cell(kind, level, len(some), n_same, n_whole, plain, drafted)
                drafts = texts

    def against_hf(self, asked: Sequence[Instance]) -> tuple[int, float, float]:
        """Items, and the seconds of lm-eval's model and of plain decoding; prompts that fit the window alone."""
        some = [request for request in asked if not self.lm.notes[request.args[0]].failed]
        self.lm.set_level(self.levels[0])
        ours, _, _ = self.run(some, {})
        started = time.process_time()
        with quiet():
            self.hf.generate_until(list(some), disable_tqdm=True)
        return len(some), time.process_time() - started, ours


@contextmanager
def recorded() -> Iterator[list[Decoded]]:
    """Collect what `qbench.decoding.decode` returns."""
    decoded: list[Decoded] = []

    def recording(*args: Any, **kwargs: Any) -> list[Decoded]:
        results = decode(*args, **kwargs)
        decoded.extend(results)
        return results

    with patch.object(models, "decode", recording):
        yield decoded


def kept_or_run(
    bench: Bench, portions: Sequence[Sequence[Instance]], path: Path | None, plan: dict[str, str]
) -> Iterator[dict[str, Any]]:
    """The result of each portion, from the file where it has it."""
    kept = (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path and path.exists() else []
    )
    finished = {line["portion"]: line for line in kept if line["plan"] == plan}
    for number, asked in enumerate(portions):
        if number not in finished:
            cells = [asdict(cell) for cell in bench.portion(asked)]
            finished[number] = {"plan": plan, "portion": number, "cells": cells}
            if number == 0:
                finished[number]["hf"] = bench.against_hf(asked)
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(finished[number]) + "\n")
            print(f"portion {number + 1} of {len(portions)}", flush=True)
        yield finished[number]


def table(results: Sequence[Mapping[str, Any]], batch_size: int, model: str) -> list[str]:
    cells = [Cell(**cell) for result in results for cell in result["cells"]]
    first = cells[0].level
    lines = [
        f"{model}, batches of {batch_size}, one thread, processor time.",
        "",
        "| responses | level | draft | items | plain | drafted | drafted/plain | drafted/fp16 plain | equal to their draft |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for kind in dict.fromkeys(cell.kind for cell in cells):
        of_kind = [cell for cell in cells if cell.kind == kind]
        baseline = sum(cell.plain_seconds for cell in of_kind if cell.level == first)
        above = "itself"
        for level in dict.fromkeys(cell.level for cell in of_kind):
            some = [cell for cell in of_kind if cell.level == level]
            n, whole = sum(cell.n for cell in some), sum(cell.n_whole for cell in some)
            plain, drafted = sum(cell.plain_seconds for cell in some), sum(cell.drafted_seconds for cell in some)
            lines.append(
                f"| {kind} | {level} | {above} | {n:,} | {plain:.1f} s | {drafted:.1f} s | {drafted / plain:.0%} "
                f"| {drafted / baseline:.0%} | {whole / n:.0%} |"
            )
            above = level
        lowered = [cell for cell in of_kind if cell.level != first]
        plain, drafted = sum(cell.plain_seconds for cell in lowered), sum(cell.drafted_seconds for cell in lowered)
        lines.append(f"| {kind} | all lowered | | | {plain:.1f} s | {drafted:.1f} s | {drafted / plain:.0%} | | |")
    lowered = [cell for cell in cells if cell.level != first]
    n_items = sum(cell.n for cell in cells if cell.level == first)
    n_hf, hf_seconds, our_seconds = results[0]["hf"]
    return [
        *lines,
        "",
        f"The same tokens with and without drafts: {sum(cell.n_same for cell in lowered):,} of {sum(cell.n for cell in lowered):,} "
        f"responses ({n_items:,} items at {len({cell.level for cell in lowered})} levels).",
        "",
        f"Plain decoding of {n_hf} items at {first}: {our_seconds:.1f} s; lm-eval's hf: {hf_seconds:.1f} s, "
        f"{hf_seconds / our_seconds:.1f} times as long.",
    ]


if __name__ == "__main__":
    main()
