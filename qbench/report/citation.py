"""What a paper needs: a paragraph on how the numbers were made, and the references behind it."""

import functools
import math
from collections import Counter
from importlib.resources import files

from qbench import __version__
from qbench.report.latex import escape
from qbench.report.table import Kind, Table
from qbench.report.wording import about, declared, floor_alone, has_templates, is_same, scales, ways
from qbench.stats import Target
from qbench.stats.sequential import GAMMA


def methods(table: Table) -> str:
    """Return the paragraph, in LaTeX, with citations to the entries of `bibtex`. It says what was computed for this table, and no more."""
    parts = [
        _asked(table),
        _levels(table),
        _way_of_asking(table),
        _counted(table),
        _intervals(table),
        _verdicts(table),
        _stopping(table),
        _noise_floor(table),
    ]
    return " ".join(filter(None, parts))


def _asked(table: Table) -> str:
    source = table.provenance
    levels = escape(", ".join(level for level in table.compared if level != table.noise_floor))
    if source.models:
        models = ", ".join(f"{run} of {model}" for run, model in source.models.items() if model)
        of = f" ({escape(models)})" if models else ""
        return (
            f"We compared runs of the Language Model Evaluation Harness~\\cite{{eval-harness}} with qbench {__version__}"
            f"~\\cite{{qbench}}: {levels} against {escape(table.baseline)}{of}."
        )
    model = f"{escape(source.model)} with " if source.model else "with "
    seed = "" if source.seed is None else f", seed {source.seed}"
    bank = (
        f" (bank version {source.bank_version}, SHA-256 {source.bank_sha256[:12]}{seed})" if source.bank_sha256 else ""
    )
    return (
        f"We evaluated {model}qbench {__version__}~\\cite{{qbench}}{bank} on the Language Model Evaluation "
        f"Harness~\\cite{{eval-harness}} at {levels} against {escape(table.baseline)}."
    )


def _levels(table: Table) -> str:
    """How the weights of each level are stored."""
    said = []
    for level in table.levels:
        if level.stored_as and level.name != table.noise_floor:
            bits = "" if math.isnan(level.bits_per_weight) else f", {level.bits_per_weight:.2f} bits per weight"
            said.append(f"{level.name}: {level.stored_as}{bits}")
    return f"Weights are stored as follows (bits per weight include scales). {escape('; '.join(said))}." if said else ""


def _way_of_asking(table: Table) -> str:
    source = table.provenance
    if source.models:
        return ""
    shots = (
        "Questions were asked without examples, unless the task itself has some"
        if source.num_fewshot is None
        else f"Questions were asked with {source.num_fewshot} examples"
    )
    template = f"{shots}, {'through the' if source.apply_chat_template else 'without a'} chat template"
    dtype = f" Full-precision weights were loaded as {escape(source.dtype)}." if source.dtype else ""
    limit = (
        f" Of each task only the first {source.limit} items were asked, which is no random sample of it."
        if source.limit is not None
        else ""
    )
    return f"{template}; responses were decoded greedily, and forced choices read off log-likelihoods.{dtype}{limit}"


def _counted(table: Table) -> str:
    """How many items, and what became of those that failed."""
    bank = max(
        (row for row in table.rows if row.kind is not Kind.TASK), key=lambda row: row.baseline.n_items, default=None
    )
    tasks = [row for row in table.rows if row.kind is Kind.TASK]
    groups = []
    if bank:
        groups.append(
            f"{bank.baseline.n_items:,} items of the bank, drawn from {bank.baseline.n_templates:,} templates"
        )
    if tasks:
        name = escape(tasks[0].name) if len(tasks) == 1 else f"{len(tasks)} {'further ' if bank else ''}tasks"
        groups.append(f"{sum(row.baseline.n_items for row in tasks):,} items of {name}")
    asked = "Every level was asked some or all of" if table.looks else "Every level was asked the same"
    n_failed = sum(level.n_failed for level in table.levels)
    failed = f" Items that failed ({n_failed} in all) leave the pairs that they are in." if n_failed else ""
    return (
        f"{asked} {', and '.join(groups)}.{failed} Differences are paired on items and averaged with equal weight over templates, "
        "subcategories and categories."
    )


def _noise_floor(table: Table) -> str:
    if table.noise_floor is None:
        return ""
    cells = [cell for row in table.rows for cell in row.cells if cell.level == table.noise_floor]
    found = (
        "the two gave identical answers to all items"
        if all(is_same(table, cell) for cell in cells)
        else "differences between the two are the noise floor"
    )
    return " ".join([f"The baseline was evaluated a second time at another batch size; {found}.", *floor_alone(table)])


def _verdicts(table: Table) -> str:
    margin = f"$\\pm{table.settings.margin:g}$ percentage points ({declared(table)})"
    return (
        f"We call a level within margin where the whole interval lies inside {margin}, even if below zero; else degraded where it lies "
        "below zero, improved where it lies above, and undecided where it holds zero. Holm's correction~\\cite{holm1979} is applied at"
        " each level over all categories and tasks." + "".join(f" {escape(sentence)}" for sentence in scales(table))
    )


def _stopping(table: Table) -> str:
    """How a sequential sweep was stopped."""
    if table.looks is None:
        return ""
    shares = ", ".join(f"{100 * share:g}" for share in table.looks.shares)
    return (
        f"The sweep was sequential: looks after {shares}\\,\\% of the templates were declared before the first item was asked, and after "
        "each look no category was asked any further at a level at which it was decided. We report repeated confidence intervals"
        "~\\cite{jennison1989} at the look at which a category stopped, with the error spent over looks~\\cite{landemets1983} by the "
        f"function of Hwang, Shih and DeCani ($\\gamma={GAMMA:g}$)~\\cite{{hwang1990}}; intervals of several categories together are those "
        "of the last look that asked all of them."
    )


def _intervals(table: Table) -> str:
    """How the intervals in the main table were made, with the number of each kind."""
    counts = Counter(dict(ways(table)))
    resampled = f"a studentised bootstrap of templates within subcategories~\\cite{{hall1988}} ({table.settings.n_resamples:,} resamples)"
    score = "joined with Tango's score interval~\\cite{tango1998}, as fewer than 20 effective flips were seen"
    kinds = {
        "bootstrap-t": resampled,
        "t": "Student's $t$ over templates",
        "t and score": f"Student's $t$ over templates, {score}",
        "t over items": "Student's $t$ over items",
        "t over items and score": f"Student's $t$ over items, {score}",
    }
    made = "; ".join(f"{counts[kind]} by {words}" for kind, words in kinds.items() if counts[kind])
    n_missing = counts["not estimable"]
    missing = f"; {n_missing} cannot be estimated" if n_missing else ""
    floor = ""
    if table.settings.target is Target.ITEMS:
        why = (
            "~\\cite{miller2024}: the items of each template are taken as a sample of all that it yields, as in stratified "
            "sampling~\\cite{cochran1977}. They make no statement about other templates"
        )
    elif has_templates(table):
        why = ": items of one template are not independent~\\cite{miller2024}"
        floor = " No interval is narrower than it would be if items were independent."
    else:
        why = ", each of which is independent of the others~\\cite{miller2024}"
    return (
        f"The {100 * table.settings.confidence:g}\\,\\% intervals{_when(table)} are {about(table)}{why}. "
        f"In the table, intervals of differences were made: {made or 'none'}{missing}.{floor}"
    )


def _when(table: Table) -> str:
    """Where the margin was declared and the confidence was not, that has to be said."""
    given = table.settings.declared
    return (
        " (a confidence chosen when the report was written)" if "margin" in given and "confidence" not in given else ""
    )


def bibtex(table: Table | None = None) -> str:
    """Return the references: all, or those that the paragraph of a table cites, qbench's with the bank."""
    note = f"; question bank SHA-256 {table.provenance.bank_sha256}" if table and table.provenance.bank_sha256 else ""
    cited = methods(table) if table else None
    entries = [entry for name, entry in _references().items() if cited is None or f"{{{name}}}" in cited]
    return "\n\n".join(entry.replace("VERSION", __version__).replace("NOTE", note) for entry in entries) + "\n"


@functools.cache
def _references() -> dict[str, str]:
    """The entries of references.bib by name. BibTeX's oldest styles print them whole: an archive or a version is ``howpublished``."""
    text = (files("qbench.report") / "references.bib").read_text(encoding="utf-8")
    return {entry[entry.index("{") + 1 : entry.index(",")]: entry for entry in text.strip().split("\n\n")}
