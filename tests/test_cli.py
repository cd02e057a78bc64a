"""The door: what a person types, and what comes back."""

import json
from pathlib import Path

import pytest

from qbench.cli import EXIT_BAD_INPUT, main
from qbench.levels import LEVELS, shipped_mixes


def test_levels_lists_every_level_and_mix_with_its_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["levels"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in (*LEVELS, *shipped_mixes()))
    q8 = next(line for line in printed.splitlines() if line.startswith("q8"))
    assert q8.split() == ["q8", "intx", "8", "256", "8.25", "3.9x", "1.9x"]  # 8 + 16/64 bits; 32 and 16 over that


def test_bank_path_is_a_folder_that_lm_eval_can_include(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bank", "path"]) == 0
    assert (Path(capsys.readouterr().out.strip()) / "numerical" / "arithmetic.yaml").is_file()


def test_bank_show_prints_one_item(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bank", "show", "numerical_arithmetic.train_two_speeds.test.0"]) == 0
    item = json.loads(capsys.readouterr().out)
    assert item["target"] == "402.15"  # 87.5 · 3.25 + 67.3 · 1.75
    assert item["source"] == "document"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sweep", "--levels", "fp16,q44"], "qbench: No level named 'q44'. Did you mean q4?"),
        (["sweep", "--tasks", "qbench_numerical_aritmetic"], "Did you mean qbench_numerical_arithmetic?"),
        (["sweep", "--model", "./nowhere"], "There is no model at './nowhere'"),
        (["report", "."], "is no sweep: it has no sweep.json"),
        (["bank", "show", "nothing"], "qbench bank list names them"),
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


def test_numbers_that_make_no_sense_are_refused_by_the_parser(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["sweep", "--items", "0"])
    assert stopped.value.code == EXIT_BAD_INPUT
    assert "must be at least 1" in capsys.readouterr().err
