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

from qbench.errors import TemplateError, did_you_mean
from qbench.expressions import evaluate
from qbench.rendering import plain, render, render_tree, show
from qbench.variables import DIFFICULTIES, Values, draw_variable, generator

SPLITS = ("test", "validation", "train")  # the position is the split's seed stream: append only
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
    """Which of a pair of twins this is (``clean``, ``perturbed``, …); empty without a twin."""
    twin: str
    """The id of the other twin; empty without one."""
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
    answer: str
    """The answer spec as JSON, as `qbench.scoring.judge` reads it."""
    seed: int
    index: int

    def row(self) -> Values:
        return dataclasses.asdict(self)


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
    scored_as: Values = field(default_factory=dict)
    form: str = ""
    solution: str = ""
    twins: dict[str, Values] = field(default_factory=dict)
    """Two named variants that share every drawn value; each overrides some of the fields above."""
    document: Values = field(default_factory=dict)
    """The source document's own question: ``difficulty``, drawn ``values``, and any field it words differently."""

    def __post_init__(self) -> None:
        ways = [name for name in ("answer", "target", "rubric") if getattr(self, name)]
        if len(ways) != 1 and not self.twins:
            raise TemplateError(f"{self.id}: give exactly one of answer, target and rubric; it has {ways or 'none'}.")
        if self.rubric and not self.reference:
            raise TemplateError(f"{self.id}: a rubric needs a reference response that satisfies it; add `reference`.")
        if self.twins and len(self.twins) != 2:
            raise TemplateError(f"{self.id}: twins come in pairs; it names {len(self.twins)}.")

    @classmethod
    def from_yaml(cls, entry: Any) -> "Template":
        """Read one entry of a leaf's ``templates`` list.

        Raises:
            TemplateError: the entry is no mapping, or a field is missing or unknown.
        """
        if not isinstance(entry, Mapping) or "id" not in entry or "question" not in entry:
            raise TemplateError(f"A template is a mapping with at least an id and a question, not {str(entry)[:80]!r}.")
        known = {spec.name for spec in dataclasses.fields(cls)}
        overrides = {*known - {"id", "twins", "document"}}
        for place, keys, allowed in (
            ("", entry, known),
            *((f", twin {name}", twin, overrides) for name, twin in (entry.get("twins") or {}).items()),
            (", document", entry.get("document") or {}, overrides | {"difficulty", "values"}),
        ):
            for key in keys or ():
                if key not in allowed:
                    raise TemplateError(
                        f"Template {entry['id']}{place}: there is no field {key!r}.{did_you_mean(str(key), allowed)}"
                    )
        return cls(**entry)

    def with_fields(self, overrides: Mapping[str, Any]) -> "Template":
        """The same template with some fields worded differently; naming one kind of answer drops the others."""
        fields = {key: value for key, value in overrides.items() if key not in ("difficulty", "values")}
        if fields.keys() & {"answer", "target", "rubric"}:
            fields = {"answer": "", "target": "", "rubric": [], **fields}
        if fields.get("rubric"):  # what belongs to a closed answer goes with it
            fields = {"solution": "", "form": "", "distractors": [], **fields}
        return dataclasses.replace(self, **fields)


# ---------------------------------------------------------------- drawing items


def stream(seed: int, template_id: str, split: str, index: int, attempt: int = 0) -> np.random.Generator:
    """Return the random stream of one draw. Named, not numbered: seed 1 item 2 shares nothing with seed 2 item 1."""
    return np.random.default_rng([seed, zlib.crc32(template_id.encode()), SPLITS.index(split), index, attempt])


def draw(
    template: Template, *, category: str, subcategory: str, version: str, split: str, seed: int, count: int, offset: int
) -> list[list[Item]]:
    """Draw ``count`` items of one template: a list of single items, or of pairs of twins.

    Difficulty runs through 1 to 5, starting at ``offset``, so that the first items of many templates are balanced. Item 0 of the test
    split is the source document's own question where there is one. A draw that repeats an earlier question is made again; a template
    whose range is exhausted stops early.

    Raises:
        TemplateError: an undefined variable, an expression without a value, or conditions that no draw meets.
    """
    draws: list[list[Item]] = []
    seen: set[str] = set()
    exhausted: set[int] = set()  # difficulties at which no new question is left
    n_draws = -(-count // 2) if template.twins else count
    for index in range(n_draws):
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
            values = _draw_values(
                source, rng, difficulty, fixed=template.document.get("values") if is_document else None
            )
            if values is None:
                continue
            variants = [(name, source.with_fields(fields)) for name, fields in source.twins.items()] or [("", source)]
            stem = f"{category}_{subcategory}.{template.id}.{split}.{index}"
            names = [f"{stem}.{name}" if name else stem for name, _ in variants]
            pair = [
                _item(
                    variant,
                    values,
                    rng,
                    id=names[position],
                    category=category,
                    subcategory=subcategory,
                    difficulty=difficulty,
                    split=split,
                    source="document" if is_document else "generated",
                    version=version,
                    variant=name,
                    twin=names[1 - position] if len(names) == 2 else "",
                    seed=seed,
                    index=index,
                )
                for position, (name, variant) in enumerate(variants)
            ]
            if not seen & {item.question for item in pair}:
                seen |= {item.question for item in pair}
                draws.append(pair)
                break
        else:
            exhausted.add(difficulty)
    if not draws:
        raise TemplateError(
            f"Template {template.id}: no draw at difficulty {min(exhausted)} met the conditions in {MAX_ATTEMPTS} attempts. Widen the "
            "ranges or relax the conditions."
        )
    return draws


def _draw_values(template: Template, rng: np.random.Generator, difficulty: int, fixed: Values | None) -> Values | None:
    """Draw the variables in the order they are written, or return None when a condition is not met."""
    values: Values = {"difficulty": difficulty}
    if fixed is not None:
        values |= {name: plain(value) for name, value in fixed.items()}
    elif template.generate:
        try:
            values |= generator(template.generate)(rng, difficulty, **template.options)
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


def _item(template: Template, values: Values, rng: np.random.Generator, **identity: Any) -> Item:
    """Render one variant of a draw."""
    try:
        spec = render_tree(template.scored_as, values)
        choices: list[str] = []
        target_index = -1
        if template.rubric:
            target = ""
            spec = {"type": "rubric", "checks": render_tree(template.rubric, values)}
        elif template.answer:
            target, spec["target"] = show(evaluate(template.answer, values), spec)
        else:
            target = render(template.target, values)
            spec.setdefault("target", target)
        if template.distractors:
            choices, target_index = _choices(template, target, values, rng)
        spec.setdefault("tolerance", {"mode": "exact"})
        shown = {**values, "target": target}
        return Item(
            **identity,
            template=template.id,
            question=render(template.question, values),
            form=render(template.form, values) or DEFAULT_FORMS.get(spec.get("type", ""), "the answer"),
            target=target,
            solution=render(template.solution, shown),
            reference=render(template.reference, shown),
            choices=choices,
            target_index=target_index,
            answer=json.dumps(spec, ensure_ascii=False, sort_keys=True),
        )
    except TemplateError as error:
        raise TemplateError(f"Template {template.id}, item {identity['id']}: {error}") from None


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


def _choices(template: Template, target: str, values: Values, rng: np.random.Generator) -> tuple[list[str], int]:
    """Put the target at a random place among the distractors."""
    if isinstance(template.distractors, str):
        wrong = [str(plain(choice)) for choice in evaluate(template.distractors, values)]
    else:
        wrong = [render(choice, values) for choice in template.distractors]
    if target in wrong or len(set(wrong)) < len(wrong):
        raise TemplateError(f"the choices {[target, *wrong]} are not all different.")
    target_index = int(rng.integers(len(wrong) + 1))
    return [*wrong[:target_index], target, *wrong[target_index:]], target_index
