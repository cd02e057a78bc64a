"""How numbers and findings read, in every format: percentage points with one decimal, a real minus sign, and a dash for what is missing."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from qbench.pairing import Direction
from qbench.report.table import Cell, ItemRow, Kind, Row, Table
from qbench.stats import Estimate, Target, Verdict
from qbench.stats.estimate import (
    BOOTSTRAP_T,
    NOT_ESTIMABLE,
    STUDENT_T,
    T_AND_SCORE,
    T_OVER_ITEMS,
    T_OVER_ITEMS_AND_SCORE,
)
from qbench.stats.sequential import GAMMA
from qbench.stats.verdict import POWER

MISSING = "–"
MOST_FLIPPED = 20
DEMONSTRATION = (
    "nano is the small demonstration model that ships with qbench. Its numbers show what a report looks like; they are no result about "
    "language models."
)


def points(value: float) -> str:
    """A difference of shares in percentage points: ``−2.1``. What rounds to 0 keeps its sign, for a verdict may hang on it."""
    if math.isnan(value):
        return MISSING
    return "0.0" if value == 0 else f"{100 * value:+.1f}".replace("-", "−")


def percent(value: float) -> str:
    """A share in percent, without a sign unless it is negative: ``52.1``."""
    return MISSING if math.isnan(value) else points(value).removeprefix("+")


NO_INTERVAL = "no interval"


def plain(value: float) -> str:
    """A number in a unit of its own, with three digits or more: ``0.351``, ``5,068``."""
    return MISSING if math.isnan(value) else f"{value:{_form(value)}}".replace("-", "−")


def plain_change(value: float) -> str:
    """A difference in a unit of its own: ``+0.129``."""
    return MISSING if math.isnan(value) else "0" if value == 0 else f"{value:+{_form(value)}}".replace("-", "−")


def _form(value: float) -> str:
    return ",.0f" if abs(value) >= 1000 else ".3g"


def change(row: Row, cell: Cell) -> tuple[str, str]:
    """A difference and its interval, in points or the row's own unit: ``−2.1`` and ``[−3.4, −0.8]``; without an interval see `_alone`."""
    return _written(cell.difference, points if row.is_share else plain_change)


def score(row: Row, estimate: Estimate) -> tuple[str, str]:
    """A score of a row and its interval, in percent or the row's own unit; without an interval see `_alone`."""
    return _written(estimate, percent if row.is_share else plain)


def share(estimate: Estimate) -> tuple[str, str]:
    """A share and its interval, in percent: ``52.1`` and ``[44.0, 60.2]``; without an interval see `_alone`."""
    return _written(estimate, percent)


def _written(estimate: Estimate, text: Callable[[float], str]) -> tuple[str, str]:
    if not estimate.is_estimable:
        return _alone(estimate, text)
    low, high = estimate.interval
    return text(estimate.value), f"[{text(low)}, {text(high)}]"


def _alone(estimate: Estimate, text: Callable[[float], str]) -> tuple[str, str]:
    """A value without an interval is shown, and called one, only where many items of many templates are behind it: one item of each
    says much about these items and nothing about how far others of their templates scatter. Else there is a dash."""
    if estimate.n_items == estimate.n_templates > 1 and not math.isnan(estimate.value):
        return text(estimate.value), NO_INTERVAL
    return MISSING, ""


MARKS = {
    Verdict.DEGRADED: "↓",
    Verdict.WITHIN_MARGIN: "≈",
    Verdict.IMPROVED: "↑",
    Verdict.UNDECIDED: "?",
    Verdict.NOT_ESTIMABLE: "",
}


def mark(cell: Cell, confidence: float) -> str:
    """One sign for the verdict; the legend explains it."""
    return "↓↓" if cell.is_degraded_after_holm(confidence) else MARKS[cell.verdict]


def finding(row: Row, cell: Cell, confidence: float) -> str:
    """The mark, and behind that of an undecided cell its minimum detectable effect: ``? 3.3``; a dash where there can be none so large."""
    sign, effect = mark(cell, confidence), cell.minimum_detectable_effect
    if cell.verdict is not Verdict.UNDECIDED:
        return sign
    if not row.is_share:
        return f"{sign} {plain(effect)}"
    return f"{sign} {MISSING if _is_unseen(cell) else percent(effect)}"


def _is_unseen(cell: Cell) -> bool:
    """Whether no difference that shares can have would show."""
    return cell.verdict is Verdict.UNDECIDED and cell.minimum_detectable_effect > 1


def is_same(table: Table, cell: Cell) -> bool:
    """Whether this is the baseline once more and gave the same answers: then there is nothing to be sure or unsure of."""
    return cell.level == table.noise_floor and cell.is_identical


def reading(table: Table, row: Row, cell: Cell) -> tuple[str, str, str]:
    """A cell of the table: its difference, the interval, and what was found. A noise floor without any noise says so instead."""
    if is_same(table, cell):
        return "identical", f"on all {cell.difference.n_items} items", ""
    return (*change(row, cell), finding(row, cell, table.settings.confidence))


def marks(table: Table, rows: Iterable[Row]) -> set[str]:
    """The marks that rows show."""
    shown = (cell for row in rows for cell in row.cells if not is_same(table, cell))
    return {mark(cell, table.settings.confidence) for cell in shown}


def legend(table: Table) -> list[tuple[str, str]]:
    """Every mark and what it means."""
    margin, level = f"{table.settings.margin:g}", f"{100 * table.settings.confidence:g} %"
    cells = [cell for row in table.rows for cell in row.cells if row.is_share]
    unseen = any(_is_unseen(cell) for cell in cells)
    dash = ", a dash where it is more than 100 points" if unseen else ""
    return [
        ("↓", f"degraded: the whole {level} interval lies below 0 and reaches beyond the margin"),
        ("↓↓", "degraded also after Holm's correction for all categories and tasks at this level"),
        ("≈", f"within margin: the whole interval lies inside ±{margin} points, {declared(table)}"),
        ("↑", "improved: the whole interval lies above 0 and reaches beyond the margin"),
        (
            "?",
            f"undecided; behind it the smallest true difference that this many templates show with {100 * POWER:g} % power{dash}",
        ),
        (MISSING, "not estimable, which is not 0"),
    ]


def declared(table: Table) -> str:
    """When the margin was chosen."""
    return "declared beforehand" if "margin" in table.settings.declared else "chosen when the report was written"


def label(row: Row) -> str:
    """The name of a row for people: ``long context``."""
    if row.kind is Kind.ALL:
        return "all categories"
    return row.name.replace("_", " ") if row.kind is Kind.CATEGORY else row.name


def scale(row: Row) -> str:
    """The name of a row where differences are drawn; what the drawing does not show behind it."""
    return f"{label(row)} ({row.direction})" if row.direction is Direction.LOWER else label(row)


def score_head(row: Row) -> str:
    """The head of a column of this row's scores: ``score %, all categories``."""
    return f"score{' %' if row.is_share else ''}, {scale(row)}"


def about_flips(table: Table) -> str:
    """What the counts of flips are, and what they are no ground for."""
    return (
        f"Items whose score fell / rose against {table.baseline}, or rose / fell where lower is better. Items of one template are not "
        "independent, so no test can be read off these counts; the intervals above allow for it."
    )


def notes(table: Table) -> list[str]:
    """What to know of some rows (those without an interval, those where lower is better, and those that are no percentages), and of the
    noise floor."""
    return [*not_estimable(table), *scales(table), *floor_alone(table)]


def floor_alone(table: Table) -> list[str]:
    """What the noise floor does not tell of levels that llama.cpp runs."""
    if table.noise_floor is None or table.provenance.engine != "gguf":
        return []
    return [
        f"The noise floor is that of {table.baseline} alone: at the levels below it, llama.cpp's numbers depend more on the size of a "
        "batch, so a level may differ from itself by more than the floor says."
    ]


def scales(table: Table) -> list[str]:
    """Which rows do not read like the others: lower is better there, or they are no percentages."""
    return [*_directions(table), *_units(table)]


def _directions(table: Table) -> Iterator[str]:
    """Of which rows a rise is a loss, and of which nobody knows."""
    rows = (*table.rows, *table.breakdown)
    lower = [_named(row) for row in rows if row.direction is Direction.LOWER]
    unknown = [_named(row) for row in rows if row.direction is Direction.UNKNOWN]
    if lower:
        yield f"Lower is better in {_joined(lower)}: there a rise is a loss, and ↓ stands for it."
    if unknown:
        yield (
            f"Whether higher or lower is better is not known of {_joined(unknown)}, for no run says so; it was read as higher. "
            "Keep lm_eval's results file beside the samples, or sweep again, and it is known."
        )


def _units(table: Table) -> Iterator[str]:
    """Which rows are no percentages."""
    own = [_named(row) for row in (*table.rows, *table.breakdown) if not row.is_share]
    if own:
        yield (
            f"Not in percent but in a unit of its own is {_joined(own)}, whose scores do not lie between 0 and 1. The margin is in "
            "percentage points and none is declared in that unit, so nothing is within the margin there, and a loss of any size that is "
            "proven is ↓."
        )


def _named(row: Row) -> str:
    return f"{label(row)} ({row.metric})" if row.metric else label(row)


def _joined(names: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def counts(row: Row) -> str:
    """Items and templates behind a row: ``300 / 15``."""
    return f"{row.baseline.n_items} / {row.baseline.n_templates}"


def most_flipped(table: Table) -> list[ItemRow]:
    """The items whose score differs from the baseline's at the most levels."""
    flipped = [item for item in table.items if item.n_flips]
    return sorted(flipped, key=lambda item: (-item.n_flips, item.id))[:MOST_FLIPPED]


def number(value: float, decimals: int = 1) -> str:
    return MISSING if math.isnan(value) else f"{value:.{decimals}f}"


def caption(table: Table) -> str:
    """What the main table shows, as one sentence."""
    models = table.provenance.models
    subject = (
        f"Score of each run minus that of the run {table.baseline}, on the same items"
        if models
        else f"Score of {table.provenance.model or 'the model'} at each level minus its score at {table.baseline}"
    )
    known = set(models.values())
    if len(known) > 1:
        subject += f" ({', '.join(f'{run}: {model or MISSING}' for run, model in models.items())})"
    elif any(known):
        subject += f" (all of {next(iter(known))})"
    unit = "in percentage points, " if any(row.is_share for row in table.rows) else ""
    return (
        f"{subject}, {unit}"
        f"with {100 * table.settings.confidence:g} % {'repeated confidence ' if table.looks else ''}intervals {about(table)}"
    )


def title(table: Table) -> str:
    """The heading of a report."""
    if table.provenance.models:
        return f"What changed against {table.baseline}: {', '.join(table.compared)}"
    return f"What quantization changed: {table.provenance.model or 'the model'}"


def about(table: Table) -> str:
    """What the intervals are about."""
    if table.settings.target is Target.ITEMS:
        return "for fresh items of these templates"
    return "for other templates like these" if has_templates(table) else "for other items like these"


def has_templates(table: Table) -> bool:
    """Whether any template has several items; else each item is one of its own."""
    return any(row.baseline.n_templates != row.baseline.n_items for row in table.rows)


def not_estimable(table: Table) -> list[str]:
    """Why rows of the main table have no interval at some level, and what gives them one; a sentence for each reason."""
    rows_of: dict[str, list[str]] = {}
    for row in table.rows:
        for reason in {_reason(table, cell) for cell in row.cells if not cell.difference.is_estimable}:
            rows_of.setdefault(reason, []).append(label(row))
    return [
        f"No interval for {'any row' if len(rows) == len(table.rows) > 1 else ', '.join(rows)}: {reason}."
        for reason, rows in rows_of.items()
    ]


def _reason(table: Table, cell: Cell) -> str:
    if not cell.difference.n_items:
        return "no item has a score at both levels"
    if table.settings.target is Target.ITEMS:
        return "with one item of each template nothing is known about other items of it; ask more items of each template (--items)"
    if table.looks:
        return (
            "with one template in each subcategory nothing is known about others; "
            "of a sweep of a fixed size, without --until, --target items gives intervals for fresh items of the same templates"
        )
    return (
        "with one template in each subcategory nothing is known about others; "
        "--target items gives intervals for fresh items of the same templates"
    )


def stopping(table: Table) -> str:
    """How a sequential sweep was to end and how it did; empty for a sweep of a fixed size."""
    looks = table.looks
    if looks is None:
        return ""
    shares, confidences = (
        f"{', '.join(texts[:-1])} and {texts[-1]} %"
        for texts in (
            [f"{100 * number:{form}}" for number in numbers]
            for numbers, form in ((looks.shares, "g"), (looks.confidences, ".2f"))
        )
    )
    asked = "" if math.isnan(looks.share_asked) else f" In all {100 * looks.share_asked:.0f} % of the items were asked."
    return (
        f"The sweep was sequential. Before its first item was asked it declared {len(looks.shares)} looks, after {shares} of the "
        "templates of each task, in an order that no result could change. After each look, a category whose interval lay beyond 0 or "
        f"inside ±{table.settings.margin:g} points at a level was asked no more at that level. Intervals are repeated confidence "
        f"intervals: their error is spent by the rule of Hwang, Shih and DeCani (γ = −{-GAMMA:g}), which reads the looks at {confidences} "
        f"confidence, so that those of all looks hold at once with {100 * table.settings.confidence:g} %. P-values allow for the looks "
        f"too. A row of several categories rests on the last look that asked all of them.{asked}"
    )


def stop(cell: Cell, confidence: float) -> str:
    """The look that a cell rests on, and what it found: ``2 ≈``."""
    return f"{cell.look} {mark(cell, confidence)}".rstrip()


def origin(table: Table) -> list[tuple[str, str]]:
    """Where the numbers come from, as far as it is known: names and texts on one line."""
    source = table.provenance
    hashed = f"SHA-256 {source.model_sha256[:16]}" if source.model_sha256 else ""
    parameters = f"{source.n_parameters:,} parameters" if source.n_parameters else ""
    bank = (
        f"version {source.bank_version}" if source.bank_version else "",
        f"SHA-256 {source.bank_sha256[:16]}" if source.bank_sha256 else "",
        f"seed {source.seed}" if source.seed is not None else "",
    )
    facts = {
        "run": source.run,
        "model": ", ".join(filter(None, (source.model, hashed, parameters))),
        "bank": ", ".join(filter(None, bank)),
        "begun": source.created,
        "versions": ", ".join(f"{name} {version}" for name, version in source.versions.items()),
        "commit": source.git_commit or "",
        "hardware": ", ".join(f"{name} {value}" for name, value in source.hardware.items() if value is not None),
    }
    return [(name, " ".join(value.split())) for name, value in facts.items() if value]


def method(table: Table) -> str:
    """How the numbers were made, for the foot of a report: of the ways in which the intervals of this table were made, and no more."""
    weights = "Differences are paired on items and averaged with equal weight over templates, then subcategories, then categories."
    unit = "templates" if has_templates(table) else "items"
    made = "; ".join(
        f"{n} by {WAYS[way].format(unit=unit, n_resamples=table.settings.n_resamples)}"
        for way, n in ways(table)
        if way in WAYS
    )
    floor = (
        " None is narrower than that of independent items."
        if table.settings.target is Target.TEMPLATES and has_templates(table)
        else ""
    )
    return f"{weights} Intervals are {about(table)}; those of differences were made: {made or 'none'}.{floor}"


def ways(table: Table) -> list[tuple[str, int]]:
    """How the intervals of the differences in the main table were made (`qbench.stats.Estimate.method`), with the number of each."""
    cells = (cell for row in table.rows for cell in row.cells if not is_same(table, cell))
    found = Counter(cell.difference.method for cell in cells)
    return [
        (way, found[way])
        for way in (BOOTSTRAP_T, STUDENT_T, T_AND_SCORE, T_OVER_ITEMS, T_OVER_ITEMS_AND_SCORE, NOT_ESTIMABLE)
        if found[way]
    ]


_SCORE = ", joined with Tango's score interval, as few items flipped"
WAYS = {
    BOOTSTRAP_T: "a studentised bootstrap of {unit} within subcategories ({n_resamples:,} resamples)",
    STUDENT_T: "Student's t over {unit}",
    T_AND_SCORE: "Student's t over {unit}" + _SCORE,
    T_OVER_ITEMS: "Student's t over the items of each template",
    T_OVER_ITEMS_AND_SCORE: f"Student's t over the items of each template{_SCORE}",
}
