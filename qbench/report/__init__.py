"""What a sweep found, as one HTML page, Markdown, LaTeX, CSV, Parquet, JSON and figures.

`compute` reads a sweep and computes every number once, from its items (`scores`), group by group (`rows`), with what its files say of
themselves (`origins`); `table` says what there is; each of the other modules writes it in one format.
"""

import hashlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qbench.errors import QBenchError, RunError, did_you_mean
from qbench.pages.folder import write_folder
from qbench.records import Sweep, read_sweep
from qbench.report.compute import NO_FRESH_ITEMS, build
from qbench.report.table import Settings, Table, read_target
from qbench.report.terminal import summary
from qbench.stats import Target

__all__ = [
    "DEFAULT_FORMATS",
    "FORMATS",
    "Report",
    "Table",
    "check_asked",
    "check_formats",
    "read_table",
    "report",
    "summary",
    "write_report",
]

REPORT_DIR = "report"
FORMATS = {
    "md": "qbench.report.markdown:render",
    "tex": "qbench.report.paper:render",
    "csv": "qbench.report.tidy:render",
    "parquet": "qbench.report.parquet:render",
    "json": "qbench.report.machine:render",
    "html": "qbench.report.page:render",
    "figures": "qbench.report.charts:render",
}
"""Functions of the table, imported when asked for. They return the content of ``report.<name>``, or several files by their names."""
DEFAULT_FORMATS = tuple(name for name in FORMATS if name != "figures")


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
    formats: Sequence[str] = DEFAULT_FORMATS,
    margin: float | None = None,
    confidence: float | None = None,
    by: str | None = None,
    n_resamples: int = 9999,
    seed: int = 0,
    target: str = "templates",
) -> Report:
    """Compare every level of a finished sweep with its baseline, and write what was found to ``run/report/``.

    Args:
        run: folder that `qbench.sweep.sweep` wrote.
        formats: names of FORMATS; all but ``figures``, which are PDF and SVG for a paper, if not given.
        margin: percentage points of loss that do not matter; if not given what the sweep declared at its start, else 2.
        confidence: nominal coverage of every interval; if not given what the sweep declared at its start, else 0.95.
        by: a field of the documents to break the table down by, such as ``difficulty``.
        n_resamples: bootstrap resamples behind every interval.
        seed: of the resamples; the same seed gives the same report.
        target: what the intervals are about: ``templates``, other ones like these, or ``items``, fresh ones of these templates.

    Raises:
        RunError: no sweep there, an unfinished one, or one of another schema.
        PairingError: the levels did not answer the same items.
    """
    check_formats(formats)
    sweep = read_sweep(Path(run))
    settings = _settings(
        sweep, margin, confidence, by=by, n_resamples=n_resamples, seed=seed, target=read_target(target)
    )
    table = build(sweep, settings)
    return write_report(table, Path(run) / REPORT_DIR, formats)


def read_table(run: Path, *, margin: float | None = None, confidence: float | None = None, **settings: Any) -> Table:
    """Compute the table of a finished sweep, with the other fields of `Settings` by name, and write nothing."""
    sweep = read_sweep(Path(run))
    return build(sweep, _settings(sweep, margin, confidence, **settings))


def _settings(sweep: Sweep, margin: float | None, confidence: float | None, **others: Any) -> Settings:
    """Settings that know what the sweep declared: what is not given is taken from there.

    Raises:
        RunError: the sweep was asked until everything was decided, at another margin or confidence.
    """
    given, usual = {"margin": margin, "confidence": confidence}, {"margin": 2.0, "confidence": 0.95}
    said = {"margin": sweep.plan.margin, "confidence": sweep.plan.confidence}
    declared = {name: value for name, value in said.items() if value is not None}
    for name, value in declared.items():
        if sweep.shares and given[name] not in (None, value):
            raise RunError(
                f"{sweep.dir} was asked until everything was decided at a {name} of {value:g}, which its report has to keep; leave out "
                f"--{name}, or sweep again with --{name} {given[name]:g}."
            )
    found: dict[str, Any] = {**usual, **declared, **{name: value for name, value in given.items() if value is not None}}
    return Settings(**found, **others, declared=tuple(name for name in declared if found[name] == declared[name]))


def check_formats(formats: Sequence[str]) -> None:
    """Refuse a format that there is not, before anything is computed."""
    for name in formats:
        if name not in FORMATS:
            raise QBenchError(
                f"There is no report format {name!r}.{did_you_mean(name, FORMATS)} Choose from {', '.join(FORMATS)}."
            )


def check_asked(
    *,
    levels: Sequence[str] | None = None,
    noise_floor: bool = True,
    until: str | None = None,
    target: str = "templates",
) -> None:
    """Refuse a sweep whose report would be refused, before anything is asked; see `qbench.sweep.sweep`, whose own levels are several.

    Raises:
        QBenchError: nothing to compare with the baseline, or a sequential sweep that is to say something about fresh items.
    """
    if read_target(target) is Target.ITEMS and until is not None:
        raise QBenchError(f"{NO_FRESH_ITEMS} Leave out --until or --target items.")
    if levels is not None and len(levels) < 2 and not noise_floor:
        raise QBenchError(
            "Without a noise floor one level leaves nothing to compare; name another with --levels, or leave out --no-noise-floor."
        )


def write_report(table: Table, folder: Path | None, formats: Sequence[str]) -> Report:
    """Write a table in some formats; in none without a folder. See `qbench.pages.folder` for what an earlier report left there."""
    if folder is None or not formats:
        return Report(table, ())
    contents = {file: content for name in formats for file, content in _rendered(name, table).items()}
    made_of = hashlib.sha256(repr((table.settings, table.provenance, table.levels, table.rows)).encode()).hexdigest()
    return Report(table, write_folder(folder, contents, made_of))


def _rendered(name: str, table: Table) -> dict[str, bytes]:
    """The files of one format."""
    content = pkgutil.resolve_name(FORMATS[name])(table)
    if isinstance(content, Mapping):
        return dict(content)
    return {f"report.{name}": content.encode() if isinstance(content, str) else content}
