"""The report as tidy rows and as a CSV of them: one row for each estimate, shares of one, empty where a number is missing."""

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import fields

from qbench.records import Cost
from qbench.report.table import Cell, Kind, Row, Table
from qbench.stats import Estimate, Target

COSTS = tuple(entry.name for entry in fields(Cost))
COLUMNS = (
    "kind",
    "group",
    "level",
    "measure",
    "value",
    "low",
    "high",
    "standard_error",
    "p_value",
    "p_holm",
    "n_items",
    "n_templates",
    "n_flips",
    "n_worse",
    "n_better",
    "mcnemar_exact_p",
    "mcnemar_mid_p",
    "verdict",
    "direction",
    "minimum_detectable_effect",
    "n_failed",
    "method",
    "target",
    "look",
    "confidence",
    "margin",
    "bits_per_weight",
    "storage_bytes",
    "seconds",
    "n_tokens",
    *COSTS,
    "baseline",
    "model",
    "bank_sha256",
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def render(table: Table) -> str:
    """Return the CSV with its header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: neutral(value) for name, value in row.items()} for row in rows(table))
    return text.getvalue()


def rows(table: Table) -> Iterator[dict[str, object]]:
    """Yield the rows; each has some or all of the COLUMNS."""
    common = {
        "target": str(table.settings.target),
        "confidence": table.settings.confidence,
        "margin": table.settings.margin / 100,
        "baseline": table.baseline,
        "model": table.provenance.model,
        "bank_sha256": table.provenance.bank_sha256,
    }
    costs = {
        level.name: {
            "bits_per_weight": level.bits_per_weight,
            "storage_bytes": level.storage_bytes,
            "seconds": level.seconds,
            "n_tokens": level.n_tokens,
            **{name: getattr(level.cost, name) for name in COSTS},
        }
        for level in table.levels
    }
    for row in (*table.rows, *table.breakdown, *table.difficulty, *table.hallucination, *table.measures):
        for record in _records(row, table.baseline):
            margin = common["margin"] if row.is_share else math.nan
            yield {
                **record,
                **costs[str(record["level"])],
                **common,
                "kind": str(row.kind),
                "group": row.name,
                "direction": str(row.direction),
                "margin": margin,
            }
    for template in table.templates:
        for level, difference in zip(table.compared, template.differences, strict=True):
            record = {"level": level, "measure": "difference", **_estimate(difference), "target": str(Target.ITEMS)}
            group = f"{template.category}/{template.stratum}/{template.template}"
            yield {
                **common,
                **record,
                **costs[level],
                "kind": "template",
                "group": group,
                "n_flips": difference.n_flips,
            }


def neutral(value: object) -> object:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front; numbers stay numbers, and a missing one is empty."""
    if isinstance(value, float) and math.isnan(value):
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def _records(row: Row, baseline: str) -> Iterator[dict[str, object]]:
    yield {"level": baseline, "measure": "score", **_estimate(row.baseline)}
    for cell in row.cells:
        yield {"level": cell.level, "measure": "difference", **_estimate(cell.difference), **_finding(cell)}
        yield {"level": cell.level, "measure": "score", **_estimate(cell.score), "n_failed": cell.n_failed}
    if row.kind is Kind.MEASURE:  # which has no answers and no loss of its own
        return
    yield {"level": baseline, "measure": "answered", **_estimate(row.baseline_answered)}
    for cell in row.cells:
        yield {"level": cell.level, "measure": "answered", **_estimate(cell.answered), "n_failed": cell.n_failed}
        yield {
            "level": cell.level,
            "measure": "relative_loss",
            **_estimate(cell.relative_loss),
            "n_failed": cell.n_failed,
        }


def _estimate(estimate: Estimate) -> dict[str, object]:
    return {
        "value": estimate.value,
        "low": estimate.interval.low,
        "high": estimate.interval.high,
        "standard_error": estimate.standard_error,
        "n_items": estimate.n_items,
        "n_templates": estimate.n_templates,
        "method": estimate.method,
    }


def _finding(cell: Cell) -> dict[str, object]:
    """What only a difference has."""
    return {
        "p_value": cell.difference.p_value,
        "p_holm": cell.p_holm,
        "n_flips": cell.difference.n_flips,
        "n_worse": cell.flips.worse,
        "n_better": cell.flips.better,
        "mcnemar_exact_p": cell.flips.exact_p,
        "mcnemar_mid_p": cell.flips.mid_p,
        "verdict": str(cell.verdict),
        "minimum_detectable_effect": cell.minimum_detectable_effect,
        "n_failed": cell.n_failed,
        "look": cell.look,
    }
