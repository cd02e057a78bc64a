"""The template language: how one YAML entry becomes as many items as are asked for.

A template names its question (Jinja), the variables in it with one range per difficulty, conditions that the draw must meet, and the
answer: an ``answer`` expression that sympy computes, a ``target`` text, or a ``rubric`` of deterministic checks. docs/templates.md is
the reference for authors; `Template` lists the fields.

Everything random comes from `stream`, so an item depends on the seed, its template, its split and its index, and on nothing else.
"""

import csv
import dataclasses
import functools
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Context, Decimal
from importlib import import_module
from importlib.resources import files
from typing import Any

import jinja2
import numpy as np
import sympy
import yaml
from jinja2.sandbox import ImmutableSandboxedEnvironment

from qbench.errors import TemplateError, did_you_mean
from qbench.expressions import evaluate, exact

DIFFICULTIES = (1, 2, 3, 4, 5)
SPLITS = ("test", "validation", "train")  # the position is the split's seed stream: append only
MAX_ATTEMPTS = 100  # draws before the conditions of a template count as impossible
DEFAULT_DOCUMENT_DIFFICULTY = 3

Values = dict[str, Any]


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
        values |= {name: _plain(value) for name, value in fixed.items()}
    elif template.generate:
        try:
            values |= _generator(template.generate)(rng, difficulty, **template.options)
        except TemplateError as error:
            raise TemplateError(f"Template {template.id}: {error}") from None
    for name, spec in template.variables.items():
        if fixed is None or name not in fixed:
            try:
                values[name] = _draw_variable(spec, rng, difficulty, values)
            except TemplateError as error:
                raise TemplateError(f"Template {template.id}, variable {name}: {error}") from None
    if fixed is None:
        try:
            if not all(evaluate(condition, values) for condition in template.conditions):
                return None
        except TemplateError as error:
            raise TemplateError(f"Template {template.id}, conditions: {error}") from None
    return values


def _generator(name: str) -> Callable[..., Values]:
    # Only functions of qbench.generators: a YAML from a stranger must not name os.system.
    file, _, function = name.partition(".")
    try:
        generator: Callable[..., Values] = vars(import_module(f"qbench.generators.{file}"))["GENERATORS"][function]
    except (ImportError, KeyError):
        raise TemplateError(
            f"qbench.generators has no {name!r}; name it file.function, as in puzzles.ordering."
        ) from None
    return generator


def _item(template: Template, values: Values, rng: np.random.Generator, **identity: Any) -> Item:
    """Render one variant of a draw."""
    try:
        spec = _render_tree(template.scored_as, values)
        choices: list[str] = []
        target_index = -1
        if template.rubric:
            target = ""
            spec = {"type": "rubric", "checks": _render_tree(template.rubric, values)}
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
        wrong = [str(_plain(choice)) for choice in evaluate(template.distractors, values)]
    else:
        wrong = [render(choice, values) for choice in template.distractors]
    if target in wrong or len(set(wrong)) < len(wrong):
        raise TemplateError(f"the choices {[target, *wrong]} are not all different.")
    target_index = int(rng.integers(len(wrong) + 1))
    return [*wrong[:target_index], target, *wrong[target_index:]], target_index


# ---------------------------------------------------------------- variables


def _draw_variable(spec: Any, rng: np.random.Generator, difficulty: int, values: Values) -> Any:
    """Draw one variable. The first key of its mapping says what it is: see VARIABLES."""
    if not isinstance(spec, Mapping):
        return _plain(spec)
    kind = next((key for key in spec if key in VARIABLES), None)
    if kind is None:
        raise TemplateError(f"{dict(spec)} names none of {', '.join(VARIABLES)}.")
    return VARIABLES[kind](dict(spec), rng, difficulty, values)


def _at(level_or_levels: Any, difficulty: int, *, nested: bool) -> Any:
    """Pick the range of this difficulty, where five are given.

    ``nested`` says that one range is itself a list, so that only a list of five lists means one per difficulty.
    """
    several = (
        isinstance(level_or_levels, list)
        and len(level_or_levels) == len(DIFFICULTIES)
        and (not nested or all(isinstance(entry, list) for entry in level_or_levels))
    )
    return level_or_levels[difficulty - 1] if several else level_or_levels


def _integers(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> int:
    low, high = (int(_number(bound, values)) for bound in _at(spec["integers"], difficulty, nested=True))
    if low > high:
        raise TemplateError(f"the range {low} to {high} is empty.")
    step = int(spec.get("step", 1))
    return low + step * int(rng.integers((high - low) // step + 1))


def _decimals(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> Decimal:
    digits = int(_at(spec["decimals"], difficulty, nested=False))
    low, high = (_number(bound, values) for bound in _at(spec["between"], difficulty, nested=True))
    scale = 10**digits
    units = int(low * scale) + int(rng.integers(int(high * scale) - int(low * scale) + 1))
    return Decimal(units).scaleb(-digits)


def _choice(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> Any:
    options = _options(spec["choice"], difficulty, values)
    return _plain(options[int(rng.integers(len(options)))])


def _sample(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> list[Any]:
    options = _options(spec["of"], difficulty, values)
    count = int(_number(_at(spec["sample"], difficulty, nested=False), values))
    if count > len(options):
        raise TemplateError(f"{count} different ones are wanted, and there are {len(options)}.")
    return [_plain(options[int(position)]) for position in rng.permutation(len(options))[:count]]


def _list(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> list[Any]:
    count = int(_number(_at(spec["list"], difficulty, nested=False), values))
    return [_draw_variable(spec["of"], rng, difficulty, values) for _ in range(count)]


def _rows(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> list[Any]:
    where = spec.get("where", {}).items()
    wanted = {key: render(str(_at(value, difficulty, nested=False)), values) for key, value in where}
    rows = [row for row in table(spec["table"]) if wanted.items() <= row.items()]
    return _sample({"sample": spec.get("rows", 1), "of": rows}, rng, difficulty, values)


def _value(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> Any:
    return _plain(evaluate(spec["value"], values))


def _generated(spec: Values, rng: np.random.Generator, difficulty: int, values: Values) -> Values:
    return _generator(spec["generate"])(rng, difficulty, **_render_tree(spec.get("options", {}), values))


VARIABLES: dict[str, Callable[[Values, np.random.Generator, int, Values], Any]] = {
    "integers": _integers,  # {integers: [low, high], step: 5}
    "decimals": _decimals,  # {decimals: 2, between: [low, high]}
    "choice": _choice,  # {choice: [a, b, c]}, or the name of a word list
    "sample": _sample,  # {sample: 3, of: [a, b, c, d]}: different ones, in random order
    "list": _list,  # {list: 5, of: {integers: [1, 9]}}: repeats allowed
    "table": _rows,  # {table: capitals, rows: 4, where: {fame: [1, 2, 3, 4, 5]}}: rows of tasks/facts/capitals.csv
    "value": _value,  # {value: "a * b"}: computed from the variables above it
    "generate": _generated,  # {generate: typos.typos, options: {text: "…"}}: a generator that uses the variables above it
}


def _options(spec: Any, difficulty: int, values: Values) -> list[Any]:
    if isinstance(spec, str):
        named = values.get(spec)
        options = named if isinstance(named, list) else words(spec)
    else:
        options = _at(spec, difficulty, nested=True)
    if not isinstance(options, list) or not options:
        raise TemplateError(f"there is nothing to choose from in {spec!r}.")
    return options


def _number(bound: Any, values: Values) -> Any:
    """A bound may be a number or an expression over the variables drawn before it."""
    return evaluate(bound, values) if isinstance(bound, str) else sympy.Rational(str(bound))


@functools.cache
def table(name: str) -> list[dict[str, str]]:
    """Return the rows of a fact table, tasks/facts/NAME.csv."""
    path = files("qbench.tasks") / "facts" / f"{name}.csv"
    if not path.is_file():
        raise TemplateError(f"there is no fact table {name!r} in tasks/facts.")
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


@functools.cache
def words(name: str) -> list[str]:
    """Return a word list of tasks/facts/words.yaml."""
    lists: dict[str, list[str]] = yaml.safe_load(
        (files("qbench.tasks") / "facts" / "words.yaml").read_text(encoding="utf-8")
    )
    if name not in lists:
        raise TemplateError(f"there is no word list {name!r}.{did_you_mean(name, lists)}")
    return lists[name]


# ---------------------------------------------------------------- from values to text


def _plain(value: Any) -> Any:
    """Turn exact numbers into what reads well in a sentence: ``5``, ``5.25``, and ``2/3`` only where no decimal ends."""
    match value:
        case sympy.Integer():
            return int(value)
        case sympy.Rational():
            return Decimal(decimal_text(value)) if _terminates(value) else value
        case float():
            return Decimal(repr(value))
        case list():
            return [_plain(element) for element in value]
        case _:
            return value


def _terminates(value: sympy.Rational) -> bool:
    q = int(value.q)
    for prime in (2, 5):
        while q % prime == 0:
            q //= prime
    return q == 1


def decimal_text(value: sympy.Rational, places: int | None = None) -> str:
    """Write a rational with ``places`` decimals, half away from zero; with None, as many as it needs (it must end)."""
    if places is None:
        places = 0
        while int(value.q) != 1 and (10**places * value).q != 1:
            places += 1
    scaled = sympy.floor(abs(value) * 10**places + sympy.Rational(1, 2))
    digits = str(int(scaled)).rjust(places + 1, "0")
    text = digits if places == 0 else f"{digits[:-places]}.{digits[-places:]}"
    return f"-{text}" if value < 0 and scaled != 0 else text


def show(value: Any, spec: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the target as the text a model should write, and as the scorer's exact target.

    A number that is asked to two decimals is shown with two, but judged against its exact value, so that both ways of rounding a tie
    can be accepted.
    """
    if isinstance(value, bool | sympy.logic.boolalg.BooleanAtom):
        return ("Yes" if value else "No"), bool(value)
    if isinstance(value, list):
        parts = [
            show(element, {**spec, "type": "vector" if isinstance(element, list) else "number"}) for element in value
        ]
        opening, closing = {"set": "{}", "trace": ("", "")}.get(spec.get("type", ""), "[]")
        return opening + ", ".join(text for text, _ in parts) + closing, [target for _, target in parts]
    if isinstance(value, str):
        return value, value
    return _show_number(value, spec)


EXACT_DIGITS = 40  # an irrational target, or one with a longer denominator, is kept to this many significant digits


def _show_number(value: Any, spec: Mapping[str, Any]) -> tuple[str, str]:
    number = exact(value)
    if not getattr(number, "is_number", False) or not number.is_real or number.is_infinite:
        raise TemplateError(f"the answer {number} is not a real number.")
    rational = number if number.is_Rational else sympy.Rational(str(sympy.N(number, EXACT_DIGITS)))
    target = (
        str(rational) if number.is_Rational and rational.q < 10**EXACT_DIGITS else str(sympy.N(number, EXACT_DIGITS))
    )
    tolerance = spec.get("tolerance", {"mode": "exact"})
    match tolerance.get("mode"):
        case "decimals":
            return decimal_text(rational, int(tolerance["n"])), target
        case "sigfigs":
            return _significant_text(rational, int(tolerance["n"])), target
        case "exact":
            return (decimal_text(rational) if _terminates(rational) else str(rational)), target
        case _:  # a tolerance band: write the number out if it is short, else to six significant digits
            text = decimal_text(rational) if _terminates(rational) else ""
            return (text if 0 < len(text) <= 8 else _significant_text(rational, 6)), target


SMALLEST_WRITTEN_OUT = Decimal("1e-7")  # below it zeros are no longer written out: 7.89e-31


def _significant_text(value: sympy.Rational, digits: int) -> str:
    """Write a rational with so many significant digits: 1234.567 to two is 1200, 9.996 to three is 10.0."""
    number = Context(prec=EXACT_DIGITS).divide(Decimal(int(value.p)), Decimal(int(value.q)))
    rounded = Context(prec=digits, rounding=ROUND_HALF_UP).plus(number)
    return f"{rounded:f}" if rounded == 0 or abs(rounded) >= SMALLEST_WRITTEN_OUT else f"{rounded:e}"


def render(text: str, values: Mapping[str, Any]) -> str:
    """Render Jinja text over drawn values, sandboxed; an undefined variable is an error."""
    if "{" not in text:
        return text.strip()
    try:
        return _compile(text).render(values).strip()
    except (jinja2.TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as error:
        raise TemplateError(f"{error} (in {text[:60]!r}).") from None


def _render_tree(tree: Any, values: Mapping[str, Any]) -> Any:
    """Render every text inside lists and mappings. ``{expression: …}`` stands for the value of an expression."""
    match tree:
        case str():
            return render(tree, values)
        case {"expression": str(expression)} if len(tree) == 1:
            return _json_value(evaluate(expression, values))
        case Mapping():
            return {key: _render_tree(value, values) for key, value in tree.items()}
        case list():
            return [_render_tree(value, values) for value in tree]
        case _:
            return tree


def _json_value(value: Any) -> Any:
    plain = _plain(value)
    match plain:
        case list():
            return [_json_value(element) for element in plain]
        case bool() | int() | str():
            return plain
        case _:
            return str(plain)


@functools.lru_cache(maxsize=4096)
def _compile(text: str) -> jinja2.Template:
    return _environment().from_string(text)


@functools.cache
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        finalize=_written,
    )
    environment.filters |= {"commas": _commas, "counted": _counted, "listed": _listed, "ordinal": _ordinal}
    return environment


def _written(value: Any) -> Any:
    """Write tiny decimals out: 0.0000001, where str says 1E-7."""
    return f"{value:f}" if isinstance(value, Decimal) else value


def _commas(number: Any) -> str:
    """1234567 becomes 1,234,567."""
    return f"{number:,}"


def _counted(number: Any, noun: str, plural: str = "") -> str:
    """``{{ n | counted('apple') }}`` is 1 apple or 3 apples."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def _listed(values: Sequence[Any], last: str = "and") -> str:
    """[a, b, c] becomes a, b and c."""
    texts = [str(_written(value)) for value in values]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} {last} {texts[-1]}"


def _ordinal(number: int) -> str:
    """3 becomes 3rd."""
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
