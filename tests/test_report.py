"""From a folder of samples to tables that can be cited."""

import csv
import io
import itertools
import json
import math
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow.parquet
import pytest
import scipy.stats
from handmade import bank_item, sample, write_plan, write_run, write_sweep

from qbench import records
from qbench.cli import main
from qbench.compare import compare
from qbench.errors import QBenchError, RunError
from qbench.pages.figures import DATA
from qbench.pages.markdown import safe
from qbench.pairing import pair_levels
from qbench.report import Report, charts, report, summary
from qbench.report.expected import Placement, place, scopes, statements
from qbench.report.latex import escape
from qbench.report.table import Cell, Kind, Looks, Row, Table
from qbench.report.tidy import neutral
from qbench.report.wording import label, most_flipped, not_estimable
from qbench.stats import (
    Design,
    Estimate,
    Interval,
    Verdict,
    paired_difference,
    paired_differences,
    same_templates_difference,
)

N_RESAMPLES = 499


@pytest.fixture(scope="module")
def sweep_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "nano"
    write_sweep(folder)
    return folder


@pytest.fixture(scope="module")
def result(sweep_dir: Path) -> Report:
    return report(sweep_dir, by="difficulty", n_resamples=N_RESAMPLES)


def row(table: Table, name: str) -> Row:
    return next(row for row in (*table.rows, *table.breakdown) if row.name == name)


def cell(table: Table, name: str, level: str) -> Cell:
    return next(cell for cell in row(table, name).cells if cell.level == level)


def text(result: Report, ending: str) -> str:
    return next(path for path in result.paths if path.name.endswith(f".{ending}")).read_text(encoding="utf-8")


def file(result: Report, name: str) -> str:
    return next(path for path in result.paths if path.name == name).read_text(encoding="utf-8")


# ---------------------------------------------------------------- the table


def test_the_cliff_is_bracketed_for_every_row(result: Report, tmp_path: Path) -> None:
    cliffs = result.table.cliffs
    assert set(cliffs) == {"numerical", "logic", "all", "gsm8k"}
    assert cliffs["numerical"].first_harmful == "q4"  # q8 loses 1 % of the items, q4 15 %
    write_sweep(tmp_path)
    wide = report(tmp_path, margin=10, n_resamples=N_RESAMPLES).table.cliffs
    assert (wide["all"].last_safe, wide["all"].first_harmful) == ("q8", cliffs["all"].first_harmful)


def test_categories_are_ranked_with_the_ranks_that_the_data_allow(result: Report) -> None:
    ranking = result.table.ranking
    assert list(ranking) == ["fp16-repeat", "q8", "q4", "q2"]
    for level, ranks in ranking.items():
        losses = [cell(result.table, rank.category, level).difference.value for rank in ranks]
        assert losses == sorted(losses)
        assert all(rank.best <= rank.rank <= rank.worst for rank in ranks)


def test_difficulty_covers_the_bank(result: Report) -> None:
    rows = result.table.difficulty
    assert [row.name for row in rows] == ["1", "2", "3", "4", "5"]
    assert sum(row.baseline.n_items for row in rows) == row(result.table, "all").baseline.n_items


def test_every_template_has_a_difference_from_its_own_items(sweep_dir: Path, result: Report) -> None:
    template = result.table.templates[0]
    runs = [records.read_run(sweep_dir / level) for level in ("fp16", "q2")]
    scores = [
        [line["score"] for line in run.samples("qbench_numerical_one") if line["doc"]["template"] == template.template]
        for run in runs
    ]
    assert (template.category, template.stratum, template.template) == ("numerical", "one", "template0")
    assert template.baseline == pytest.approx(np.mean(scores[0]))
    assert template.differences[-1].value == pytest.approx(np.mean(scores[1]) - np.mean(scores[0]))
    assert len(result.table.templates) == 30


def test_measures_have_rows_in_their_own_units(tmp_path: Path) -> None:
    documents = [bank_item("knowledge", "one", f"t{i % 4}", i) for i in range(80)]
    sure = np.linspace(0.3, 0.95, 80)
    for level, shift in (("fp16", 0.0), ("q2", 0.04)):
        samples = []
        for i, document in enumerate(documents):
            likelihoods = [math.log(sure[i]), math.log(1 - sure[i])]
            line = sample(document, i, float(i % 20 < 20 * sure[i]))
            line |= {"confidence": sure[i] + shift, "margin": 1 - shift, "truncated": False, "n_tokens": 5}
            samples.append({**line, "resps": [[[str(value - i * shift), "False"]] for value in likelihoods]})
        write_run(tmp_path / level, {"task": samples})
    write_plan(tmp_path, ["fp16", "q2"], ["task"])
    fresh = report(tmp_path, target="items", formats=["md"])
    assert not next(row for row in fresh.table.measures if row.name == "calibration error").baseline.is_estimable
    assert "The calibration error has an interval for other templates only" in text(fresh, "md")
    measures = {row.name: row for row in report(tmp_path, n_resamples=N_RESAMPLES).table.measures}
    # A forced choice writes nothing that could be cut off or counted.
    assert list(measures) == ["answered", "margin", "confidence", "divergence", "calibration error"]
    change = measures["margin"].cells[0].difference
    assert change.value == pytest.approx(-0.04)
    assert -0.1 < change.interval.low < change.interval.high < 0.1  # a change of nats is no flip of an item
    assert measures["divergence"].cells[0].score.value == pytest.approx(0, abs=1e-12)  # both choices shifted alike
    error = measures["calibration error"]
    assert error.baseline.interval.low <= error.baseline.value <= error.baseline.interval.high


def test_what_was_measured_stands_apart_from_what_was_computed(tmp_path: Path) -> None:
    items = [bank_item("logic", "deduction", f"t{i % 3}", i) for i in range(9)]
    for level in ("fp16", "q2"):
        write_run(tmp_path / level, {"t": [sample(item, i, 1.0) for i, item in enumerate(items)]}, bits=8)
    info = records.read_run(tmp_path / "q2").info
    cost = {"resident_bytes": 1.5e9, "generation_tokens_per_second": 1234.4, "peak_bytes": None, "quantize_seconds": 2}
    records.write_json(tmp_path / "q2" / records.RUN_FILE, {**info, "cost": cost})
    write_plan(tmp_path, ["fp16", "q2"], ["t"])
    result = report(tmp_path, n_resamples=N_RESAMPLES)
    table = re.search(r"## Cost and quality\n\n.*?\n\n(.*?)\n\n", text(result, "md"), re.DOTALL)
    assert table
    head, _, fp16, q2 = (line.strip("| ").split(" | ") for line in table[1].splitlines())
    found = dict(zip(head, zip(fp16, q2, strict=True), strict=True))
    assert found["storage (computed)"] == ("4.0 MB", "4.0 MB")
    assert found["memory of the whole process in use (measured)"] == ("–", "1.50 GB")
    assert found["peak memory of the whole process (measured)"] == ("–", "–")
    assert found["generation, tokens/s"] == ("–", "1,234")
    assert found["quantize, s"] == ("–", "2.00")
    assert "load, s" not in found  # known of no level
    lines = list(csv.DictReader(io.StringIO(text(result, "csv"))))
    assert {line["resident_bytes"] for line in lines if line["level"] == "q2"} == {"1500000000.0"}
    assert {line["resident_bytes"] for line in lines if line["level"] == "fp16"} == {""}


def test_the_items_that_flipped_most_are_shown_with_both_responses(result: Report) -> None:
    flipped = most_flipped(result.table)
    assert len(flipped) == 20
    assert all(item.n_flips >= other.n_flips for item, other in itertools.pairwise(flipped))
    markdown = text(result, "md")
    assert all(item.id in markdown for item in flipped)


def test_the_rows_are_categories_all_of_them_and_other_tasks(result: Report) -> None:
    kinds = [(row.kind, row.name) for row in result.table.rows]
    assert kinds == [(Kind.CATEGORY, "numerical"), (Kind.CATEGORY, "logic"), (Kind.ALL, "all"), (Kind.TASK, "gsm8k")]
    assert result.table.compared == ("fp16-repeat", "q8", "q4", "q2")


def test_a_cell_is_the_paired_difference_of_its_items(sweep_dir: Path, result: Report) -> None:
    sweep = records.read_sweep(sweep_dir)
    tasks = [task for task in sweep.tasks if task.startswith("qbench_logic")]
    pairs = [pair_levels(sweep.run("fp16"), [sweep.run("q4")], task)[0] for task in tasks]
    template = np.concatenate([pair.template for pair in pairs])
    stratum = np.concatenate([pair.stratum for pair in pairs])
    baseline, level = (np.concatenate([getattr(pair, side) for pair in pairs]) for side in ("baseline", "level"))
    alone = paired_difference(baseline, level, template, stratum, rng=np.random.default_rng(0))
    ours = cell(result.table, "logic", "q4")
    assert ours.difference.value == pytest.approx(alone.value)
    assert ours.difference.standard_error == pytest.approx(alone.standard_error)
    assert ours.difference.interval == pytest.approx(alone.interval, rel=0.1)
    assert (ours.difference.n_items, ours.difference.n_templates) == (180, 15)
    assert ours.flips.worse + ours.flips.better == ours.difference.n_flips


def test_macro_differences_agree_with_the_statistics(sweep_dir: Path, result: Report) -> None:
    sweep = records.read_sweep(sweep_dir)
    pairs = [pair_levels(sweep.run("fp16"), [sweep.run("q8")], task)[0] for task in sweep.tasks if task != "gsm8k"]
    columns = {
        name: np.concatenate([getattr(pair, name) for pair in pairs])
        for name in ("baseline", "level", "template", "stratum", "category")
    }
    design = Design.of(columns["template"], columns["stratum"], columns["category"])
    alone = paired_differences(
        columns["baseline"], columns["level"][:, np.newaxis], design, rng=np.random.default_rng(0)
    )
    assert cell(result.table, "all", "q8").difference.value == pytest.approx(alone[0].value)


def test_all_categories_weigh_equally(result: Report) -> None:
    parts = [cell(result.table, name, "q4").difference.value for name in ("numerical", "logic")]
    assert cell(result.table, "all", "q4").difference.value == pytest.approx(sum(parts) / 2)


def test_score_difference_and_relative_loss_agree(result: Report) -> None:
    ours, before = cell(result.table, "logic", "q2"), row(result.table, "logic").baseline
    assert ours.score.value - before.value == pytest.approx(ours.difference.value)
    assert ours.relative_loss.value == pytest.approx(-ours.difference.value / before.value)


def test_the_cliff_is_degraded_and_the_noise_floor_is_not(result: Report) -> None:
    for name in ("numerical", "logic", "all", "gsm8k"):
        assert cell(result.table, name, "q2").verdict is Verdict.DEGRADED
        assert cell(result.table, name, "fp16-repeat").verdict in (Verdict.WITHIN_MARGIN, Verdict.UNDECIDED)


def test_what_breaks_first_follows_the_bits_and_not_the_order_typed(sweep_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    shutil.copytree(sweep_dir, folder)
    plan = json.loads((folder / "sweep.json").read_text())
    write_plan(folder, ["fp16", "q2", "q4", "q8"], plan["tasks"])
    found = report(folder, formats=("md",), n_resamples=N_RESAMPLES)
    assert found.table.compared == ("fp16-repeat", "q2", "q4", "q8")
    assert found.table.ladder == ("q8", "q4", "q2")
    assert "going down, q4 is the first level" in text(found, "md")  # q2 lost more, and comes later


def test_what_few_items_would_show_is_not_read_off_an_interval_that_was_cut(tmp_path: Path) -> None:
    documents = [{"question": f"{i}?"} for i in range(2)]
    for level, scores in (("fp16", (1.0, 1.0)), ("q2", (1.0, 0.0))):
        lines = [sample(document, i, scores[i]) for i, document in enumerate(documents)]
        write_run(tmp_path / level, {"theirs": lines})
    write_plan(tmp_path, ["fp16", "q2"], ["theirs"])
    result = report(tmp_path, n_resamples=N_RESAMPLES)
    found = cell(result.table, "theirs", "q2")
    assert tuple(found.difference.interval) == (-1, 1)
    # Student's t of the differences 0 and -1: mean -1/2, standard error 1/2, so 12.706 / 2 to either side, before it is cut.
    student = scipy.stats.t.ppf(0.975, 1) / 2
    assert found.minimum_detectable_effect == pytest.approx(student * (1.959964 + 0.841621) / 1.959964, rel=1e-5)
    assert "−50.0 [−100.0, +100.0] ? – |" in text(result, "md")
    assert "a dash where it is more than 100 points" in text(result, "md")


def test_a_wider_margin_lets_more_pass(sweep_dir: Path) -> None:
    table = report(sweep_dir, formats=(), margin=30.0, n_resamples=N_RESAMPLES).table
    assert cell(table, "logic", "q4").verdict is Verdict.WITHIN_MARGIN


def test_a_breakdown_covers_each_value_of_the_field(sweep_dir: Path, result: Report) -> None:
    assert [row.name for row in result.table.breakdown] == ["1", "2", "3", "4", "5"]
    assert sum(row.baseline.n_items for row in result.table.breakdown) == 360  # gsm8k has no difficulty
    by_steps = report(sweep_dir, formats=(), by="steps", n_resamples=N_RESAMPLES).table.breakdown
    assert [(row.name, row.baseline.n_items) for row in by_steps] == [("1", 20), ("2", 20), ("3", 20)]


def test_a_groups_interval_does_not_depend_on_the_other_groups(sweep_dir: Path, tmp_path: Path, result: Report) -> None:
    shutil.copytree(sweep_dir, tmp_path / "nano")
    plan = records.read_sweep(sweep_dir).info
    write_plan(tmp_path / "nano", plan["levels"], [task for task in plan["tasks"] if "logic" in task])
    alone = report(tmp_path / "nano", formats=(), n_resamples=N_RESAMPLES).table
    expected = Row(Kind.CATEGORY, "logic", *_without_family(row(result.table, "logic"), alone))
    assert repr(row(alone, "logic")) == repr(expected)  # a missing number does not equal itself


def _without_family(ours: Row, other: Table) -> tuple[Estimate, Estimate, tuple[Cell, ...]]:
    """Holm's correction does depend on the others; everything else is compared."""
    adjusted = [cell.p_holm for cell in row(other, ours.name).cells]
    cells = (Cell(**{**vars(cell), "p_holm": p}) for cell, p in zip(ours.cells, adjusted, strict=True))
    return ours.baseline, ours.baseline_answered, tuple(cells)


def test_failed_items_leave_the_numbers_and_are_counted(tmp_path: Path) -> None:
    items = [bank_item("logic", "deduction", f"t{i % 4}", i) for i in range(40)]
    before = [sample(item, i, 1.0) for i, item in enumerate(items)]
    after = [sample(item, i, None if i < 3 else 1.0) for i, item in enumerate(items)]
    for level, samples in (("fp16", before), ("q2", after)):
        write_run(tmp_path / level, {"qbench_logic_deduction": samples})
    write_plan(tmp_path, ["fp16", "q2"], ["qbench_logic_deduction"])
    result = report(tmp_path, n_resamples=N_RESAMPLES)
    ours = cell(result.table, "logic", "q2")
    assert (ours.n_failed, ours.difference.n_items, ours.difference.value) == (3, 37, 0)
    assert [level.n_failed for level in result.table.levels] == [0, 3]
    assert "(3 failed)" in text(result, "md")


def test_hallucination_counts_answers_to_what_has_none(tmp_path: Path) -> None:
    # Of the four kinds of items only two have no answer: an abstention, and a choice whose target declines.
    no_answer = {
        "answer": json.dumps({"type": "abstain", "target": "UNKNOWN"}),
        "declining_index": -1,
        "target_index": -1,
    }
    has_answer = {"answer": json.dumps({"type": "number", "target": "1"}), "declining_index": -1, "target_index": -1}
    declined = {"answer": json.dumps({"type": "text", "target": "none"}), "declining_index": 2, "target_index": 2}
    offered = {"answer": json.dumps({"type": "text", "target": "Paris"}), "declining_index": 2, "target_index": 0}
    fields = [no_answer, has_answer, declined, offered]
    documents = [bank_item("knowledge", "one", f"t{i % 3}", i, **fields[i % 4]) for i in range(48)]
    # At the baseline every fourth unanswerable item is answered, at q2 every second; the others get no answer at all there.
    for level, period in (("fp16", 4), ("q2", 2)):
        samples = []
        for i, document in enumerate(documents):
            invented = (i // 4) % period == 0
            wrong = i % 4 in (0, 2) and invented
            samples.append(
                {**sample(document, i, 0.0 if wrong else 1.0), "answered": 0.0 if i % 4 == 2 and not wrong else 1.0}
            )
        write_run(tmp_path / level, {"task": samples})
    write_plan(tmp_path, ["fp16", "q2"], ["task"])
    (hallucination,) = report(tmp_path, n_resamples=N_RESAMPLES).table.hallucination
    assert (hallucination.kind, hallucination.name, hallucination.baseline.n_items) == (
        Kind.HALLUCINATION,
        "knowledge",
        24,
    )
    assert hallucination.baseline.value == pytest.approx(1 / 4)
    (damage,) = hallucination.cells
    assert damage.score.value == pytest.approx(1 / 2)
    assert damage.difference.value == pytest.approx(1 / 4)
    assert damage.verdict is Verdict.DEGRADED


def test_one_template_is_not_estimable_and_prints_a_dash(tmp_path: Path) -> None:
    items = [bank_item("logic", "deduction", "only", i) for i in range(10)]
    for level, lost in (("fp16", 0), ("q2", 5)):
        write_run(tmp_path / level, {"t": [sample(item, i, float(i >= lost)) for i, item in enumerate(items)]})
    write_plan(tmp_path, ["fp16", "q2"], ["t"])
    result = report(tmp_path, n_resamples=N_RESAMPLES)
    assert cell(result.table, "logic", "q2").verdict is Verdict.NOT_ESTIMABLE
    assert re.search(r"^\| logic \| 10 / 1 \| – \| –", text(result, "md"), re.MULTILINE)
    reason = "No interval for logic: with one template in each subcategory nothing is known about others; --target items gives"
    assert all(
        reason in " ".join(written.split()) for written in (text(result, "md"), text(result, "html"), str(result))
    )
    assert reason.replace("--", "-{}-") in file(result, "tables.tex")
    looked = replace(result.table, looks=Looks((0.5, 1.0), (0.99, 0.96)))  # where --target items alone would be refused
    assert not_estimable(looked) == [
        "No interval for logic: with one template in each subcategory nothing is known about others; of a sweep of a fixed size, "
        "without --until, --target items gives intervals for fresh items of the same templates."
    ]
    assert ",nan," not in text(result, "csv")
    assert json.loads(text(result, "json"))["rows"][0]["cells"][0]["difference"]["interval"] == {
        "low": None,
        "high": None,
    }


def test_fresh_items_are_the_other_target_in_every_format(sweep_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(sweep_dir, tmp_path / "nano", ignore=shutil.ignore_patterns("report"))
    assert main(["report", str(tmp_path / "nano"), "--target", "items"]) == 0
    fresh = report(tmp_path / "nano", target="items")
    sweep = records.read_sweep(sweep_dir)
    pairs = [pair_levels(sweep.run("fp16"), [sweep.run("q4")], task)[0] for task in sweep.tasks if "logic" in task]
    joined = [
        np.concatenate([getattr(pair, name) for pair in pairs]) for name in ("baseline", "level", "template", "stratum")
    ]
    ours = cell(fresh.table, "logic", "q4").difference
    assert ours.interval == pytest.approx(
        tuple(same_templates_difference(joined[0], joined[1], Design.of(joined[2], joined[3])).interval)
    )
    # Items of a task without templates are fresh items of the task.
    gsm8k = pair_levels(sweep.run("fp16"), [sweep.run("q4")], "gsm8k")[0]
    task = Design.of(np.zeros(60), np.zeros(60))
    theirs = same_templates_difference(gsm8k.baseline, gsm8k.level, task).interval
    assert cell(fresh.table, "gsm8k", "q4").difference.interval == pytest.approx(tuple(theirs))
    words = "for fresh items of these templates"
    assert all(words in written for written in (text(fresh, "md"), text(fresh, "html"), file(fresh, "tables.tex")))
    assert words in " ".join(str(fresh).split())
    assert "for fresh items of these templates" in file(fresh, "methods.tex")
    assert "cochran1977" in file(fresh, "references.bib")
    assert "hall1988" not in file(fresh, "references.bib")
    assert {line["target"] for line in csv.DictReader(io.StringIO(text(fresh, "csv")))} == {"items"}
    assert json.loads(text(fresh, "json"))["settings"]["target"] == "items"


def test_failed_twice_is_no_reason_to_blame_the_templates(tmp_path: Path) -> None:
    items = [bank_item("logic", "deduction", f"t{i % 3}", i) for i in range(9)]
    for level, score in (("fp16", 1.0), ("q2", None)):
        write_run(tmp_path / level, {"t": [sample(item, i, score) for i, item in enumerate(items)]})
    write_plan(tmp_path, ["fp16", "q2"], ["t"])
    result = report(tmp_path, n_resamples=N_RESAMPLES)
    assert "No interval for logic: no item has a score at both levels." in text(result, "md")


# ---------------------------------------------------------------- the formats


def test_every_format_is_written_into_the_run(sweep_dir: Path, result: Report) -> None:
    names = [f"report.{ending}" for ending in ("md", "tex")] + ["tables.tex", "methods.tex", "references.bib"]
    names += [f"report.{ending}" for ending in ("csv", "parquet", "json")] + ["report.schema.json", "report.html"]
    assert list(result.paths) == [sweep_dir / "report" / name for name in names]
    assert all(path.is_file() for path in result.paths)


def test_figures_are_written_when_asked_for(
    sweep_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(sweep_dir, tmp_path / "nano", ignore=shutil.ignore_patterns("report"))
    assert main(["report", str(tmp_path / "nano"), "--formats", "figures"]) == 0
    printed = capsys.readouterr().out
    for name in ("heatmap", "curves", "difficulty", "pareto", "forest_logic", "forest_numerical"):
        path = tmp_path / "nano" / "report" / "figures" / name
        assert f"{path}.pdf" in printed
        assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
        assert path.with_suffix(".svg").read_text(encoding="utf-8").startswith("<svg")


def test_the_parquet_has_the_rows_of_the_csv_with_types(result: Report) -> None:
    rows = pyarrow.parquet.read_table(next(path for path in result.paths if path.suffix == ".parquet")).to_pylist()
    lines = list(csv.DictReader(io.StringIO(text(result, "csv"))))
    assert len(rows) == len(lines)
    for row, line in zip(rows, lines, strict=True):
        assert list(row) == list(line)
        for name, value in row.items():
            missing = line[name] == ""
            assert value is None if missing else value == type(value)(line[name])


def test_the_same_sweep_and_seed_give_the_same_files(sweep_dir: Path, result: Report) -> None:
    before = {path: path.read_bytes() for path in result.paths}
    report(sweep_dir, by="difficulty", n_resamples=N_RESAMPLES)
    assert {path: path.read_bytes() for path in result.paths} == before


def test_markdown_says_what_a_reader_needs(result: Report) -> None:
    page = text(result, "md")
    q2 = cell(result.table, "logic", "q2").difference
    printed = [f"{100 * number:+.1f}".replace("-", "−") for number in (q2.value, *q2.interval)]
    assert f"{printed[0]} [{printed[1]}, {printed[2]}] ↓↓" in page
    for words in (
        "demonstration model",
        "noise floor",
        "b" * 16,
        "lm_eval 0.4.13",
        "## By difficulty",
        "inside ±2 points",
    ):
        assert words in page
    tables = [block.splitlines() for block in page.split("\n\n") if block.startswith("|")]
    assert all(len({line.count(" | ") for line in lines if "--:" not in line}) == 1 for lines in tables)


def test_the_first_lines_say_what_broke_by_how_much_and_how_sure(result: Report) -> None:
    table = re.search(
        r"\| *\| all categories \| proven losses \| lost the most \|\n.*?\n\n", text(result, "md"), re.DOTALL
    )
    assert table
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[0].strip().splitlines()[2:]]
    assert [line[0] for line in lines] == ["q8", "q4", "q2"]  # the noise floor is no level
    rows = [row for row in result.table.rows if row.kind is not Kind.ALL]
    cells = {row.name: row.cells[-1] for row in rows}  # at q2
    proven = sum(cell.p_holm <= 0.05 and cell.difference.value < 0 for cell in cells.values())
    worst = min(cells, key=lambda name: cells[name].difference.value)
    assert lines[2][2] == f"{proven} of {len(rows)}"
    assert lines[2][3].startswith(f"{worst} ")
    value, low, high = (
        f"{100 * end:+.1f}".replace("-", "−")
        for end in (cells[worst].difference.value, *cells[worst].difference.interval)
    )
    assert f"{value} [{low}, {high}]" in lines[2][3]


def test_no_text_becomes_a_link() -> None:
    text = "https://evil.example (www.x.yz) HTTP://a.b/c?d=e a@b.c mailto:a_b+c@d-e.f xmpp:a@b.c/d"
    said = safe(text)
    # The spec's extended autolinks; addresses of mail are looked for where escapes have become what they stand for.
    assert not re.search(r"(?:https?|ftp)://|www\.", said, re.IGNORECASE)
    shown = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", said)
    assert not re.search(r"[\w.+-]+@[\w-]+\.[\w.-]+", shown)
    assert shown.replace("\u2060", "") == text  # which has no width
    assert safe("org/model@main nano 3:4 a//b www") == "org/model@main nano 3:4 a//b www"


def test_markdown_shows_hostile_text_as_text(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script> | [x](javascript:y)"
    items = [bank_item("logic", "deduction", f"t{i % 4}", i, topic=hostile) for i in range(20)]
    for level in ("fp16", "q2"):
        write_run(tmp_path / level, {"t": [sample(item, i, 1.0) for i, item in enumerate(items)]})
    write_plan(tmp_path, ["fp16", "q2"], ["t"], model="=cmd|evil")
    result = report(tmp_path, by="topic", n_resamples=N_RESAMPLES)
    page = text(result, "md")
    assert "\\<script\\>alert(1)\\</script\\> \\| \\[x\\](javascript:y)" in page
    assert not re.search(r"(?<!\\)<script", page)
    assert ",'=cmd|evil," in text(result, "csv")


def test_latex_is_balanced_and_escaped(result: Report) -> None:
    page = file(result, "tables.tex")
    assert page.count(r"\begin{") == page.count(r"\end{") == 6
    assert page.count("{") == page.count("}")
    assert r"\toprule" in page
    assert page.isascii()
    bodies = re.findall(r"\\toprule\n(.*?)\\bottomrule", page, re.DOTALL)[:2]
    rows = [line for body in bodies for line in body.splitlines() if line.endswith((r"\\", r"\\[2pt]"))]
    assert {line.count(" & ") for line in rows} == {6}


def test_latex_escapes_everything_that_it_would_read() -> None:
    assert escape("50% of a_b & {c} #1 ~ ^ \\ $x$ <|>") == (
        r"50\% of a\_b \& \{c\} \#1 \textasciitilde{} \textasciicircum{} \textbackslash{} \$x\$ \textless{}\textbar{}\textgreater{}"
    )


def test_latex_compiles(sweep_dir: Path, result: Report, tmp_path: Path) -> None:
    if not shutil.which("pdflatex") or not shutil.which("bibtex"):
        pytest.skip("There is no pdflatex here; install texlive-latex-base and texlive-science to compile the report.")
    hostile = r"a_b & {c} 50% #1 ~^ \input{x} $x^2$ <|> é 模型"
    shutil.copytree(sweep_dir, tmp_path / "nano", ignore=shutil.ignore_patterns("report"))
    write_plan(
        tmp_path / "nano", records.read_sweep(sweep_dir).levels, records.read_sweep(sweep_dir).tasks, model=hostile
    )
    named = report(tmp_path / "nano", formats=["tex"], n_resamples=N_RESAMPLES)
    for written in (result, named):
        folder = tmp_path / f"tex-{written is named}"
        folder.mkdir()
        for path in written.paths:
            shutil.copy(path, folder)
        for command in (["pdflatex", "-halt-on-error", "report"], ["bibtex", "report"], *[["pdflatex", "report"]] * 2):
            if command[0] == "pdflatex":
                command = [command[0], "-interaction=nonstopmode", *command[1:]]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
            assert done.returncode == 0, done.stdout[-3000:]
        log = (folder / "report.log").read_text(encoding="utf-8", errors="replace")
        assert "undefined" not in log
        assert "(tables.tex" in log.replace("./", "")
        assert "Overfull" not in log
        assert (folder / "report.pdf").read_bytes().startswith(b"%PDF")


def test_the_csv_is_tidy_and_its_numbers_are_numbers(result: Report) -> None:
    lines = list(csv.DictReader(io.StringIO(text(result, "csv"))))
    n_rows, n_levels = 4 + 5 + 5, 4  # rows, breakdown and difficulty; answered is the one measure
    assert len(lines) == n_rows * (2 + 4 * n_levels) + (1 + 2 * n_levels) + 30 * n_levels
    assert {line["target"] for line in lines if line["kind"] != "template"} == {"templates"}
    assert {line["target"] for line in lines if line["kind"] == "template"} == {"items"}
    line = next(
        line for line in lines if (line["group"], line["level"], line["measure"]) == ("logic", "q4", "difference")
    )
    ours = cell(result.table, "logic", "q4")
    assert float(line["value"]) == ours.difference.value
    assert (float(line["low"]), float(line["high"])) == ours.difference.interval
    assert (int(line["n_worse"]), int(line["n_better"])) == (ours.flips.worse, ours.flips.better)
    assert (line["verdict"], float(line["bits_per_weight"])) == ("degraded", 4.5)


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_text_in_a_csv_is_no_formula(start: str) -> None:
    assert neutral(f"{start}1+1") == f"'{start}1+1"
    assert neutral(-1.5) == -1.5


def test_the_json_has_a_schema_version_and_no_nan(result: Report) -> None:
    content = json.loads(text(result, "json"), parse_constant=pytest.fail)
    described = json.loads(file(result, "report.schema.json"))
    jsonschema.Draft202012Validator.check_schema(described)
    jsonschema.Draft202012Validator(described).validate(content)
    assert described["$defs"]["Cost"]["properties"]["resident_bytes"]["description"].startswith(
        "Memory in use with the level loaded"
    )
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(described).validate({**content, "rows": [{"name": "q4"}]})
    assert content["schema_version"] == 3
    ours = cell(result.table, "logic", "q4")
    found = next(entry for entry in content["rows"][1]["cells"] if entry["level"] == "q4")
    assert found["difference"]["interval"] == {
        "low": ours.difference.interval.low,
        "high": ours.difference.interval.high,
    }
    assert found["flips"]["mid_p"] == ours.flips.mid_p
    assert found["verdict"] == "degraded"


def test_the_summary_fits_a_terminal(result: Report) -> None:
    lines = summary(result.table).splitlines()
    assert max(map(len, lines)) <= 120
    assert any(line.startswith("logic") and "↓↓" in line for line in lines)
    assert any(line.startswith("noise floor, fp16 once more at another batch size: ") for line in lines)
    assert "\x1b" not in summary(result.table)


def test_levels_that_do_not_fit_a_terminal_follow_below(tmp_path: Path) -> None:
    items = [bank_item("logic", "deduction", f"t{i % 4}", i) for i in range(20)]
    levels = ["fp16", *(f"attention8-mlp4-{letter}" for letter in "abcdefghijkl")]
    for level in levels:
        write_run(tmp_path / level, {"t": [sample(item, i, 1.0) for i, item in enumerate(items)]})
    write_plan(tmp_path, levels, ["t"])
    page = summary(report(tmp_path, formats=(), n_resamples=N_RESAMPLES).table)
    assert max(map(len, page.splitlines())) <= 120
    assert all(page.count(level) == 1 for level in levels[1:])


# ---------------------------------------------------------------- measured against expected


def loss(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, 0.01, Interval(low, high), 0.01, 300, 15, 50, "t")


@pytest.mark.parametrize(
    ("measured", "placement"),
    [
        (loss(0.16, 0.29), Placement.INSIDE),
        (loss(0.01, 0.14), Placement.SMALLER),
        (loss(0.31, 0.50), Placement.LARGER),
        (loss(0.10, 0.20), Placement.UNDECIDED),
        (loss(0.10, 0.40), Placement.UNDECIDED),
        (loss(math.nan, math.nan), Placement.NOT_ESTIMABLE),
    ],
)
def test_a_loss_is_placed_by_its_whole_interval(measured: Estimate, placement: Placement) -> None:
    assert place(measured, 0.15, 0.30) is placement


def test_the_expected_ranges_are_those_of_the_document() -> None:
    general, reasoning = scopes()
    assert general.ranges["q4"] == (0.15, 0.30)
    assert general.ranges["q2"] == (0.50, 0.70)
    assert reasoning.ranges["q3"] == (0.25, 0.45)
    assert all(set(statements(category)) == {"q8", "q6", "q4", "q3", "q2"} for category in general.categories)


def test_the_report_sets_the_measured_loss_beside_the_expected_one(result: Report) -> None:
    found = {(entry.scope, entry.level): entry for entry in result.table.expected}
    ours = found["all categories (2 of 10)", "q2"]
    assert ours.loss.value == pytest.approx(cell(result.table, "all", "q2").relative_loss.value)
    assert ours.placement is Placement.LARGER
    assert (
        found["logic", "q4"].statement == "Noticeable degradation in multi-step reasoning; basic logic usually intact"
    )
    assert "| all categories (2 of 10) | q2 | 50 to 70 |" in text(result, "md")


# ---------------------------------------------------------------- bad input


def rewrite(folder: Path, change: Callable[[list[Any]], list[Any]], level: str = "q4") -> None:
    """Write the samples of one cell again as if the sweep had written them."""
    run = records.read_run(folder / level)
    run.info["cells"]["gsm8k"] |= records.write_samples(folder / level, "gsm8k", change(run.samples("gsm8k")))
    records.write_json(folder / level / records.RUN_FILE, run.info)


def other_bank(folder: Path) -> None:
    run = records.read_run(folder / "q4")
    records.write_json(folder / "q4" / records.RUN_FILE, {**run.info, "bank": {"version": "2", "sha256": "c" * 64}})


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "another bank": (other_bank, "was asked from bank"),
    "other prompts": (
        lambda run: rewrite(run, lambda lines: [{**lines[0], "prompt_hash": "0"}, *lines[1:]]),
        "different prompts",
    ),
    "other items": (lambda run: rewrite(run, lambda lines: lines[1:]), "59 items; 1 appear only in the baseline"),
    "an id twice": (
        lambda run: rewrite(run, lambda lines: [*lines, lines[0]]),
        "1 of 61 samples of gsm8k repeat an item",
    ),
    "no object": (lambda run: rewrite(run, lambda lines: [1, 2]), "Line 1 of "),
    "another lm-eval": (
        lambda run: rewrite(run, lambda lines: [{"doc": line["doc"]} for line in lines]),
        "no field 'doc_id'",
    ),
    "half samples": (lambda run: cut(run / "q4" / "samples_gsm8k.jsonl"), "is not the file that was written"),
    "half a run": (lambda run: cut(run / "q4" / records.RUN_FILE), "cannot be read as a qbench file"),
    "half a plan": (lambda run: cut(run / records.SWEEP_FILE), "cannot be read as a qbench file"),
    "no samples": (lambda run: (run / "q4" / "samples_gsm8k.jsonl").unlink(), "is missing though run.json names it"),
    "an empty folder": (lambda run: shutil.rmtree(run), "is no sweep: it has no sweep.json"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_bad_input_is_a_sentence_status_2_and_no_output(
    sweep_dir: Path, tmp_path: Path, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "nano"
    shutil.copytree(sweep_dir, run, ignore=shutil.ignore_patterns("report"))
    damage, message = BROKEN[what]
    damage(run)
    before = sorted(tmp_path.rglob("*"))
    assert main(["report", str(run)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("qbench: ")
    assert printed.err.count("\n") == 1
    assert message in printed.err
    assert sorted(tmp_path.rglob("*")) == before


def test_equal_and_missing_scores_are_reported_as_what_they_are(sweep_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(sweep_dir, tmp_path / "nano", ignore=shutil.ignore_patterns("report"))
    for level in ("fp16", "q8"):
        rewrite(tmp_path / "nano", lambda lines: [{**line, "score": 1.0} for line in lines], level)
    rewrite(tmp_path / "nano", lambda lines: [{**line, "score": math.nan} for line in lines], "q2")
    result = report(tmp_path / "nano", n_resamples=N_RESAMPLES)
    equal = cell(result.table, "gsm8k", "q8").difference
    assert equal.value == 0
    assert equal.interval.low < 0 < equal.interval.high  # that nothing flipped does not prove that nothing can
    missing = cell(result.table, "gsm8k", "q2")
    assert (missing.verdict, missing.n_failed) == (Verdict.NOT_ESTIMABLE, 60)
    assert "No interval for gsm8k: no item has a score at both levels." in text(result, "md")


def test_a_folder_without_a_sweep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no sweep"):
        report(tmp_path / "nothing")


def test_half_a_sweep_is_refused_with_what_is_missing(sweep_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "nano"
    shutil.copytree(sweep_dir, folder, ignore=shutil.ignore_patterns("q2", "report"))
    run = records.read_run(folder / "q4")
    del run.info["cells"]["gsm8k"]
    records.write_json(folder / "q4" / records.RUN_FILE, run.info)
    with pytest.raises(RunError, match=r"8 of 35 cells are missing \(q4: gsm8k; q2: all\)\. .*qbench sweep.*--run"):
        report(folder)
    assert not (folder / "report").exists()


def test_another_schema_is_refused(sweep_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(sweep_dir, tmp_path / "nano")
    path = tmp_path / "nano" / records.SWEEP_FILE
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 99'))
    with pytest.raises(RunError, match="schema version 99"):
        report(tmp_path / "nano")


def test_a_sweep_of_the_baseline_alone_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "fp16", {"t": [sample(bank_item("logic", "deduction", "t", 0), 0, 1.0)]})
    write_plan(tmp_path, ["fp16"], ["t"])
    with pytest.raises(RunError, match="1 tasks and 1 levels"):
        report(tmp_path)


def test_an_unknown_field_names_the_known_ones(sweep_dir: Path) -> None:
    with pytest.raises(
        QBenchError, match=r"no field 'difficulti'|has a field 'difficulti'\. Did you mean difficulty\?"
    ):
        report(sweep_dir, by="difficulti")


def test_a_field_with_a_value_for_each_item_is_refused(sweep_dir: Path) -> None:
    with pytest.raises(QBenchError, match="has 360 values"):
        report(sweep_dir, by="id")


def test_an_unknown_format_names_the_known_ones(sweep_dir: Path) -> None:
    with pytest.raises(QBenchError, match=r"no report format 'pdf'.*md, tex, csv, parquet, json, html, figures"):
        report(sweep_dir, formats=("pdf",))


@pytest.mark.parametrize("options", [{"confidence": 95}, {"margin": 0}, {"target": "item"}])
def test_settings_that_make_no_sense_are_refused(sweep_dir: Path, options: dict[str, Any]) -> None:
    with pytest.raises(
        QBenchError,
        match=r"confidence must lie|margin must be|target must be templates or items, not 'item'. Did you mean items",
    ):
        report(sweep_dir, **options)


# ---------------------------------------------------------------- what was declared, and which files go together


def small_sweep(folder: Path, **plan: Any) -> Path:
    """Two levels and one category, quickly read."""
    items = [bank_item("logic", f"s{i % 3}", f"t{i % 9}", i) for i in range(45)]
    for level, every in (("fp16", 9), ("q2", 2)):
        write_run(folder / level, {"t": [sample(item, i, float(i % every > 0)) for i, item in enumerate(items)]})
    write_plan(folder, ["fp16", "q2"], ["t"], **plan)
    return folder


@pytest.mark.parametrize(
    ("stored", "given", "words"),
    [
        ({"margin": 3.0, "confidence": 0.95}, {}, "inside ±3 points, declared beforehand"),
        ({"margin": 3.0, "confidence": 0.95}, {"margin": 3.0}, "inside ±3 points, declared beforehand"),
        (
            {"margin": 3.0, "confidence": 0.95},
            {"margin": 30.0},
            "inside ±30 points, chosen when the report was written",
        ),
        ({}, {}, "inside ±2 points, chosen when the report was written"),
    ],
)
def test_only_a_margin_that_the_sweep_stored_was_declared_beforehand(
    tmp_path: Path, stored: dict[str, float], given: dict[str, Any], words: str
) -> None:
    written = report(small_sweep(tmp_path, **stored), n_resamples=N_RESAMPLES, **given)
    beforehand = "declared beforehand" in words
    assert all(words in text(written, ending) for ending in ("md", "html"))
    for page in (*(text(written, ending) for ending in ("md", "html")), file(written, "methods.tex"), str(written)):
        assert ("declared beforehand" in page) <= beforehand
    assert words.split(", ")[1] in " ".join(file(written, "methods.tex").split())
    assert ("margin" in json.loads(text(written, "json"))["settings"]["declared"]) is beforehand


def test_files_of_other_settings_do_not_stay_beside_a_report(tmp_path: Path) -> None:
    folder = small_sweep(tmp_path)
    both = report(folder, formats=["csv", "md"], n_resamples=N_RESAMPLES)
    (folder / "report" / "notes.txt").write_text("mine")
    report(folder, formats=["tex"], n_resamples=N_RESAMPLES)
    assert all(path.is_file() for path in both.paths)  # the same table
    (markdown,) = report(folder, formats=["md"], margin=30.0, n_resamples=N_RESAMPLES).paths
    left = {path.name for path in (folder / "report").iterdir() if not path.name.startswith(".")}
    assert left == {markdown.name, "notes.txt"}


def test_a_record_from_elsewhere_removes_nothing_outside_its_folder(tmp_path: Path) -> None:
    folder = small_sweep(tmp_path)
    report(folder, formats=["md"], n_resamples=N_RESAMPLES)
    records.write_json(folder / "report" / ".made.json", {"table_sha256": "", "files": ["../sweep.json", "/etc/hosts"]})
    report(folder, formats=["md"], n_resamples=N_RESAMPLES)
    assert (folder / "sweep.json").is_file()


# ---------------------------------------------------------------- citing


@pytest.mark.parametrize("target", ["templates", "items"])
def test_what_the_methods_paragraph_cites_is_in_the_references(
    sweep_dir: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cite", str(sweep_dir), "--target", target]) == 0
    printed = capsys.readouterr().out
    paragraph, references = printed.split("\n@", 1)
    cited = set(re.findall(r"\\cite\{([\w-]+)\}", paragraph))
    assert cited == set(re.findall(r"^@?\w+\{([\w-]+),", references, re.MULTILINE))
    assert "q8, q4, q2 against fp16" in paragraph
    assert "b" * 64 in references
    assert references.count("{") == references.count("}")


def test_the_methods_paragraph_says_what_was_computed(tmp_path: Path) -> None:
    folder = small_sweep(tmp_path, num_fewshot=3, apply_chat_template=True, limit=45)
    run = records.read_run(folder / "q2")
    level = {"kind": "level", "engine": "intx", "bits": 2, "group_size": 64, "symmetric": False}
    records.write_json(folder / "q2" / records.RUN_FILE, {**run.info, "level": {"name": "q2", **level}})
    written = report(folder, formats=["tex"], n_resamples=N_RESAMPLES)
    (made,) = {cell.difference.method for row in written.table.rows for cell in row.cells}
    assert made == "t and score"  # 22 of 45 items at most can have changed; fewer than 20 effective ones did
    methods = file(written, "methods.tex")
    assert "1 by Student's $t$ over templates, joined with Tango's score interval" in methods
    assert "bootstrap" not in methods
    assert "hall1988" not in file(written, "references.bib")
    for words in (
        "q2: engine intx, 2 bits, one scale for every 64 weights and a zero point, 16.00 bits per weight",
        "with 3 examples, through the chat template; responses were decoded greedily",
        "only the first 45 items were asked",
        "seed 2026",
        "45 items of the bank, drawn from 9 templates",
        "improved where it lies above",
    ):
        assert words in methods
    assert "failed" not in methods
    assert re.search(r"@misc\{qbench,.*?year += \{20\d\d\}", file(written, "references.bib"), re.DOTALL)


def test_the_foot_says_how_these_intervals_were_made(sweep_dir: Path, result: Report, tmp_path: Path) -> None:
    """In the page and the Markdown, as in the paragraph for a paper: by their kinds, with the number of each."""
    made = Counter(
        found.difference.method for row in result.table.rows for found in row.cells if not found.is_identical
    )
    foot = text(result, "md").split("## How these numbers were made")[1]
    assert (
        f"{made['bootstrap-t']} by a studentised bootstrap of templates within subcategories ({N_RESAMPLES:,} resamples)"
        in foot
    )
    assert f"{made['t and score']} by Student's t over templates, joined with Tango's score interval" in foot
    for level, loss in (("a", 0.0), ("b", 0.2)):
        lines = [sample({"question": f"{i}?"}, i, float(i >= loss * 400)) for i in range(400)]
        write_run(tmp_path / level, {"theirs": lines})
    compared = compare(tmp_path / "a", [tmp_path / "b"], out=tmp_path / "out")
    foot = text(compared, "md").split("## How these numbers were made")[1]
    assert "were made: 1 by Student's t over items." in foot  # 400 items of one task: nothing was resampled
    assert "resampl" not in foot


def test_what_is_not_known_of_a_run_is_left_out(tmp_path: Path) -> None:
    for level in ("a", "b"):
        folder = tmp_path / level
        folder.mkdir()
        lines = [sample({"question": f"{i}?"}, i, float(i % 3 > 0)) for i in range(30)]
        text_of = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / "samples_theirs_2026-01-01T00-00-00.000000.jsonl").write_text(text_of, encoding="utf-8")
    result = compare(tmp_path / "a", [tmp_path / "b"], out=tmp_path / "out")
    foot = text(result, "md").split("## How these numbers were made")[1]
    assert "* " not in foot  # neither a model nor a bank, nor a seed of None
    assert "None" not in foot.replace("None is narrower", "")


def test_the_ranks_of_the_schema_are_called_by_what_they_are(result: Report) -> None:
    described = json.loads(file(result, "report.schema.json"))["$defs"]["Rank"]["properties"]
    assert "lowest number (the greatest loss)" in described["best"]["description"]
    assert "highest number (the least loss)" in described["worst"]["description"]
    assert all(rank.best <= rank.rank <= rank.worst for ranks in result.table.ranking.values() for rank in ranks)


def test_a_noise_floor_without_noise_is_called_identical(tmp_path: Path) -> None:
    items = [bank_item("logic", f"s{i % 3}", f"t{i % 9}", i) for i in range(45)]
    for level, every in (("fp16", 9), ("fp16-repeat", 9), ("q2", 2)):
        write_run(tmp_path / level, {"t": [sample(item, i, float(i % every > 0)) for i, item in enumerate(items)]})
    write_plan(tmp_path, ["fp16", "q2"], ["t"])
    written = report(tmp_path, n_resamples=N_RESAMPLES)
    assert re.search(r"^\| logic \| 45 / 9 \| [^|]+ \| identical on all 45 items \|", text(written, "md"), re.MULTILINE)
    assert "is identical on all 45 items for logic" in text(written, "md")
    assert "identical<small>on all 45 items</small>" in text(written, "html")
    assert "{identical}" in file(written, "tables.tex")
    assert "the two gave identical answers to all items" in file(written, "methods.tex")
    assert "noise floor, fp16 once more at another batch size: identical on all items in 1 of 1 rows" in str(written)
    (floor,) = (record for record in _heatmap(written.table) if record["level"] == "fp16-repeat")
    assert (floor["short"], floor["interval"], floor["shade"]) == ("identical", "on all 45 items", 0)
    # The same scores of other answers are no identical outputs.
    other = [sample(item, i, float(i % 9 > 0), response="another") for i, item in enumerate(items)]
    write_run(tmp_path / "fp16-repeat", {"t": other})
    assert "identical" not in text(report(tmp_path, formats=["md"], n_resamples=N_RESAMPLES), "md")


def _heatmap(table: Table) -> list[dict[str, Any]]:
    return list(charts.heatmap(table)["datasets"][DATA])


def test_only_a_proven_difference_has_a_color(result: Report) -> None:
    cells = {(label(row), cell.level): cell for row in result.table.rows for cell in row.cells}
    records = _heatmap(result.table)
    assert {cells[record["row"], record["level"]].verdict for record in records} >= {
        Verdict.DEGRADED,
        Verdict.UNDECIDED,
    }
    for record in records:
        cell = cells[record["row"], record["level"]]
        assert record["shade"] == (record["difference"] if cell.verdict in (Verdict.DEGRADED, Verdict.IMPROVED) else 0)
        if cell.verdict is Verdict.UNDECIDED:  # as the legend has it: behind the mark what could be seen
            assert record["short"].endswith(f"? {100 * cell.minimum_detectable_effect:.1f}")


def test_one_item_of_each_template_has_values_without_intervals_for_fresh_items(tmp_path: Path) -> None:
    items = [bank_item("logic", f"s{i % 3}", f"t{i}", i) for i in range(45)]
    for level, lost in (("fp16", 0), ("q2", 9)):
        write_run(tmp_path / level, {"t": [sample(item, i, float(i >= lost)) for i, item in enumerate(items)]})
    write_plan(tmp_path, ["fp16", "q2"], ["t"])
    written = report(tmp_path, target="items", n_resamples=N_RESAMPLES)
    assert "| 100.0 no interval | −20.0 no interval |" in text(written, "md")  # 9 of 45
    assert "nothing is known about other items of it" in text(written, "md")
    assert "−20.0" in str(written)


def test_one_item_of_each_template_is_called_items_everywhere(tmp_path: Path) -> None:
    items = [bank_item("logic", f"s{i % 3}", f"t{i}", i) for i in range(45)]
    for level, every in (("fp16", 9), ("q2", 2)):
        write_run(tmp_path / level, {"t": [sample(item, i, float(i % every > 0)) for i, item in enumerate(items)]})
    write_plan(tmp_path, ["fp16", "q2"], ["t"])
    written = report(tmp_path, n_resamples=N_RESAMPLES)
    for page in (text(written, "md"), text(written, "html"), file(written, "methods.tex"), str(written)):
        assert "for other items like these" in " ".join(page.split())
        assert "templates like these" not in page


def test_the_references_alone_need_no_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cite"]) == 0
    assert capsys.readouterr().out.lstrip().startswith("@misc{qbench,")
