"""The main table as LaTeX, for a paper. Needs ``\\usepackage{booktabs}`` and nothing else."""

from collections.abc import Sequence

from qbench.report.table import Cell, Kind, Row, Table
from qbench.report.wording import DEMONSTRATION, caption, finding, interval, label, legend, mark, percent, points

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
    for row in rows:
        if row.kind is Kind.ALL:
            lines.append(r"\midrule")
        lines += _row(table, row)
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table*}", ""])


def _row(table: Table, row: Row) -> list[str]:
    """Two lines: the values, and under each its interval."""
    low, high = row.baseline.interval
    values = [
        escape(label(row)),
        str(row.baseline.n_items),
        escape(percent(row.baseline.value)),
        *(_value(table, cell) for cell in row.cells),
    ]
    below = ["", f"\\scriptsize {row.baseline.n_templates} templates", _small(f"[{percent(low)}, {percent(high)}]")]
    below += [_small(interval(cell.difference.interval)) for cell in row.cells]
    return [" & ".join(values) + r" \\", " & ".join(below) + r" \\[2pt]"]


def _value(table: Table, cell: Cell) -> str:
    return escape(f"{points(cell.difference.value)} {finding(cell, table.settings.confidence)}")


def _small(text: str) -> str:
    return f"{{\\scriptsize {escape(text)}}}"
