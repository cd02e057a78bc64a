"""One way of writing: Unicode and LaTeX typography become plain mathematics before a scorer reads it.

``$6.02 \\times 10²³$`` becomes ``6.02 * 10^{23}``. Signs without an ASCII form keep one character each: ∞ ∪ ∩ ∖ ∈ ∅ ℝ ± ≈ → √ π.
Two commands survive for the grammar, ``\\frac`` and ``\\sqrt``, and two for matrices, ``\\begin`` and ``\\end``, whose line break ``\\\\``
becomes a semicolon.

Superscripts and vulgar fractions are read before NFKC, which would turn 10⁸ into 108 and 1½ into 11⁄2.
"""

import re
import unicodedata

# Zero-width and direction marks, and control characters other than tab and line feed: nobody sees them, so nobody means them.
INVISIBLE: dict[int, str | None] = {
    **dict.fromkeys([*range(9), *range(11, 32), *range(127, 160), 0xAD, 0x61C, 0xFEFF]),
    **dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)]),
    **dict.fromkeys([0x85, 0x2028, 0x2029], "\n"),
}

CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
RAISED = re.compile("[⁰¹²³⁴-⁹⁺⁻ⁿ]+")
LOWERED = re.compile("[₀-₉]+")
VULGAR = re.compile("(\\^ ?)?([¼-¾⅐-⅞↉])")
FULLWIDTH: dict[int, int | str] = {0x3000: " ", **{0xFEE0 + sign: sign for sign in range(0x21, 0x7F)}}

GREEK = str.split("alpha beta gamma delta theta lambda mu sigma phi omega rho tau")
SYMBOLS = str.maketrans(
    {
        **dict.fromkeys("‐‑‒–—―−﹣－", "-"),
        **dict.fromkeys("×✕✖·⋅∙∗", "*"),
        **dict.fromkeys("÷⁄∕", "/"),
        **dict.fromkeys("≤⩽≦", "<="),
        **dict.fromkeys("≥⩾≧", ">="),
        **dict.fromkeys("≃≅≐∼～≒", "≈"),
        **dict.fromkeys("⟶⇒⟹➔➜", "→"),
        **dict.fromkeys("“”„«»", '"'),
        **dict.fromkeys("‘’‚′´", "'"),
        "〈": "⟨",
        "〉": "⟩",
        "≠": "!=",
        "ℝ": r"\R ",
        "٫": ".",
        "٬": ",",
        "٪": "%",
        "∨": " or ",
        "∧": " and ",
        "∛": r"\sqrt[3]",
        **{letter: f" {name} " for letter, name in zip("αβγδθλμσφωρτ", GREEK, strict=True)},
    }
)
FOREIGN_DIGIT = re.compile(r"(?![0-9])\d")

COMMANDS = {
    **dict.fromkeys(("times", "cdot", "ast"), "*"),
    **dict.fromkeys(("le", "leq", "leqslant"), "<="),
    **dict.fromkeys(("ge", "geq", "geqslant"), ">="),
    **dict.fromkeys(("ne", "neq"), "!="),
    **dict.fromkeys(("approx", "simeq", "sim", "cong"), "≈"),
    **dict.fromkeys(("mid", "vert", "lvert", "rvert", "Vert"), "|"),
    **dict.fromkeys(("to", "rightarrow", "mapsto", "longrightarrow"), "→"),
    **dict.fromkeys(("ldots", "cdots", "dots"), "..."),
    **dict.fromkeys(("emptyset", "varnothing"), "∅"),
    **dict.fromkeys(("R", "Reals", "reals"), "ℝ"),
    **dict.fromkeys(("setminus", "backslash", "smallsetminus"), "∖"),
    **dict.fromkeys(("quad", "qquad", "thinspace", "limits", "displaystyle", "textstyle", "rm", "bf"), " "),
    "cr": ";",
    "prime": "'",
    "lt": "<",
    "gt": ">",
    "div": "/",
    "pm": "±",
    "colon": ":",
    "lbrace": "{",
    "rbrace": "}",
    "lbrack": "[",
    "rbrack": "]",
    "langle": "⟨",
    "rangle": "⟩",
    "cup": "∪",
    "cap": "∩",
    "in": "∈",
    "infty": "∞",
    "pi": "π",
    "lor": "or",
    "vee": "or",
    "land": "and",
    "wedge": "and",
    "dfrac": r"\frac",
    "tfrac": r"\frac",
    "cfrac": r"\frac",
    **{name: "\\" + name for name in ("frac", "sqrt", "begin", "end")},
}
FUNCTIONS = str.split("sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh exp ln log lg max min")
NAMES = frozenset([*FUNCTIONS, *GREEK])

FONT = re.compile(
    r"\\(?:text|textbf|textit|textrm|texttt|mathrm|mathbf|mathit|mathsf|mbox|operatorname|boldsymbol|emph)\*?\s*\{([^{}]*)\}"
)
DEGREES = re.compile(r"\^ ?\{? ?\\circ ?\}?")
FIELD = re.compile(r"\\mathbb\s*\{?\s*R\s*\}?")
SIZED = re.compile(r"\\(?:left|right|bigl|bigr|Bigl|Bigr|big|Big|biggl|biggr|bigg|Bigg)(?![A-Za-z])\.?")
LINE_BREAK = re.compile(r"\\\\(?![A-Za-z])(?:\[[^\]\n]{0,10}(?:pt|em|ex|mm|cm)\])?")
# ℝ \ {3} and R \ [1, 2], written with a bare backslash
WITHOUT = re.compile(r"([\])ℝ]|\\R|\\mathbb ?\{ ?R ?\}) *\\ *\\?(?=\{)|(ℝ|\bR) *\\ *(?=[\[({])")
TIE = re.compile(r"(?<=[\w{}])~(?=[\w\\])")
SPACED = re.compile(r"\\[,;: ]")
COMMAND = re.compile(r"\\([A-Za-z]+)")
MATH = re.compile(r"\$\$?([^$]*)\$\$?")
DOLLAR = "\ue000"  # a private sign in place of \$ while math mode is taken off
BLANK = re.compile(r"[ \t\r\f\v]+")


def visible(text: str) -> str:
    """Drop the characters that nobody sees."""
    return text if text.isascii() and not CONTROLS.search(text) else text.translate(INVISIBLE)


def narrow(text: str) -> str:
    """Write fullwidth letters, digits and signs, as East Asian keyboards make them, in ASCII."""
    return text if text.isascii() else text.translate(FULLWIDTH)


def plain(text: str) -> str:
    """Rewrite typography as plain mathematics, on single spaces."""
    if not text.isascii():
        text = RAISED.sub(lambda run: "^{" + run[0].translate(SUPERSCRIPTS) + "}", text)
        text = LOWERED.sub(lambda run: "_" + run[0].translate(SUBSCRIPTS), text)
        text = VULGAR.sub(_vulgar, text)
        longest = 2 * len(text) + 100  # one Arabic ligature unfolds into 18 letters
        text = unicodedata.normalize("NFKC", text.translate(SYMBOLS))[:longest]
        text = FOREIGN_DIGIT.sub(_ascii_digit, text)
    if "\\" in text or "$" in text or "{,}" in text:
        text = _without_latex(text)
    return BLANK.sub(" ", TIE.sub(" ", text)).strip()


def _vulgar(sign: re.Match[str]) -> str:
    fraction = unicodedata.normalize("NFKC", sign[2]).replace("⁄", "/")
    return f"^{{{fraction}}}" if sign[1] else f" {fraction} "


def _ascii_digit(sign: re.Match[str]) -> str:
    """Read the digits of every script: ١٢ is 12."""
    value = unicodedata.decimal(sign[0], None)
    return sign[0] if value is None else str(value)


def _without_latex(text: str) -> str:
    text = TIE.sub(" ", WITHOUT.sub(r"\1\2∖", text))
    text = LINE_BREAK.sub(";", text).replace(r"\\", "\\")  # what is left of \\ is a command escaped twice
    text = MATH.sub(r" \1 ", text.replace(r"\$", DOLLAR)).replace(DOLLAR, "$")
    text = text.replace("{,}", ",").replace(r"\!", "")
    text = DEGREES.sub("°", FIELD.sub("ℝ", text))
    for _ in range(3):  # \text{\textbf{km}}: the innermost first, and nobody nests deeper
        text = FONT.sub(r" \1 ", text)
    text = SIZED.sub("", text)
    text = SPACED.sub(" ", text)
    for delimiter in (r"\(", r"\)", r"\[", r"\]"):
        text = text.replace(delimiter, " ")
    for sign in "{}%#&_":
        text = text.replace("\\" + sign, sign)
    return COMMAND.sub(_command, text).replace(r"\|", "|")


def _command(command: re.Match[str]) -> str:
    name = command[1]
    if name in NAMES:
        return f" {name}"  # the space keeps a\sin x from becoming asin x
    return COMMANDS.get(name, command[0])
