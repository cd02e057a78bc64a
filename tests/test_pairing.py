"""The same items at two levels, or a refusal that says what to do."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handmade import bank_item, sample, write_run

from qbench.errors import PairingError, SamplesError
from qbench.pairing import Selection, pair, pair_levels
from qbench.records import read_run
from qbench.samples import Sample

TASK = "qbench_logic_deduction"


def bank_samples(scores: list[float | None], **fields: Any) -> list[Sample]:
    return [
        sample(bank_item("logic", "deduction", f"t{i % 2}", i), i, score, **fields) for i, score in enumerate(scores)
    ]


def foreign_samples(scores: list[float], metric: str = "exact_match") -> list[Sample]:
    """What lm-eval writes for a task of its own."""
    documents = [{"question": f"{i}?", "answer": str(i)} for i in range(len(scores))]
    lines = [
        sample(document, i, score, metrics=[metric])
        for i, (document, score) in enumerate(zip(documents, scores, strict=True))
    ]
    return [{**line, metric: line["score"]} for line in lines]


def test_items_are_paired_by_id_whatever_their_order() -> None:
    before, after = bank_samples([1, 0, 1]), bank_samples([0, 0, 1])
    pairs = pair(before, after[::-1], task=TASK)
    assert pairs.baseline.tolist() == [1, 0, 1]
    assert pairs.level.tolist() == [0, 0, 1]
    assert pairs.item_id.tolist() == [line["doc"]["id"] for line in before]


def test_items_of_the_bank_bring_their_template_and_subcategory() -> None:
    pairs = pair(bank_samples([1, 0]), bank_samples([1, 0]), task=TASK)
    assert pairs.in_bank
    assert pairs.template.tolist() == ["t0", "t1"]
    assert pairs.stratum.tolist() == ["deduction", "deduction"]
    assert pairs.category.tolist() == ["logic", "logic"]
    assert pairs.difficulty.tolist() == [1, 2]


def test_items_of_any_other_task_are_their_own_templates() -> None:
    pairs = pair(foreign_samples([1, 0]), foreign_samples([1, 1]), task="gsm8k")
    assert not pairs.in_bank
    assert pairs.template.tolist() == pairs.item_id.tolist() == ["gsm8k:0", "gsm8k:1"]
    assert set(pairs.stratum) == set(pairs.category) == {"gsm8k"}
    assert np.isnan(pairs.difficulty).all()


@pytest.mark.parametrize(
    ("metrics", "main"),
    [
        (["acc", "acc_norm"], "acc_norm"),
        (["acc", "exact_match"], "exact_match"),
        (["bleu", "rouge"], "bleu"),
        (["matching_digits", "score"], "score"),
    ],
)
def test_the_main_score_is_the_one_people_quote(metrics: list[str], main: str) -> None:
    lines = [sample({"question": "?"}, 0, 1.0, metrics=metrics) | dict.fromkeys(metrics, 0.5)]
    assert pair(lines, lines, task="any").score == main


def test_a_failed_item_is_missing_and_not_wrong() -> None:
    pairs = pair(bank_samples([1, None, 1]), bank_samples([None, 1, 0]), task=TASK)
    assert pairs.n_failed == 2
    assert math.isnan(pairs.level[0])
    assert math.isnan(pairs.baseline[1])
    assert math.isnan(pairs.level_answered[0])


def test_both_responses_are_at_hand() -> None:
    pairs = pair(bank_samples([1], response="forty-two"), bank_samples([0], response="fish"), task=TASK)
    assert (pairs.baseline_responses, pairs.level_responses) == (("forty-two",), ("fish",))


def test_the_response_to_a_choice_is_the_option_that_was_chosen() -> None:
    resps = [[["-2.5", "False"]], [["-1.5", "True"]]]
    (line,) = bank_samples([1], resps=resps, filtered_resps=[option for (option,) in resps])
    for line_of, said in (
        ({**line, "doc": {**line["doc"], "choices": ["Rome", "Paris"]}}, "Paris"),
        ({**line, "arguments": {f"gen_args_{i}": {"arg_0": "?", "arg_1": f" {i}!"} for i in range(2)}}, "1!"),
        (line, "choice 2"),
    ):
        assert pair([line_of], [line_of], task=TASK).level_responses == (said,)
    arguments = {"gen_args_0": {"arg_0": "?", "arg_1": " long one"}, "gen_args_1": {"arg_0": "?", "arg_1": " a"}}
    by_length = {**line, "metrics": ["acc_norm"], "acc_norm": 1.0, "arguments": arguments}
    del by_length["score"]
    assert pair([by_length], [by_length], task=TASK).level_responses == ("long one",)  # -2.5 over 8 characters


def test_of_several_filters_the_first_is_read_unless_told_otherwise() -> None:
    strict = [sample({"q": "?"}, 0, 0.0, filter="strict-match")]
    flexible = [sample({"q": "?"}, 0, 1.0, filter="flexible-extract")]
    assert pair(strict + flexible, strict + flexible, task="gsm8k").level.tolist() == [0]
    assert pair(
        strict + flexible, strict + flexible, task="gsm8k", select=Selection(filter_name="flexible-extract")
    ).level.tolist() == [1]
    with pytest.raises(PairingError, match=r"no filter 'loose'; it has strict-match, flexible-extract"):
        pair(strict + flexible, strict + flexible, task="gsm8k", select=Selection(filter_name="loose"))


# ---------------------------------------------------------------- refusals


def test_items_on_one_side_only_are_refused_with_their_number() -> None:
    with pytest.raises(
        PairingError, match=r"share 2 items; 1 appear only in the baseline and 0 only in the other run\. Finish"
    ):
        pair(bank_samples([1, 0, 1]), bank_samples([1, 0]), task=TASK)


def test_other_prompts_are_refused_with_their_number() -> None:
    before, after = bank_samples([1, 0, 1]), bank_samples([1, 0, 1])
    after[1]["prompt_hash"] = "another"
    with pytest.raises(
        PairingError, match=r"1 of 3 items .* different prompts \(first: logic_deduction\.t1.*\)\. Check the chat"
    ):
        pair(before, after, task=TASK)


def test_another_text_of_an_item_is_refused() -> None:
    before, after = foreign_samples([1, 0]), foreign_samples([1, 0])
    after[0]["doc_hash"] = "another"
    with pytest.raises(PairingError, match=r"1 of 2 items of gsm8k differ in their text .* same version"):
        pair(before, after, task="gsm8k")


def test_an_item_that_occurs_twice_is_refused() -> None:
    before = bank_samples([1, 0])
    with pytest.raises(PairingError, match=r"2 of 4 samples .* repeat an item .* one file"):
        pair(before + before, before, task=TASK)


def test_no_items_at_all_are_refused() -> None:
    with pytest.raises(PairingError, match="no items to pair"):
        pair([], [], task=TASK)


@pytest.mark.parametrize("field", ["doc", "doc_id", "doc_hash", "prompt_hash", "metrics"])
def test_samples_of_another_lm_eval_are_refused(field: str) -> None:
    before = bank_samples([1])
    del before[0][field]
    with pytest.raises(SamplesError, match=rf"no field '{field}'.*--log_samples"):
        pair(before, bank_samples([1]), task=TASK)


def test_an_infinite_score_is_missing_as_in_our_own_files() -> None:
    pairs = pair(bank_samples([1, 1]), bank_samples([math.inf, math.nan]), task=TASK)
    assert np.isnan(pairs.level).all()
    assert pairs.n_failed == 2


def test_what_no_scorer_writes_is_refused() -> None:
    with pytest.raises(SamplesError, match="is not a number for each item"):
        pair(bank_samples([1, 1]), [{**line, "score": 10**400} for line in bank_samples([1, 1])], task=TASK)


def test_a_score_that_one_side_does_not_have_is_refused_and_not_missing() -> None:
    after = bank_samples([1, 1, 1])
    del after[1]["score"]
    with pytest.raises(SamplesError, match="1 of 6 samples of qbench_logic_deduction have no 'score'"):
        pair(bank_samples([1, 1, 1]), after, task=TASK)


def test_a_document_with_a_difficulty_of_its_own_is_no_item_of_the_bank() -> None:
    lines = [{**line, "doc": {**line["doc"], "difficulty": "hard"}} for line in bank_samples([1, 0])]
    assert not pair(lines, lines, task="theirs").in_bank


def test_a_metric_that_is_no_number_is_refused() -> None:
    lines = [sample({"q": "?"}, 0, 1.0, metrics=["bleu"], bleu=["a", "b"])]
    with pytest.raises(SamplesError, match="'bleu' of wmt is not a number for each item"):
        pair(lines, lines, task="wmt")


def test_a_task_without_a_metric_is_refused() -> None:
    lines = [sample({"q": "?"}, 0, 1.0, metrics=[])]
    with pytest.raises(SamplesError, match="no metric"):
        pair(lines, lines, task="perplexity")


def test_another_bank_is_refused_for_items_of_the_bank_alone(tmp_path: Path) -> None:
    tasks = {TASK: bank_samples([1, 0]), "gsm8k": foreign_samples([1, 0])}
    write_run(tmp_path / "fp16", tasks)
    write_run(tmp_path / "q4", tasks, bank={"version": "2.0", "sha256": "c" * 64})
    runs = read_run(tmp_path / "fp16"), [read_run(tmp_path / "q4")]
    assert pair_levels(*runs, "gsm8k")[0].baseline.tolist() == [1, 0]
    with pytest.raises(PairingError, match=r"bank bbbbbbbbbbbb and .*q4 from bank cccccccccccc\. Sweep one"):
        pair_levels(*runs, TASK)
