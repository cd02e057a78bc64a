"""What a paper needs: a paragraph on how the numbers were made, and the references behind it."""

from qbench import __version__
from qbench.report.latex import escape
from qbench.report.table import Settings, Table
from qbench.report.wording import declared
from qbench.stats import Target
from qbench.stats.sequential import GAMMA

BIBTEX = {
    "qbench": """@misc{qbench,
  title        = {{qbench}: what quantization broke in a language model},
  author       = {{The qbench authors}},
  howpublished = {Python package, version VERSION},
  note         = {NOTE}
}""",
    "eval-harness": """@misc{eval-harness,
  author       = {Gao, Leo and Tow, Jonathan and Abbasi, Baber and Biderman, Stella and Black, Sid and DiPofi, Anthony and others},
  title        = {The Language Model Evaluation Harness},
  howpublished = {Zenodo, doi:10.5281/zenodo.12608602},
  year         = {2024}
}""",
    "hall1988": """@article{hall1988,
  author  = {Hall, Peter},
  title   = {On Symmetric Bootstrap Confidence Intervals},
  journal = {Journal of the Royal Statistical Society, Series B},
  volume  = {50},
  number  = {1},
  pages   = {35--45},
  year    = {1988}
}""",
    "cochran1977": """@book{cochran1977,
  author    = {Cochran, William G.},
  title     = {Sampling Techniques},
  edition   = {Third},
  publisher = {Wiley},
  address   = {New York},
  year      = {1977}
}""",
    "tango1998": """@article{tango1998,
  author  = {Tango, Toshiro},
  title   = {Equivalence Test and Confidence Interval for the Difference in Proportions for the Paired-Sample Design},
  journal = {Statistics in Medicine},
  volume  = {17},
  number  = {8},
  pages   = {891--908},
  year    = {1998}
}""",
    "holm1979": """@article{holm1979,
  author  = {Holm, Sture},
  title   = {A Simple Sequentially Rejective Multiple Test Procedure},
  journal = {Scandinavian Journal of Statistics},
  volume  = {6},
  number  = {2},
  pages   = {65--70},
  year    = {1979}
}""",
    "landemets1983": """@article{landemets1983,
  author  = {Lan, K. K. Gordon and DeMets, David L.},
  title   = {Discrete Sequential Boundaries for Clinical Trials},
  journal = {Biometrika},
  volume  = {70},
  number  = {3},
  pages   = {659--663},
  year    = {1983}
}""",
    "hwang1990": """@article{hwang1990,
  author  = {Hwang, Irving K. and Shih, Weichung J. and DeCani, John S.},
  title   = {Group Sequential Designs Using a Family of Type I Error Probability Spending Functions},
  journal = {Statistics in Medicine},
  volume  = {9},
  number  = {12},
  pages   = {1439--1445},
  year    = {1990}
}""",
    "jennison1989": """@article{jennison1989,
  author  = {Jennison, Christopher and Turnbull, Bruce W.},
  title   = {Interim Analyses: The Repeated Confidence Interval Approach},
  journal = {Journal of the Royal Statistical Society, Series B},
  volume  = {51},
  number  = {3},
  pages   = {305--361},
  year    = {1989}
}""",
    "miller2024": """@misc{miller2024,
  author       = {Miller, Evan},
  title        = {Adding Error Bars to Evals: A Statistical Approach to Language Model Evaluations},
  howpublished = {arXiv:2411.00640},
  year         = {2024}
}""",
}
"""Entries that BibTeX's oldest styles print whole: an archive or a version is ``howpublished``."""


def methods(table: Table) -> str:
    """Return the paragraph, in LaTeX, with citations to the entries of `bibtex`."""
    source, settings = table.provenance, table.settings
    total = max(table.rows, key=lambda row: row.baseline.n_items)
    levels = escape(", ".join(level for level in table.compared if level != table.noise_floor))
    model = f"{escape(source.model)} with " if source.model else "with "
    bank = f" (bank version {source.bank_version}, SHA-256 {source.bank_sha256[:12]})" if source.bank_sha256 else ""
    floor = (
        " The baseline was evaluated a second time at another batch size; differences between the two are the noise floor."
        if table.noise_floor
        else ""
    )
    answered = "Every level answered some or all of" if table.looks else "All levels answered the same"
    return (
        f"We evaluated {model}qbench {__version__}~\\cite{{qbench}}{bank} on the Language Model Evaluation "
        f"Harness~\\cite{{eval-harness}} at {levels} against {escape(table.baseline)}. {answered} "
        f"{total.baseline.n_items:,} items, drawn from {total.baseline.n_templates:,} templates; differences are paired on items "
        f"and averaged with equal weight over templates, subcategories and categories. {_intervals(settings)} "
        "We call a level degraded where the whole interval lies below zero, within margin where it lies "
        f"inside $\\pm{settings.margin:g}$ percentage points, which were {declared(table)}, and undecided otherwise; "
        f"Holm's correction~\\cite{{holm1979}} is applied over categories.{_stopping(table)}{floor}"
    )


def _stopping(table: Table) -> str:
    """How a sequential sweep was stopped."""
    if table.looks is None:
        return ""
    shares = ", ".join(f"{100 * share:g}" for share in table.looks.shares)
    return (
        f" The sweep was sequential: looks after {shares}\\,\\% of the templates were declared before the first item was asked, and after "
        "each look no category was asked any further at a level at which it was decided. We report repeated confidence intervals"
        "~\\cite{jennison1989} at the look at which a category stopped, with the error spent over looks~\\cite{landemets1983} by the "
        f"function of Hwang, Shih and DeCani ($\\gamma={GAMMA:g}$)~\\cite{{hwang1990}}; intervals of several categories together are those "
        "of the last look that asked all of them."
    )


def _intervals(settings: Settings) -> str:
    confidence = f"{100 * settings.confidence:g}\\,\\%"
    if settings.target is Target.ITEMS:
        return (
            f"The {confidence} intervals are for fresh items of the same templates~\\cite{{miller2024}}: the items of each template are "
            "taken as a sample of all that it yields, as in stratified sampling~\\cite{cochran1977}, with Student's $t$, joined with "
            "Tango's score interval~\\cite{tango1998} where fewer than 20 items flip. They make no statement about other templates."
        )
    return (
        "The target of inference is other templates like these, and items of one template are not independent~\\cite{miller2024}, so "
        f"{confidence} intervals come from a studentised bootstrap~\\cite{{hall1988}} that resamples templates within subcategories "
        f"({settings.n_resamples:,} resamples), joined with Tango's score interval~\\cite{{tango1998}} where fewer than 20 items flip."
    )


def bibtex(table: Table | None = None) -> str:
    """Return the references: all, or those that the paragraph of a table cites, qbench's with the bank."""
    note = f"Question bank SHA-256 {table.provenance.bank_sha256}" if table and table.provenance.bank_sha256 else ""
    entries = BIBTEX.items()
    if table:
        paragraph = methods(table)
        entries = {name: entry for name, entry in BIBTEX.items() if f"{{{name}}}" in paragraph}.items()
    return "\n\n".join(entry.replace("VERSION", __version__).replace("NOTE", note) for _, entry in entries) + "\n"
