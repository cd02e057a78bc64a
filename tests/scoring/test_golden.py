"""Worked cases as data: when a verdict is wrong, the fix begins with a line in one of the files beside this one.

``shared_cases.jsonl`` came with the design of the scorers; its cases marked ``convention`` settle questions on which people differ. The
other files were written by hand, one per answer type. Cases that show the same rule are one test, which lists every wrong verdict.
"""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from qbench.scoring import judge

Case = dict[str, Any]


def rules() -> list[Any]:
    """The cases of each file, by the rule that they show."""
    found = []
    for path in sorted(Path(__file__).parent.glob("*.jsonl")):
        cases: list[Case] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        by_rule = itertools.groupby(sorted(cases, key=lambda case: case["why"]), key=lambda case: case["why"])
        found += [pytest.param(list(group), id=f"{path.stem}: {why}") for why, group in by_rule]
    return found


@pytest.mark.parametrize("cases", rules())
def test_the_verdicts_are_those_written_down(cases: list[Case]) -> None:
    wrong = [problem for case in cases if (problem := disagreement(case))]
    assert not wrong, "\n" + "\n".join(wrong)


def disagreement(case: Case) -> str:
    """What is wrong with the verdict on one case; empty if nothing is."""
    verdict = judge(case["response"], case["answer"])
    score = case.get("score", float(case["correct"]))
    details = {name: verdict.details.get(name) for name in case.get("details", {})}
    if (verdict.correct, details) == (case["correct"], case.get("details", {})) and verdict.score == pytest.approx(
        score, abs=1e-6
    ):
        return ""
    return f"{case['response'][:200]!r} for {case['answer'].get('target')!r}: {verdict}"


def test_every_answer_type_has_its_cases() -> None:
    for path in Path(__file__).parent.glob("*.jsonl"):
        verdicts = [json.loads(line)["correct"] for line in path.read_text(encoding="utf-8").splitlines()]
        assert {True, False} <= set(verdicts), path.stem
