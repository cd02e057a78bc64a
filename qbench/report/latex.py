"""The main table as LaTeX, for a paper. Needs ``\\usepackage{booktabs,siunitx}`` and nothing else."""

import textwrap
from collections.abc import Sequence

from qbench.report.measures import ABOUT_COSTS, MEASURES, costs, level_of
from qbench.report.table import Row, Table
from qbench.report.wording import (
    DEMONSTRATION,
    MARKS,
    MISSING,
    caption,
    label,
    legend,
    marks,
    notes,
    reading,
    score,
    score_head,
)
from qbench.stats import Verdict

BEHAVIOR = ("answered", "truncated", "degeneration")  # measures that have a place beside the costs
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
        "×": r"$\times$",
        "÷": r"$\div$",
        "≈": r"$\approx$",
        "↓": r"$\downarrow$",
        "↑": r"$\uparrow$",
        "“": "``",
        "”": "''",
        "\0": "-{}-",
    }
)


def tables(table: Table) -> str:
    """Return floating tables: the differences, the same broken down if that was asked for, and what each level costs and does."""
    floats = [_float(table, table.rows, _caption(table), "tab:qbench")]
    if table.breakdown:
        by = escape(str(table.settings.by))
        floats.append(_float(table, table.breakdown, f"As Table~\\ref{{tab:qbench}}, by {by}.", "tab:qbench-breakdown"))
    floats.append(_levels(table))
    return "% Needs \\usepackage{booktabs,siunitx}.\n" + "\n".join(floats)


def escape(text: str) -> str:
    """Any text as LaTeX that prints it, two hyphens as two. A letter that pdflatex has no font for is named by its number."""
    return "".join(map(_printable, " ".join(text.split()).replace("--", "\0").translate(ESCAPES)))


def _printable(character: str) -> str:
    return (
        character
        if (character.isascii() and character.isprintable()) or ("À" <= character <= "ÿ" and character not in "ÐÞðþ")
        else f"[U+{ord(character):04X}]"
    )


def _caption(table: Table) -> str:
    used = marks(table, (*table.rows, *table.breakdown))
    source = table.provenance
    sentences = [
        f"{caption(table)}.",
        "; ".join(f"{sign} {meaning}" for sign, meaning in legend(table) if sign in used) + ".",
        *notes(table),
        f"Question bank {source.bank_version}, SHA-256 {source.bank_sha256[:12]}." if source.bank_sha256 else "",
        DEMONSTRATION if source.is_demonstration else "",
    ]
    return " ".join(escape(sentence) for sentence in sentences if sentence)


def _float(table: Table, rows: Sequence[Row], text: str, name: str) -> str:
    levels = ["noise floor" if level == table.noise_floor else level for level in table.compared]
    columns = [_column([score(row, row.baseline)[0] for row in rows if row.is_share], [])]
    for i in range(len(levels)):
        texts = [(row, *reading(table, row, row.cells[i])) for row in rows]
        columns.append(_column([value for row, value, *_ in texts if row.is_share], [found for *_, found in texts]))
    heads = ["", "{$n$}", *(f"{{{escape(head)}}}" for head in (f"{table.baseline} score", *levels))]
    lines = [
        r"\begin{table*}[!tbp]",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        f"\\caption{{{text}}}\\label{{{name}}}\\medskip",
        f"\\begin{{tabular}}{{@{{}}lr{' '.join(columns)}@{{}}}}",
        r"\toprule",
        " & ".join(heads) + r" \\",
        r"\midrule",
    ]
    for position, row in enumerate(rows):
        if position and row.kind is not rows[position - 1].kind:
            lines.append(r"\midrule")
        lines += _row(table, row)
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table*}", ""])


def _levels(table: Table) -> str:
    """Cost, score and behavior of each level; two lines each, as in the table of differences."""
    total = table.total
    titles, texts = costs(table, everything=False)
    estimates = {
        score_head(total): [
            score(total, estimate) for estimate in (total.baseline, *(cell.score for cell in total.cells))
        ]
    }
    for row in table.measures:
        if row.name in BEHAVIOR:
            found = [row.baseline, *(cell.score for cell in row.cells)]
            estimates[MEASURES[row.name].title] = [level_of(row, estimate) for estimate in found]
    heads = [
        r"\shortstack[r]{" + r"\\".join(map(escape, textwrap.wrap(title, 11, break_long_words=False))) + "}"
        for title in (*titles, *estimates)
    ]
    lines = [
        r"\begin{table*}[!tbp]",
        r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
        f"\\caption{{Cost, score and behavior of each level. {escape(ABOUT_COSTS)}}}\\label{{tab:qbench-levels}}\\medskip",
        f"\\begin{{tabular}}{{@{{}}l{'r' * len(heads)}@{{}}}}",
        r"\toprule",
        " & ".join(["", *heads]) + r" \\",
        r"\midrule",
    ]
    for i, (level, text) in enumerate(zip(table.levels, texts, strict=True)):
        values = [level.name, *text, *(column[i][0] for column in estimates.values())]
        below = ["", *("" for _ in text), *(_small(column[i][1]) for column in estimates.values())]
        lines += [" & ".join(map(escape, values)) + r" \\", " & ".join(below) + r" \\[2pt]"]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table*}", ""])


def _column(values: Sequence[str], findings: Sequence[str]) -> str:
    """A column of siunitx, as wide as its numbers and marks ask for, so that the decimal points stand in one line."""
    numbers = [value for value in values if not _is_word(value)]
    n_digits = max((len(value.strip("−+").split(".")[0]) for value in numbers), default=1)
    sign = "-" if any(value.startswith(("−", "+")) for value in numbers) else ""
    widest = _mark(max(findings, key=lambda found: (len(found), found == MARKS[Verdict.WITHIN_MARGIN]), default=""))
    return f"S[retain-explicit-plus,table-format={sign}{n_digits}.1,table-space-text-post={{{widest}}}]"


def _row(table: Table, row: Row) -> list[str]:
    """Two lines: the values with their marks, and under each its interval."""
    own, own_interval = score(row, row.baseline)
    values = [escape(label(row)), str(row.baseline.n_items), _number(row, own)]
    below = ["", f"\\scriptsize {row.baseline.n_templates} templates", _small(own_interval)]
    for cell in row.cells:
        difference, interval, found = reading(table, row, cell)
        values.append(f"{_number(row, difference)}{_mark(found)}")
        below.append(_small(interval))
    return [" & ".join(values) + r" \\", " & ".join(below) + r" \\[2pt]"]


def _number(row: Row, text: str) -> str:
    """What siunitx aligns; braces around what is no number, or in another unit than the others."""
    return f"{{{escape(text)}}}" if _is_word(text) or not row.is_share else text.replace("−", "-")


def _is_word(text: str) -> bool:
    return text == MISSING or text[:1].isalpha()


def _mark(found: str) -> str:
    return f"{{\\,{escape(found)}}}" if found else ""


def _small(text: str) -> str:
    return f"{{\\scriptsize {escape(text)}}}"
