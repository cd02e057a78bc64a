"""What a sweep found, as Markdown, LaTeX, CSV and JSON.

`compute` reads a sweep and computes every number once; `table` says what there is; each of the other modules writes it in one format.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from qbench.errors import QBenchError, did_you_mean
from qbench.records import read_sweep, write_atomically
from qbench.report import latex, machine, markdown, tidy
from qbench.report.compute import build
from qbench.report.table import Settings, Table
from qbench.report.terminal import summary

__all__ = ["FORMATS", "Report", "Table", "report", "summary"]

REPORT_DIR = "report"
FORMATS: dict[str, Callable[[Table], str]] = {
    "md": markdown.render,
    "tex": latex.render,
    "csv": tidy.render,
    "json": machine.render,
}


@dataclass(frozen=True)
class Report:
    """A table and the files that it was written to."""

    table: Table
    paths: tuple[Path, ...]

    def __str__(self) -> str:
        return summary(self.table)


def report(
    run: Path,
    *,
    formats: Sequence[str] = tuple(FORMATS),
    margin: float = 2.0,
    confidence: float = 0.95,
    by: str | None = None,
    n_resamples: int = 9999,
    seed: int = 0,
) -> Report:
    """Compare every level of a finished sweep with its baseline, and write what was found to ``run/report/``.

    Args:
        run: folder that `qbench.sweep.sweep` wrote.
        formats: any of ``md``, ``tex``, ``csv`` and ``json``.
        margin: percentage points of loss that are declared, beforehand, not to matter.
        confidence: nominal coverage of every interval.
        by: a field of the documents to break the table down by, such as ``difficulty``.
        n_resamples: bootstrap resamples behind every interval.
        seed: of the resamples; the same seed gives the same report.

    Raises:
        RunError: no sweep there, an unfinished one, or one of another schema.
        PairingError: the levels did not answer the same items.
    """
    for name in formats:
        if name not in FORMATS:
            raise QBenchError(
                f"There is no report format {name!r}.{did_you_mean(name, FORMATS)} Choose from {', '.join(FORMATS)}."
            )
    table = build(read_sweep(Path(run)), Settings(margin, confidence, by, n_resamples, seed))
    # Everything is rendered before anything is written, so that an error leaves no half of a report.
    texts = {Path(run) / REPORT_DIR / f"report.{name}": FORMATS[name](table) for name in formats}
    for path, text in texts.items():
        write_atomically(path, text.encode())
    return Report(table, tuple(texts))
