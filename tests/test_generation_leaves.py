"""Open questions are judged by what they ask: a text that is empty, echoed, repeated, about something else or broken in one place scores
clearly below the reference, in every template of the three leaves. No rubric of the bank takes the question for an answer to it.

    python tests/test_generation_leaves.py        # the mean score of every control, template by template
"""

import json
import random
import re
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from qbench.bank import Leaf, leaves
from qbench.scoring import judge
from qbench.scoring.degeneration import damage, degeneration
from qbench.scoring.prose import Prose, fold, phrase_pattern
from qbench.templates import Item, draw

LEAVES = [leaf for leaf in leaves() if leaf.category == "generation"]
DRAWN = 30  # items of each template

# The highest mean score of a template. The reference has 1.
CEILINGS = {
    "nothing": 0.0,  # an empty response
    "one word": 0.25,  # as often as the reference has words
    "foreign": 0.4,  # the reference of another template
    "other": 0.5,  # the reference of another item of the same template, so the right form with the wrong content
    "echo": 0.8,  # the question itself
    "half": 0.9,  # the first half of the reference
    "shuffled": 0.8,  # the words of the reference in random order
}


def drawn(leaf: Leaf, position: int, split: str = "test") -> list[Item]:
    families = draw(
        leaf.templates[position],
        category=leaf.category,
        subcategory=leaf.subcategory,
        version=leaf.version,
        split=split,
        seed=0,
        count=DRAWN,
        offset=position,
    )
    return [item for family in families for item in family]


ITEMS = {template.id: drawn(leaf, position) for leaf in LEAVES for position, template in enumerate(leaf.templates)}
REFERENCES = [items[-1].reference for items in ITEMS.values()]  # a late one: no document question


def score(response: str, item: Item) -> float:
    return float(judge(response, json.loads(item.answer)).score)


# ---------------------------------------------------------------- controls


def controls(template: str) -> dict[str, list[float]]:
    """Score every control on every item of a template."""
    items = ITEMS[template]
    own = list(ITEMS).index(template)
    scores: dict[str, list[float]] = {name: [] for name in CEILINGS}
    for index, item in enumerate(items):
        words = item.reference.split()
        responses = {
            "nothing": "",
            "one word": " ".join(["again"] * len(words)),
            "foreign": REFERENCES[(own + 1 + index % (len(REFERENCES) - 1)) % len(REFERENCES)],
            "other": items[(index + 7) % len(items)].reference,  # another difficulty
            "echo": item.question,
            "half": item.reference[: len(item.reference) // 2],
            "shuffled": shuffled(item),
        }
        for name, response in responses.items():
            scores[name].append(score(response, item))
    return scores


def shuffled(item: Item) -> str:
    words = item.reference.split()
    random.Random(item.id).shuffle(words)
    return " ".join(words)


def without(phrases: Any, text: str) -> str:
    """Take the first concept that is found, in all its spellings, out of a text."""
    for concept in phrases:
        pattern = "|".join(phrase_pattern(synonym) for synonym in ([concept] if isinstance(concept, str) else concept))
        if re.search(pattern, fold(text)):
            return re.sub(pattern, "thing", text, flags=re.IGNORECASE)
    return text


def _concepts(options: Any) -> list[Any]:
    return [
        str(option) if not isinstance(option, list) else option
        for option in (options["concepts"] if isinstance(options, dict) else options)
    ]


def _forbidden(options: Any) -> list[str]:
    return list(options["phrases"] if isinstance(options, dict) else options)


def _first(options: Any) -> str:
    return str(options[0] if isinstance(options, list) else options)


# One way to break each check, by its name; None where this item asks nothing of it.
BREAKS: dict[str, Callable[[Any, str], str | None]] = {
    "mentions": lambda options, text: None if "at_least" in options else without(_concepts(options), text),
    "order": lambda options, text: without(_concepts(options), text),
    "avoids": lambda options, text: f"{_forbidden(options)[0]} {text}" if _forbidden(options) else None,
    "sentences": lambda options, text: text + " So it was. So it will be. And so on." if "exactly" in options else None,
    "lines": lambda options, text: text + "\nOne more line." if "exactly" in options else None,
    "paragraphs": lambda options, text: text + "\n\nOne more paragraph." if "exactly" in options else None,
    "words": lambda options, text: text.rstrip(".") + " once more." if "exactly" in options else None,
    "starts_with": lambda options, text: f"Anyway, {text}",
    "ends_with": lambda options, text: f"{text} Anyway" if Prose(_first(options)).words else f"{text} Anyway.",
    "grounded": lambda options, text: re.sub(r"(\w+[.?!,]*)\s*$", r"Zanzibar 8461 \1", text),
    "not_degenerate": lambda options, text: text + " (and [and",
    "acrostic": lambda options, text: f"Zebra {text}" if str(options["letters"])[0] not in "Zz" else None,
    "line_words": lambda options, text: f"more {text}",
    "line_ends": lambda options, text: re.sub(r"(\w)(\W*)$", r"\1y\2", text),
    "without_letters": lambda options, text: re.sub(
        r"^(\w+)", rf"\1{options['letters'] if isinstance(options, dict) else options}", text
    ),
    "case": lambda options, text: text[0] + text[1:].swapcase(),
    "contractions": lambda options, text: f"It's {text}" if "exactly" in options else None,
    "contains_lines_starting": lambda options, text: re.sub(
        rf"^(\W*){re.escape(options[0])}", r"\1Zebra", text, flags=re.MULTILINE
    ),
    "numbered_steps": lambda options, text: text.replace("1.", "2.", 1),
    "fields": lambda options, text: text.replace("{", '{"more": 1, ', 1),
    "json": lambda options, text: text.replace("{", "", 1),
    "own_words": lambda options, text: f"{text} {options['brief']}",
    "occurs": lambda options, text: f"{text} {options['phrase']}",
}


def broken(item: Item) -> dict[str, float]:
    """Break each constraint of an item in turn, and score what is left."""
    scores = {}
    for number, check in enumerate(json.loads(item.answer)["checks"]):
        ((name, options),) = check.items()
        response = BREAKS[name](options, item.reference) if name in BREAKS else None
        if response is not None:
            scores[f"{name} {number}"] = score(response, item)
    return scores


# ---------------------------------------------------------------- tests


@pytest.mark.parametrize("leaf", LEAVES, ids=[leaf.task for leaf in LEAVES])
def test_a_leaf_has_ten_kinds_of_questions(leaf: Leaf) -> None:
    assert len(leaf.templates) >= 10


@pytest.mark.parametrize("template", ITEMS)
def test_the_reference_meets_every_check_at_every_draw(template: str) -> None:
    leaf = next(leaf for leaf in LEAVES if template in [entry.id for entry in leaf.templates])
    position = [entry.id for entry in leaf.templates].index(template)
    for item in [*ITEMS[template], *drawn(leaf, position, "train")]:
        verdict = judge(item.reference, json.loads(item.answer))
        assert verdict.correct, f"{item.id}: {verdict} for {item.reference!r}"


@pytest.mark.parametrize("template", ITEMS)
def test_a_reference_is_short(template: str) -> None:
    for item in ITEMS[template]:
        assert len(item.reference.split()) <= 200, item.id  # well below 512 tokens


@pytest.mark.parametrize("template", ITEMS)
def test_controls_score_clearly_below_the_reference(template: str) -> None:
    means = {name: mean(scores) for name, scores in controls(template).items()}
    assert {name: value for name, value in means.items() if value > CEILINGS[name]} == {}, means


@pytest.mark.parametrize("template", ITEMS)
def test_one_broken_constraint_is_noticed(template: str) -> None:
    for item in ITEMS[template]:
        scores = broken(item)
        assert len(scores) >= 2, item.id
        for name, value in scores.items():
            assert value <= 0.99, f"{item.id}: {name} is broken, and the score is {value}"


@pytest.mark.parametrize("template", ITEMS)
def test_a_text_about_something_else_hardly_ever_passes_six_tenths(template: str) -> None:
    # Now and then a stray text has the one word that an easy item asks for.
    scores = [
        score(reference, item)
        for item in ITEMS[template][::4]
        for other, reference in zip(ITEMS, REFERENCES, strict=True)
        if other != template
    ]
    assert mean(value > 0.6 for value in scores) <= 0.02
    assert max(scores) < 0.9


RUBRICS = {
    item.id.rpartition(".test.")[0]: item
    for leaf in leaves()
    if leaf.category != "generation"
    for item in leaf.items(items=8)
    if json.loads(item.answer)["type"] == "rubric"
}


@pytest.mark.parametrize("template", RUBRICS)
def test_the_question_is_no_answer(template: str) -> None:
    item = RUBRICS[template]
    assert judge(item.reference, json.loads(item.answer)).correct
    echo = judge(item.question, json.loads(item.answer))
    assert not echo.correct
    assert echo.score <= CEILINGS["echo"], echo.details


DOCUMENTS = [item for name, item in RUBRICS.items() if name.startswith("long_context")]


@pytest.mark.parametrize("item", DOCUMENTS, ids=lambda item: item.id)
def test_a_passage_that_is_copied_in_front_of_the_answer_spoils_it(item: Item) -> None:
    passage = item.question.split("\n\n", 1)[1]
    assert not judge(passage, json.loads(item.answer)).correct
    assert score(f"{passage}\n\n{item.reference}", item) < 0.85
    # Who quotes a sentence now and then is still right.
    quoted = next(
        sentence
        for sentence in passage.split(". ")
        if 8 < len(sentence.split()) < 30 and not set(sentence) & {'"', "\n"}
    )
    assert judge(f"{item.reference} It says: {quoted}.", json.loads(item.answer)).correct


def test_word_salad_is_no_answer() -> None:
    long = [item for item in RUBRICS.values() if len(item.reference.split()) >= 60]
    assert not any(judge(shuffled(item), json.loads(item.answer)).correct for item in long)
    assert mean(score(shuffled(item), item) for item in long) < 0.75
    broken_syntax = [degeneration(shuffled(item))["broken_syntax"] for item in long]
    assert mean(share > 0 for share in broken_syntax) > 0.6


def broken_syntax_of(text: str) -> float:
    return float(degeneration(text)["broken_syntax"])


def test_broken_syntax_is_counted_word_by_word() -> None:
    # "The of", "is are" and "the." in eight words; the first is forgiven.
    assert broken_syntax_of("The of the cat is are on the.") == 2 / 8
    assert broken_syntax_of("He wrote the of in his note.") == 0
    assert broken_syntax_of("Party A is one, party B the other, and my in-laws are what they are, or were.") == 0
    assert damage(degeneration("A were to of the and it was are to had, because their of must was a they.")) == 1


def test_plain_english_has_no_broken_syntax() -> None:
    root = Path(__file__).parents[1]
    for path in (root / "README.md", *(root / "docs").glob("*.md")):
        prose = re.sub(
            r"```.*?```|^\|.*?$|`[^`]*`", "X", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
        )
        for paragraph in prose.split("\n\n"):
            text = paragraph.replace("\n", " ")
            assert broken_syntax_of(text) == 0 or '"' in text, text
    references = {item.reference for items in ITEMS.values() for item in items} | {
        item.reference for item in RUBRICS.values()
    }
    assert {text for text in references if broken_syntax_of(text)} == set()


def main(names: list[str]) -> None:
    columns = [*CEILINGS, "broken"]
    print(f"{'template':28}" + "".join(f"{name:>10}" for name in columns))
    for template in ITEMS:
        if not names or template in names:
            means = [mean(scores) for scores in controls(template).values()]
            means.append(mean(value for item in ITEMS[template] for value in broken(item).values()))
            print(f"{template:28}" + "".join(f"{value:10.2f}" for value in means))


if __name__ == "__main__":
    main(sys.argv[1:])
