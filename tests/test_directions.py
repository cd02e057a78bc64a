"""Scores of which less is better, scores of which nobody says so, and scores that are no shares."""

import base64
import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handmade import sample, write_plan, write_run
from scipy import stats

from qbench.compare import compare
from qbench.errors import QBenchError
from qbench.outputs import item_directions, read_output
from qbench.pairing import Direction
from qbench.plan import plan
from qbench.report import Report, report, summary
from qbench.report.browser import pack
from qbench.report.table import Kind, Table
from qbench.stats import Verdict

N_ITEMS = 400
LEVELS = ("fp16", "fp16-repeat", "q4", "q2")  # q4 changes next to nothing, q2 does much harm


def goodness(level: str) -> np.ndarray:
    """How good each response is, from 0 to 1, whatever score says so."""
    rng = np.random.default_rng(3)
    good = rng.uniform(0.5, 1.0, N_ITEMS)
    return good - {"q4": 0.005, "q2": 0.3}.get(level, 0.0) * rng.uniform(0, 1, N_ITEMS)


def lines(scores: np.ndarray, metric: str) -> list[dict[str, Any]]:
    documents = [{"question": f"{i}?", "half": i % 2} for i in range(len(scores))]
    return [
        {**sample(documents[i], i, float(score), metrics=[metric], response=f"{score:.6f}"), metric: float(score)}
        for i, score in enumerate(scores)
    ]


def swept(folder: Path, metric: str, more: bool | None, *, factor: float = 1.0) -> Path:
    """A sweep of one task of somebody's own: a score that rises with the goodness of a response, or an error that falls with it."""
    for level in LEVELS:
        good = goodness(level)
        scores = factor * (1 - good if more is False else good)
        bits = {"q4": 4.5, "q2": 2.5}.get(level, 16.0)
        known = None if more is None else {metric: more}
        write_run(folder / level, {"theirs": lines(scores, metric)}, bits=bits, higher_is_better=known)
    write_plan(folder, ["fp16", "q4", "q2"], ["theirs"])
    return folder


def written(folder: Path, metric: str, more: bool | None, level: str) -> Path:
    """The same as lm-eval writes it, with its results file where it says which scores are better."""
    good = goodness(level)
    folder.mkdir(parents=True)
    date = "2026-01-01T00-00-00.000000"
    scores = 1 - good if more is False else good
    text = "".join(json.dumps(line) + "\n" for line in lines(scores, metric))
    (folder / f"samples_theirs_{date}.jsonl").write_text(text, encoding="utf-8")
    if more is not None:
        results = {"results": {}, "higher_is_better": {"theirs": {metric: more}}, "model_name": "a-model"}
        (folder / f"results_{date}.json").write_text(json.dumps(results), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def errors(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return report(swept(tmp_path_factory.mktemp("errors"), "nll", False), by="half")


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return report(swept(tmp_path_factory.mktemp("scores"), "exact_match", True), by="half")


def page(result: Report, name: str) -> str:
    return " ".join(next(path for path in result.paths if path.name == name).read_text(encoding="utf-8").split())


def test_an_error_is_judged_as_its_complement_is(errors: Report, scores: Report) -> None:
    for ours, other in zip(
        (*errors.table.rows, *errors.table.breakdown), (*scores.table.rows, *scores.table.breakdown), strict=True
    ):
        assert (ours.direction, other.direction) == (Direction.LOWER, Direction.HIGHER)
        for low, high in zip(ours.cells, other.cells, strict=True):
            assert low.difference.value == pytest.approx(-high.difference.value, abs=1e-12)
            assert low.difference.interval == pytest.approx(
                (-high.difference.interval.high, -high.difference.interval.low)
            )
            assert (low.verdict, low.flips) == (high.verdict, high.flips)
            assert low.p_holm == pytest.approx(high.p_holm)
    ours, other = errors.table.rows[0], scores.table.rows[0]
    assert [cell.verdict for cell in ours.cells[1:]] == [Verdict.WITHIN_MARGIN, Verdict.DEGRADED]
    assert ours.cells[-1].difference.value > 0.1
    assert ours.baseline.value == pytest.approx(1 - other.baseline.value)  # printed is the metric's own
    assert errors.table.cliffs == scores.table.cliffs
    assert (errors.table.cliffs["theirs"].last_safe, errors.table.cliffs["theirs"].first_harmful) == ("q4", "q2")


def test_a_relative_loss_is_a_share_of_the_error_itself(errors: Report) -> None:
    before, after = 1 - goodness("fp16"), 1 - goodness("q2")
    loss = errors.table.rows[0].cells[-1].relative_loss
    assert loss.value == pytest.approx((after.mean() - before.mean()) / before.mean())
    assert loss.interval.low < loss.value < loss.interval.high


def test_every_format_says_that_lower_is_better(errors: Report) -> None:
    sentence = "Lower is better in theirs (nll)"
    assert sentence in " ".join(summary(errors.table).split())
    assert all(sentence in page(errors, name) for name in ("report.md", "report.html", "tables.tex", "methods.tex"))
    assert "The largest loss is in theirs at q2: +" in page(errors, "report.md")
    assert "What breaks first: going down, q2 is the first level" in page(errors, "report.md")
    content = json.loads(page(errors, "report.json"))
    assert content["rows"][0]["direction"] == "lower is better"
    rows = list(csv.DictReader(io.StringIO(next(p for p in errors.paths if p.name == "report.csv").read_text())))
    found = next(row for row in rows if (row["kind"], row["level"], row["measure"]) == ("task", "q2", "difference"))
    assert (found["direction"], found["verdict"]) == ("lower is better", "degraded")
    assert int(found["n_worse"]) == N_ITEMS


def test_the_page_knows_which_items_are_better_low(errors: Report, scores: Report) -> None:
    for result, lower in ((errors, True), (scores, False)):
        carried = json.loads(gzip.decompress(base64.b64decode(pack(result.table).data)))
        assert carried["lower"] == [lower] * N_ITEMS


def test_a_score_that_everybody_knows_needs_no_word(scores: Report) -> None:
    assert "Lower is better" not in summary(scores.table)
    assert "not known" not in summary(scores.table)


def compared(tmp_path: Path, metric: str, more: bool | None) -> Table:
    base, other = (written(tmp_path / level, metric, more, level) for level in ("fp16", "q2"))
    return compare(base, [other]).table


@pytest.mark.parametrize(
    ("metric", "more", "verdict", "direction"),
    [
        ("nll", False, Verdict.DEGRADED, Direction.LOWER),
        ("nll", True, Verdict.DEGRADED, Direction.HIGHER),
        ("exact_match", False, Verdict.DEGRADED, Direction.LOWER),  # its author knows better than its name
        ("exact_match", None, Verdict.DEGRADED, Direction.HIGHER),
        ("nll", None, Verdict.DEGRADED, Direction.UNKNOWN),
    ],
)
def test_compare_reads_the_direction_from_the_results_of_lm_eval(
    tmp_path: Path, metric: str, more: bool | None, verdict: Verdict, direction: Direction
) -> None:
    table = compared(tmp_path, metric, more)
    assert (table.rows[0].direction, table.rows[0].cells[0].verdict) == (direction, verdict)
    said = " ".join(summary(table).split())
    assert said.count("Whether higher or lower is better is not known of theirs (nll)") == (
        direction is Direction.UNKNOWN
    )


def test_a_samples_file_alone_is_read_with_the_results_beside_it(tmp_path: Path) -> None:
    folder = written(tmp_path / "run", "nll", False, "fp16")
    (file,) = folder.glob("samples_*")
    assert (
        read_output(file).higher_is_better("theirs") == read_output(folder).higher_is_better("theirs") == {"nll": False}
    )


def test_the_direction_of_a_task_is_that_of_the_run_that_asked_it(tmp_path: Path) -> None:
    folder = written(tmp_path / "run", "nll", False, "fp16")
    later = {"higher_is_better": {"another": {"acc": True}}}  # a second run into the same folder, of another task
    (folder / "results_2026-01-02T00-00-00.000000.json").write_text(json.dumps(later), encoding="utf-8")
    assert read_output(folder).higher_is_better("theirs") == {"nll": False}


def test_the_items_of_a_perplexity_are_log_likelihoods() -> None:
    # lm-eval prints exp(-mean) of the log-likelihoods of the items: less of that is better, and more of what it is made of.
    metrics = [{"metric": "perplexity", "aggregation": "perplexity"}, {"metric": "acc", "aggregation": "mean"}]
    results = {
        "higher_is_better": {"lambada": {"perplexity": False, "acc": True, "odd": None}},
        "configs": {"lambada": {"metric_list": metrics}},
    }
    assert item_directions(results, "lambada") == {"perplexity": True, "acc": True}
    metrics[0]["aggregation"] = "mean"
    assert item_directions(results, "lambada") == {"perplexity": False, "acc": True}
    assert item_directions({"higher_is_better": {"lambada": None}, "configs": 3}, "lambada") == {}


# ---------------------------------------------------------------- a unit of its own


def test_scores_that_are_no_shares_stand_in_their_own_unit(tmp_path: Path) -> None:
    result = report(swept(tmp_path, "nll", False, factor=100.0))
    (row,) = result.table.rows
    before, after = 100 * (1 - goodness("fp16")), 100 * (1 - goodness("q4"))
    assert row.cells[1].difference.value == pytest.approx((after - before).mean())
    # The change is a certain 0.25 on a scale of 100: whether that is little nobody declared.
    assert stats.ttest_rel(after, before).pvalue < 1e-6
    assert [cell.verdict for cell in row.cells[1:]] == [Verdict.DEGRADED, Verdict.DEGRADED]
    assert result.table.cliffs["theirs"].last_safe is None
    said = page(result, "report.md")
    assert f"{before.mean():.3g} [" in said
    assert "Not in percent but in a unit of its own is theirs (nll)" in said
    assert "points \\[" not in said
    assert "minus its score at fp16, with 95 % intervals" in said
    assert "score, theirs (lower is better)" in said
    rows = list(csv.DictReader(io.StringIO(next(p for p in result.paths if p.name == "report.csv").read_text())))
    assert {row["margin"] for row in rows if row["kind"] == "task"} == {""}


def test_scores_that_have_no_mean_are_not_broken_down_together(tmp_path: Path) -> None:
    for level in ("fp16", "q2"):
        good = goodness(level)
        tasks = {"right": lines(good, "acc"), "errors": lines(1 - good, "nll")}
        write_run(tmp_path / level, tasks, higher_is_better={"acc": True, "nll": False})
    write_plan(tmp_path, ["fp16", "q2"], ["right", "errors"])
    table = report(tmp_path, formats=()).table
    assert [(row.name, row.kind, row.direction) for row in table.rows] == [
        ("right", Kind.TASK, Direction.HIGHER),
        ("errors", Kind.TASK, Direction.LOWER),
    ]
    with pytest.raises(QBenchError, match="0 has items of right, errors, whose scores differ in unit or direction"):
        report(tmp_path, by="half", formats=())


def test_a_plan_in_points_leaves_out_what_has_another_unit(tmp_path: Path) -> None:
    with pytest.raises(QBenchError, match="theirs has scores in a unit of its own"):
        plan(swept(tmp_path / "alone", "nll", False, factor=100.0))
    needed = plan(swept(tmp_path / "shares", "nll", False)).needed
    other = plan(swept(tmp_path / "turned", "exact_match", True)).needed
    assert [row.templates for row in needed] == [row.templates for row in other]
