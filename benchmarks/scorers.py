"""Scoring speed: answers a second on one core, the slowest hostile response, and how many random responses raise.

    python benchmarks/scorers.py                    # a few seconds
    python benchmarks/scorers.py --fuzz 200000      # two and a half minutes

The answers are the worked cases of tests/scoring, each once bare and once behind 500 characters of reasoning, through `process_results`
as lm-eval calls it. Hostile responses are judged by every answer type, the best of three runs counts.

Random responses are soups of tokens, mutated and spliced worked cases, sentences of a grammar that nests every construct in every
other one, what hypothesis makes of Unicode, and units repeated thousands of times. Each is judged by one spec of each kind in turn,
mutants by their own spec as well. It is an error if one raises, takes longer than 50 ms of CPU time in each of three runs, or has
anything executed, compiled, imported or opened (watched by an audit hook).
"""

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CASES = Path(__file__).resolve().parents[1] / "tests" / "scoring"
sys.path.insert(0, str(CASES))

from hostile import SPECS, corpus, grown, mutant, repeated, soup, splice  # noqa: E402 - beside the tests, which is now on the path

from qbench.scoring import process_results  # noqa: E402

REASONING = "First the two numbers are added, 12 + 13 = 25, and then the sum is doubled. " * 7
LIMIT = 50.0  # milliseconds
FORBIDDEN = ("exec", "compile", "open", "import", "os.", "subprocess.", "socket.", "ctypes.", "pickle.")

Case = dict[str, Any]
Document = dict[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast and how safe the scorers are.")
    parser.add_argument("--fuzz", type=int, default=20_000, help="random responses to judge")
    parser.add_argument("--seed", type=int, default=0, help="of the random responses")
    options = parser.parse_args()
    cases = worked_cases()
    for kind in ("number", "choice", "text", "boolean", "set", "vector", "interval", "expression"):
        print(
            f"{kind:12} {answers_per_second([case for case in cases if case['answer']['type'] == kind]):8,.0f} answers/s"
        )
    print("slowest hostile responses:")
    for milliseconds, kind, name in sorted(hostile_times(), reverse=True)[:5]:
        print(f"    {milliseconds:6.1f} ms  {kind}: {name}")
    fuzz(options.fuzz, cases, random.Random(options.seed))


def worked_cases() -> list[Case]:
    return [
        json.loads(line)
        for path in sorted(CASES.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def answers_per_second(cases: list[Case], seconds: float = 1.0) -> float:
    """CPU seconds of this process, so that a busy machine does not count."""
    calls = [
        (document(case["answer"]), [before + case["response"]])
        for case in cases
        if len(case["response"]) < 1_000
        for before in ("", REASONING + "\n")
    ]
    judged, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        for item, results in calls:
            process_results(item, results)
        judged += len(calls)
    return judged / (time.process_time() - start)


def hostile_times() -> Iterator[tuple[float, str, str]]:
    for name, response in corpus():
        for kind in SPECS:
            yield min(milliseconds(response, document(SPECS[kind])) for _ in range(3)), kind, name


def fuzz(count: int, cases: list[Case], rng: random.Random) -> None:
    """Judge random responses and print the slowest, the score distribution and what is wrong, if anything is."""
    documents = {kind: document(spec) for kind, spec in SPECS.items()}
    own = [document(case["answer"]) for case in cases]
    seen: Counter[str] = Counter()
    arbitrary = from_hypothesis(min(count // 20, 10_000))
    forbidden = watch()
    for item in (*documents.values(), *own):
        process_results(item, ["Answer: sin(1) or 2"])  # loads what is loaded on first use
    forbidden.clear()
    slowest, slowest_response = 0.0, ""
    for index, (maker, response) in zip(range(count), random_responses(cases, rng, arbitrary), strict=False):
        items = [documents[list(documents)[index % len(documents)]]]
        if maker == "mutant":
            items.append(own[rng.randrange(len(own))])
        for item in items:
            try:
                took = milliseconds(response, item)
                if took > LIMIT:
                    took = min(took, *(milliseconds(response, item) for _ in range(2)))
            except Exception as error:
                raise SystemExit(f"{error!r} on {response!r} for {item['answer']}") from error
            if forbidden:
                raise SystemExit(f"{forbidden[0]} on {response!r} for {item['answer']}")
            if took > slowest:
                slowest, slowest_response = took, f"{response[:80]!r} for {item['answer'][:80]}"
        seen[maker] += 1
    print(f"{sum(seen.values()):,} random responses ({', '.join(f'{n:,} {maker}' for maker, n in seen.items())}):")
    print(f"    no exception, nothing executed, the slowest took {slowest:.1f} ms: {slowest_response}")
    if slowest > LIMIT:
        raise SystemExit(f"slower than {LIMIT} ms")


def random_responses(cases: list[Case], rng: random.Random, found: list[str]) -> Iterator[tuple[str, str]]:
    """Yield a maker's name and its response, in turn."""
    responses = [case["response"] for case in cases if len(case["response"]) < 1_000]
    responses += [response for _, response in corpus() if len(response) < 5_000]
    arbitrary = iter(found)
    makers: dict[str, Callable[[], str]] = {
        "soup": lambda: soup(rng),
        "mutant": lambda: mutant(rng, responses),
        "spliced": lambda: splice(rng, responses),
        "grown": lambda: grown(rng),
    }
    while True:
        for maker, make in makers.items():
            yield maker, make()
        if (response := next(arbitrary, None)) is not None:
            yield "hypothesis", response
        if rng.random() < 0.1:
            yield "repeated", repeated(rng)


def from_hypothesis(count: int) -> list[str]:
    """What hypothesis thinks up: text of every script, and text from the regular shapes of answers."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st

    found: list[str] = []
    marker = st.sampled_from(["", "Answer: ", "\\boxed{", "<answer>", "#### ", "The answer is "])
    number = st.from_regex(r"[-+−]?[0-9]{1,3}([,. ][0-9]{1,3}){0,3}([eE×^][-+]?[0-9]{1,4})?[%°$]?", fullmatch=True)
    numbers = st.lists(number, max_size=5).map(lambda parts: ", ".join(parts))
    body = st.one_of(st.text(max_size=300), st.text("0123456789+-*/^=()[]{}<>.,;: xeπ∞∪\\\n", max_size=200), numbers)

    @settings(
        max_examples=max(count, 1),
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(marker, body, body)
    def collect(marker: str, body: str, after: str) -> None:
        found.append(f"{marker}{body}\n{after}" if len(found) % 3 == 0 else marker + body)

    collect()
    return found


def watch() -> list[str]:
    """Return a list to which everything forbidden that happens from now on is added."""
    happened: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(FORBIDDEN):
            happened.append(f"{event} {arguments!r}"[:200])

    sys.addaudithook(hook)
    return happened


def document(answer: Case) -> Document:
    return {"answer": json.dumps(answer)}


def milliseconds(response: str, item: Document) -> float:
    start = time.process_time()
    process_results(item, [response])
    return 1_000 * (time.process_time() - start)


if __name__ == "__main__":
    main()
