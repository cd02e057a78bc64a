"""The template language: how one YAML entry becomes as many items as are asked for.

A template names its question (Jinja), the variables in it with one range per difficulty, conditions that the draw must meet, and the
answer: an ``answer`` expression that sympy computes, a ``target`` text, or a ``rubric`` of deterministic checks. docs/templates.md is
the reference for authors; `Template` lists the fields.

Everything random comes from `stream`, so an item depends on the seed, its template, its split and its index, and on nothing else.
"""

import dataclasses
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qbench.errors import AnswerSpecError, TemplateError, did_you_mean
from qbench.expressions import evaluate
from qbench.near_misses import fair, near_misses
from qbench.rendering import plain, render, render_tree, show
from qbench.scoring.tolerance import read_tolerance
from qbench.shapes import (
    ANYTHING,
    DIFFICULTIES,
    DIFFICULTY,
    EXPRESSION,
    EXPRESSIONS,
    MAPPING,
    MAPPINGS,
    TEXT,
    TEXTS_OR_EXPRESSION,
    check,
    shown,
)
from qbench.variables import Values, check_variables, draw_variable, generated

SPLITS = ("test", "validation", "train")  # the position is the split's seed stream: append only
NUMERIC = (
    "number",
    "vector",
    "matrix",
    "set",
    "trace",
    "interval",
    "expression",
)  # answers that have no default tolerance
MAX_ATTEMPTS = 100  # draws before the conditions of a template count as impossible
DEFAULT_DOCUMENT_DIFFICULTY = 3


@dataclass(frozen=True)
class Item:
    """One question with its target: a row of the dataset that lm-eval sees."""

    id: str
    category: str
    subcategory: str
    template: str
    difficulty: int
    split: str
    source: str
    """``document`` for the word-for-word questions of the source document, else ``generated``."""
    version: str
    variant: str
    """Which of a family of twins this is (``clean``, ``heavy``, …); empty without twins."""
    twin: str
    """The id of the family's first variant, which the others are held against; empty without twins."""
    knob: float
    """What makes the item hard, measured: digits, steps, distractors. Comparable within a template only."""
    question: str
    form: str
    """What the prompt asks for, in words: ``a whole number``."""
    target: str
    """The reference answer as text; empty for a rubric."""
    solution: str
    """Worked steps in front of the answer, for few-shot examples and training text; often empty."""
    reference: str
    """A response that satisfies the rubric; empty for a closed answer."""
    choices: list[str]
    target_index: int
    declining_index: int
    """The choice that declines to answer; -1 if none does."""
    answer: str
    """The answer spec as JSON, as `qbench.scoring.judge` reads it."""
    seed: int
    index: int

    def row(self) -> Values:
        return dataclasses.asdict(self)

    def text(self) -> str:
        """The item as a person reads it."""
        about = f"difficulty {self.difficulty}, knob {self.knob:g}, {self.source}"
        lines = [f"{self.id}  ({about})", *(f"    {line}" for line in self.question.splitlines())]
        lines += [f"  asked for  {self.form}", f"  target     {self.target}"] if self.target else []
        for name, long in (("solution", self.solution), ("reference", self.reference)):
            lines += [f"  {name:10} {line}" for line in long.splitlines()]
        lines += [f"  choices    {' | '.join(self.choices)}"] if self.choices else []
        return "\n".join([*lines, f"  judged by  {self.answer}"])


@dataclass(frozen=True)
class Template:
    """One generator of items, and the statistical cluster they belong to."""

    id: str
    question: str
    variables: Values = field(default_factory=dict)
    generate: str = ""
    """``file.function`` of qbench.generators that returns further variables: what YAML cannot say."""
    options: Values = field(default_factory=dict)
    """Keyword arguments for ``generate``."""
    conditions: list[str] = field(default_factory=list)
    answer: str = ""
    """An expression; sympy computes the target from it."""
    target: str = ""
    """The target as Jinja text, where it is no number."""
    rubric: list[Any] = field(default_factory=list)
    reference: str = ""
    distractors: list[str] | str = field(default_factory=list)
    """Wrong answers of a forced choice: Jinja texts, or one expression that gives a list."""
    declines: str = ""
    """The answer or choice that declines to answer, as Jinja text: ``There is no such country``."""
    scored_as: Values = field(default_factory=dict)
    form: str = ""
    solution: str = ""
    knob: str = ""
    """An expression that measures what makes an item hard; its mean grows with the difficulty."""
    twins: dict[str, Values] = field(default_factory=dict)
    """Named variants that share every drawn value; each overrides some of the fields above, and the first is what the
    others are held against."""
    document: Values = field(default_factory=dict)
    """The source document's own question: ``difficulty``, drawn ``values``, and any field it words differently."""

    def __post_init__(self) -> None:
        ways = [name for name in ("answer", "target", "rubric") if getattr(self, name)]
        if len(ways) != 1 and not self.twins:
            raise TemplateError(f"{self.id}: give exactly one of answer, target and rubric; it has {ways or 'none'}.")
        if self.rubric and not self.reference:
            raise TemplateError(f"{self.id}: a rubric needs a reference response that satisfies it; add `reference`.")
        if len(self.twins) == 1:
            raise TemplateError(f"{self.id}: twins are two or more; it names only {next(iter(self.twins))!r}.")

    @classmethod
    def from_yaml(cls, entry: Any) -> "Template":
        """Read one entry of a leaf's ``templates`` list.

        Raises:
            TemplateError: the entry is no mapping, or a field is missing, unknown or of another shape than FIELDS says.
        """
        if not isinstance(entry, Mapping):
            raise TemplateError(f"A template is a mapping with at least an id and a question, not {shown(entry)}.")
        place = f"Template {entry.get('id', 'without an id')}"
        check(entry, place, FIELDS, required=("id", "question"))
        check_variables(entry.get("variables", {}), place)
        document, twins = entry.get("document", {}), entry.get("twins", {})
        for within, fields, shapes in (
            *((f"{place}, twin {name}", twin, OVERRIDES) for name, twin in twins.items()),
            (f"{place}, document", document, OVERRIDES | OF_A_DOCUMENT),
        ):
            check(fields, within, shapes)
            check_variables(fields.get("variables", {}), within)
        if not entry.get("generate"):  # else its values may be any of the generator's
            drawn = entry.get("variables", {}) | document.get("variables", {})
            check(document.get("values", {}), f"{place}, document, values", dict.fromkeys(drawn, ANYTHING))
        if document.get("variant", "") not in ("", *twins):
            raise TemplateError(
                f"{place}, document: there is no twin {document['variant']!r}.{did_you_mean(document['variant'], twins)}"
            )
        return cls(**entry)

    def with_fields(self, overrides: Mapping[str, Any]) -> "Template":
        """The same template with some fields worded differently; naming one kind of answer drops the others."""
        fields = {key: value for key, value in overrides.items() if key not in OF_A_DOCUMENT}
        if fields.keys() & {"answer", "target", "rubric"}:
            fields = {"answer": "", "target": "", "rubric": [], **fields}
        if fields.get("rubric"):  # what belongs to a closed answer goes with it
            fields = {"solution": "", "form": "", "distractors": [], **fields}
        return dataclasses.replace(self, **fields)


FIELDS = {
    "id": TEXT,
    "question": TEXT,
    "variables": MAPPING,
    "generate": TEXT,
    "options": MAPPING,
    "conditions": EXPRESSIONS,
    "answer": EXPRESSION,
    "target": TEXT,
    "rubric": MAPPINGS,
    "reference": TEXT,
    "distractors": TEXTS_OR_EXPRESSION,
    "declines": TEXT,
    "scored_as": MAPPING,
    "form": TEXT,
    "solution": TEXT,
    "knob": EXPRESSION,
    "twins": MAPPING,
    "document": MAPPING,
}
OVERRIDES = {name: shape for name, shape in FIELDS.items() if name not in ("id", "twins", "document")}
OF_A_DOCUMENT = {"difficulty": DIFFICULTY, "values": MAPPING, "variant": TEXT}


# ---------------------------------------------------------------- drawing items


def stream(seed: int, template_id: str, split: str, index: int, attempt: int = 0) -> np.random.Generator:
    """Return the random stream of one draw. Named, not numbered: seed 1 item 2 shares nothing with seed 2 item 1."""
    return np.random.default_rng([seed, zlib.crc32(template_id.encode()), SPLITS.index(split), index, attempt])


def draw(
    template: Template,
    *,
    category: str,
    subcategory: str,
    version: str,
    split: str,
    seed: int,
    count: int,
    offset: int,
    as_choices: bool = False,
) -> list[list[Item]]:
    """Draw ``count`` items of one template: a list of single items, or of families of twins.

    Difficulty runs through 1 to 5, starting at ``offset``, so that the first items of many templates are balanced. Item 0 of the test
    split is the source document's own question where there is one. A draw that repeats an earlier question is made again; a template
    whose range is exhausted stops early.

    Args:
        as_choices: give an item without distractors of its own the ones of `qbench.near_misses`, where its answer has any.

    Raises:
        TemplateError: an undefined variable, an expression without a value, or conditions that no draw meets.
    """
    draws: list[list[Item]] = []
    seen: set[str] = set()
    exhausted: set[int] = set()  # difficulties at which no new question is left
    for index in range(-(-count // max(1, len(template.twins)))):
        is_document = bool(template.document) and index == 0 and split == "test"
        difficulty = 1 + (index + offset) % len(DIFFICULTIES)
        source = template
        if is_document:
            difficulty = template.document.get("difficulty", DEFAULT_DOCUMENT_DIFFICULTY)
            source = template.with_fields(template.document)
        if difficulty in exhausted:
            continue
        for attempt in range(MAX_ATTEMPTS):
            rng = stream(seed, template.id, split, index, attempt)
            values = draw_values(source, rng, difficulty, template.document.get("values") if is_document else None)
            if values is None:
                continue
            stem = f"{category}_{subcategory}.{template.id}.{split}.{index}"
            word_for_word = template.document.get("variant", "") if is_document else None
            family = [
                _item(
                    source.with_fields(fields),
                    values,
                    rng,
                    as_choices=as_choices,
                    id=f"{stem}.{name}" if name else stem,
                    category=category,
                    subcategory=subcategory,
                    difficulty=difficulty,
                    split=split,
                    source="document" if word_for_word in ("", name) else "generated",
                    version=version,
                    variant=name,
                    twin=f"{stem}.{next(iter(source.twins))}" if source.twins else "",
                    seed=seed,
                    index=index,
                )
                for name, fields in (source.twins or {"": {}}).items()
            ]
            if not seen & {item.question for item in family}:
                seen |= {item.question for item in family}
                draws.append(family)
                break
        else:
            exhausted.add(difficulty)
    if not draws:
        raise TemplateError(
            f"Template {template.id}: no draw at difficulty {min(exhausted)} met the conditions in {MAX_ATTEMPTS} attempts. Widen the "
            "ranges or relax the conditions."
        )
    return draws


def draw_values(
    template: Template, rng: np.random.Generator, difficulty: int, fixed: Values | None = None
) -> Values | None:
    """Draw the variables in the order they are written, or return None when a condition is not met.

    Raises:
        TemplateError: a variable or a condition cannot be computed.
    """
    values: Values = {"difficulty": difficulty}
    if fixed is not None:
        values |= {name: plain(value) for name, value in fixed.items()}
    elif template.generate:
        try:
            values |= generated(template.generate, rng, difficulty, template.options)
        except TemplateError as error:
            raise TemplateError(f"Template {template.id}: {error}") from None
    for name, spec in template.variables.items():
        if fixed is None or name not in fixed:
            try:
                values[name] = draw_variable(spec, rng, difficulty, values)
            except TemplateError as error:
                raise TemplateError(f"Template {template.id}, variable {name}: {error}") from None
    if fixed is None:
        try:
            if not all(evaluate(condition, values) for condition in template.conditions):
                return None
        except TemplateError as error:
            raise TemplateError(f"Template {template.id}, conditions: {error}") from None
    return values


def _item(template: Template, values: Values, rng: np.random.Generator, *, as_choices: bool, **identity: Any) -> Item:
    """Render one variant of a draw."""
    try:
        rubric = {"type": "rubric", "checks": render_tree(template.rubric, values)}
        spec = rubric if template.rubric else render_tree(template.scored_as, values)
        if spec.get("type") in NUMERIC and "tolerance" not in spec:
            raise TemplateError(
                "its scored_as names no tolerance; every number needs one, such as tolerance: {mode: exact}."
            )
        spec.setdefault("tolerance", {"mode": "exact"})
        _check_tolerance(spec)
        target = ""
        if template.answer:
            target, spec["target"] = show(evaluate(template.answer, values), spec)
        elif not template.rubric:
            target = render(template.target, values)
            spec.setdefault("target", target)
        wrong = _distractors(template, values, target)
        if as_choices and not wrong:
            wrong = near_misses(template.answer, template.variables, values, target, spec, rng)
        choices, target_index = _choices(target, wrong, rng)
        declines = render(template.declines, values)
        shown = {**values, "target": target}
        return Item(
            **identity,
            template=template.id,
            knob=knob_of(template, values) if template.knob else 0.0,
            question=render(template.question, values),
            form=render(template.form, values) or DEFAULT_FORMS.get(spec.get("type", ""), "the answer"),
            target=target,
            solution=render(template.solution, shown),
            reference=render(template.reference, shown),
            choices=choices,
            target_index=target_index,
            declining_index=choices.index(declines) if declines in choices else -1,
            answer=json.dumps(spec, ensure_ascii=False, sort_keys=True),
        )
    except (TemplateError, AnswerSpecError) as error:
        raise TemplateError(f"Template {template.id}, item {identity['id']}: {error}") from None
    except KeyError as error:
        raise TemplateError(f"Template {template.id}: its scored_as lacks {error}.") from None


def _check_tolerance(spec: Values) -> None:
    check(spec["tolerance"], "its tolerance", {}, and_others=True)
    try:
        read_tolerance(spec)
    except AnswerSpecError as error:
        raise TemplateError(f"its tolerance: {error}") from None


def knob_of(template: Template, values: Values) -> float:
    """What the template's knob measures in one draw.

    Raises:
        TemplateError: it is no number.
    """
    measured = evaluate(template.knob, values)
    try:
        return float(measured)
    except (TypeError, ValueError):
        raise TemplateError(
            f"its knob {template.knob!r} is {shown(plain(measured))}, which is no number; measure what makes it hard."
        ) from None


DEFAULT_FORMS = {
    "boolean": "Yes or No",
    "choice": "the letter of the right option",
    "number": "a number",
    "set": "a list of numbers in braces",
    "text": "a word or a short phrase",
    "trace": "all values in order, separated by commas",
    "vector": "a list of numbers in brackets",
    "matrix": "a matrix as a list of rows in brackets",
}


def _distractors(template: Template, values: Values, target: str) -> list[str]:
    """The template's own wrong choices, but for those that begin as the target or an earlier one does."""
    if isinstance(template.distractors, str):
        listed = evaluate(template.distractors, values)
        if not isinstance(listed, list):
            raise TemplateError(f"its distractors must be {TEXTS_OR_EXPRESSION.words}, not {shown(plain(listed))}.")
        wrong = [str(plain(choice)) for choice in listed]
    else:
        wrong = [render(choice, values) for choice in template.distractors]
    if len({target, *wrong}) < 1 + len(wrong):
        raise TemplateError(f"the choices {[target, *wrong]} are not all different.")
    return fair(target, wrong)


def _choices(target: str, wrong: list[str], rng: np.random.Generator) -> tuple[list[str], int]:
    """Put the target at a random place among the distractors; without any, there is no choice."""
    if not wrong:
        return [], -1
    target_index = int(rng.integers(len(wrong) + 1))
    return [*wrong[:target_index], target, *wrong[target_index:]], target_index
