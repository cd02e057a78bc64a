"""The page for newcomers, docs/add_a_probe.md, does what it says: its YAML and its commands are run, up to the report."""

import json
import re
import shlex
from pathlib import Path

import pytest

from qbench.bridge import run_lm_eval
from qbench.cli import main

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "add_a_probe.md").read_text(encoding="utf-8")


def commands(word: str) -> list[list[str]]:
    """The commands of the page that begin with this word, without it."""
    return [shlex.split(line)[1:] for line in re.findall(rf"^\$ ({word} .*)$", PAGE, re.MULTILINE)]


@pytest.fixture
def probes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (yaml,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "probes").mkdir()
    (tmp_path / "probes" / "shop.yaml").write_text(yaml, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_leads_to_a_report(probes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verify, sweep = commands("qbench")
    assert main(verify) == 0
    assert capsys.readouterr().out.strip() in PAGE
    assert main(sweep) == 0
    (path,) = probes.glob("runs/*/report/report.json")
    (row,) = json.loads(path.read_text(encoding="utf-8"))["rows"]
    assert (row["kind"], row["name"], row["baseline"]["n_items"], row["baseline"]["n_templates"]) == (
        "category",
        "shop",
        10,
        2,
    )
    assert [cell["level"] for cell in row["cells"]] == ["fp16-repeat", "q4"]
    assert all(cell["difference"]["interval"]["low"] is not None for cell in row["cells"])


def test_plain_lm_eval_asks_it_too(
    probes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (command,) = commands("lm_eval")
    assert command[:4] == ["--model", "hf", "--model_args", "pretrained=…"]
    monkeypatch.setattr("sys.argv", ["lm_eval"])
    run_lm_eval(["--model", "qbench", *command[4:], "--limit", "2"])  # the model that is at hand
    table = capsys.readouterr().out
    assert "|qbench_shop_change|" in table
    assert "|score " in table
