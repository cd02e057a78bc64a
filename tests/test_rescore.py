"""Stored responses are judged again, and what changed is shown."""

import json
from pathlib import Path
from typing import Any

import pytest
from handmade import bank_item, sample, write_plan, write_run

from qbench import records
from qbench.errors import RunError
from qbench.rescore import rescore

NUMBER = {"answer": json.dumps({"type": "number", "target": "12", "tolerance": {"mode": "exact"}}), "target": "12"}


def write(folder: Path) -> None:
    """Four responses: one was judged rightly, one too hard, one too mildly, and one failed; and a task of somebody else's."""
    responses: list[tuple[str, float | None]] = [
        ("Answer: 12", 1.0),
        ("Answer: 12", 0.0),
        ("Answer: 13", 1.0),
        ("", None),
    ]
    samples = [
        sample(bank_item("numerical", "one", "t", i, **NUMBER), i, score, response=response)
        for i, (response, score) in enumerate(responses)
    ]
    choice: dict[str, Any] = {"choices": ["x", "y"], "target_index": 1, "declining_index": -1}
    document = bank_item("knowledge", "one", "c", 0, **choice)
    lines = {**sample(document, 0, 0.0), "resps": [[["-3.5", "False"]], [["-1.25", "True"]]]}
    foreign = [sample({"question": "?"}, 0, 1.0)]
    for level in ("fp16", "q4"):
        write_run(folder / level, {"ours": samples, "choices": [lines], "theirs": foreign})
    write_plan(folder, ["fp16", "q4"], ["ours", "choices", "theirs"])


def test_changes_are_found_in_every_level(tmp_path: Path) -> None:
    write(tmp_path / "run")
    found = rescore(tmp_path / "run")
    changes = [(change.level, change.item.split(".")[-1], change.before, change.after) for change in found.changes]
    expected = [("1", 0.0, 1.0), ("2", 1.0, 0.0), ("0", 0.0, 1.0)]
    assert changes == [(level, *entry) for level in ("fp16", "q4") for entry in expected]
    assert (found.n_items, found.skipped) == (10, ("theirs",))
    assert "4 score more than before, 2 less" in str(found)


def test_the_copy_has_todays_scores_and_the_original_stays(tmp_path: Path) -> None:
    write(tmp_path / "run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    rescore(tmp_path / "run", out=tmp_path / "again")
    assert {path: path.read_bytes() for path in before} == before
    copy = records.read_sweep(tmp_path / "again")
    assert [line["score"] for line in copy.run("q4").samples("ours")] == [1.0, 1.0, 0.0, None]
    assert copy.run("q4").samples("theirs") == records.read_sweep(tmp_path / "run").run("q4").samples("theirs")
    assert rescore(tmp_path / "again").changes == ()


def test_an_existing_folder_is_not_written_to(tmp_path: Path) -> None:
    write(tmp_path / "run")
    with pytest.raises(RunError, match="exists already"):
        rescore(tmp_path / "run", out=tmp_path / "run")
