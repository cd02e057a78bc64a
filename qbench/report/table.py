"""The table behind every format of the report: computed once, rendered many times.

One `Row` for each category, for all categories together, for each task that is not of the bank, and for each value of the field given by
``by``; in it one `Cell` for each level. No number stands without its interval.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from qbench.errors import QBenchError, did_you_mean
from qbench.pairing import Direction
from qbench.records import Cost
from qbench.report.expected import Comparison
from qbench.stats import Cliff, Estimate, Flips, Target, Verdict, check_confidence, check_margin


class Kind(StrEnum):
    """What the items of a row have in common."""

    CATEGORY = "category"
    ALL = "all"
    TASK = "task"
    FIELD = "field"
    MEASURE = "measure"
    """What else is known of the items, such as ``truncated``; the score of such a row is the mean of that measure."""
    HALLUCINATION = "hallucination"
    """Questions that have no answer. The score of such a row is the share that was answered all the same: less is better."""


@dataclass(frozen=True)
class Cell:
    """A group of items at one level, against the baseline."""

    level: str
    difference: Estimate
    """Score at the level minus score at the baseline."""
    score: Estimate
    answered: Estimate
    """Share of items with an answer, right or wrong; not estimable for tasks that do not say."""
    relative_loss: Estimate
    """The loss as a share of the baseline's score; a loss is a rise where lower is better."""
    flips: Flips
    n_failed: int
    """Items that failed at this level or at the baseline. They count in no number of this cell."""
    verdict: Verdict
    minimum_detectable_effect: float
    """The true difference that this many templates show with 80 % power; more than any there can be where they show none."""
    p_holm: float = math.nan
    """The p-value of the difference, adjusted for all categories and tasks at this level (Holm)."""
    look: int | None = None
    """Of a sequential sweep: the look whose items and whose repeated intervals these are, counted from 1."""
    is_identical: bool = False
    """Whether every answer of the level, character by character, is the baseline's."""

    def is_degraded_after_holm(self, confidence: float) -> bool:
        return self.verdict is Verdict.DEGRADED and self.p_holm <= 1 - confidence


@dataclass(frozen=True)
class Row:
    """A group of items."""

    kind: Kind
    name: str
    baseline: Estimate
    """Mean score at the baseline."""
    baseline_answered: Estimate
    cells: tuple[Cell, ...]
    """One for each level of the table but the baseline, in the same order."""
    metric: str = ""
    """The score that a task is compared by; of all its metrics one."""
    direction: Direction = Direction.HIGHER
    """Which scores are better. Differences are those of the scores themselves; verdicts, cliffs, flips and relative losses know it."""
    is_share: bool = True
    """Whether scores lie between 0 and 1 and differences are percentage points. Others have a unit of their own, in which no margin is
    declared."""

    def gain(self, cell: Cell) -> Estimate:
        """The difference of one of its cells, counted so that a loss is below 0."""
        return gain(cell.difference, self.direction)


def gain(difference: Estimate, direction: Direction) -> Estimate:
    """A difference counted so that a loss is below 0."""
    return difference.negated() if direction is Direction.LOWER else difference


@dataclass(frozen=True)
class Rank:
    """How a category stands among all at one level: rank 1 loses the most."""

    category: str
    rank: int
    best: int
    """The lowest number (the greatest loss) that the data allow it as its rank, jointly for all categories."""
    worst: int
    """The highest number (the least loss)."""


@dataclass(frozen=True)
class TemplateRow:
    """One template at each level, from its own items alone: an interval for fresh items of this template."""

    template: str
    category: str
    stratum: str
    baseline: float
    differences: tuple[Estimate, ...]


@dataclass(frozen=True)
class ItemRow:
    """One item and what was answered at each level, the baseline first."""

    id: str
    task: str
    category: str
    template: str
    difficulty: float
    document: Mapping[str, Any]
    scores: tuple[float, ...]
    responses: tuple[str, ...]

    @property
    def n_flips(self) -> int:
        """Levels at which the score is another one than at the baseline."""
        return sum(score != self.scores[0] for score in self.scores[1:] if not math.isnan(score + self.scores[0]))


@dataclass(frozen=True)
class LevelFacts:
    """What a level is and what it cost."""

    name: str
    bits_per_weight: float
    storage_bytes: float
    """Of the weights on a disk, computed from their formats: no memory that was measured."""
    cost: Cost
    seconds: float
    """Of evaluation, as this machine took them."""
    n_tokens: float
    """That were generated in this time, those included which a draft of another level saved."""
    n_items: int
    n_failed: int
    stored_as: str = ""
    """How its weights are stored, in words; empty for the checkpoint as it was loaded."""


@dataclass(frozen=True)
class Provenance:
    """Where the numbers come from."""

    run: str
    model: str
    model_sha256: str
    n_parameters: int | None
    bank_version: str
    bank_sha256: str
    seed: int | None
    created: str
    git_commit: str | None
    versions: dict[str, str]
    hardware: dict[str, Any]
    dtype: str = ""
    """Of the weights of the checkpoint as it was loaded."""
    engine: str = ""
    """What made and ran the levels; empty where runs of lm-eval are compared."""
    num_fewshot: int | None = None
    """Examples in front of each question; None where each task has its own number."""
    apply_chat_template: bool = False
    limit: int | None = None
    """Items of each task that were asked, the first ones; None for all."""
    models: Mapping[str, str] = field(default_factory=dict)
    """Where runs of lm-eval are compared: the model of each, empty where its folder does not say. A sweep has one model and none here."""

    @property
    def is_demonstration(self) -> bool:
        """Whether this is the reference model that ships with qbench."""
        return self.model == "nano"


@dataclass(frozen=True)
class Looks:
    """The looks of a sequential sweep, as they were declared before its first item was asked."""

    shares: tuple[float, ...]
    """Of the templates, after each look."""
    confidences: tuple[float, ...]
    """Of the intervals at each look. All looks hold at once with the confidence of the settings."""
    share_asked: float = math.nan
    """Items that were asked, as a share of those that all looks together would have asked; NaN where that is not known."""


@dataclass(frozen=True)
class Settings:
    """What a report is asked to say, and how sure it has to be."""

    margin: float = 2.0
    """Percentage points that count as no loss."""
    confidence: float = 0.95
    by: str | None = None
    n_resamples: int = 9999
    seed: int = 0
    target: Target = Target.TEMPLATES
    """What every interval is about: other templates like these, or fresh items of these."""
    declared: tuple[str, ...] = ()
    """Which of ``margin`` and ``confidence`` the sweep wrote down before its first item was asked."""

    def __post_init__(self) -> None:
        check_confidence(self.confidence)
        check_margin(self.margin)


def read_target(name: str) -> Target:
    """Read what intervals are about, ``templates`` or ``items``."""
    if name not in tuple(Target):
        raise QBenchError(f"target must be {' or '.join(Target)}, not {name!r}.{did_you_mean(name, Target)}")
    return Target(name)


@dataclass(frozen=True)
class Table:
    """Everything that a report says."""

    provenance: Provenance
    settings: Settings
    baseline: str
    noise_floor: str | None
    """The baseline once more at another batch size; its cells show what is no effect of a level."""
    looks: Looks | None
    """None where the size was fixed, as it is unless a sweep was to end when everything is decided."""
    levels: tuple[LevelFacts, ...]
    """The baseline, the noise floor if there is one, then the others in the order of the ladder."""
    cliffs: Mapping[str, Cliff]
    """By the name of a row; along the levels from the most to the least bits a weight."""
    ranking: Mapping[str, tuple[Rank, ...]]
    """By level: the categories of the bank, the greatest loss first."""
    difficulty: tuple[Row, ...]
    """The bank's items by difficulty, 1 to 5."""
    measures: tuple[Row, ...]
    """What else is known of the items: a row for each measure that any task has, and the calibration error of the forced choices."""
    templates: tuple[TemplateRow, ...]
    items: tuple[ItemRow, ...]
    rows: tuple[Row, ...]
    breakdown: tuple[Row, ...] = ()
    hallucination: tuple[Row, ...] = ()
    """One row for each category that asks what has no answer, and one for all of them."""
    expected: tuple[Comparison, ...] = ()

    @property
    def compared(self) -> tuple[str, ...]:
        """The levels that have cells."""
        return tuple(level.name for level in self.levels[1:])

    @property
    def total(self) -> Row:
        """The row over all categories of the bank; without it the first."""
        return next((row for row in self.rows if row.kind is Kind.ALL), self.rows[0])

    @property
    def ladder(self) -> tuple[str, ...]:
        """The levels that have cells, without the noise floor, going down; see `ladder`."""
        return tuple(self.compared[i] for i in ladder(self.levels[1:], self.noise_floor))


def ladder(levels: Sequence[LevelFacts], noise_floor: str | None) -> list[int]:
    """The levels but the noise floor, by position: from the most to the least bits a weight, as given where bits are unknown."""
    found = [position for position, level in enumerate(levels) if level.name != noise_floor]
    if any(math.isnan(levels[position].bits_per_weight) for position in found):
        return found
    return sorted(found, key=lambda position: -levels[position].bits_per_weight)
