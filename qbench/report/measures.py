"""What is known of responses and levels beside the score: names, units and how they read."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from qbench.report.table import Cell, LevelFacts, Row, Table
from qbench.report.wording import MISSING, number, plain, points, share
from qbench.stats import Estimate, Target


@dataclass(frozen=True)
class Measure:
    """What a row of `Table.measures` says."""

    title: str
    about: str
    is_share: bool = False
    """Whether it reads in percent, and its change in percentage points."""


MEASURES = {
    "answered": Measure("answered, %", "responses that commit to an answer, right or wrong", is_share=True),
    "truncated": Measure("truncated, %", "responses cut off at the token limit", is_share=True),
    "degeneration": Measure(
        "degeneration, %",
        "how far responses fall apart: repetition, mixed scripts, broken-off sentences",
        is_share=True,
    ),
    "n_tokens": Measure("length, tokens", "of a response"),
    "matching_digits": Measure("matching digits", "leading digits that are right, of 15"),
    "margin": Measure("margin, nats", "log-likelihood of the target minus that of the best other choice"),
    "confidence": Measure("confidence, %", "probability of the choice made", is_share=True),
    "brier": Measure("Brier score", "of the choices, 0 to 2: less is better"),
    "divergence": Measure("divergence, nats", "KL to the baseline over the choices of an item"),
    "calibration error": Measure(
        "calibration error, %", "confidence against the share that is right: root mean square, debiased", is_share=True
    ),
}


def without_interval(table: Table) -> str:
    """What to know of a dash among the measures; empty where none is to be expected."""
    has_calibration = any(row.name == "calibration error" for row in table.measures)
    if table.settings.target is not Target.ITEMS or not has_calibration:
        return ""
    return " The calibration error has an interval for other templates only, so here it is a dash."


def level_of(row: Row, estimate: Estimate) -> tuple[str, str]:
    """The mean of a measure and its interval, in its unit."""
    if row.name == "divergence" and estimate is row.baseline:
        return "0", ""  # by definition
    if MEASURES[row.name].is_share:
        return share(estimate)
    if not estimate.is_estimable:
        return MISSING, ""
    low, high = estimate.interval
    return plain(estimate.value), f"[{plain(low)}, {plain(high)}]"


def change_of(row: Row, cell: Cell) -> str:
    """The change of a measure against the baseline with its interval: ``+6.8 [+4.0, +9.6]``; ``=`` where no item changed."""
    difference = cell.difference
    if not difference.is_estimable:
        return ""
    if row.name != "calibration error" and not difference.n_flips:
        return "="
    low, high = difference.interval
    text = points if MEASURES[row.name].is_share else _signed
    return f"{text(difference.value)} [{text(low)}, {text(high)}]"


def _signed(value: float) -> str:
    return "0" if value == 0 else f"{value:+.2g}".replace("-", "−")


# ---------------------------------------------------------------- what a level costs


@dataclass(frozen=True)
class Column:
    """One number of each level."""

    title: str
    text: Callable[[LevelFacts], str]


COSTS = (
    Column("bits per weight", lambda level: number(level.bits_per_weight, 2)),
    Column("storage (computed)", lambda level: size(level.storage_bytes)),
    Column("{memory} in use (measured)", lambda level: size(level.cost.resident_bytes)),
    Column("peak {memory} (measured)", lambda level: size(level.cost.peak_bytes)),
    Column("load, s", lambda level: number(level.cost.load_seconds, 2)),
    Column("quantize, s", lambda level: number(level.cost.quantize_seconds, 2)),
    Column("prompt, tokens/s", lambda level: _rounded(level.cost.prompt_tokens_per_second)),
    Column("generation, tokens/s", lambda level: _rounded(level.cost.generation_tokens_per_second)),
    Column("energy of a prompt, J", lambda level: _rounded(level.cost.energy_joules)),
    Column("sweep, s", lambda level: number(level.seconds)),
    Column("sweep, tokens/s", lambda level: _rounded(level.n_tokens / level.seconds if level.seconds else math.nan)),
)
ALWAYS = COSTS[:4] + COSTS[7:8]  # what readers look for; a column of dashes says that it was not measured

ABOUT_COSTS = (
    "Bits per weight and storage are computed from the formats, scales included. Everything else was measured on the machine of the sweep: "
    "the memory of the GPUs, or without one of the whole process, Python and its libraries included, and the speed of a single stream, in "
    "the arithmetic that the engine runs here, which need not be that of the format. “Sweep” is the evaluation, in batches and with drafts "
    "of the level above: no speed of the level."
)


def costs(table: Table, *, everything: bool = True) -> tuple[list[str], list[list[str]]]:
    """Titles, and for each level a row of texts: of what readers look for, and of everything else that any level knows."""
    columns = [
        column
        for column in COSTS
        if column in ALWAYS or (everything and any(column.text(level) != MISSING for level in table.levels))
    ]
    memory = _memory(table)
    return [column.title.format(memory=memory) for column in columns], [
        [column.text(level) for column in columns] for level in table.levels
    ]


def _memory(table: Table) -> str:
    """Whose memory was measured: a process is more than its weights."""
    hardware = table.provenance.hardware
    if "gpu" not in hardware:
        return "memory"
    return "GPU memory" if hardware["gpu"] else "memory of the whole process"


def size(n_bytes: float) -> str:
    """Bytes for people: ``12.3 MB``."""
    if math.isnan(n_bytes):
        return MISSING
    megabytes = n_bytes / 1e6
    return f"{megabytes:.1f} MB" if megabytes < 1000 else f"{megabytes / 1000:.2f} GB"


def _rounded(value: float) -> str:
    return MISSING if math.isnan(value) else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
