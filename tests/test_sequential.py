"""Early stopping: what the looks may spend, what they ask, and that a sweep which stops is killed, read and cited like any other."""

import json
import math
import shutil
import zlib
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from scipy.stats import norm

from qbench import looks, records
from qbench.bank import named_leaf
from qbench.cli import main
from qbench.compare import compare
from qbench.errors import QBenchError, RunError
from qbench.plan import plan
from qbench.records import Sweep, read_sweep
from qbench.report import Report, report
from qbench.report.table import Cell
from qbench.rescore import rescore
from qbench.stats import SHARES, Verdict, look_confidences, paired_difference, repeated_p_value
from qbench.stats.sequential import critical_values, spent
from qbench.sweep import sweep

# ---------------------------------------------------------------- the statistics


def test_critical_values_are_the_published_ones() -> None:
    """Five equal looks at 5 %, two-sided, after Lan & DeMets: Reboussin et al. (2000), Controlled Clinical Trials 21, 190-207."""
    shares = [0.2, 0.4, 0.6, 0.8, 1.0]
    like_obrien_fleming = 4 * norm.sf(norm.isf(0.05 / 4) / np.sqrt(shares))  # half of the error to each side
    like_pocock = 0.05 * np.log(1 + (math.e - 1) * np.array(shares))
    assert critical_values(shares, like_obrien_fleming) == pytest.approx(
        [4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=2e-4
    )
    assert critical_values(shares, like_pocock) == pytest.approx([2.4380, 2.4268, 2.4101, 2.3966, 2.3859], abs=1e-4)


def test_the_spending_function_gives_the_bounds_of_gsdesign() -> None:
    """gsDesign(k = 3): Hwang-Shih-DeCani with γ = -4 at 2.5 % one-sided, 5 % to both sides."""
    shares = [1 / 3, 2 / 3, 1.0]
    assert critical_values(shares, spent(shares, 0.05, gamma=-4)) == pytest.approx([3.0107, 2.5465, 1.9992], abs=1e-4)


def test_half_of_the_templates_may_spend_a_share_of_one_in_e_plus_one() -> None:
    """(exp(1) - 1) / (exp(2) - 1) = 1 / (e + 1)."""
    assert spent(SHARES, 0.05)[1] == pytest.approx(0.05 / (math.e + 1))
    assert spent(SHARES, 0.05)[-1] == pytest.approx(0.05)


def test_the_page_on_statistics_names_these_confidences() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "statistics.md").read_text(encoding="utf-8")
    *first, last = (f"{100 * confidence:.2f}" for confidence in look_confidences(0.95))
    assert f"{', '.join(first)} and {last} %" in page
    *first, last = (f"{100 * share:.0f}" for share in spent(SHARES, 1))
    assert f"{', '.join(first)} and {last} % of it" in page
    wider = norm.isf((1 - look_confidences(0.95)[-1]) / 2) / norm.isf(0.025)
    assert f"{100 * (wider - 1):.0f} % wider than that of a sweep of a fixed size" in page


@pytest.fixture(scope="module")
def nothing_changed() -> np.ndarray:
    """Two-sided p-values at the four looks of 200,000 sequences of means whose truth is 0."""
    steps = np.random.default_rng(0).normal(size=(200_000, len(SHARES))) * np.sqrt(np.diff(SHARES, prepend=0))
    return np.asarray(2 * norm.sf(np.abs(steps.cumsum(axis=1)) / np.sqrt(SHARES)))


def test_all_looks_hold_at_once_as_often_as_they_say(nothing_changed: np.ndarray) -> None:
    for confidence in (0.95, 0.8):
        missed = nothing_changed <= 1 - np.array(look_confidences(confidence))
        assert missed.any(axis=1).mean() == pytest.approx(1 - confidence, abs=0.002)
        by_now = np.array([missed[:, : look + 1].any(axis=1).mean() for look in range(len(SHARES))])
        assert by_now == pytest.approx(spent(SHARES, 1 - confidence), abs=0.002)


def test_a_repeated_p_value_is_the_error_at_which_the_look_stops_holding_0(nothing_changed: np.ndarray) -> None:
    for confidence in (0.95, 0.999):
        for look, of_look in enumerate(look_confidences(confidence), start=1):
            assert repeated_p_value(1 - of_look, look) == pytest.approx(1 - confidence, rel=1e-3)
    assert repeated_p_value(1e-20, 1) == pytest.approx(1e-20 / spent(SHARES, 1)[0])
    assert repeated_p_value(1.0, 2) == 1
    assert math.isnan(repeated_p_value(math.nan, 1))
    some = nothing_changed[:2000]
    smallest = np.array([min(repeated_p_value(p, look) for look, p in enumerate(row, start=1)) for row in some])
    for error in (0.05, 0.3):
        assert np.mean(smallest <= error) == pytest.approx(error, abs=3 * math.sqrt(error / 2000))


# ---------------------------------------------------------------- what a look asks


def test_a_look_adds_whole_templates_in_an_order_of_the_seed() -> None:
    items = [item.row() for item in named_leaf("probability/basic").items(items=3)]
    n_templates = len({item["template"] for item in items})
    asked = looks.look_of_each(items, task="qbench_probability_basic", seed=1)
    look = {item["template"]: own for item, own in zip(items, asked, strict=True)}
    assert [look[item["template"]] for item in items] == asked
    by_now = [sum(own <= k for own in look.values()) for k in (1, 2, 3, 4)]
    assert by_now == [math.ceil(share * n_templates) for share in (0.25, 0.5, 0.75, 1)]
    assert looks.look_of_each(items, task="qbench_probability_basic", seed=1) == asked
    assert looks.look_of_each(items, task="qbench_probability_basic", seed=2) != asked
    fewer = [item.row() for item in named_leaf("probability/basic").items(items=1)]
    again = looks.look_of_each(fewer, task="qbench_probability_basic", seed=1)
    assert {item["template"]: own for item, own in zip(fewer, again, strict=True)} == look


def test_documents_of_other_tasks_are_templates_of_their_own() -> None:
    asked = looks.look_of_each([{"question": str(i)} for i in range(8)], task="gsm8k", seed=1)
    assert sorted(asked) == [1, 1, 2, 2, 3, 3, 4, 4]
    assert asked != sorted(asked)


# ---------------------------------------------------------------- a real sweep


LEVELS = ["fp16", "q8", "q2"]
TASKS = ["qbench-choice-logic-deduction", "qbench-choice-knowledge-practical"]
MARGIN = 20.0


def run_sweep(model: Path, run: Path, **options: object) -> Sweep:
    """Forced choice on the random model: q8 is soon within a wide margin, and q2 is not."""
    arguments: dict[str, object] = {
        "levels": LEVELS,
        "tasks": TASKS,
        "items": 4,
        "batch_size": 16,
        "noise_floor": False,
    }
    arguments |= {"until": "decided", "margin": MARGIN, **options}
    return sweep(str(model), run=run, progress=False, **arguments)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def stopped(random_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    return run_sweep(random_llama, tmp_path_factory.mktemp("runs") / "stopped")


@pytest.fixture(scope="module")
def read(stopped: Sweep) -> Report:
    return report(stopped.dir)


@pytest.fixture
def copy(stopped: Sweep, tmp_path: Path) -> Path:
    shutil.copytree(stopped.dir, tmp_path / "stopped")
    return tmp_path / "stopped"


def sample_files(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in sorted(run.glob("*/samples_*.jsonl"))}


def cell_of(found: Report, name: str, level: str) -> Cell:
    row = next(row for row in found.table.rows if row.name == name)
    return next(cell for cell in row.cells if cell.level == level)


def category(task: str) -> str:
    return task.removeprefix("qbench-").rpartition("-")[0]


def test_a_level_is_asked_until_its_category_is_decided_and_no_further(stopped: Sweep) -> None:
    assert stopped.is_decided
    wanted = {level: {category(task) for task in TASKS} for level in LEVELS[1:]}
    early = False
    for look, said in enumerate(stopped.verdicts, start=1):
        assert {level: set(names) for level, names in said.items()} == wanted
        for level in LEVELS:
            asked = set().union(*wanted.values()) if level == "fp16" else wanted[level]
            cells = {name for name in stopped.run(level).cells if name.endswith(f".look-{look}")}
            assert cells == {records.cell_name(task, look) for task in TASKS if category(task) in asked}
        wanted = {
            level: {name for name, found in names.items() if found == "undecided"} for level, names in said.items()
        }
        early |= look < len(SHARES) and any(names < set(said[level]) for level, names in wanted.items())
    assert early  # something stopped before the last look,
    assert len(stopped.verdicts) == len(SHARES)  # and something went to the end


def test_what_it_asks_is_declared_and_part_of_the_battery(stopped: Sweep) -> None:
    declared = stopped.info["looks"]
    assert [look["share"] for look in declared] == [0.25, 0.5, 0.75, 1.0]
    assert stopped.info["margin"] == MARGIN
    for task in TASKS:
        leaf = named_leaf(task.removeprefix("qbench-choice-").replace("-", "/"))
        whole = {f"choice-{item.id}": item.question for item in leaf.items(items=4)}
        seen: set[str] = set()
        for sample in stopped.run("fp16").samples(task):
            assert sample["doc"]["question"] == whole[sample["doc"]["id"]]
            assert sample["doc"]["template"] in declared[sample["look"] - 1]["templates"][task]
            seen.add(sample["doc"]["id"])
        assert len(seen) == len(stopped.run("fp16").samples(task))
        for level in LEVELS[1:]:
            assert {sample["doc"]["id"] for sample in stopped.run(level).samples(task)} <= seen


def test_a_sweep_that_was_killed_goes_on_to_the_same_end(stopped: Sweep, copy: Path, random_llama: Path) -> None:
    """As a kill in the middle of the second look leaves it: the first look is decided, and one cell of the second is finished."""
    records.write_verdicts(copy, stopped.verdicts[:1])
    for level in LEVELS:
        info = json.loads((copy / level / "run.json").read_text())
        kept = [name for name in info["cells"] if name.endswith(".look-1")]
        kept += [name for name in info["cells"] if name.endswith(".look-2")][:1] if level == "fp16" else []
        info["cells"] = {name: info["cells"][name] for name in kept}
        (copy / level / "run.json").write_text(json.dumps(info))
        for path in (copy / level).glob("samples_*.jsonl"):
            if path.name.removeprefix("samples_").removesuffix(".jsonl") not in kept:
                path.unlink()
    with pytest.raises(RunError, match=r"1 of at most 4 looks are, and not everything is decided\. Repeat the command"):
        report(copy)
    again = run_sweep(random_llama, copy)
    assert sample_files(copy) == sample_files(stopped.dir)
    assert again.verdicts == stopped.verdicts


def test_a_finished_sweep_has_nothing_left_to_ask(stopped: Sweep, copy: Path, random_llama: Path) -> None:
    written = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file()}
    run_sweep(random_llama, copy)
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file()} == written


def test_another_margin_is_another_sweep(copy: Path, random_llama: Path) -> None:
    with pytest.raises(RunError, match=r"it differs in margin \(first: 20\.0 there, 5\.0 now\)"):
        run_sweep(random_llama, copy, margin=5.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"until": "bored"}, "until everything is 'decided', not until 'bored'"),
        ({"limit": 5}, "leave --limit out"),
        ({"levels": ["fp16"]}, "name at least one more with --levels"),
        ({"margin": 0.0}, "margin must be above 0"),
        ({"confidence": 1.0}, "confidence must lie between 0 and 1"),
    ],
)
def test_what_cannot_be_decided_is_refused_before_any_work(
    options: dict[str, object], message: str, random_llama: Path, tmp_path: Path
) -> None:
    with pytest.raises(QBenchError, match=message):
        run_sweep(random_llama, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_the_command_line_knows_one_end(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["sweep", "--until", "bored"])
    assert "--until: invalid choice: 'bored' (choose from" in capsys.readouterr().err


# ---------------------------------------------------------------- what is read of it


def test_a_cell_has_the_interval_of_the_look_at_which_it_stopped(stopped: Sweep, read: Report) -> None:
    for task in TASKS:
        for level in LEVELS[1:]:
            last = max(k for k, said in enumerate(stopped.verdicts, start=1) if category(task) in said[level])
            cell = cell_of(read, category(task), level)
            assert cell.look == last
            assert str(cell.verdict) == stopped.verdicts[last - 1][level][category(task)]
            after = {sample["doc"]["id"]: sample for sample in stopped.run(level).samples(task)}
            before = [sample for sample in stopped.run("fp16").samples(task) if sample["doc"]["id"] in after]
            expected = paired_difference(
                [sample["score"] for sample in before],
                [after[sample["doc"]["id"]]["score"] for sample in before],
                [sample["doc"]["template"] for sample in before],
                [sample["doc"]["subcategory"] for sample in before],
                confidence=look_confidences(0.95)[last - 1],
                rng=np.random.default_rng(zlib.crc32(b"another stream")),
            )
            assert cell.difference.value == pytest.approx(expected.value)
            assert cell.difference.interval == pytest.approx(expected.interval, abs=0.015)
            assert (cell.difference.n_items, cell.n_failed) == (len(after), 0)
            known = repeated_p_value(expected.p_value, last)
            assert cell.difference.p_value == pytest.approx(known, abs=0.03)
            loss = cell.relative_loss
            excludes_zero = loss.interval.low > 0 or loss.interval.high < 0
            assert (loss.p_value < 0.05) == excludes_zero or not loss.is_estimable


def test_rows_of_several_categories_rest_on_what_was_asked_of_all(read: Report) -> None:
    total = next(row for row in read.table.rows if row.name == "all")
    for cell in total.cells:
        assert cell.look == min(cell_of(read, category(task), cell.level).look or 0 for task in TASKS)
    assert {row.cells[0].look for row in read.table.difficulty} == {total.cells[0].look}


def test_the_report_says_that_it_was_sequential_in_every_format(stopped: Sweep, read: Report) -> None:
    folder = stopped.dir / "report"
    markdown = (folder / "report.md").read_text()
    assert "declared 4 looks, after 25, 50, 75 and 100 % of the templates" in markdown
    assert "rule of Hwang, Shih and DeCani" in markdown
    marks = {Verdict.WITHIN_MARGIN: "≈", Verdict.UNDECIDED: "?", Verdict.DEGRADED: "↓", Verdict.IMPROVED: "↑"}
    for task in TASKS:
        cells = [cell_of(read, category(task), level) for level in LEVELS[1:]]
        assert f"| {category(task)} | " + " | ".join(f"{cell.look} {marks[cell.verdict]}" for cell in cells) in markdown
    assert "The sweep was sequential" in (folder / "report.html").read_text()
    assert "The sweep was sequential" in str(read)
    methods = (folder / "methods.tex").read_text()
    assert r"\cite{jennison1989}" in methods
    assert "All levels answered the same" not in methods
    assert "@article{jennison1989" in (folder / "references.bib").read_text()
    content = json.loads((folder / "report.json").read_text())
    described = json.loads((folder / "report.schema.json").read_text())
    jsonschema.Draft202012Validator(described).validate(content)
    assert content["looks"]["shares"] == list(SHARES)
    lines = sum(len(file.splitlines()) for file in sample_files(stopped.dir).values())
    whole = sum(sum(look["items"].values()) for look in stopped.info["looks"])
    assert content["looks"]["share_asked"] == pytest.approx(lines / (len(LEVELS) * whole))
    assert {cell["look"] for row in content["rows"] for cell in row["cells"]} <= {1, 2, 3, 4}


def test_a_report_keeps_the_margin_that_was_declared(stopped: Sweep, read: Report) -> None:
    assert read.table.settings.margin == MARGIN
    with pytest.raises(RunError, match=r"decided at a margin of 20, which its report has to keep; leave out --margin"):
        report(stopped.dir, margin=2.0)
    with pytest.raises(RunError, match=r"a confidence of 0\.95, which its report has to keep"):
        report(stopped.dir, confidence=0.9)
    with pytest.raises(QBenchError, match="--target items needs a sweep of a fixed size"):
        report(stopped.dir, target="items")


def test_a_breakdown_of_it_knows_its_looks_too(stopped: Sweep) -> None:
    found = report(stopped.dir, by="subcategory", formats=["json"])
    for row in found.table.breakdown:
        task = next(task for task in TASKS if task.endswith(row.name))
        assert [cell.look for cell in row.cells] == [cell_of(found, category(task), level).look for level in LEVELS[1:]]


def test_it_is_paired_with_a_sweep_of_everything(stopped: Sweep, random_llama: Path, tmp_path: Path) -> None:
    whole = run_sweep(random_llama, tmp_path / "whole", until=None, levels=["fp16"])
    for task in TASKS:
        assert len(whole.run("fp16").samples(task)) >= len(stopped.run("fp16").samples(task))
    for base, other in ((whole.dir / "fp16", stopped.dir / "q8"), (stopped.dir / "q8", whole.dir / "fp16")):
        found = compare(base, [other])
        for row in found.table.rows[:2]:
            n_asked = sum(len(stopped.run("q8").samples(task)) for task in TASKS if category(task) == row.name)
            assert row.cells[0].difference.n_items == n_asked
            assert row.cells[0].look == cell_of(report(stopped.dir, formats=[]), row.name, "q8").look


def test_its_responses_can_be_judged_again(stopped: Sweep, tmp_path: Path, read: Report) -> None:
    found = rescore(stopped.dir, out=tmp_path / "again")
    assert found.n_items == sum(len(file.splitlines()) for file in sample_files(stopped.dir).values())
    assert not found.changes
    again = report(tmp_path / "again", formats=[])
    # As text, for a missing number does not equal itself.
    assert repr([row.cells for row in again.table.rows]) == repr([row.cells for row in read.table.rows])
    assert read_sweep(tmp_path / "again").verdicts == stopped.verdicts


def test_it_serves_as_a_pilot(stopped: Sweep, read: Report) -> None:
    needed = {row.category: row for row in plan(stopped.dir, level="q8", difference=20).needed}
    for task in TASKS:
        assert needed[category(task)].n_templates == cell_of(read, category(task), "q8").difference.n_templates
