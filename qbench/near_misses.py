"""Near misses: the wrong answers of a forced choice, each one slip away from the target.

A slip is what a damaged calculation does: a term dropped, operands swapped, one step too many or too few, a wrong carry. Where the
template has an answer expression, the slip is made in the expression, or in a variable it is computed from, and carried through to the
end; where it has none, it is made in the digits or the order of the target. The item's own scorer has the last word on whether a near
miss is wrong.
"""

import ast
import copy
import functools
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from qbench.errors import TemplateError
from qbench.expressions import evaluate
from qbench.generators.drawing import sample, shuffled
from qbench.rendering import plain, show
from qbench.scoring import judge

WANTED = 3
MAX_TRIED = 12  # expressions computed for one item
SIMILAR = 4  # times: a number farther away than that is ruled out without calculating
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:/\d+)?")
BITS = re.compile(r"[01]")
OPEN = ("rubric", "abstain", "text")  # answers whose near misses only their author knows
OPPOSITES = {"max": "min", "floor": "ceiling", "gcd": "lcm", "sin": "cos"}
OPPOSITES |= {other: name for name, other in OPPOSITES.items()}


def near_misses(
    answer: str,
    variables: Mapping[str, Any],
    values: Mapping[str, Any],
    target: str,
    spec: Mapping[str, Any],
    rng: np.random.Generator,
) -> list[str]:
    """Up to three wrong answers to one item, written as its target is; none for an answer that is open.

    Args:
        answer: the template's expression, empty where the target is text.
        variables: the template's variables; those with a ``value`` are steps in which a slip can happen.
        values: what was drawn.
        target: the right answer as it is shown.
        spec: the answer spec of the item.
    """
    kind = spec["type"]
    if kind in OPEN:
        return []
    if kind == "boolean":
        return ["No" if target == "Yes" else "Yes"]
    if kind == "choice":
        return [label for label in map(str, spec.get("labels", "ABCD")) if label != target]
    in_the_calculation = _in_the_calculation(_program(answer, variables), values, target, spec, rng) if answer else []
    return _chosen(itertools.chain(in_the_calculation, _in_the_text(target, spec, values, rng)), target, spec, rng)


def fair(target: str, wrong: Iterable[str]) -> list[str]:
    """Those wrong choices that can be held against the target and against each other: no choice begins as another does.

    Each choice is scored as a continuation of its own with nothing behind it, so of "8, 12" and "8, 12, 20" the longer one can never be
    the likelier, whatever the model believes.
    """
    kept: list[str] = []
    for text in wrong:
        if not any(begins_alike(text, other) for other in (target, *kept)):
            kept.append(text)
    return kept


def begins_alike(one: str, other: str) -> bool:
    """Whether one text is how the other begins, but for spaces; case and punctuation stay, because tokenizers keep them apart.

    Part of the first word of a phrase is no beginning of it ("Th" of "There is none"): common words are tokens of their own.
    """
    shorter, longer = sorted((" ".join(one.split()), " ".join(other.split())), key=len)
    rest = longer[len(shorter) :]
    cuts_a_word = shorter[-1:].isalpha() and rest[:1].isalpha() and " " not in shorter and " " in rest
    return longer.startswith(shorter) and not cuts_a_word


def _chosen(candidates: Iterable[str], target: str, spec: Mapping[str, Any], rng: np.random.Generator) -> list[str]:
    """The first that are near misses, and as many below as above the target as is drawn: the largest choice is not the likeliest."""
    n_below = int(rng.integers(WANTED + 1))
    room = {True: n_below, False: WANTED - n_below, None: WANTED}
    found: list[str] = []
    left_over: list[str] = []
    for text in candidates:
        if any(begins_alike(text, other) or same_value(text, other) for other in [*found, *left_over]):
            continue
        if not _is_near_miss(text, target, spec):
            continue
        side = _is_below(text, target)
        if room[side] > 0:
            room[side] -= 1
            found.append(text)
        else:
            left_over.append(text)
        if len(found) == WANTED:
            break
    return (found + left_over)[:WANTED]


def _is_below(text: str, target: str) -> bool | None:
    """Whether a number is smaller than the target; None where they are not both numbers."""
    try:
        return Fraction(text) < Fraction(target)
    except (ValueError, ZeroDivisionError):
        return None


def same_value(one: str, other: str) -> bool:
    """Whether two texts say the same, however their numbers are written: 5/20 is 1/4, and -0 is 0."""
    return _value(one) == _value(other)


def _value(text: str) -> tuple[str, list[Fraction]]:
    try:
        return NUMBER.sub("#", text), [Fraction(number) for number in NUMBER.findall(text)]
    except ZeroDivisionError:
        return text, []


def _is_near_miss(text: str, target: str, spec: Mapping[str, Any]) -> bool:
    """Wrong to the item's own scorer, and not to be told from the target by its looks alone."""
    if begins_alike(text, target) or ("/" in text) != ("/" in target) or abs(text.count(",") - target.count(",")) > 1:
        return False
    wrong, right = NUMBER.findall(text), NUMBER.findall(target)
    if len(right) > 2 and all(map(BITS.fullmatch, right)) and not all(map(BITS.fullmatch, wrong)):
        return False  # a column of truth values has no 2
    exact = _exact_number(spec) if right == [target] else None
    numbers = zip(wrong, right, strict=False)
    if not all(_is_plausible(one, other, exact, spec) for one, other in numbers if one != other):
        return False
    verdict = judge(f"Answer: {text}", spec)
    return verdict.answered and not verdict.correct


def _exact_number(spec: Mapping[str, Any]) -> Fraction | None:
    """The target before it was rounded, of an answer that is one number: a probability that is shown as 1.000 is below 1."""
    try:
        return Fraction(str(spec["target"])) if spec["type"] == "number" else None
    except ValueError:
        return None


def _is_plausible(text: str, target: str, exact: Fraction | None, spec: Mapping[str, Any]) -> bool:
    """A number has about the target's size and length and its sign, exceeds 1 only if the target may, and is in lowest terms as it is."""
    try:
        wrong, shown = Fraction(text), Fraction(target)
    except (ValueError, ZeroDivisionError):  # written with a unit, say: only digits differ
        return True
    right = shown if exact is None else exact
    if _is_lowest(target) and not _is_lowest(text):
        return False
    if right == 0 or wrong == 0:
        signed_zero = wrong == 0 and text.startswith("-")
        return abs(wrong - right) < 10 and target.lstrip("-").isdigit() and not signed_zero
    if 0 < right < 1 <= wrong or len(text) > len(target) + 3:
        return False
    if spec.get("percent") == "fraction" and abs(right) <= 1 < abs(wrong):  # a probability, or a correlation
        return False
    return Fraction(1, SIMILAR) < wrong / right < SIMILAR


def _is_lowest(fraction: str) -> bool:
    part, _, whole = fraction.partition("/")
    return not whole or math.gcd(int(part), int(whole)) == 1


# ---------------------------------------------------------------- a slip in the calculation


def _in_the_calculation(
    program: Mapping[str, str],
    values: Mapping[str, Any],
    target: str,
    spec: Mapping[str, Any],
    rng: np.random.Generator,
) -> list[str]:
    """Compute the answer again with one slip in it: two different results at most, so that the other kind of slip gets its turn."""
    order = list(program)
    later = {name: order[position + 1 :] for position, name in enumerate(order)}
    slips = [(name, slip) for name, expression in program.items() for slip in _slips(expression)]
    found: list[str] = []
    for name, slip in sample(rng, slips, MAX_TRIED):
        try:
            changed = {**values, name: plain(evaluate(slip, values))}
            for step in later[name]:
                changed[step] = plain(evaluate(program[step], changed))
            text, _ = show(changed[""], spec)
        except TemplateError:  # a slip that divides by zero, say
            continue
        if text not in found and _is_near_miss(text, target, spec):
            found.append(text)
        if len(found) == WANTED - 1:
            break
    return found


def _program(answer: str, variables: Mapping[str, Any]) -> dict[str, str]:
    """The computed variables that the answer depends on, in the order of their computation, and without a name the answer."""
    steps = {
        name: str(entry["value"])
        for name, entry in variables.items()
        if isinstance(entry, Mapping) and "value" in entry
    }
    needed: set[str] = set()
    waiting = [answer]
    while waiting:
        names = set(re.findall(r"\b[A-Za-z_]\w*", waiting.pop())) & steps.keys() - needed
        needed |= names
        waiting += [steps[name] for name in names]
    return {**{name: expression for name, expression in steps.items() if name in needed}, "": answer}


@functools.lru_cache(maxsize=4096)
def _slips(expression: str) -> tuple[str, ...]:
    """Every expression that is one slip away from this one."""
    tree = ast.parse(expression.strip(), mode="eval")
    found: dict[str, None] = {}
    for position, node in enumerate(ast.walk(tree)):
        for slipped in _slips_at(node):
            changed = copy.deepcopy(tree)
            original = next(other for index, other in enumerate(ast.walk(changed)) if index == position)
            found[ast.unparse(_Replace(original, slipped).visit(changed))] = None
    return tuple(text for text in found if text != ast.unparse(tree))


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.expr) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> Any:
        return self.new if node is self.old else self.generic_visit(node)


def _slips_at(node: ast.AST) -> Iterator[ast.expr]:
    """What one node of an expression becomes by a slip."""
    match node:
        case ast.BinOp(left, ast.Add() | ast.Sub() as operator, right):
            yield left  # a dropped term
            yield right
            yield ast.BinOp(left, ast.Sub() if isinstance(operator, ast.Add) else ast.Add(), right)
            if isinstance(operator, ast.Sub):
                yield ast.BinOp(right, operator, left)  # swapped operands
        case ast.BinOp(left, ast.Mult() | ast.Div() as operator, right):
            yield left
            if isinstance(operator, ast.Mult):
                yield right
                for sign in (ast.Add(), ast.Sub()):  # one time too many, one too few
                    yield ast.BinOp(left, operator, ast.BinOp(right, sign, ast.Constant(1)))
            if isinstance(operator, ast.Div):
                yield ast.BinOp(right, operator, left)
                yield ast.BinOp(left, ast.Mult(), right)
        case ast.BinOp(left, ast.Pow() as operator, right):
            yield ast.BinOp(left, ast.Mult(), right)
            for sign in (ast.Add(), ast.Sub()):  # one step too many, one too few
                yield ast.BinOp(left, operator, ast.BinOp(right, sign, ast.Constant(1)))
        case ast.BinOp(left, ast.FloorDiv(), right):
            yield ast.BinOp(node, ast.Add(), ast.Constant(1))
            yield ast.BinOp(left, ast.Mod(), right)
        case ast.BinOp(left, ast.Mod(), right):
            yield ast.BinOp(left, ast.FloorDiv(), right)
            yield ast.BinOp(node, ast.Add(), ast.Constant(1))
        case ast.Call(ast.Name("iterate" as name), [step, start, times], keywords):
            for sign in (ast.Add(), ast.Sub()):
                yield ast.Call(ast.Name(name), [step, start, ast.BinOp(times, sign, ast.Constant(1))], keywords)
        case ast.Call(ast.Name(name), arguments, keywords) if name in OPPOSITES:
            yield ast.Call(ast.Name(OPPOSITES[name]), arguments, keywords)
        case ast.Constant(int() as number) if not isinstance(number, bool) and number > 1:
            yield ast.Constant(number + 1)
            yield ast.Constant(number - 1)
        case _:
            return


# ---------------------------------------------------------------- a slip in what is written


def _in_the_text(
    target: str, spec: Mapping[str, Any], values: Mapping[str, Any], rng: np.random.Generator
) -> Iterator[str]:
    """Slips in the written target, in random order; the structure of a list or an interval is slipped on first."""
    for slips in (_in_the_structure(target, spec, values), _in_the_digits(target)):
        yield from shuffled(rng, list(dict.fromkeys(slips)))


def _in_the_structure(target: str, spec: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    kind = spec["type"]
    if fraction := re.fullmatch(r"(\d+)/(\d+)", target):
        part, whole = int(fraction[1]), int(fraction[2])
        yield f"{abs(whole - part)}/{whole}"  # the other event
        yield f"{part}/{whole + part}"  # odds for a share
    elif kind == "trace" and "recurrence" in spec:
        yield from _wrong_steps(spec, values)
    elif kind in ("trace", "vector", "matrix"):
        elements = list(re.finditer(r"[^\s,\[\](){};]+", target))
        for one, two in itertools.pairwise(elements):  # neighbors swapped
            yield target[: one.start()] + two[0] + target[one.end() : two.start()] + one[0] + target[two.end() :]
    elif kind == "interval":
        opened, closed = str.maketrans("([", "[("), str.maketrans(")]", "])")
        yield target.translate(opened)
        yield target.translate(closed)
        yield target.translate(opened).translate(closed)
    elif kind == "set":
        members = re.findall(r"[^\s,{}]+", target)
        for position in range(len(members)):  # one missing
            yield "{" + ", ".join(members[:position] + members[position + 1 :]) + "}"
    elif kind == "expression":
        for written, wrong in (("+", "-"), ("-", "+"), ("sin", "cos"), ("cos", "sin")):
            for at in re.finditer(re.escape(written), target):
                yield target[: at.start()] + wrong + target[at.end() :]


def _wrong_steps(spec: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    """One wrong step, and everything after it computed from it."""
    trace = [Fraction(str(value)) for value in spec["target"]]
    for position in range(1, len(trace)):
        for slip in (-1, 1):
            followed = [*trace[:position], trace[position] + slip]
            try:
                while len(followed) < len(trace):
                    names = {"x": _exact(followed[-1]), "y": _exact(followed[-2]), "n": len(followed)}
                    followed.append(Fraction(str(evaluate(spec["recurrence"], {**values, **names}))))
                yield show([_exact(value) for value in followed], spec)[0]
            except (TemplateError, ValueError):
                return


def _exact(value: Fraction) -> Any:
    return evaluate(f"{value.numerator} / {value.denominator}", {})


DIGITS = re.compile(r"\d")


def _in_the_digits(text: str) -> Iterator[str]:
    """A wrong carry, one more or less in any digit, and neighboring digits swapped."""
    places = [match.start() for match in DIGITS.finditer(text)]
    for place in places:
        for slip in (-1, 1):
            digit = int(text[place]) + slip
            leading = not text[:place].strip() or not re.search(r"[\d.]$", text[:place])
            if 0 <= digit <= 9 and not (leading and digit == 0 and text[place + 1 : place + 2].isdigit()):
                yield text[:place] + str(digit) + text[place + 1 :]
    for one, other in itertools.pairwise(places):
        if other == one + 1 and text[one] != text[other] and text[other] != "0":
            yield text[:one] + text[other] + text[one] + text[other + 1 :]
