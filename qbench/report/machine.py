"""The report as JSON: the whole table, field by field, with null where a number is missing."""

import dataclasses
import json
import math
from typing import Any

from qbench.report.table import Table
from qbench.stats import Flips, Interval

SCHEMA_VERSION = 1


def render(table: Table) -> str:
    """Return the JSON. The items are not in it: the samples files of the run have them."""
    return (
        json.dumps(
            {"schema_version": SCHEMA_VERSION, **_plain(dataclasses.replace(table, items=()))},
            ensure_ascii=False,
            indent=1,
            allow_nan=False,
        )
        + "\n"
    )


def _plain(value: Any) -> Any:
    """Dataclasses as objects, intervals with their ends named, NaN and infinity as null."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Interval():
            return {"low": _plain(value.low), "high": _plain(value.high)}
        case Flips():
            return {"worse": value.worse, "better": value.better, "exact_p": value.exact_p, "mid_p": value.mid_p}
        case dict():
            return {name: _plain(entry) for name, entry in value.items()}
        case tuple() | list():
            return [_plain(entry) for entry in value]
        case _ if dataclasses.is_dataclass(value):
            return {entry.name: _plain(getattr(value, entry.name)) for entry in dataclasses.fields(value)}
        case _:
            return value
