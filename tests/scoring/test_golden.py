"""Worked cases as data: when a verdict is wrong, the fix begins with a line in one of the files beside this one.

``shared_cases.jsonl`` came with the design of the scorers; its cases marked ``convention`` settle questions on which people differ. The
other files were written by hand, one per answer type.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from qbench.scoring import judge

CASES = [
    pytest.param(json.loads(line), id=f"{path.stem}:{number}")
    for path in sorted(Path(__file__).parent.glob("*.jsonl"))
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
]


@pytest.mark.parametrize("case", CASES)
def test_the_verdict_is_the_one_written_down(case: dict[str, Any]) -> None:
    verdict = judge(case["response"], case["answer"])
    assert verdict.correct == case["correct"], f"{case['why']}: {verdict}"
    assert verdict.score == pytest.approx(case.get("score", float(case["correct"])), abs=1e-6), verdict
    for name, value in case.get("details", {}).items():
        assert verdict.details[name] == value
