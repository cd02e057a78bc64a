"""The main job on a small random model: real lm-eval, real files, every way of going wrong."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from qbench.bank import tasks_dir
from qbench.errors import (
    BankError,
    LevelError,
    MixError,
    ModelError,
    QBenchError,
    RunError,
    SamplesError,
    TemplateError,
)
from qbench.harness import find_tasks
from qbench.pairing import Direction
from qbench.records import Sweep, samples_path
from qbench.report import read_table
from qbench.sweep import sweep

LEAF = "qbench_numerical_arithmetic"
LEVELS = ["fp16", "q8", "q2"]
LIMIT = 5  # items of each task: the random model always writes on to the token limit

# A task of somebody's own: another format, another data set, no qbench in it.
FOREIGN_TASK = """
task: colours
dataset_path: json
dataset_kwargs: {{data_files: {{test: "{data}"}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "The {{{{thing}}}} is"
doc_to_choice: ["red", "green", "blue"]
doc_to_target: "{{{{colour}}}}"
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: acc_norm, aggregation: mean, higher_is_better: true}}
"""


@pytest.fixture(scope="module")
def own_tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own-tasks")
    rows = [
        {"thing": thing, "colour": colour} for thing, colour in [("grass", 1), ("sky", 2), ("blood", 0), ("sea", 2)]
    ]
    data = tmp_path_factory.mktemp("data") / "colours.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "colours.yaml").write_text(FOREIGN_TASK.format(data=data))
    return folder


def run_sweep(model: Path, run: Path, **options: object) -> Sweep:
    arguments = {"levels": LEVELS, "tasks": [LEAF], "items": 1, "limit": LIMIT, "batch_size": 4, **options}
    return sweep(str(model), run=run, progress=False, **arguments)  # type: ignore[arg-type]


def sample_files(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(run.glob("*/samples_*.jsonl"))}


@pytest.fixture(scope="module")
def finished(random_llama: Path, own_tasks: Path, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    return run_sweep(
        random_llama, tmp_path_factory.mktemp("runs") / "finished", tasks=[LEAF, "colours"], include_path=[own_tasks]
    )


def test_every_level_answers_the_same_questions(finished: Sweep) -> None:
    assert finished.levels == LEVELS
    assert finished.noise_floor == "fp16-repeat"
    prompts = [
        [sample["arguments"]["gen_args_0"]["arg_0"] for sample in finished.run(level).samples(LEAF)]
        for level in [*LEVELS, "fp16-repeat"]
    ]
    assert len(prompts[0]) >= 3
    assert all(asked == prompts[0] for asked in prompts)


def test_groups_and_tags_stand_for_their_leaves() -> None:
    for name in ("qbench-numerical", "qbench_numerical"):
        manager, names = find_tasks([name])
        assert len(manager.load(names)["tasks"]) == 3


def test_any_other_task_stands_beside_the_bank(finished: Sweep) -> None:
    samples = finished.run("q8").samples("colours")
    assert [sample["doc"]["thing"] for sample in samples] == ["grass", "sky", "blood", "sea"]
    assert {sample["acc"] for sample in samples} <= {0.0, 1.0}


def test_examples_that_are_drawn_at_random_are_the_same_at_every_level(
    random_llama: Path, own_tasks: Path, tmp_path: Path
) -> None:
    shown = run_sweep(random_llama, tmp_path / "run", tasks=["colours"], include_path=[own_tasks], num_fewshot=2)
    prompts = [
        [sample["arguments"]["gen_args_0"]["arg_0"] for sample in shown.run(level).samples("colours")]
        for level in [*LEVELS, "fp16-repeat"]
    ]
    assert all(
        prompt.count(" is ") == 2 for prompt in prompts[0]
    )  # two sentences with their colour in front of one without
    assert all(asked == prompts[0] for asked in prompts)


def test_a_run_says_of_each_metric_what_its_task_says(
    finished: Sweep, own_tasks: Path, random_llama: Path, tmp_path: Path
) -> None:
    assert finished.run("q2").higher_is_better("colours") == {"acc": True, "acc_norm": True}
    assert finished.run("q2").higher_is_better(LEAF)["score"] is True
    turned = tmp_path / "tasks"
    turned.mkdir()
    text = (own_tasks / "colours.yaml").read_text()  # the same task, whose author calls its accuracy an error
    (turned / "errors.yaml").write_text(
        text.replace("task: colours", "task: errors").replace("better: true", "better: false")
    )
    options: dict[str, Any] = {"include_path": [turned], "noise_floor": False, "levels": ["fp16", "q2"]}
    run = run_sweep(random_llama, tmp_path / "run", tasks=["errors"], **options)
    assert run.run("q2").higher_is_better("errors") == {"acc": False, "acc_norm": False}
    (row,) = read_table(tmp_path / "run").rows
    assert (row.name, row.metric, row.direction) == ("errors", "acc_norm", Direction.LOWER)


def test_a_run_says_where_it_comes_from(finished: Sweep) -> None:
    info = finished.run("q2").info
    assert info["proof"]["share_quantized"] > 0.99
    assert 2 < info["proof"]["bits_per_weight"] < 3
    assert {module["bits"] for module in info["proof"]["modules"]} == {2}
    assert info["model"]["sha256"] == finished.info["model_sha256"]
    assert info["bank"] == finished.info["bank"]
    assert info["draft_from"] == "q8"
    assert info["versions"]["torch"] == torch.__version__


def test_a_run_says_what_it_cost(finished: Sweep) -> None:
    costs = {level: finished.run(level).info["cost"] for level in LEVELS}
    assert [cost["arithmetic"] for cost in costs.values()] == ["full precision", "dequantized", "dequantized"]
    assert len({cost["load_seconds"] for cost in costs.values()}) == 1  # the model is loaded once for all levels
    for cost in costs.values():
        assert cost["quantize_seconds"] > 0
        assert cost["prompt_tokens_per_second"] > cost["generation_tokens_per_second"] > 0
        assert cost["peak_bytes"] >= cost["resident_bytes"] > 10**6


def test_measuring_the_cost_changes_no_sample(
    finished: Sweep, random_llama: Path, own_tasks: Path, tmp_path: Path
) -> None:
    bare = run_sweep(random_llama, tmp_path / "bare", tasks=[LEAF, "colours"], include_path=[own_tasks], cost=False)
    assert sample_files(bare.dir) == sample_files(finished.dir)
    cost = bare.run("q2").info["cost"]
    assert cost["prompt_tokens_per_second"] is None
    assert cost["quantize_seconds"] > 0


def test_two_sweeps_write_the_same_samples(
    finished: Sweep, random_llama: Path, own_tasks: Path, tmp_path: Path
) -> None:
    again = run_sweep(random_llama, tmp_path / "again", tasks=[LEAF, "colours"], include_path=[own_tasks])
    assert sample_files(again.dir) == sample_files(finished.dir)


def test_drafts_change_no_response(finished: Sweep, random_llama: Path, own_tasks: Path, tmp_path: Path) -> None:
    plain = run_sweep(random_llama, tmp_path / "plain", tasks=[LEAF, "colours"], include_path=[own_tasks], drafts=False)
    assert sample_files(plain.dir) == sample_files(finished.dir)


def test_a_killed_sweep_continues_to_the_same_end(
    finished: Sweep, random_llama: Path, own_tasks: Path, tmp_path: Path
) -> None:
    """Killed with SIGKILL after one, then after three finished cells. benchmarks/resume.py does it at ten random moments."""
    run = tmp_path / "killed"
    options = dict(run=run, tasks=[LEAF, "colours"], include_path=[own_tasks], levels=LEVELS)
    options |= dict(items=1, limit=LIMIT, batch_size=4, progress=False)
    script = (
        f"from pathlib import PosixPath\nfrom qbench.sweep import sweep\nsweep({str(random_llama)!r}, **{options!r})"
    )
    for cells in (1, 3):
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while len(sample_files(run)) < cells and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    run_sweep(random_llama, run, tasks=[LEAF, "colours"], include_path=[own_tasks])
    assert sample_files(run) == sample_files(finished.dir)


def test_arithmetic_is_float32_on_a_cpu_whatever_device_lm_eval_names(random_llama: Path) -> None:
    from qbench.models import QBenchLM

    for device in (None, "cpu", *(() if torch.accelerator.is_available() else ("cuda:0",))):
        lm = QBenchLM(str(random_llama), level="q4", device=device)
        assert lm.device.type != "cpu" or lm.model.dtype == torch.float32


def test_lm_eval_gives_the_same_scores(finished: Sweep, random_llama: Path) -> None:
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    from qbench.models import QBenchLM

    manager = TaskManager(include_path=str(tasks_dir()), include_defaults=False, metadata={"qb_items": 1})
    results = simple_evaluate(
        model=QBenchLM(str(random_llama), level="q2", batch_size=4),
        tasks=[LEAF],
        task_manager=manager,
        limit=LIMIT,
        bootstrap_iters=0,
    )
    theirs = {sample["doc"]["id"]: (sample["score"], sample["resps"][0][0]) for sample in results["samples"][LEAF]}
    ours = {
        sample["doc"]["id"]: (sample["score"], sample["resps"][0][0]) for sample in finished.run("q2").samples(LEAF)
    }
    assert ours == theirs


# ---------------------------------------------------------------- what is refused, and what is recorded


def damaged_copy(model: Path, folder: Path, damage: str) -> Path:
    """A copy of the model in which one norm's weights are NaN."""
    shutil.copytree(model, folder)
    weights = load_file(folder / "model.safetensors")
    weights[damage] = torch.full_like(weights[damage], float("nan"))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_nan_logits_are_recorded_as_failed_never_as_wrong(random_llama: Path, own_tasks: Path, tmp_path: Path) -> None:
    broken = damaged_copy(random_llama, tmp_path / "broken", "model.norm.weight")
    result = run_sweep(
        broken, tmp_path / "run", tasks=[LEAF, "colours"], include_path=[own_tasks], levels=["fp16"], noise_floor=False
    )
    for task, metric in ((LEAF, "score"), ("colours", "acc")):
        for sample in result.run("fp16").samples(task):
            assert sample["failed"] == "NaN logits"
            assert sample[metric] is None
    assert result.run("fp16").info["cells"][LEAF]["n_failed"] == len(result.run("fp16").samples(LEAF))


def test_nan_logits_end_a_plain_lm_eval_run_with_a_sentence(random_llama: Path, tmp_path: Path) -> None:
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    from qbench.models import QBenchLM

    broken = damaged_copy(random_llama, tmp_path / "broken", "model.norm.weight")
    manager = TaskManager(include_path=str(tasks_dir()), include_defaults=False, metadata={"qb_items": 1})
    with pytest.raises(ModelError, match="prompts gave logits that are not numbers"):
        simple_evaluate(model=QBenchLM(str(broken)), tasks=[LEAF], task_manager=manager, limit=LIMIT, bootstrap_iters=0)


def test_a_prompt_that_does_not_fit_is_not_applicable_and_never_cut(
    finished: Sweep, random_llama: Path, tmp_path: Path
) -> None:
    prompts = [sample["arguments"]["gen_args_0"]["arg_0"] for sample in finished.run("fp16").samples(LEAF)]
    lengths = [len(prompt.encode()) for prompt in prompts]  # the fixture's tokens are bytes
    window = 256 + sorted(lengths)[1]  # room for the answer behind the two shortest
    result = run_sweep(
        random_llama, tmp_path / "run", model_args={"max_length": window}, levels=["fp16"], noise_floor=False
    )
    for sample, length in zip(result.run("fp16").samples(LEAF), lengths, strict=True):
        if length + 256 > window:
            assert sample["failed"].startswith(f"not applicable: a prompt of {length} tokens")
            assert sample["score"] is None
        else:
            assert sample["failed"] is None


def test_a_cut_samples_file_is_noticed(random_llama: Path, tmp_path: Path) -> None:
    result = run_sweep(random_llama, tmp_path / "run", noise_floor=False)
    path = samples_path(result.dir / "fp16", LEAF)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(SamplesError, match="is not the file that was written"):
        result.run("fp16").samples(LEAF)


def test_a_folder_with_another_plan_is_refused(finished: Sweep, random_llama: Path) -> None:
    with pytest.raises(
        RunError, match=r"holds another sweep: it differs in tasks, items .*Give this one its own folder with --run"
    ):
        run_sweep(random_llama, finished.dir, items=2)


def test_the_margin_of_the_first_command_stays_declared(
    finished: Sweep, random_llama: Path, own_tasks: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(finished.dir, tmp_path / "copy")
    assert (finished.info["margin"], finished.info["confidence"]) == (2.0, 0.95)
    again = run_sweep(random_llama, folder, tasks=[LEAF, "colours"], include_path=[own_tasks], margin=5.0)
    assert again.info == finished.info


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"levels": ["fp16", "q44"]}, LevelError, r"Did you mean q4\?"),
        ({"levels": ["fp16", "nowhere.yaml"]}, MixError, "There is no mix file"),
        (
            {"levels": ["q8", "q4"]},
            QBenchError,
            "The first level is the baseline of every comparison and must be fp16, not q8",
        ),
        ({"levels": ["fp16", "q8", "bf16"]}, QBenchError, "bf16 is the checkpoint as it was loaded, as fp16 is"),
        (
            {"model_args": {"level": "q4"}},
            QBenchError,
            "must not set level: --model, --levels, --batch-size, --engine and --model-backend do",
        ),
        ({"tasks": ["qbench_numerical_aritmetic"]}, BankError, r"Did you mean qbench_numerical_arithmetic\?"),
    ],
)
def test_bad_names_fail_before_anything_is_loaded(
    random_llama: Path, tmp_path: Path, options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run_sweep(random_llama, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_field_that_no_document_has_is_refused_before_the_model_is_loaded(own_tasks: Path, tmp_path: Path) -> None:
    with pytest.raises(QBenchError, match=r"No document has a field 'color'\. Did you mean colour\?"):
        run_sweep(tmp_path / "no-model", tmp_path / "run", tasks=["colours"], include_path=[own_tasks], by="color")
    assert not (tmp_path / "run").exists()


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"There is no model at .*nowhere"):
        run_sweep(tmp_path / "nowhere", tmp_path / "run")


def test_a_yaml_with_a_syntax_error_does_not_vanish(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("task: [unclosed")
    with pytest.raises(BankError, match=r"bad\.yaml is not valid YAML"):
        find_tasks(["qbench_*"], [tmp_path])


def test_what_is_no_task_may_lie_beside_one(own_tasks: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(own_tasks, tmp_path / "tasks")
    whole = (folder / "colours.yaml").read_text()
    (folder / "_base.yaml").write_text(whole.replace("task: colours", ""))
    (folder / "colours.yaml").write_text("include: _base.yaml\ntask: colours\n")
    (folder / "mix.yaml").write_text("default: q8\nrules:\n  - {modules: '*mlp*', level: q4}\n")
    (folder / "words.yaml").write_text("- sky\n- sea\n")
    manager, names = find_tasks(["colours", LEAF], [folder])
    assert names == [LEAF, "colours"]
    assert manager.load(["colours"])["tasks"]["colours"].eval_docs.num_rows == 4


def test_an_undefined_variable_names_its_template(random_llama: Path, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        f"""
        include: {tasks_dir().parent / "prompts" / "answer.yaml"}
        task: qbench_own_sums
        dataset_kwargs:
          category: own
          subcategory: sums
          templates:
            - id: sum
              question: "What is 2 + {{{{ b }}}}?"
              answer: "4"
              scored_as: {{type: number, tolerance: {{mode: exact}}}}
        """
    )
    with pytest.raises(TemplateError, match=r"Template sum, item own_sums\.sum\.test\.0: 'b' is undefined"):
        run_sweep(random_llama, tmp_path / "run", tasks=["qbench_own_sums"], include_path=[tmp_path])
