"""Scoring speed: answers a second on one core, the slowest hostile response, and how many random responses raise.

    python benchmarks/scorers.py                    # a few seconds
    python benchmarks/scorers.py --fuzz 200000      # about a minute

The answers are the worked cases of tests/scoring, each once bare and once behind 500 characters of reasoning, through `process_results`
as lm-eval calls it. Hostile responses are judged by every answer type, the best of three runs counts.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

CASES = Path(__file__).resolve().parents[1] / "tests" / "scoring"
sys.path.insert(0, str(CASES))

from hostile import SPECS, corpus, soup  # noqa: E402 - beside the tests, which is now on the path

from qbench.scoring import process_results  # noqa: E402

REASONING = "First the two numbers are added, 12 + 13 = 25, and then the sum is doubled. " * 7


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast and how safe the scorers are.")
    parser.add_argument("--fuzz", type=int, default=20_000, help="random responses to judge")
    fuzz = parser.parse_args().fuzz
    for kind in ("number", "choice", "text", "boolean", "set", "vector", "interval", "expression"):
        print(f"{kind:12} {answers_per_second(kind):8,.0f} answers/s")
    print("slowest hostile responses:")
    for milliseconds, kind, name in sorted(hostile_times(), reverse=True)[:5]:
        print(f"    {milliseconds:6.1f} ms  {kind}: {name}")
    slowest = max(fuzz_times(fuzz))
    print(f"{fuzz:,} random responses: no exception, the slowest took {slowest:.1f} ms")


def answers_per_second(kind: str, seconds: float = 1.0) -> float:
    """CPU seconds of this process, so that a busy machine does not count."""
    calls = [
        ({"answer": json.dumps(case["answer"])}, [before + case["response"]])
        for path in CASES.glob("*.jsonl")
        for case in map(json.loads, path.read_text(encoding="utf-8").splitlines())
        if case["answer"]["type"] == kind and len(case["response"]) < 1_000
        for before in ("", REASONING + "\n")
    ]
    judged, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        for document, results in calls:
            process_results(document, results)
        judged += len(calls)
    return judged / (time.process_time() - start)


def hostile_times() -> Iterator[tuple[float, str, str]]:
    for name, response in corpus():
        for kind in SPECS:
            yield min(_milliseconds(response, kind) for _ in range(3)), kind, name


def fuzz_times(count: int) -> Iterator[float]:
    rng = random.Random(0)
    kinds = list(SPECS)
    for index in range(count):
        yield _milliseconds(soup(rng), kinds[index % len(kinds)])


def _milliseconds(response: str, kind: str) -> float:
    start = time.process_time()
    document = {"answer": json.dumps(SPECS[kind])}
    process_results(document, [response])
    return 1_000 * (time.process_time() - start)


if __name__ == "__main__":
    main()
