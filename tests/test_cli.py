"""The door: what a person types, and what comes back."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import datasets
import pytest

from qbench import names
from qbench.bank import leaves, load_items
from qbench.cli import EXIT_BAD_INPUT, main
from qbench.errors import BankError
from qbench.levels import LEVELS, shipped_mixes


def test_levels_lists_every_level_and_mix_with_its_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["levels"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in (*LEVELS, *shipped_mixes()))
    q8 = next(line for line in printed.splitlines() if line.startswith("q8"))
    assert q8.split() == ["q8", "intx", "8", "256", "8.38", "3.8x", "1.9x"]  # 8 + 24/64 bits; 32 and 16 over that


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"qbench {importlib.metadata.version('qbench')}\n"


def test_bank_path_is_a_folder_that_lm_eval_can_include(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bank", "path"]) == 0
    assert (Path(capsys.readouterr().out.strip()) / "numerical" / "arithmetic.yaml").is_file()


def test_bank_show_prints_one_item(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bank", "show", "numerical_arithmetic.train_two_speeds.test.0"]) == 0
    printed = capsys.readouterr().out
    assert "  target     402.15\n" in printed  # 87.5 · 3.25 + 67.3 · 1.75
    assert "document" in printed.splitlines()[0]
    assert re.search(r"^  choices    .*\b402\.15\b", printed, re.MULTILINE)  # among near misses


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_bank_export_writes_a_row_for_each_item(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"bank.{ending}"
    assert main(["bank", "export", str(path), "--tasks", "qbench_logic_*", "--items", "2"]) == 0
    table = datasets.load_dataset(
        "json" if ending == "jsonl" else ending, data_files=str(path), split="train", cache_dir=str(tmp_path)
    )
    expected = [item for leaf in leaves() if leaf.category == "logic" for item in leaf.items(items=2)]
    assert table["id"] == [item.id for item in expected]
    assert table["question"] == [item.question for item in expected]


def test_bank_show_takes_a_seed_and_a_difficulty(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bank", "show", "train_two_speeds", "--difficulty", "4"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("(difficulty 4, ") == shown.count("difficulty") == 4  # of twenty items in five difficulties
    assert main(["bank", "show", "train_two_speeds", "--difficulty", "4", "--seed", "7"]) == 0
    other = capsys.readouterr().out
    assert other.count("(difficulty 4, ") == 4
    assert other != shown


PROBE = """
    task: qbench_mine
    class: !function qbench.probe.Answer
    dataset_kwargs:
      category: mine
      subcategory: double
      templates:
        - id: double
          question: "What is twice {{ n }}?"
          variables: {n: {integers: [1, 9]}}
          answer: "2 * n"
          scored_as: {type: number, tolerance: {mode: exact}}
"""


def test_bank_show_and_export_read_a_yaml_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(PROBE, encoding="utf-8")
    assert main(["bank", "show", str(path)]) == 0
    assert capsys.readouterr().out.count("What is twice ") == 5
    rows = tmp_path / "mine.csv"
    assert main(["bank", "export", str(rows), "--tasks", str(path)]) == 0
    assert "9 items" in capsys.readouterr().out  # no question twice
    assert rows.read_text(encoding="utf-8").count("What is twice ") == 9


def test_bank_verify_reads_a_probe_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(PROBE, encoding="utf-8")
    assert main(["bank", "verify", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: 1 template of qbench_mine, no flaw found\n"
    for right, wrong, message in (
        ("is twice", "is  twice", "does not read well"),
        ("qbench.probe.Answer", "qbench.probe.Answr", "Did you mean qbench.probe.Answer?"),
        ("class: !function qbench.probe.Answer", "description: none", "does not say how it is asked"),
        ("qbench_mine", "qbench_logic_deduction", "The bank has a task named qbench_logic_deduction"),
        ("id: double", "id: syllogism", "The bank has a template named syllogism"),
        (
            "[1, 9]",
            "[[1, 9], [1, 99], [1, 999]]",
            "must be a range [low, high] of whole numbers or expressions, or a list of five",
        ),
        ("mode: exact", "mode: decimals", "its tolerance: A tolerance of mode 'decimals' needs the field 'n'"),
        ("type: number", "type: numbr", "Template double, item mine_double.double.test.0"),
    ):
        path.write_text(PROBE.replace(right, wrong), encoding="utf-8")
        assert main(["bank", "verify", str(path)]) == EXIT_BAD_INPUT
        assert message in capsys.readouterr().err


def test_a_forced_choice_of_ones_own_gets_near_misses(tmp_path: Path) -> None:
    template = {
        "id": "double",
        "question": "What is twice {{ n }}?",
        "variables": {"n": {"integers": [1, 99]}},
        "answer": "2 * n",
    }
    template |= {"scored_as": {"type": "number", "tolerance": {"mode": "exact"}}}
    rows = load_items(category="mine", subcategory="double", templates=[template], as_choices=True)["test"]
    assert all(len(row["choices"]) == 4 and row["choices"][row["target_index"]] == row["target"] for row in rows)
    text = {**template, "answer": "", "target": "Ada", "scored_as": {"type": "text"}}
    with pytest.raises(BankError, match="give its templates distractors"):
        load_items(category="mine", subcategory="name", templates=[text], as_choices=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sweep", "--levels", "fp16,q44"], "qbench: No level named 'q44'. Did you mean q4?"),
        (["sweep", "--tasks", "qbench_numerical_aritmetic"], "Did you mean qbench_numerical_arithmetic?"),
        (["sweep", "--model", "./nowhere"], "There is no model at './nowhere'"),
        (["report", "."], "is no sweep: it has no sweep.json"),
        (["bank", "show", "nothing"], "qbench bank list names them"),
        (["bank", "export", "bank.xlsx"], "name a file that ends in .jsonl, .csv, .parquet"),
        (["bank", "export", "bank.csv", "--tasks", "nothing"], "The bank has no task nothing"),
        (["bank", "verify", "nothing.yaml"], "There is no file nothing.yaml"),
        (["compare", "nothing", "nowhere"], "There is no folder nothing"),
        (
            ["sensitivity", "--tasks", ""],
            "'' is no probe; write --tasks TASKS, or --tasks NAME=TASKS to give it a name.",
        ),
        (["sensitivity", "--tasks", "a=b=c"], "'a=b=c' is no probe; write --tasks TASKS, or --tasks NAME=TASKS"),
        (["sensitivity", "--tasks", "=x"], "'=x' is no probe"),
        (["sensitivity", "--tasks", "x="], "'x=' is no probe"),
        (
            ["sensitivity", "show", "sens.json"],
            "There is no sensitivity profile sens.json; qbench sensitivity writes one.",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == EXIT_BAD_INPUT
    shown = capsys.readouterr()
    assert message in shown.err
    assert "Traceback" not in shown.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        ["sweep", "--tasks", "qbench_logik"],
        ["sweep", "--model", "/nope"],
        ["sweep", "--levels", "fp16,q44"],
        ["sweep", "--formats", "pdf"],
        ["sweep", "--until", "decided", "--target", "items"],
        ["sweep", "--levels", "fp16", "--no-noise-floor"],
        ["sensitivity", "--tasks", "sums=qbench_logik,gsm8k"],
        ["sensitivity", "--model", "/nope"],
        ["sensitivity", "--formats", "q8,nf4"],
        ["sensitivity", "--measure", "some"],
        ["sensitivity", "--tasks", ""],
        ["sensitivity", "--tasks", "=qbench_logic_*"],
        ["sensitivity", "show", "nothing.json"],
        ["sensitivity", "show", "."],
        ["allocate", "nothing.json", "--bits", "4"],
    ],
)
def test_a_wrong_name_is_refused_before_anything_heavy_is_loaded(wrong: list[str], tmp_path: Path) -> None:
    program = (
        "import sys; from qbench.cli import main; status = main(sys.argv[1:]); "
        "sys.exit('loaded' if {'torch', 'lm_eval'} & sys.modules.keys() else status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *wrong], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (EXIT_BAD_INPUT, 1), done.stderr


@pytest.mark.parametrize(
    "pattern", ["qbench_*", "qbench", "qbench-long", "qbench-choice-*", "qbench_logic", "hellaswag"]
)
def test_tasks_groups_tags_and_globs_pass(pattern: str) -> None:
    names.check("", (), [pattern], ())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *(
            (command, "argument --model: is empty; name a folder or a hub id, or leave it out for nano")
            for command in (
                ["sweep", "--model", ""],
                ["sensitivity", "--model", " "],
                ["sensitivity", "validate", "sens.json", "mix.yaml", "--model", ""],
            )
        ),
        (["sensitivity", "--formats", ""], "argument --formats: names nothing: ''"),
        (["sweep", "--levels", ","], "argument --levels: names nothing: ','"),
    ],
)
def test_an_option_without_a_word_is_no_default(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == EXIT_BAD_INPUT
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sweep", "--items", "0"], "argument --items: must be at least 1"),
        (["sweep", "--items", "many"], "argument --items: must be a whole number"),
        (["sweep", "--num-fewshot", "-1"], "argument --num-fewshot/--num_fewshot: must be at least 0"),
        *(
            ([*command, "--seed", seed], f"argument --seed: {message}")
            for command in (
                ["sweep"],
                ["sensitivity"],
                ["allocate", "sens.json"],
                ["bank", "show", "qbench_logic_deduction"],
            )
            for seed, message in (
                ("-1", "must be at least 0"),
                ("99999999999999999999", "must be at most 9223372036854775807"),
            )
        ),
    ],
)
def test_numbers_that_make_no_sense_are_refused_by_the_parser(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == EXIT_BAD_INPUT
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model-args", "foo=bar"], "The model takes no argument foo"),
        (["--model-args", "dtype=nonsense"], "No model computes in dtype nonsense"),
        (["--model-args", "dtype=int8"], "No model computes in dtype int8"),
        (["--model-args", "max_length=long"], "max_length must be a whole number of at least 1, not 'long'"),
        (["--metadata", '{"templates": 3}'], "The YAML of a task sets templates itself"),
        (["--metadata", '{"qb_seed": 7, "qb_items": 2}'], "must not set qb_items, qb_seed; use --items and --seed."),
    ],
)
def test_arguments_that_no_model_and_no_task_takes(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["sweep", "--run", str(tmp_path / "run"), "--tasks", "qbench_logic_deduction", "--levels", "fp16"]
    assert main([*command, *arguments]) == EXIT_BAD_INPUT
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("qbench:")]
    assert message in line
    assert not (tmp_path / "run").exists()
