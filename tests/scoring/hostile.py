"""Responses that were made to break a scorer: long, deep, huge, invisible, or code. Used by the tests and by benchmarks/scorers.py."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

EXACT = {"mode": "exact"}

SPECS: dict[str, dict[str, Any]] = {
    "number": {
        "type": "number",
        "target": "3",
        "tolerance": EXACT,
        "units": {"km": "1", "m": "0.001"},
        "percent": "fraction",
        "allow_percent": True,
    },
    "rounded number": {"type": "number", "target": "1e300", "tolerance": {"mode": "sigfigs", "n": 3}},
    "choice": {
        "type": "choice",
        "target": "B",
        "labels": ["A", "B", "C", "D"],
        "options": {"A": "Paris", "B": "London", "C": "Rome", "D": "Not enough data"},
        "noun": "city",
    },
    "text": {"type": "text", "target": "Paris", "strip_accents": True},
    "boolean": {"type": "boolean", "target": True},
    "abstain": {"type": "abstain", "target": "UNKNOWN"},
    "expression": {"type": "expression", "target": "x+1", "variables": ["x"], "tolerance": EXACT},
    "antiderivative": {
        "type": "expression",
        "target": "x+1",
        "variables": ["x"],
        "tolerance": EXACT,
        "plus_c": "optional",
    },
    "interval": {"type": "interval", "target": "(2,5]", "tolerance": EXACT, "unit": "cm²"},
    "set": {"type": "set", "target": ["1", "2"], "tolerance": EXACT},
    "set of texts": {"type": "set", "target": ["red", "blue"], "tolerance": EXACT},
    "vector": {"type": "vector", "target": ["1", "2"], "tolerance": EXACT, "unit": "%"},
    "matrix": {"type": "matrix", "target": [["1", "2"], ["3", "4"]], "tolerance": EXACT},
    "trace": {
        "type": "trace",
        "target": ["2", "5", "14"],
        "tolerance": EXACT,
        "recurrence": "sqrt(x) + 3*x - 1",
    },
    "plan": {
        "type": "plan",
        "names": ["castle", "museum", "park"],
        "rules": [
            {"once": ["castle", "museum"]},
            {"steps": {"at_most": 3}},
            {"visits": {"start": 9, "stops": [["castle", 2, 8, 12], ["museum", 1, 11, 12]]}},
            {"route": {"from": "castle", "to": "park", "roads": [["castle", "museum", 3], ["museum", "park", 4]]}},
        ],
    },
    "plan with numbers": {
        "type": "plan",
        "names": ["bread", "pie"],
        "values": "number",
        "rules": [{"total": {"of": [["bread", 2], ["pie", 5]], "at_least": 30}}],
    },
    "rubric": {
        "type": "rubric",
        "checks": [
            {"words": {"at_least": 60}},
            {"sentences": {"at_least": 3}},
            {"mentions": ["lorem", ["a", "b"], "zebra"]},
            {"mentions": {"concepts": ["has a tail"], "unless": ["may or may not", "not"]}},
            {"avoids": ["foo", "bar"]},
            {"starts_with": "Dear"},
            {"numbered_steps": {"at_least": 3}},
            {"order": ["a", "b", "c"]},
            {"dialogue": {}},
            {"verses": {"syllables": [5, 7, 5]}},
            {"json": {}},
            {"grounded": {"brief": "Anna has 5 cats"}},
            {"not_degenerate": {}},
        ],
    },
}


def corpus(canary: str = "/nonexistent/canary") -> Iterator[tuple[str, str]]:
    """Yield a name and a response; code in it would create the file ``canary``."""
    yield from _long(1_000_000).items()
    for name, answer in (_deep() | _numeric() | _symbolic() | _lists() | _invisible() | _code(canary)).items():
        yield name, f"Answer: {answer}"
    yield from _markers().items()


def soup(rng: random.Random) -> str:
    """Return a random sequence of the tokens that scorers look for."""
    body = "".join(rng.choice(TOKENS) for _ in range(rng.randrange(40)))
    return rng.choice(("", "Answer: ", "Answer: ", "####", "\\boxed{", "<answer>", "The answer is ")) + body


def mutant(rng: random.Random, responses: Sequence[str]) -> str:
    """Return a response with a few random edits: cut, doubled, moved, repeated a thousand times, or with a token put in."""
    text = rng.choice(responses)
    for _ in range(rng.randrange(1, 6)):
        start, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        span = text[start:end]
        replacement = (
            "",
            span * 2,
            span[::-1],
            rng.choice(TOKENS) + span,
            span.swapcase(),
            span + rng.choice(FORMS).replace("@", span),
            span * rng.choice((3, 50, 1_000)),
            "".join(rng.sample(span, min(len(span), 50))),
        )
        text = (text[:start] + rng.choice(replacement) + text[end:])[:MAX_GROWN]
    return text


def splice(rng: random.Random, responses: Sequence[str]) -> str:
    """Return pieces of several responses in a row."""
    pieces = []
    for _ in range(rng.randrange(2, 6)):
        text = rng.choice(responses)
        start, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        pieces.append(text[start:end])
    return rng.choice(("", "\n", " ", ", ", " or ", "Answer: ")).join(pieces)


def grown(rng: random.Random, depth: int = 6) -> str:
    """Return a sentence of a grammar that nests every construct that a scorer knows in every other one."""
    text = rng.choice(("Answer: @", "Answer: @", "@", "\\boxed{@}", "<answer>@</answer>"))
    for level in range(depth, -1, -1):
        if "@" not in text or len(text) > MAX_GROWN:
            break
        first, *rest = text.split("@")
        leaf = level == 0 or len(rest) > 40
        text = first + "".join(rng.choice(ATOMS if leaf or rng.random() < 0.3 else FORMS) + part for part in rest)
    return text.replace("@", "1")


def repeated(rng: random.Random) -> str:
    """Return a unit repeated to the length that scorers look at, and one more sign: what makes a careless pattern quadratic."""
    unit = "".join(rng.choice(TOKENS + ATOMS + FORMS) for _ in range(rng.choice((1, 1, 2, 3)))) or "."
    opening = rng.choice(("", "", "Answer: ", "Answer: x", "Answer:\n", "\\boxed{"))
    length = 3_900 if opening else 9_990
    return (opening + unit * (length // len(unit) + 1))[:length] + rng.choice(("", "x", " x", "\n", "!", ")", "}", '"'))


MAX_GROWN = 20_000
ATOMS = [
    *(
        "0",
        "1",
        "-2",
        "12",
        "3.5",
        "1,000",
        "1/2",
        "½",
        "10^8",
        "9" * 90,
        "1e4000",
        "0.0001",
        "x",
        "y",
        "e",
        "i",
        "π",
        "C",
    ),
    *(
        "∞",
        "-∞",
        "inf",
        "nan",
        "∅",
        "ℝ",
        "",
        " ",
        "B",
        "London",
        "true",
        "no",
        "unknown",
        "twelve",
        "half",
        "one hundred",
        "km",
    ),
    *(
        "\u202e12",
        "\u200b",
        "١٢",
        "１２",
        "²",
        "0x10",
        "1_000",
        "__import__('os')",
        "lambda: 1",
        "{0.__class__}",
        "\\infty",
    ),
]
FORMS = [
    *(
        "@+@",
        "@-@",
        "@*@",
        "@/@",
        "@ @",
        "@^@",
        "@^{@}",
        "@**@",
        "@!",
        "-@",
        "(@)",
        "[@]",
        "{@}",
        "|@|",
        "@%@",
        "@_@",
        "@_{@}",
    ),
    *(
        "\\frac{@}{@}",
        "\\frac@@",
        "\\sqrt{@}",
        "\\sqrt[@]{@}",
        "√@",
        "sin @",
        "sin^@(@)",
        "log_@ @",
        "exp(@)",
        "max(@, @)",
        "ln|@|",
    ),
    *(
        "@e@",
        "@ × 10^@",
        "10^{@}",
        "1e@",
        "@ %",
        "@%",
        "$@",
        "$@$",
        "@ km",
        "@ km (@ m)",
        "@ million",
        "@ (@)",
        "@ (@ = @)",
    ),
    *(
        "@, @",
        "@; @",
        "@ and @",
        "@ or @",
        "@, or @",
        "@ = @",
        "@ ≈ @",
        "x = @",
        "@ ± @",
        "±@",
        "@...",
        "@, i.e. @",
        "not @",
    ),
    *(
        "(@, @]",
        "]@, @[",
        "[@; @)",
        "@ ∪ @",
        "@ ∩ @",
        "@ ∖ @",
        "ℝ \\ @",
        "@ < x ≤ @",
        "x ≥ @",
        "x ≠ @",
        "{x | @}",
        "x ∈ @",
    ),
    *(
        "{@, @}",
        "\\{@, @\\}",
        "[[@, @], [@, @]]",
        "[@ @; @ @]",
        "[[@ @]\n [@ @]]",
        "\\begin{pmatrix}@ & @ \\\\ @ & @\\end{pmatrix}",
    ),
    *("| @ | @ |\n|---|---|\n| @ | @ |", "np.array(@)", "@ → @ → @", "@\n@", "@\n\n@", "Step @: @", "a_@ = @", "@^T"),
    *(
        "**@**",
        "`@`",
        "```\n@\n```",
        "_@_",
        "“@”",
        "$$@$$",
        "\\(@\\)",
        "\\[@\\]",
        "\\text{@}",
        "\\left(@\\right)",
        "\\boxed{@}",
    ),
    *(
        "Answer: @",
        "A: @",
        "#### @",
        "<answer>@</answer>",
        '{"answer": @}',
        '{"answer": "@"}',
        "The answer is @",
        "<think>@</think>@",
    ),
    *(
        "@ because @",
        "@. I hope it is @.",
        "@, which is @",
        "It is @",
        "B) @",
        "@ (B)",
        "@ is correct",
        "yes, @",
        "minus @",
        "@ point @",
    ),
]

TOKENS = [
    *"0123456789xeiπ+-*/^=<>()[]{}|,.;:!%$#&_\"'`~\\ \n",
    *(
        " 12",
        "3.5",
        "1,000",
        "10^",
        "e9",
        "½",
        "²",
        "−",
        "×",
        "±",
        "≈",
        "∞",
        "∪",
        "∈",
        "≤",
        "٣",
        "\u200b",
        "\u202e",
        "é",
    ),
    *(r"\frac", r"\sqrt", r"\text{", r"\boxed{", r"\left(", r"\begin{pmatrix}", r"\end{pmatrix}", r"\\", r"\{", r"\pm"),
    *(
        "sin",
        "log",
        "abs",
        " km",
        " percent",
        " million",
        " or ",
        " and ",
        " not ",
        "A",
        "B",
        "London",
        "yes",
        "unknown",
    ),
    *(
        "Answer:",
        "A:",
        "####",
        "<answer>",
        "</answer>",
        "<think>",
        "</think>",
        "**",
        "```",
        "because",
        "1 1/2",
        "__import__",
    ),
]


def _long(n: int) -> dict[str, str]:
    return {
        "empty": "",
        "megabyte of digits": "9" * n,
        "megabyte of spaces": " " * n + "12",
        "megabyte of stars": "*" * n,
        "megabyte of line feeds": "Answer:" + "\n" * n,
        "megabyte of quotes": '"' * n,
        "megabyte of full stops": ". " * (n // 2),
        "megabyte of dots": "." * n + "x",
        "many dots": "." * 9_990 + "x",
        "megabyte of brackets": "[" * n,
        "megabyte of words": "lorem ipsum dolor " * (n // 18),
        "megabyte of names": "Word " * (n // 5),
        "megabyte of two scripts": "漢字 kana " * (n // 8),
        "megabyte of speakers": "A: \n" * (n // 4),
        "megabyte of short lines": "1\n" * (n // 2),
        "megabyte of reasoning": "<think>" * (n // 7),
        "megabyte of closed reasoning": "<think></think>" * (n // 15),
        "megabyte behind a marker": "Answer: " + "9" * n,
    }


def _deep() -> dict[str, str]:
    return {
        "power tower": "^".join("9" * 40),
        "braced tower": "9^{" * 60 + "9" + "}" * 60,
        "brackets": "(" * 1_900 + "x" + ")" * 1_900,
        "open braces": "{" * 3_900,
        "open square brackets": "[" * 3_900,
        "fractions in fractions": "\\frac1{" * 90 + "x" + "}" * 90,
        "signs": "-" * 3_900,
        "bars": "|" * 199,
        "environments": "\\begin{pmatrix}" * 150,
        "matrix of brackets": "[" + "[" * 1_000 + "]" * 1_000 + "]",
        "json": '{"a":' * 700,
    }


def _numeric() -> dict[str, str]:
    return {
        "many digits": "9" * 3_900,
        "long fraction": "9" * 490 + "/" + "7" * 490,
        "long mixed number": "1 " + "9" * 1_900 + "/" + "9" * 1_900,
        "largest exponent": "1e-5000",
        "larger exponent": "1e999999999",
        "endless exponent": "1e" + "9" * 3_000,
        "endless power of ten": "1*10^{" + "9" * 3_000 + "}",
        "commas": "1," * 1_900,
        "groups": "1" + ",234" * 950,
        "spaced groups": "1" + " 234" * 950,
        "Indian groups": "1" + ",23" * 1_300,
        "points": "." * 3_900,
        "spaces between": "1" + " " * 3_900 + "2",
        "equals signs": "=1" * 1_900,
        "almost equal": "≈1" * 1_900,
        "dollars": "$" * 3_900,
        "pairs of dollars": "$1" * 1_900,
        "glosses": "1 (1) " * 640,
        "percent": "5%" * 1_900,
        "words": "the " * 950 + "12",
        "letters": "a b c d e f g h " * 200 + "12",
        "number words": "one hundred " * 300,
        "not a number": "nan",
        "infinity": "-inf",
        "division by zero": "1/0",
    }


def _symbolic() -> dict[str, str]:
    return {
        "sum": "+".join(["x"] * 90),
        "sines in sines": "sin " * 150 + "x",
        "exponentials": "exp " * 150 + "x",
        "factorials": "+".join(["170!"] * 60),
        "factorial of a factorial": "9!!!",
        "sine of a huge number": "+".join(["sin(10^500x)"] * 22),
        "equal, and slow": "x+1" + "+0*asin x" * 33,
        "equal with poles": "x+1" + "+0*tan x" * 33,
        "equal with powers": "x+1" + "+0*x^x" * 28,
        "remainders": "%".join(["x"] * 90),
        "poles": "1/(x-x)",
        "run of letters": "x" * 990,
        "subscripts": "x_1" * 300,
        "hexadecimal base": "log_0x10 x",
        "huge base": "log_9E9999999 x",
        "commands": "\\frac" * 780,
        "unclosed text": "\\text{" * 600,
        "backslashes": "\\" * 3_900,
    }


def _lists() -> dict[str, str]:
    return {
        "large set": "{" + ",".join(map(str, range(900))) + "}",
        "plus and minus": "{" + ",".join(["1±2"] * 600) + "}",
        "roots": "{" + ",".join(f"1±sqrt({n})" for n in range(95)) + "}",
        "unions": "∪".join(f"({2 * n},{2 * n + 1})" for n in range(300)),
        "intersections": "∩".join(["(1,2)"] * 60),
        "inequalities": " and ".join(f"x!={n}" for n in range(300)),
        "holes": "ℝ" + "∖{1}" * 600,
        "rows": "[[" + "],[".join(["1,2"] * 600) + "]]",
        "ampersands": "\\begin{pmatrix}" + "1&" * 1_800 + "\\end{pmatrix}",
        "arrows": "1→" * 1_900,
        "labels": "B, " * 1_300,
        "negations": "not " * 900 + "true",
        "abstentions": "the it we i " * 300,
        "retractions": "cannot be " * 390,
    }


def _invisible() -> dict[str, str]:
    return {
        "control characters": "\x00\x01\x02 12\x1b[31m",
        "right to left": "\u202e21\u202c",
        "zero width": "\u200b" * 3_900 + "12",
        "combining marks": "e" + "\u0301" * 3_900,
        "ligatures that unfold": "\ufdfa" * 3_900,
        "emoji": "👨‍👩‍👧" * 400,
        "lone surrogate": "\ud800",
        "Arabic digits": "١" * 3_900,
        "superscripts": "²" * 3_900,
        "vulgar fractions": "½" * 3_900,
        "private signs": "\ue000$12$",
    }


def _code(canary: str) -> dict[str, str]:
    call = f"open({canary!r}, 'w').close()"
    return {
        "import": f"__import__('pathlib').Path({canary!r}).touch()",
        "lambda": f"(lambda: {call})()",
        "subclasses": "().__class__.__bases__[0].__subclasses__()",
        "format": "{0.__class__.__init__.__globals__}",
        "statement": f"x+1; {call}",
        "f-string": f"f'{{{call}}}'",
        "sympy": f"Symbol('x').func({call})",
        "json": '{"__class__": "os.system"}',
        "yaml": f"!!python/object/apply:os.system ['touch {canary}']",
        "template": "{{ ''.__class__.__mro__ }}",
        "tex": "\\input{/etc/passwd}\\write18{touch " + canary + "}",
    }


def _markers() -> dict[str, str]:
    return {
        "markers": "Answer: " * 1_200,
        "bracketed markers": "Answer (" * 1_200,
        "boxes": "\\boxed{" * 1_400,
        "closed boxes": "\\boxed{1}" * 1_100,
        "boxes in boxes": "\\boxed{" * 700 + "}" * 700,
        "tags": "<answer>" * 1_250,
        "number signs": "#" * 9_999,
        "heading": "\n" + "# " * 4_990 + "answer",
        "line markers": "A:\n" * 3_300,
        "quoted line marker": ">" * 9_990 + "A: 1",
        "indented line marker": " \t" * 4_990 + "A: 1",
        "emphasis": "Answer: " + " *a" * 1_300,
        "open emphasis": "Answer: " + " __a" * 900,
        "ticks": "Answer: " + "`" * 3_900,
        "fences that never close": "Answer (2,3)```\n" * 600,
        "fences and blank lines": "```\n" + "\n" * 9_000,
        "rows that never close": "Answer: [[\n" + "1\n" * 4_000,
    }
