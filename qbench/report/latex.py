"""The main table as LaTeX, for a paper. Needs ``\\usepackage{booktabs}`` and nothing else."""

from collections.abc import Sequence

from qbench.report.table import Row, Table
from qbench.report.wording import DEMONSTRATION, caption, change, finding, label, legend, mark, share

ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "−": "$-$",
        "–": "--",
        "±": r"$\pm$",
        "≈": r"$\approx$",
        "↓": r"$\downarrow$",
        "↑": r"$\uparrow$",
        "“": "``",
        "”": "''",
    }
)


def render(table: Table) -> str:
    """Return one floating table; a second one with the breakdown, if there is one."""
    floats = [_float(table, table.rows, _caption(table), "tab:qbench")]
    if table.breakdown:
        by = escape(str(table.settings.by))
        floats.append(_float(table, table.breakdown, f"As Table~\\ref{{tab:qbench}}, by {by}.", "tab:qbench-breakdown"))
    return "% Needs \\usepackage{booktabs}.\n" + "\n".join(floats)


def escape(text: str) -> str:
    """Any text as LaTeX that prints it."""
    return " ".join(text.split()).translate(ESCAPES)


def _caption(table: Table) -> str:
    used = {mark(cell, table.settings.confidence) for row in (*table.rows, *table.breakdown) for cell in row.cells}
    signs = "; ".join(f"{escape(sign)} {escape(meaning)}" for sign, meaning in legend(table) if sign in used)
    bank = f"Question bank {table.provenance.bank_version}, SHA-256 {table.provenance.bank_sha256[:12]}."
    notice = f" {escape(DEMONSTRATION)}" if table.provenance.is_demonstration else ""
    return f"{escape(caption(table))}. {signs}. {escape(bank)}{notice}"


def _float(table: Table, rows: Sequence[Row], text: str, name: str) -> str:
    levels = [f"{level} (noise floor)" if level == table.noise_floor else level for level in table.compared]
    lines = [
        r"\begin{table*}",
        r"\centering\footnotesize\setlength{\tabcolsep}{4pt}",
        f"\\caption{{{text}}}\\label{{{name}}}",
        f"\\begin{{tabular}}{{lr{'c' * (1 + len(levels))}}}",
        r"\toprule",
        " & ".join(["", "$n$", escape(f"{table.baseline} score"), *map(escape, levels)]) + r" \\",
        r"\midrule",
    ]
    for position, row in enumerate(rows):
        if position and row.kind is not rows[position - 1].kind:
            lines.append(r"\midrule")
        lines += _row(table, row)
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table*}", ""])


def _row(table: Table, row: Row) -> list[str]:
    """Two lines: the values with their marks, and under each its interval."""
    score, score_interval = share(row.baseline)
    values = [escape(label(row)), str(row.baseline.n_items), escape(score)]
    below = ["", f"\\scriptsize {row.baseline.n_templates} templates", _small(score_interval)]
    for cell in row.cells:
        difference, interval = change(cell.difference)
        values.append(escape(f"{difference} {finding(cell, table.settings.confidence)}"))
        below.append(_small(interval))
    return [" & ".join(values) + r" \\", " & ".join(below) + r" \\[2pt]"]


def _small(text: str) -> str:
    return f"{{\\scriptsize {escape(text)}}}"
