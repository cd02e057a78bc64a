"""`qbench compare` on what lm-eval itself wrote, for tasks that have nothing to do with qbench."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qbench.bridge import install
from qbench.cli import EXIT_BAD_INPUT, main
from qbench.compare import compare
from qbench.errors import PairingError, QBenchError, RunError, SamplesError
from qbench.report.table import Kind
from qbench.stats import Design, same_templates_difference

N_ITEMS = 48
SUBJECTS = ("fruit", "tools", "rivers", "birds")


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory, random_llama: Path) -> Path:
    """Two folders, fp16 and q2, each written by lm-eval: a forced choice and a generation task of somebody's own."""
    folder = tmp_path_factory.mktemp("outputs")
    rng = np.random.default_rng(0)
    documents = [
        {
            "question": f"Which is number {i}?",
            "options": ["".join(rng.choice(list("abcdefgh"), 4)) for _ in range(4)],
            "right": i % 4,
            "subject": SUBJECTS[i // 12],
        }
        for i in range(N_ITEMS)
    ]
    (folder / "data.jsonl").write_text("".join(json.dumps(document) + "\n" for document in documents), encoding="utf-8")
    common = {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(folder / "data.jsonl")}},
        "test_split": "test",
        "doc_to_text": "{{question}}\n",
    }
    choice = {
        "task": "their_choice",
        "output_type": "multiple_choice",
        "doc_to_choice": "options",
        "doc_to_target": "right",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
    }
    writing = {
        "task": "their_writing",
        "output_type": "generate_until",
        "doc_to_target": "{{options[right]}}",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 4, "do_sample": False},
        "metric_list": [{"metric": "exact_match"}],
    }
    tasks = folder / "tasks"
    tasks.mkdir()
    for task in (choice, writing):
        (tasks / f"{task['task']}.yaml").write_text(json.dumps({**common, **task}), encoding="utf-8")
    install()
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(tasks), include_defaults=False)
    for level in ("fp16", "q2"):
        tracker = EvaluationTracker(output_path=str(folder / level))
        results = simple_evaluate(
            model="qbench",
            model_args={"pretrained": str(random_llama), "level": level},
            tasks=["their_choice", "their_writing"],
            task_manager=manager,
            log_samples=True,
            bootstrap_iters=0,
        )
        samples = results.pop("samples")
        tracker.save_results_aggregated(results=results, samples=samples)
        for task, lines in samples.items():
            tracker.save_results_samples(task_name=task, samples=lines)
    return folder


def samples(folder: Path, task: str) -> list[dict[str, Any]]:
    (path,) = folder.rglob(f"samples_{task}_*.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_task_gets_a_row_with_the_difference_of_its_items(outputs: Path) -> None:
    table = compare(outputs / "fp16", [outputs / "q2"]).table
    assert [(row.kind, row.name) for row in table.rows] == [(Kind.TASK, "their_choice"), (Kind.TASK, "their_writing")]
    for row, metric in zip(table.rows, ("acc_norm", "exact_match"), strict=True):
        (cell,) = row.cells
        scores = [[sample[metric] for sample in samples(outputs / level, row.name)] for level in ("fp16", "q2")]
        assert cell.difference.value == pytest.approx(np.mean(scores[1]) - np.mean(scores[0]))
        assert (cell.difference.n_items, cell.difference.n_templates) == (N_ITEMS, N_ITEMS)
    assert any(row.cells[0].flips.worse + row.cells[0].flips.better for row in table.rows)


def test_clusters_and_breakdowns_come_from_fields_of_the_documents(outputs: Path) -> None:
    table = compare(outputs / "fp16", [outputs / "q2"], tasks=["their_choice"], cluster="subject", by="subject").table
    (row,) = table.rows
    assert row.cells[0].difference.n_templates == len(SUBJECTS)
    assert [row.name for row in table.breakdown] == sorted(SUBJECTS)


def test_fresh_items_of_their_task_or_cluster_are_the_other_target(outputs: Path) -> None:
    runs = outputs / "fp16", [outputs / "q2"]
    before, after = (
        [sample["acc_norm"] for sample in samples(outputs / level, "their_choice")] for level in ("fp16", "q2")
    )
    for cluster, template in ((None, [0] * N_ITEMS), ("subject", [i // 12 for i in range(N_ITEMS)])):
        table = compare(*runs, tasks=["their_choice"], cluster=cluster, target="items").table
        alone = same_templates_difference(before, after, Design.of(template, [0] * N_ITEMS))
        assert table.rows[0].cells[0].difference.interval == pytest.approx(tuple(alone.interval))


def test_another_metric_can_be_compared(outputs: Path) -> None:
    table = compare(outputs / "fp16", [outputs / "q2"], tasks=["their_choice"], metric="acc").table
    assert table.rows[0].baseline.value == pytest.approx(
        np.mean([sample["acc"] for sample in samples(outputs / "fp16", "their_choice")])
    )


def test_the_command_line_prints_the_table_and_writes_the_report_where_it_is_told(
    outputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["compare", str(outputs / "fp16"), str(outputs / "q2"), "--cluster", "subject"]
    assert main(command) == 0
    assert "their_choice" in capsys.readouterr().out
    assert main([*command, "--out", str(tmp_path / "report")]) == 0
    page = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert page.startswith("# What changed against fp16: q2\n")
    assert "Score of each run minus that of the run fp16" in page
    assert "at each level" not in page.split("\n\n")[1]


def broken(outputs: Path, tmp_path: Path, **change: object) -> Path:
    """A copy of the q2 folder whose first sample of their_choice is changed."""
    copy = tmp_path / "broken"
    shutil.copytree(outputs / "q2", copy)
    path = next(copy.rglob("samples_their_choice*"))
    first, *rest = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([json.dumps({**json.loads(first), **change}), *rest]) + "\n", encoding="utf-8")
    return copy


def test_other_prompts_are_refused_with_their_number(outputs: Path, tmp_path: Path) -> None:
    with pytest.raises(PairingError, match="1 of 48 items of their_choice were asked with different prompts"):
        compare(outputs / "fp16", [broken(outputs, tmp_path, prompt_hash="0")])


def test_repeated_ids_are_refused(outputs: Path, tmp_path: Path) -> None:
    with pytest.raises(PairingError, match="1 of 48 samples of their_choice repeat an item"):
        compare(outputs / "fp16", [broken(outputs, tmp_path, doc_id=1)])


def test_a_cut_file_is_refused(outputs: Path, tmp_path: Path) -> None:
    copy = broken(outputs, tmp_path)
    path = next(copy.rglob("samples_their_choice*"))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(SamplesError, match=r"Line 48 of .* is no JSON object"):
        compare(outputs / "fp16", [copy])


def test_an_empty_folder_an_unknown_task_and_the_same_run_twice_are_refused(outputs: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no samples_<task>_<date>"):
        compare(outputs / "fp16", [tmp_path])
    with pytest.raises(PairingError, match="fp16 has no samples of theirs; it has their_choice, their_writing"):
        compare(outputs / "fp16", [outputs / "q2"], tasks=["theirs"])
    with pytest.raises(QBenchError, match="is given twice"):
        compare(outputs / "fp16", [outputs / "fp16"])
    with pytest.raises(PairingError, match="no field 'topic' to cluster by"):
        compare(outputs / "fp16", [outputs / "q2"], cluster="topic")
    with pytest.raises(PairingError, match="has no metric 'f1'"):
        compare(outputs / "fp16", [outputs / "q2"], metric="f1")
    assert main(["compare", str(outputs / "fp16"), str(tmp_path)]) == EXIT_BAD_INPUT
