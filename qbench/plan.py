"""How large a sweep must be, from a pilot run or from stated noise: what ``qbench plan`` prints."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qbench.errors import QBenchError, did_you_mean
from qbench.pairing import pair_levels
from qbench.records import read_sweep
from qbench.report.scores import Scores
from qbench.stats import Design, Noise, cautious, items_needed, noise, smallest_difference, templates_needed
from qbench.stats.planning import BOUND, UNTOLD_CORRELATION

ITEMS = (1, 5, 20, 50)  # of a template, for which templates are counted
DEFAULT_LEVEL = "q4"  # where people want to know
DEFAULT_ITEMS = 20  # of a template, that a design effect was seen with
N_STRATA = 3  # subcategories of a category of the bank


@dataclass(frozen=True)
class Needed:
    """What one category takes. None where no number is enough."""

    category: str
    seen: Noise
    """In the pilot run, or stated."""
    noise: Noise
    """What is planned with: no less than what was seen, which a small pilot sees too little of by chance."""
    n_templates: int
    """In the pilot run; 0 without one."""
    n_items: int
    """Of each template in the pilot run."""
    smallest: float
    """The difference that the pilot's own size shows with the wanted power; NaN without a pilot."""
    templates: dict[int, int | None]
    """Templates by items of each."""
    items: int | None
    """Items of each of the pilot's templates."""


@dataclass(frozen=True)
class Plan:
    """What a wanted difference takes."""

    difference: float
    power: float
    confidence: float
    level: str
    needed: tuple[Needed, ...]
    left_out: tuple[str, ...] = ()
    """Tasks of the pilot whose scores are no shares, so that no number of points can be wanted of them."""

    def __str__(self) -> str:
        points = f"{100 * self.difference:g} percentage points"
        of = f" at {self.level}, as noisy as in the pilot run" if self.level else ""
        lines = [
            f"To see a true difference of {points} with {100 * self.power:g} % power{of}, a category needs",
            "",
            f"{'':14} {'flips':>15} {'change':>6} {'correlation':>13}  "
            + " ".join(f"{f'{n} items':>9}" for n in ITEMS)
            + "   its own templates",
        ]
        for row in self.needed:
            templates = " ".join(f"{_or_none(row.templates[n]):>9}" for n in ITEMS)
            own = ""
            if row.n_templates:
                items = f"{row.items} items each" if row.items else "no number of items"
                own = f"   {row.n_templates}: {items}; today's {row.n_items} show {_points(row.smallest)} points"
            flips = f"{100 * row.seen.flip_rate:.1f}% → {100 * row.noise.flip_rate:.1f}%"
            untold = math.isnan(row.seen.correlation)
            correlation = f"{'–' if untold else f'{row.seen.correlation:.2f}'} → {row.noise.correlation:.2f}"
            lines.append(
                f"{row.category.replace('_', ' '):14} {flips:>15} {row.noise.change:6.2f} {correlation:>13}  {templates}{own}"
            )
        lines += [
            "",
            "Columns: templates of 1, 5, 20 or 50 items each. flips: items whose score changes, as seen → as planned with; change: by how "
            "much (root mean square), 1 where answers are right or wrong; correlation: of two items of a template, seen → planned with.",
        ]
        if self.level:
            lines.append(
                f"Planned with are the upper ends of one-sided {100 * BOUND:g} % intervals, because a small pilot may have seen too little "
                "by chance; and never fewer flips than the difference itself takes."
            )
        if any(math.isnan(row.seen.correlation) for row in self.needed):
            lines.append(
                "–: one item of each template, or not a single flip, cannot tell the correlation; it is taken to be "
                f"{UNTOLD_CORRELATION:g}, as where templates differ much."
            )
        if self.left_out:
            lines.append(f"Left out, for their scores do not lie between 0 and 1: {', '.join(self.left_out)}.")
        return "\n".join(lines)


def _or_none(count: int | None) -> str:
    return "–" if count is None else f"{count:,}"


def _points(difference: float) -> str:
    return "–" if math.isnan(difference) else f"{100 * difference:.1f}"


def plan(
    run: Path | None = None,
    *,
    level: str | None = None,
    difference: float = 2.0,
    power: float = 0.8,
    confidence: float = 0.95,
    flip_rate: float | None = None,
    design_effect: float | None = None,
    items: int | None = None,
) -> Plan:
    """Say how many templates and items a wanted difference takes, in each category.

    Args:
        run: a finished sweep, as a pilot; else state flips and design effect.
        level: whose noise is taken; q4 if the run has it, else its last level.
        difference: true difference to be seen, in percentage points.
        power: chance of seeing it.
        confidence: of the interval that has to leave 0 out.
        flip_rate: percent of the items that flip, without a run.
        design_effect: by how much the variance exceeds that of independent items, without a run; 1 by default.
        items: of each template, that the design effect was seen with; 20 by default.

    Raises:
        QBenchError: neither a run nor a flip rate, or both; numbers out of range or impossible together; a level that the run does not
            have, or a run without any score from 0 to 1.
    """
    for name, value, low, high in (
        ("power", power, 0, 1),
        ("confidence", confidence, 0, 1),
        ("difference", difference, 0, 100),
    ):
        if not low < value < high:
            raise QBenchError(f"{name} must lie between {low} and {high}, not {value:g}.")
    wanted = difference / 100
    left_out: tuple[str, ...] = ()
    stated = {"--flip-rate": flip_rate, "--design-effect": design_effect, "--items": items}
    if run is not None and (unheard := [option for option, value in stated.items() if value is not None]):
        raise QBenchError(
            f"A finished sweep says itself how its items flip, so {' and '.join(unheard)} would change nothing; leave it out, or the sweep."
        )
    if run is not None:
        name, categories, left_out = _pilot(Path(run), level)
    elif flip_rate is not None and level is not None:
        raise QBenchError(
            f"A flip rate that is stated belongs to no level; leave out --level {level}, or name a sweep."
        )
    elif flip_rate is not None:
        design_effect = 1.0 if design_effect is None else design_effect
        items = DEFAULT_ITEMS if items is None else items
        if not 0 < flip_rate <= 100 or not design_effect >= 1 or items < 1:  # NaN is not at least 1
            raise QBenchError(
                "The flip rate must lie between 0 and 100 percent, the design effect and the items be at least 1."
            )
        if difference > flip_rate:
            raise QBenchError(
                f"A difference of {difference:g} points needs at least {difference:g} % of the items to flip, not {flip_rate:g} %. "
                "State a higher flip rate or a smaller difference."
            )
        if design_effect > items:
            raise QBenchError(
                f"A design effect of {design_effect:g} is impossible with {items} items a template: it is at most the number of items. "
                "State the number of items that it was seen with (--items)."
            )
        seen = Noise.of_design_effect(flip_rate / 100, design_effect, items)
        planned = replace(seen, correlation=UNTOLD_CORRELATION) if items == 1 else seen
        name, categories = "", [("a category", seen, planned, 0, items, N_STRATA)]
    else:
        raise QBenchError(
            "Give a finished sweep as a pilot (qbench plan runs/NAME), or state --flip-rate and --design-effect."
        )
    needed = []
    for category, seen, planned, n_templates, n_items, n_strata in categories:
        options: dict[str, Any] = {"confidence": confidence, "wanted": power, "n_strata": n_strata}
        needed.append(
            Needed(
                category,
                seen,
                planned,
                n_templates,
                n_items,
                smallest_difference(planned, n_templates, n_items, **options) if n_templates else math.nan,
                {n: templates_needed(planned, wanted, n, **options) for n in ITEMS},
                items_needed(planned, wanted, n_templates, **options) if n_templates else None,
            )
        )
    return Plan(wanted, power, confidence, name, tuple(needed), left_out)


def _pilot(run: Path, level: str | None) -> tuple[str, list[tuple[str, Noise, Noise, int, int, int]], tuple[str, ...]]:
    """Name of the level, and the noise of each category as seen and as planned with, its templates, items of each, and strata; and the
    tasks that no number of points can be wanted of."""
    sweep = read_sweep(run)
    others = [name for name in sweep.levels if name != sweep.baseline]
    if level is None:
        level = DEFAULT_LEVEL if DEFAULT_LEVEL in others else others[-1]
    if level not in others:
        raise QBenchError(f"{run} has no level {level!r}.{did_you_mean(level, others)} It has {', '.join(others)}.")
    baseline, other = sweep.run(sweep.baseline), sweep.run(level)
    scores = Scores.of([pair_levels(baseline, [other], task) for task in sweep.tasks])
    found = []
    left_out = tuple(dict.fromkeys(scores.task[~scores.is_share].tolist()))
    if not scores.is_share.any():
        raise QBenchError(
            f"{', '.join(left_out)} has scores in a unit of its own, in which a difference of percentage points means nothing; give a "
            "pilot of tasks that are scored from 0 to 1."
        )
    for category in dict.fromkeys(scores.category[scores.is_share].tolist()):
        members = (scores.category == category) & scores.asked[:, 0]
        design = Design.of(scores.template[members], scores.stratum[members])
        seen = noise(scores.baseline[members], scores.levels[members, 0], design)
        n_templates = len(design.of_template)
        n_items = int(members.sum()) / n_templates
        n_strata = len(design.weight)
        planned = cautious(seen, n_templates, n_items, n_strata)
        found.append((category, seen, planned, n_templates, round(n_items), n_strata))
    return level, found, left_out
