"""What a paper takes over: tables, a paragraph on methods and references, each in a file of its own, and a document that shows them."""

from qbench.report.citation import bibtex, methods
from qbench.report.latex import escape, tables
from qbench.report.table import Table
from qbench.report.wording import DEMONSTRATION, title

WIDE = 5  # levels; with more the document lies on its side


def render(table: Table) -> dict[str, bytes]:
    """Return report.tex, which ``pdflatex report`` compiles, and the three files that it puts together."""
    files = {
        "report.tex": _document(table),
        "tables.tex": tables(table),
        "methods.tex": methods(table) + "\n",
        "references.bib": bibtex(table),
    }
    return {name: text.encode() for name, text in files.items()}


def _document(table: Table) -> str:
    paper = "a4paper,margin=18mm" + (",landscape" if len(table.compared) > WIDE else "")
    notice = [escape(DEMONSTRATION), ""] if table.provenance.is_demonstration else []
    lines = [
        "% pdflatex report; bibtex report; pdflatex report; pdflatex report",
        r"\documentclass[10pt]{article}",
        f"\\usepackage[{paper}]{{geometry}}",
        r"\usepackage{booktabs,siunitx}",
        f"\\title{{{escape(title(table))}}}",
        r"\author{}\date{}",
        r"\begin{document}",
        r"\maketitle",
        *notice,
        r"\section*{Methods}",
        r"\input{methods}",
        r"\input{tables}",
        r"\raggedright",
        r"\bibliographystyle{plain}",
        r"\bibliography{references}",
        r"\end{document}",
    ]
    return "\n".join(lines) + "\n"
