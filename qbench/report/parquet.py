"""The rows of the CSV as Parquet, with a type for each column and null where a number is missing."""

import math

import pyarrow
import pyarrow.parquet

from qbench.report import tidy
from qbench.report.table import Table

INTEGERS = frozenset({"n_items", "n_templates", "n_flips", "n_worse", "n_better", "n_failed"})
TEXTS = frozenset(
    {
        "kind",
        "group",
        "level",
        "measure",
        "verdict",
        "direction",
        "method",
        "target",
        "baseline",
        "model",
        "bank_sha256",
    }
)
SCHEMA = pyarrow.schema(
    [
        (name, pyarrow.int64() if name in INTEGERS else pyarrow.string() if name in TEXTS else pyarrow.float64())
        for name in tidy.COLUMNS
    ]
)


def render(table: Table) -> bytes:
    """Return the file."""
    rows = [{name: _known(value) for name, value in row.items()} for row in tidy.rows(table)]
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema=SCHEMA), sink, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def _known(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value
