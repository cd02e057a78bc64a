"""The bank is whole: every leaf is there, every item can be asked, and every reference answer is right."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from lm_eval.tasks import TaskManager

from qbench.bank import CATEGORIES, DEFAULT_ITEMS, Leaf, digest, leaves, tasks_dir
from qbench.scoring import check_spec, judge
from qbench.templates import Item

LEAVES = leaves()
IDS = [leaf.task for leaf in LEAVES]


@pytest.fixture(scope="module")
def items() -> dict[str, list[Item]]:
    return {leaf.task: leaf.items() for leaf in LEAVES}


@pytest.fixture(scope="module")
def manager() -> TaskManager:
    return TaskManager(include_path=str(tasks_dir()), include_defaults=False)


def test_there_are_ten_categories_of_three_leaves() -> None:
    assert Counter(leaf.category for leaf in LEAVES) == dict.fromkeys(CATEGORIES, 3)


def test_every_yaml_becomes_a_task(manager: TaskManager) -> None:
    indexed = {entry.yaml_path.resolve() for entry in manager.task_index.values() if entry.yaml_path}
    on_disk = {path.resolve() for path in tasks_dir().glob("*/*.yaml") if path.parent.name != "facts"}
    assert on_disk == indexed


def test_the_groups_hold_every_leaf_once(manager: TaskManager) -> None:
    loaded = manager.load("qbench")
    assert sorted(loaded["tasks"]) == sorted(IDS)
    assert {name for name in loaded["groups"] if name != "qbench"} == {f"qbench-{category}" for category in CATEGORIES}


def test_the_glob_means_the_thirty_leaves_once_each(manager: TaskManager) -> None:
    loaded = manager.load(manager.match_tasks(["qbench_*"]))
    assert sorted(loaded["tasks"]) == sorted(IDS)
    assert not loaded.get("groups")


def test_template_ids_are_unique_in_the_bank() -> None:
    # The id names the random stream and the statistical cluster.
    counts = Counter(template.id for leaf in LEAVES for template in leaf.templates)
    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("leaf", LEAVES, ids=IDS)
def test_a_leaf_is_named_after_its_place(leaf: Leaf) -> None:
    assert leaf.path is not None
    assert (leaf.category, leaf.subcategory) == (leaf.path.parent.name, leaf.path.stem)
    assert leaf.task == f"qbench_{leaf.category}_{leaf.subcategory}"
    assert len(leaf.templates) >= 2


@pytest.mark.parametrize("task", IDS)
def test_every_reference_answer_scores_itself_correct(task: str, items: dict[str, list[Item]]) -> None:
    for item in items[task]:
        check_spec(json.loads(item.answer))  # a misspelt field is an error, not a default
        if item.choices:
            assert item.choices[item.target_index] == item.target, item.id
        if item.category == "knowledge":  # forced choice
            continue
        response = item.reference or f"{item.solution}\nAnswer: {item.target}"
        verdict = judge(response, json.loads(item.answer))
        assert verdict.correct, f"{item.id}: {verdict} for {response!r}"


@pytest.mark.parametrize("task", IDS)
def test_questions_read_well(task: str, items: dict[str, list[Item]]) -> None:
    for item in items[task]:
        assert item.question == item.question.strip()
        for text in (item.question, item.form, item.solution, item.reference):
            flaw = re.search(
                r"(?<=\S) {2,}(?=\S)|\{\{|\bNone\b|(?<![\d.,/])\b1 (?!less|pass|minus|is|as|has|was)[a-z]+s\b| [,.;](?=\s|$)",
                text,
            )
            assert flaw is None, f"{item.id}: {text[max(0, flaw.start() - 40) : flaw.end() + 40]!r}"


@pytest.mark.parametrize("task", IDS)
def test_no_question_is_asked_twice(task: str, items: dict[str, list[Item]]) -> None:
    assert [question for question, count in Counter(item.question for item in items[task]).items() if count > 1] == []
    assert len({item.id for item in items[task]}) == len(items[task])


@pytest.mark.parametrize("leaf", LEAVES, ids=IDS)
def test_every_prefix_is_balanced_over_templates_and_difficulty(leaf: Leaf, items: dict[str, list[Item]]) -> None:
    drawn = items[leaf.task]
    first_round = drawn[: len(leaf.templates) * 2]
    assert {item.template for item in first_round} == {template.id for template in leaf.templates}
    levels = Counter(item.difficulty for item in drawn)
    assert set(levels) == {1, 2, 3, 4, 5}


def test_twins_point_at_each_other(items: dict[str, list[Item]]) -> None:
    twins = {item.id: item for drawn in items.values() for item in drawn if item.twin}
    assert twins
    for item in twins.values():
        other = twins[item.twin]
        assert other.twin == item.id
        assert (other.template, other.difficulty, other.index) == (item.template, item.difficulty, item.index)


def test_items_do_not_depend_on_the_hash_seed(items: dict[str, list[Item]]) -> None:
    command = "from qbench.bank import *; print(digest(default_items()))"
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        printed = subprocess.run(
            [sys.executable, "-c", command], env=environment, check=True, capture_output=True, text=True
        ).stdout
        assert printed.strip() == digest(item for drawn in items.values() for item in drawn)


def test_items_do_not_depend_on_which_leaves_were_chosen(items: dict[str, list[Item]]) -> None:
    alone = next(leaf for leaf in leaves() if leaf.task == "qbench_logic_deduction")
    assert alone.items(items=DEFAULT_ITEMS) == items["qbench_logic_deduction"]


def test_the_release_is_this_bank() -> None:
    from qbench.bank import verify

    assert verify()["items"] > 1000


def test_all_ninety_questions_of_the_source_document_are_asked_word_for_word(items: dict[str, list[Item]]) -> None:
    wanted = json.loads((Path(__file__).parent / "document_questions.json").read_text(encoding="utf-8"))
    assert len(wanted) == 90
    asked = [item.question for drawn in items.values() for item in drawn if item.source == "document"]
    # A question that refers to a document is followed by it.
    missing = [text for text in wanted if not any(q == text or q.startswith(text + "\n") for q in asked)]
    assert missing == []
