"""What is wrong with a leaf, found without knowing its templates: ``qbench bank verify FILE`` for authors, and the bank's own tests."""

import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import mean

from qbench.bank import Leaf, check_way_of_asking, leaves, read_leaf, task_fields, tasks_dir
from qbench.errors import AnswerSpecError, BankError, TemplateError
from qbench.near_misses import begins_alike, same_value
from qbench.scoring import check_spec, judge
from qbench.shapes import DIFFICULTIES
from qbench.templates import NUMERIC, Item, Template, draw_values, knob_of, stream

SHOWN = 5  # flaws in one message
DRAWS = 20  # of each difficulty, to average a knob over
ATTEMPTS = 1000  # draws that conditions may turn down before there are DRAWS of them
SLACK = 0.05  # how far the mean of a knob may fall from one difficulty to the next, as a share of its range

BAD_ENGLISH = re.compile(
    r"(?<=\S) {2,}(?=\S)"  # two spaces
    r"|\{\{|\}\}|\bNone\b|\bTrue\b|\bFalse\b"  # a template that shows
    r"|(?<![\d.,/:])\b1 (?!less|pass|minus|is|as|has|was|plus|does|times|divides|gives|equals)[a-z]+s\b"  # 1 apples
    r"| [,.;](?=\s|$)"  # a space before a comma
)


def proofread(path: Path) -> None:
    """Refuse the YAML of a probe that is no probe, or has a flaw.

    Raises:
        BankError: how it is asked is not said, its names are the bank's own, or `flaws` finds something.
        TemplateError: an item cannot be drawn at all.
    """
    leaf = read_leaf(path)
    check_way_of_asking(path)
    found: list[str] = []
    if not path.resolve().is_relative_to(tasks_dir().resolve()):
        ours = {own.task: {template.id for template in own.templates} for own in leaves()}
        if leaf.task in ours:
            found.append(f"The bank has a task named {leaf.task}; choose another name.")
        taken = {template.id for template in leaf.templates} & set().union(*ours.values())
        found += [
            f"The bank has a template named {name}; ids name the random stream, choose another."
            for name in sorted(taken)
        ]
    try:
        found += flaws(leaf)
    except TemplateError as error:
        raise TemplateError(f"{path}: {error}") from None
    if str(task_fields(path).get("class", "")).endswith(".Choice"):
        asked = {item.template for item in leaf.items(items=5, as_choices=True)}
        found += [
            f"Template {template.id}: it cannot be asked as a forced choice; give it distractors."
            for template in leaf.templates
            if template.id not in asked
        ]
    if found:
        shown = " ".join(found[:SHOWN]) + (f" And {len(found) - SHOWN} more." if len(found) > SHOWN else "")
        raise BankError(f"{path} has {len(found)} flaw{'s' if len(found) > 1 else ''}. {shown}")


def flaws(leaf: Leaf, *, items: int = 20) -> list[str]:
    """Read ``items`` items of every template and say what is wrong, a sentence for each flaw.

    Raises:
        TemplateError: an item cannot be drawn at all.
    """
    drawn = leaf.items(items=items)
    found = _one_each(flaw for item in drawn for flaw in _flaws_of(item))
    asked = leaf.items(items=items, as_choices=True)
    found += _one_each(flaw for item in asked for flaw in _flaws_of_choices(item))
    found += _flaws_of_distractors(leaf, asked)
    found += [
        f"The question {question[:60]!r} is asked {count} times."
        for question, count in Counter(item.question for item in drawn).items()
        if count > 1
    ]
    return [*found, *_flaws_of_knobs(leaf)]


def _one_each(found: Iterable[str]) -> list[str]:
    """The first flaw of each template: the others are mostly the same again. Every flaw begins with the item's id."""
    return list({flaw.split(".test.")[0]: flaw for flaw in reversed(list(found))}.values())[::-1]


def _flaws_of(item: Item) -> Iterator[str]:
    try:
        check_spec(json.loads(item.answer))  # a misspelt field is an error, not a default
    except AnswerSpecError as error:
        yield f"{item.id}: {error}"
        return
    response = item.reference or f"{item.solution}\nAnswer: {item.target}"
    verdict = judge(response, json.loads(item.answer))
    if not verdict.correct:
        yield f"{item.id}: its own answer {response[-80:]!r} is judged wrong ({verdict.reason})."
    for text in (item.question, item.form, item.solution, item.reference):
        if text != text.strip() or (match := BAD_ENGLISH.search(text)):
            at = match.start() if match else 0
            yield f"{item.id}: {text[max(0, at - 30) : at + 30]!r} does not read well."


def _flaws_of_choices(item: Item) -> Iterator[str]:
    if item.choices[item.target_index] != item.target:
        yield f"{item.id}: the choice {item.choices[item.target_index]!r} stands where the target {item.target!r} should."
    is_number = json.loads(item.answer)["type"] in NUMERIC
    for one, other in itertools.combinations(item.choices, 2):
        if one == other or (is_number and same_value(one, other)):
            yield f"{item.id}: the choices {item.choices} are not all different."
        elif begins_alike(one, other):
            yield f"{item.id}: of the choices {one!r} and {other!r} the longer one can never be the likelier."
    for position, choice in enumerate(item.choices):
        if position != item.target_index and judge(f"Answer: {choice}", json.loads(item.answer)).correct:
            yield f"{item.id}: the wrong choice {choice!r} is judged right."


def _flaws_of_distractors(leaf: Leaf, asked: list[Item]) -> Iterator[str]:
    """A distractor that is left out now and then is chance; one that is left out of most items was written so."""
    for template in leaf.templates:
        for variant, fields in (template.twins or {"": {}}).items():
            distractors = template.with_fields(fields).distractors
            drawn = [
                item
                for item in asked
                if (item.template, item.variant, item.source) == (template.id, variant, "generated")
            ]
            fewer = [item for item in drawn if len(item.choices) <= len(distractors)]
            if not isinstance(distractors, str) and 2 * len(fewer) > len(drawn):
                yield (
                    f"{fewer[0].id}: it has the choices {fewer[0].choices}, and {len(distractors)} distractors. One that begins as the "
                    "target does, or as another does, is left out; write others."
                )


def _flaws_of_knobs(leaf: Leaf) -> Iterator[str]:
    """Difficulty is a promise: what makes an item hard must grow with it."""
    for template in leaf.templates:
        if template.knob:
            means = knob_means(template)
            if any(map(math.isnan, means)):
                yield f"Template {template.id}: in {ATTEMPTS} draws none met its conditions at one of the difficulties."
            elif not grows(means):
                shown = ", ".join(f"{value:.3g}" for value in means)
                yield f"Template {template.id}: its knob does not grow with the difficulty ({shown})."


def knob_means(template: Template) -> list[float]:
    """The mean of the knob at each difficulty, over draws of their own that no item of the test split is made from."""
    means = []
    for difficulty in DIFFICULTIES:
        draws = (
            draw_values(template, stream(0, template.id, "train", index, difficulty), difficulty)
            for index in range(ATTEMPTS)
        )
        met = itertools.islice((values for values in draws if values is not None), DRAWS)
        knobs = [knob_of(template, values) for values in met]
        means.append(mean(knobs) if knobs else math.nan)
    return means


def grows(means: list[float]) -> bool:
    """Whether the mean of a knob never falls from one difficulty to the next, but for noise, and ends above where it began."""
    slack = SLACK * (max(means) - min(means))
    return means[-1] > means[0] and all(later >= earlier - slack for earlier, later in itertools.pairwise(means))
