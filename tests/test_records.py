"""Runs on disk: written whole, noticed when altered."""

import errno
import json
import os
from pathlib import Path

import pytest

from qbench.errors import RunError, SamplesError
from qbench.records import RUN_FILE, SWEEP_FILE, read_run, read_sweep, samples_path, write_json, write_samples
from qbench.samples import Sample

SAMPLES: list[Sample] = [
    {"doc_id": 0, "score": 1.0, "failed": None},
    {"doc_id": 1, "score": float("nan"), "failed": "NaN logits"},
]


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "nano" / "q4"
    write_json(folder / RUN_FILE, {"cells": {"some_task": write_samples(folder, "some_task", SAMPLES)}})
    write_json(folder.parent / SWEEP_FILE, {"baseline": "fp16", "levels": ["fp16", "q4"], "tasks": ["some_task"]})
    return folder


def test_samples_come_back_and_nan_is_null(run_dir: Path) -> None:
    run = read_run(run_dir)
    assert run.tasks == ["some_task"]
    assert run.samples("some_task") == [SAMPLES[0], {"doc_id": 1, "score": None, "failed": "NaN logits"}]


def test_equal_samples_give_equal_files(run_dir: Path, tmp_path: Path) -> None:
    write_samples(tmp_path / "other", "some_task", [dict(reversed(sample.items())) for sample in SAMPLES])
    assert samples_path(tmp_path / "other", "some_task").read_bytes() == samples_path(run_dir, "some_task").read_bytes()


@pytest.mark.parametrize("damage", [lambda content: content[:-20], lambda content: content.replace(b"1.0", b"0.0")])
def test_a_damaged_samples_file_is_refused(run_dir: Path, damage: object) -> None:
    path = samples_path(run_dir, "some_task")
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(SamplesError, match="is not the file that was written"):
        read_run(run_dir).samples("some_task")


def test_a_missing_samples_file_is_refused(run_dir: Path) -> None:
    samples_path(run_dir, "some_task").unlink()
    with pytest.raises(SamplesError, match=r"is missing though run\.json names it"):
        read_run(run_dir).samples("some_task")


def test_a_task_without_a_finished_cell(run_dir: Path) -> None:
    with pytest.raises(SamplesError, match="no finished cell for other_task"):
        read_run(run_dir).samples("other_task")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"schema_version": 99}', "schema version 99, and this qbench reads version 1"),
        ('{"levels": []}', "cannot be read as a qbench file"),
        ('{"schema_vers', "cannot be read as a qbench file"),
        ('{"schema_version": 1, "baseline": "fp16", "tasks": []}', r"qbench file \(the file lacks levels"),
    ],
)
def test_another_schema_fails_with_a_sentence(run_dir: Path, content: str, message: str) -> None:
    (run_dir.parent / SWEEP_FILE).write_text(content)
    with pytest.raises(RunError, match=message) as found:
        read_sweep(run_dir.parent)
    assert "Delete" not in str(found.value)  # the cells would go with it


@pytest.mark.parametrize(
    ("cells", "message"),
    [([], r"cells must be an object, not \[\]"), ({"task": {"n_items": 1}}, "cells.task lacks sha256")],
)
def test_a_run_without_its_cells_fails_with_a_sentence(run_dir: Path, cells: object, message: str) -> None:
    write_json(run_dir / RUN_FILE, {"cells": cells})
    with pytest.raises(RunError, match=message):
        read_run(run_dir)


def test_a_folder_that_is_no_sweep(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is no sweep: it has no sweep\.json"):
        read_sweep(tmp_path)
    with pytest.raises(RunError, match=r"has no run\.json yet\. Repeat the command that began it"):
        read_run(tmp_path)


def test_a_full_disk_keeps_what_was_there(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = samples_path(run_dir, "some_task").read_bytes()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="The disk is full"):
        write_samples(run_dir, "some_task", SAMPLES[:1])
    assert samples_path(run_dir, "some_task").read_bytes() == before
    assert sorted(path.name for path in run_dir.iterdir()) == [RUN_FILE, "samples_some_task.jsonl"]


def test_what_is_written_is_json_that_others_can_read(run_dir: Path) -> None:
    for line in samples_path(run_dir, "some_task").read_text().splitlines():
        json.loads(line, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
