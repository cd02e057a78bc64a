"""What drafts save, and that they change nothing: every level decoded plainly and with the level above as a draft.

    python benchmarks/drafts.py [--limit 38] [--batch-size 64] [--model PATH]

The first items of every leaf that asks for a response, about a thousand with the default limit. Leaves whose responses run to 64 tokens
or more at fp16 are timed apart from the others. Times are processor time of this process on one thread, so that a busy machine
disturbs them little; ratios are of times taken in this one run.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from unittest.mock import patch

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from qbench import models
from qbench.decoding import Decoded, decode
from qbench.harness import find_tasks, quiet
from qbench.models import QBenchLM, nano_path
from qbench.sweep import DEFAULT_LEVELS

LONG = 64  # tokens of a response, mean of a leaf


def requests(limit: int) -> list[Instance]:
    """The first items of every leaf of the bank that asks for a response."""
    manager, names = find_tasks(["qbench_*"], metadata={"qb_items": 4})
    found = []
    with quiet():
        for task in manager.load(names)["tasks"].values():
            task.set_config(key="num_fewshot", value=0)
            task.build_all_requests(limit=limit, rank=0, world_size=1)
            found += [instance for instance in task.instances if instance.request_type == "generate_until"]
    return found


class Recorded:
    """Runs requests, and keeps the tokens that `qbench.decoding.decode` returned."""

    def __init__(self, lm: QBenchLM) -> None:
        self.lm = lm
        self.decoded: list[Decoded] = []
        patch.object(models, "decode", self._decode).start()

    def _decode(self, *args: Any, **kwargs: Any) -> list[Decoded]:
        results = decode(*args, **kwargs)
        self.decoded += results
        return results

    def run(
        self, asked: Sequence[Instance], drafts: Mapping[str, str]
    ) -> tuple[float, list[list[int]], dict[str, str]]:
        """Return seconds, and the tokens and the text of each response."""
        self.lm.drafts, self.decoded = drafts, []
        started = time.process_time()
        responses = self.lm.generate_until(list(asked), disable_tqdm=True)
        seconds = time.process_time() - started
        texts = {request.args[0]: response for request, response in zip(asked, responses, strict=True)}
        return seconds, [result.tokens for result in self.decoded], texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=38)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--model", default=nano_path())
    options = parser.parse_args()
    torch.set_num_threads(1)
    arguments: dict[str, Any] = dict(pretrained=options.model, batch_size=options.batch_size, device="cpu")
    with quiet():
        lm, hf = QBenchLM(**arguments), HFLM(**arguments, dtype="float32")
    recorded, asked = Recorded(lm), requests(options.limit)
    lm.record_failures = True
    lm.generate_until(asked, disable_tqdm=True)
    asked = [request for request in asked if not lm.notes[request.args[0]].failed]  # what the window cannot hold
    n_tokens: dict[str, list[int]] = defaultdict(list)
    for request in asked:
        n_tokens[request.task_name].append(lm.notes[request.args[0]].n_tokens)
    is_long = {task: sum(counts) / len(counts) >= LONG for task, counts in n_tokens.items()}
    kinds = {
        kind: [request for request in asked if is_long[request.task_name] == (kind == "long")]
        for kind in ("long", "short")
    }
    print(f"{len(asked)} items; responses of {LONG} tokens or more in {sum(is_long.values())} of {len(is_long)} leaves")

    started = time.process_time()
    with quiet():
        hf.generate_until(list(asked), disable_tqdm=True)
    of_hf = time.process_time() - started
    drafts: dict[str, str] = {}
    plainly: dict[str, dict[str, float]] = {kind: {} for kind in kinds}
    drafted: dict[str, dict[str, float]] = {kind: {} for kind in kinds}
    n_same = n_all = 0
    print("level  kind   plain s  drafted s  drafted/plain  drafted/fp16  right to the end")
    for level in DEFAULT_LEVELS:
        lm.set_level(level)
        new_drafts: dict[str, str] = {}
        for kind, some in kinds.items():
            plainly[kind][level], expected, texts = recorded.run(some, {})
            new_drafts |= texts
            if drafts:
                drafted[kind][level], found, _ = recorded.run(some, drafts)
                n_same += sum(a == b for a, b in zip(found, expected, strict=True))
                n_all += len(expected)
                whole = sum(drafts[prompt] == text for prompt, text in texts.items()) / len(texts)
                plain, quick = plainly[kind][level], drafted[kind][level]
                ratios = f"{quick / plain:12.0%} {quick / plainly[kind]['fp16']:13.0%}"
                print(f"{level:5}  {kind:5} {plain:8.1f} {quick:10.1f} {ratios} {whole:17.0%}", flush=True)
        drafts = new_drafts
    for kind in kinds:
        together = sum(drafted[kind].values()) / sum(plainly[kind][level] for level in drafted[kind])
        print(f"the lowered levels together, {kind} responses: {together:.0%} of plain decoding")
    ours = sum(plainly[kind]["fp16"] for kind in kinds)
    print(f"the same tokens with and without drafts: {n_same} of {n_all} responses")
    print(f"plain decoding at fp16: {ours:.1f} s, lm-eval's hf {of_hf:.1f} s, {of_hf / ours:.1f} times as long")


if __name__ == "__main__":
    main()
