"""No response raises, hangs or is executed, whatever the answer type."""

import builtins
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hostile import SPECS, corpus, grown, mutant, repeated, soup, splice
from hypothesis import given, settings
from hypothesis import strategies as st

from qbench.scoring import judge

RIGHT_AFTER_ALL = {"equal, and slow", "equal with poles", "negations"}  # hostile and right


@contextmanager
def execution_watched() -> Iterator[list[str]]:
    """List every call of a function that runs text as code or opens a file."""
    calls: list[str] = []

    def watch(name: str) -> Callable[..., Any]:
        original = getattr(builtins, name)

        def call(*arguments: Any, **options: Any) -> Any:
            calls.append(f"{name}{arguments!r}"[:200])
            return original(*arguments, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("eval", "exec", "compile", "open"):
            patch.setattr(builtins, name, watch(name))
        yield calls


@pytest.mark.parametrize("kind", SPECS)
def test_no_hostile_response_is_executed_or_right(kind: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    judge("Answer: 1", SPECS[kind])  # loads the scorer: importing executes, judging does not
    for name, response in corpus(str(canary)):
        with execution_watched() as calls:
            verdict = judge(response, SPECS[kind])
        assert not calls, name
        assert not verdict.correct or name in RIGHT_AFTER_ALL, (name, verdict)
        assert 0 <= verdict.score <= 1
    assert not canary.exists()


RESPONSES = [response for _, response in corpus() if len(response) < 5_000]
MAKERS: dict[str, Callable[[random.Random], str]] = {
    "soup": soup,
    "mutant": lambda rng: mutant(rng, RESPONSES),
    "splice": lambda rng: splice(rng, RESPONSES),
    "grown": grown,
    "repeated": repeated,
}


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("kind", SPECS)
def test_random_responses_raise_nothing(kind: str, maker: str) -> None:
    rng = random.Random(f"{kind} {maker}")
    for _ in range(20 if maker == "repeated" else 100):
        verdict = judge(MAKERS[maker](rng), SPECS[kind])
        assert 0 <= verdict.score <= 1
        assert verdict.answered or not verdict.score


@settings(max_examples=150, deadline=None)
@given(response=st.text(max_size=200), marker=st.sampled_from(["", "Answer: ", "<answer>", "\\boxed{"]))
def test_arbitrary_text_raises_nothing(response: str, marker: str) -> None:
    for answer in SPECS.values():
        judge(marker + response, answer)
