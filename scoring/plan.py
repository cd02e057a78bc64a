"""Plans: an order, a selection, an assignment, a route or a schedule, simulated against its rules.

    {type: plan, names: [castle, museum],
     rules: [{once: [castle, museum]}, {visits: {start: 9, stops: [[castle, 2, 8, 12], [museum, 1, 11, 12]]}}]}

A response names the steps in order, separated by commas: "castle, museum". With ``values: number`` each step also has a whole number ("2
small packs, a large pack", "bread 0, pie 30"), with ``values: [Monday, Tuesday]`` one of these ("swimming: Monday"). Every plan that keeps
all rules is right, whether or not it is the ``target``, which is only shown. ``goal`` is a rule that counts where the others are kept, such
as a cost no higher than the least possible one. The score is the mean over the rules and the goal; each rule gives a share.

=============  ==============================================  ==============================================================
rule           options                                         share
=============  ==============================================  ==============================================================
once           a list of names                                 of these names that occur exactly once
at_most_once   a list of names                                 of these names that occur once or not at all
steps          bounds: ``{exactly: n}``, ``{at_most: n}`` …    1, or how near the number of steps comes
total          ``{of: [[name, amount], …]}`` and bounds        how near the sum of the amounts comes; amounts are multiplied by
                                                               the numbers, and ``[name, value, amount]`` depend on the values
each           ``{of: [[name, amount], …]}`` and bounds        of the steps whose amount is within the bounds
values_differ  ``{}``                                          of the values that differ from all others
value_counts   bounds                                          of the values that occur so often
allowed        ``[[name, value, …], …]``                       of these names that have one of their values
changes        a list of names                                 of the neighbors in this list whose values differ
in_order       ``[[name, name], …]``                           of the pairs of which the first comes earlier: in the plan, or by value
apart          ``[[name, name], …]``                           of the pairs whose values are not next to each other
visits         ``{start: 9, stops: [[name, hours, opens,       of the stops that are over before they close; whoever comes early
               closes], …]}``                                  waits
no_overlap     ``[[name, begins, ends], …]``                   of the pairs of steps that do not overlap
route          ``{from: a, to: b, roads: [[a, b, km], …]}``    of the legs that are roads, and of the two ends that are right
distance       ``{roads: …}`` and bounds, perhaps ``from``     how near the length comes; 0 if there is no such road
               and ``to`` where they are no steps
gaps           ``{at: [[name, km], …], from: 0, to: 500}``     of the legs from place to place that are within the bounds
               and bounds
after          ``{minutes: [[name, m], …], pairs: [[name,      of the pairs of which the first starts when the second is done
               name], …]}``
alone          ``{minutes: …, names: [name, …]}``              of the pairs of these names that do not run at the same time
done           ``{minutes: …}`` and bounds                     how near the end of the last step comes
=============  ==============================================  ==============================================================
"""

import contextlib
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import mean
from typing import Any

from qbench.errors import AnswerSpecError, did_you_mean
from qbench.scoring import numerals
from qbench.scoring.checks import bounds
from qbench.scoring.extract import Committed, committed
from qbench.scoring.plain import plain
from qbench.scoring.verdict import Unreadable, Verdict

FIELDS = ("names", "values", "rules", "goal")
MAX_STEPS = 40
MAX_DIGITS = 6
MAX_WORD = 20  # letters of a number in words

ARROW = re.compile(r"→|->|=>")
SEPARATOR = re.compile(rf"[,;\n]|{ARROW.pattern}|\b(?:and|then)\b")
LIST_MARK = re.compile(r"\s*\d{1,2}[.)](?=\s)")
ASIDE = re.compile(r"\([^()]{0,80}\)")
TOKEN = re.compile(r"\d+|[^\W\d_]+")
FILLERS = frozenset(
    str.split(
        "the a an at to in on of from for by is does do gets takes start starts begins x times pack packs visit go minute minutes min"
    )
)

Value = int | str | None


@dataclass(frozen=True)
class Plan:
    """What is done, in order: names, each with its value where values are asked for."""

    steps: tuple[tuple[str, Value], ...]
    values: tuple[str, ...]
    """The values there are, in their own order; empty for numbers."""

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.steps]

    def value(self, name: str) -> Value:
        """The value of a name; ``None`` unless it occurs once."""
        found = [value for other, value in self.steps if other == name]
        return found[0] if len(found) == 1 else None

    def rank(self, name: str) -> int | None:
        """Where a name stands: by its value, or by its place in the plan. ``None`` unless it occurs once."""
        if self.names.count(name) != 1:
            return None
        value = self.value(name)
        if value is None:
            return self.names.index(name)
        return value if isinstance(value, int) else self.values.index(value)


Rule = Callable[[Plan], float]


@dataclass(frozen=True)
class Spec:
    """What may be named, and the rules."""

    names: Mapping[tuple[str, ...], str]
    """The words of a name -> the name."""
    values: Mapping[tuple[str, ...], str] | None
    """The words of a value -> the value; ``None`` if there are no texts as values."""
    numbers: bool
    rules: Mapping[str, Rule]
    goal: Rule | None


def read_spec(answer: Mapping[str, Any]) -> Spec:
    """Read an answer spec of this type.

    Raises:
        AnswerSpecError: there are no names or rules, two names are one, or a rule is unknown or has options that it cannot read.
    """
    values = answer.get("values")
    names = _vocabulary(answer.get("names"))
    texts = None if values in (None, "number") else _vocabulary(values)
    if texts and names.keys() & texts.keys():
        raise AnswerSpecError("A plan's names and values must differ.")
    entries = answer.get("rules")
    if not isinstance(entries, list) or not entries:
        raise AnswerSpecError("A plan needs a list of rules, such as {once: [castle, museum]}.")
    rules: dict[str, Rule] = {}
    for entry in entries:
        name, rule = _rule(entry)
        earlier = sum(other.split(" ")[0] == name for other in rules)
        rules[f"{name} {earlier + 1}" if earlier else name] = rule
    goal = _rule(answer["goal"])[1] if answer.get("goal") else None
    return Spec(names, texts, values == "number", rules, goal)


def extract(response: str, spec: Spec) -> Committed:
    """Return the text behind the last marker, or the last line."""
    return committed(response)


def parse(found: Committed, spec: Spec) -> Plan:
    """Return the steps. Every word must be part of a name or a value, or say nothing: "the", "at", "minutes"."""
    text = plain(found.text or "").casefold()
    without_asides = ASIDE.sub(" ", text)
    if not spec.numbers and spec.values is None:
        return _plan(without_asides, spec)
    for reading in (text, without_asides):  # "Monday (Ann)" has its value in parentheses, "wiring (7 hours)" has not
        with contextlib.suppress(Unreadable):
            return _plan(reading, spec)
    return _plan(ARROW.sub(":", without_asides), spec)  # Ann → Monday, Ben → Tuesday


def compare(plan: Plan, spec: Spec) -> Verdict:
    """Simulate the plan."""
    scores = {name: rule(plan) for name, rule in spec.rules.items()}
    if spec.goal is not None:
        scores["goal"] = spec.goal(plan) if all(score == 1 for score in scores.values()) else 0.0
    broken = [name for name, score in scores.items() if score < 1]
    reason = f"unsatisfied: {', '.join(broken)}" if broken else "match"
    return Verdict(not broken, True, mean(scores.values()), reason=reason, details=scores)


# ---------------------------------------------------------------- reading


def _plan(text: str, spec: Spec) -> Plan:
    parts = [part for part in SEPARATOR.split(text) if part.strip(" .[]{}()\"'*")]
    if len(parts) > MAX_STEPS:
        raise Unreadable("refused by parser: too many parts")
    if not parts:
        raise Unreadable("no plan")
    return Plan(tuple(_step(part, spec) for part in parts), tuple((spec.values or {}).values()))


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in TOKEN.findall(text.casefold()) if word not in FILLERS)


def _vocabulary(texts: Any) -> dict[tuple[str, ...], str]:
    if not isinstance(texts, list) or not texts:
        raise AnswerSpecError(f"The names and values of a plan are lists of texts, not {texts!r}.")
    found = {_words(str(text)): str(text) for text in texts}
    if () in found or len(found) < len(texts) or any(SEPARATOR.search(str(text).casefold()) for text in texts):
        raise AnswerSpecError(f"The names {texts} of a plan cannot be told apart.")
    return found


def _rule(entry: Any) -> tuple[str, Rule]:
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise AnswerSpecError(f"A rule is a mapping with one key that names it, not {entry!r}.")
    ((name, options),) = entry.items()
    if name not in RULES:
        raise AnswerSpecError(f"There is no rule {name!r}.{did_you_mean(str(name), RULES)} Known: {', '.join(RULES)}.")
    try:
        return str(name), RULES[name](options)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise AnswerSpecError(f"The rule {name!r} cannot read its options {options!r} ({error}).") from None


def _step(part: str, spec: Spec) -> tuple[str, Value]:
    words = _words(part if spec.numbers else LIST_MARK.sub("", part, count=1))
    for start, end in itertools.combinations(range(min(len(words), 12) + 1), 2):
        name = spec.names.get(words[start:end])
        rest = words[:start] + words[end:]
        if name is None:
            continue
        if spec.numbers:
            number = _number(rest or tuple(part.split()[:1]))
            if number is not None:
                return name, number
        elif spec.values is None:
            if not rest:
                return name, None
        elif rest in spec.values:
            return name, spec.values[rest]
    raise Unreadable("not a step of the plan")


def _number(words: tuple[str, ...]) -> int | None:
    """Read ``3``, ``three`` or the article of ``a small pack``."""
    if len(words) != 1 or len(words[0]) > MAX_WORD:
        return None
    if words[0].isdecimal():
        return int(words[0]) if len(words[0]) <= MAX_DIGITS else None
    if words[0] in ("a", "an"):
        return 1
    try:
        spelled = numerals.spelled(words[0])
    except Unreadable:
        return None
    return int(spelled) if spelled.denominator == 1 else None


# ---------------------------------------------------------------- rules


def _share(truths: Iterable[bool]) -> float:
    """The share that is true; all of nothing."""
    found = list(truths)
    return sum(found) / len(found) if found else 1.0


def _table(rows: Any) -> dict[str, int]:
    return {str(name): int(amount) for name, amount in rows}


def _pairs(rows: Any) -> list[tuple[str, str]]:
    return [(str(one), str(other)) for one, other in rows]


def _bounds(options: Mapping[str, Any], *others: str) -> Callable[[float], float]:
    within: Callable[[float], float] = bounds({name: value for name, value in options.items() if name not in others})
    return within


def _once(options: Any) -> Rule:
    names = [str(name) for name in options]
    return lambda plan: _share(plan.names.count(name) == 1 for name in names)


def _at_most_once(options: Any) -> Rule:
    names = [str(name) for name in options]
    return lambda plan: _share(plan.names.count(name) <= 1 for name in names)


def _steps(options: Any) -> Rule:
    within = bounds(options)
    return lambda plan: within(len(plan.steps))


def _amounts(rows: Any) -> Callable[[str, Value], int]:
    """How much one step contributes."""
    table = {tuple(map(str, row[:-1])): int(row[-1]) for row in rows}

    def amount(name: str, value: Value) -> int:
        if isinstance(value, int):
            return table.get((name,), 0) * value
        return table.get((name,), table.get((name, str(value)), 0))

    return amount


def _total(options: Any) -> Rule:
    amount, within = _amounts(options["of"]), _bounds(options, "of")
    return lambda plan: within(sum(amount(name, value) for name, value in plan.steps))


def _each(options: Any) -> Rule:
    amount, within = _amounts(options["of"]), _bounds(options, "of")
    return lambda plan: _share(within(amount(name, value)) == 1 for name, value in plan.steps)


def _values_differ(options: Any) -> Rule:
    return lambda plan: _share(count == 1 for count in Counter(value for _, value in plan.steps).values())


def _value_counts(options: Any) -> Rule:
    within = bounds(options)
    return lambda plan: _share(within(count) == 1 for count in Counter(value for _, value in plan.steps).values())


def _allowed(options: Any) -> Rule:
    rows = [(str(name), frozenset(map(str, values))) for name, *values in options]
    return lambda plan: _share(str(plan.value(name)) in values for name, values in rows)


def _changes(options: Any) -> Rule:
    names = [str(name) for name in options]

    def differ(plan: Plan) -> float:
        values = [plan.value(name) for name in names]
        return _share(None not in pair and pair[0] != pair[1] for pair in itertools.pairwise(values))

    return differ


def _ranked(options: Any, test: Callable[[int, int], bool]) -> Rule:
    pairs = _pairs(options)

    def kept(plan: Plan) -> float:
        ranks = [(plan.rank(one), plan.rank(other)) for one, other in pairs]
        return _share(one is not None and other is not None and test(one, other) for one, other in ranks)

    return kept


def _in_order(options: Any) -> Rule:
    return _ranked(options, lambda one, other: one < other)


def _apart(options: Any) -> Rule:
    return _ranked(options, lambda one, other: abs(one - other) > 1)


def _visits(options: Any) -> Rule:
    start = int(options["start"])
    stops = {str(name): (int(hours), int(opens), int(closes)) for name, hours, opens, closes in options["stops"]}

    def simulated(plan: Plan) -> float:
        now, in_time = start, set()
        for name in filter(stops.__contains__, plan.names):
            hours, opens, closes = stops[name]
            now = max(now, opens) + hours
            if now <= closes:
                in_time.add(name)
        return len(in_time) / len(stops)

    return simulated


def _no_overlap(options: Any) -> Rule:
    times = {str(name): (int(begins), int(ends)) for name, begins, ends in options}

    def separate(plan: Plan) -> float:
        spans = sorted(times[name] for name in plan.names if name in times)
        return _share(one[1] <= other[0] for one, other in itertools.combinations(spans, 2))

    return separate


def _roads(rows: Any) -> dict[tuple[str, str], int]:
    lengths = {(str(one), str(other)): int(length) for one, other, length in rows}
    return lengths | {(other, one): length for (one, other), length in lengths.items()}


def _route(options: Any) -> Rule:
    roads, first, last = _roads(options["roads"]), str(options["from"]), str(options["to"])

    def followed(plan: Plan) -> float:
        legs = [leg in roads for leg in itertools.pairwise(plan.names)]
        return _share([plan.names[0] == first, *legs, plan.names[-1] == last])

    return followed


def _distance(options: Any) -> Rule:
    roads, within = _roads(options["roads"]), _bounds(options, "roads", "from", "to")
    first = [str(options["from"])] if "from" in options else []
    last = [str(options["to"])] if "to" in options else []

    def length(plan: Plan) -> float:
        legs = list(itertools.pairwise([*first, *plan.names, *last]))
        return within(sum(roads[leg] for leg in legs)) if all(leg in roads for leg in legs) else 0.0

    return length


def _gaps(options: Any) -> Rule:
    at, start, end = _table(options["at"]), int(options["from"]), int(options["to"])
    within = _bounds(options, "at", "from", "to")

    def spaced(plan: Plan) -> float:
        places = [start, *(at[name] for name in plan.names if name in at), end]
        return _share(other >= one and within(other - one) == 1 for one, other in itertools.pairwise(places))

    return spaced


def _numbers(plan: Plan, names: Iterable[str]) -> dict[str, int]:
    """The starts of those of the names that have one."""
    return {name: value for name in names if isinstance(value := plan.value(name), int)}


def _after(options: Any) -> Rule:
    minutes, pairs = _table(options["minutes"]), _pairs(options["pairs"])

    def waited(plan: Plan) -> float:
        starts = _numbers(plan, minutes)
        return _share(
            later in starts and earlier in starts and starts[later] >= starts[earlier] + minutes[earlier]
            for later, earlier in pairs
        )

    return waited


def _alone(options: Any) -> Rule:
    minutes, names = _table(options["minutes"]), [str(name) for name in options["names"]]

    def separate(plan: Plan) -> float:
        starts = _numbers(plan, names)
        return _share(
            one in starts
            and other in starts
            and (starts[one] + minutes[one] <= starts[other] or starts[other] + minutes[other] <= starts[one])
            for one, other in itertools.combinations(names, 2)
        )

    return separate


def _done(options: Any) -> Rule:
    minutes, within = _table(options["minutes"]), _bounds(options, "minutes")

    def ended(plan: Plan) -> float:
        starts = _numbers(plan, minutes)
        return within(max(starts[name] + minutes[name] for name in starts)) if starts else 0.0

    return ended


RULES: dict[str, Callable[[Any], Rule]] = {
    "once": _once,
    "at_most_once": _at_most_once,
    "steps": _steps,
    "total": _total,
    "each": _each,
    "values_differ": _values_differ,
    "value_counts": _value_counts,
    "allowed": _allowed,
    "changes": _changes,
    "in_order": _in_order,
    "apart": _apart,
    "visits": _visits,
    "no_overlap": _no_overlap,
    "route": _route,
    "distance": _distance,
    "gaps": _gaps,
    "after": _after,
    "alone": _alone,
    "done": _done,
}
