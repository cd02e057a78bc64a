"""The bank is whole: every leaf is there, every item can be asked, and every reference answer is right."""

import functools
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from independent import mpmath_answer, same
from lm_eval.tasks import TaskManager

from qbench.bank import (
    CATEGORIES,
    DEFAULT_ITEMS,
    Leaf,
    digest,
    leaves,
    load_choices,
    load_items,
    release,
    task_fields,
    tasks_dir,
    version,
)
from qbench.errors import BankError
from qbench.expressions import evaluate
from qbench.proofreading import flaws
from qbench.scoring import judge
from qbench.templates import Item, draw_values, stream

LEAVES = leaves()
IDS = [leaf.task for leaf in LEAVES]


@functools.cache
def items_of(leaf_task: str) -> list[Item]:
    """The default items of a leaf, drawn once."""
    return next(leaf for leaf in LEAVES if leaf.task == leaf_task).items()


@pytest.fixture(scope="module")
def items() -> dict[str, list[Item]]:
    return {task: items_of(task) for task in IDS}


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


@pytest.mark.parametrize("leaf", LEAVES, ids=IDS)
def test_a_leaf_is_deep_enough_for_statistics(leaf: Leaf) -> None:
    assert len(leaf.templates) >= 10


@pytest.mark.parametrize("leaf", LEAVES, ids=IDS)
def test_every_template_says_what_makes_it_hard(leaf: Leaf) -> None:
    assert [template.id for template in leaf.templates if not template.knob] == []


@pytest.mark.parametrize("leaf", LEAVES, ids=IDS)
def test_proofreading_finds_nothing(leaf: Leaf) -> None:
    # Targets score themselves correct, distractors score wrong, no question is asked twice, knobs grow, English reads well.
    assert flaws(leaf) == []


@pytest.mark.parametrize("task", IDS)
def test_ids_are_unique(task: str) -> None:
    assert len({item.id for item in items_of(task)}) == len(items_of(task))


@pytest.mark.parametrize("task", [task for task in IDS if "generation" not in task])
def test_the_choice_view_asks_every_template_with_a_closed_answer(task: str) -> None:
    leaf = next(leaf for leaf in LEAVES if leaf.task == task)
    closed = {item.template for item in items_of(task) if json.loads(item.answer)["type"] != "rubric"}
    view = leaf.items(as_choices=True)
    assert {item.template for item in view} == closed
    assert {item.question for item in view} <= {item.question for item in items_of(task)}


@pytest.mark.parametrize("leaf", LEAVES, ids=IDS)
def test_answer_expressions_agree_with_another_evaluator(leaf: Leaf) -> None:
    compared = 0
    for template in leaf.templates:
        for index in range(10 if template.answer else 0):
            values = draw_values(template, stream(7, template.id, "train", index), 1 + index % 5)
            if values is None:
                continue
            ours, theirs = evaluate(template.answer, values), mpmath_answer(template, values)
            assert same(ours, theirs), (
                f"{template.id}: {template.answer} is {ours}, and {theirs} to mpmath, of {values}"
            )
            compared += 1
    assert compared or not any(template.answer for template in leaf.templates)


@pytest.mark.parametrize("leaf", LEAVES, ids=IDS)
def test_every_prefix_is_balanced_over_templates_and_difficulty(leaf: Leaf) -> None:
    drawn = items_of(leaf.task)
    first_round = drawn[: sum(max(1, len(template.twins)) for template in leaf.templates)]
    assert {item.template for item in first_round} == {template.id for template in leaf.templates}
    levels = Counter(item.difficulty for item in drawn)
    assert set(levels) == {1, 2, 3, 4, 5}


def test_twins_point_at_the_first_of_their_family(items: dict[str, list[Item]]) -> None:
    twins = {item.id: item for drawn in items.values() for item in drawn if item.twin}
    assert twins
    for item in twins.values():
        first = twins[item.twin]
        assert first.twin == first.id
        assert (first.template, first.difficulty, first.index) == (item.template, item.difficulty, item.index)
        assert item is first or item.variant != first.variant


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


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"qb_items": 0}, "qb_items takes a whole number, 1 or more, not 0."),
        ({"qb_items": "ten"}, "qb_items takes a whole number, 1 or more, not 'ten'."),
        ({"qb_items": 2.5}, "qb_items takes a whole number, 1 or more, not 2.5."),
        ({"qb_seed": -1}, "qb_seed takes a whole number, 0 or more, not -1."),
        ({"qb_context_words": "many"}, "qb_context_words takes one or more whole numbers above zero"),
    ],
)
def test_numbers_of_the_command_line_are_checked(asked: dict[str, Any], message: str) -> None:
    template = task_fields(tasks_dir() / "numerical" / "arithmetic.yaml")["dataset_kwargs"]["templates"][0]
    with pytest.raises(BankError, match=message):
        load_items(category="mine", subcategory="one", templates=[template], **asked)
    with pytest.raises(BankError, match=message):
        load_choices(leaf="numerical/arithmetic", **asked)


def test_numbers_of_the_command_line_may_be_texts() -> None:
    as_text, as_number = (
        load_choices(leaf="numerical/arithmetic", **asked)["test"]["id"]
        for asked in ({"qb_items": "1", "qb_seed": "3"}, {"qb_items": 1, "qb_seed": 3})
    )
    assert list(as_text) == list(as_number)


def test_items_tasks_and_release_have_one_version(items: dict[str, list[Item]]) -> None:
    assert {item.version for drawn in items.values() for item in drawn} == {version()} == {release()["version"]}
    found = [task_fields(path) for path in tasks_dir().glob("*/*.yaml")]
    assert {str(task["metadata"]["version"]) for task in found if "dataset_kwargs" in task} == {version()}


def test_all_ninety_questions_of_the_source_document_are_asked_word_for_word(items: dict[str, list[Item]]) -> None:
    wanted = json.loads((Path(__file__).parent / "document_questions.json").read_text(encoding="utf-8"))
    assert len(wanted) == 90
    asked = [item.question for drawn in items.values() for item in drawn if item.source == "document"]
    # A question that refers to a document is followed by it.
    missing = [text for text in wanted if not any(q == text or q.startswith(text + "\n") for q in asked)]
    assert missing == []


GARDEN = (
    "The garden behind the house is quiet in the morning. Two cats sleep under the old apple tree while the wind moves the grass. My "
    "neighbour waters her roses and talks about the weather. Later the children come home, eat bread and play with a red ball. In the "
    "evening the light turns soft, the birds fall silent, and we sit on the bench until it gets cold and dark."
)


def test_a_text_about_something_else_earns_next_to_nothing() -> None:
    answers = [json.loads(item.answer) for leaf in leaves() for item in leaf.items("test", items=2)]
    scores = [judge(GARDEN, answer).score for answer in answers if answer["type"] == "rubric"]
    assert max(scores) < 0.5
    assert sum(scores) / len(scores) < 0.05
