"""Our scorers beside math-verify and a last-number regex, on the shared cases; the tables of docs/scorers.md.

    pip install 'qbench[compare]'
    python benchmarks/scorer_comparison.py            # print the tables
    python benchmarks/scorer_comparison.py --write    # put them between the markers in docs/scorers.md

math-verify is called in its own way (gold and response parsed with its default extraction, options of a choice as strings), and a
second time behind our extraction, with the committed text in dollar signs, so that its parser and comparison can be told from where it
looks. It knows no tolerance: where the spec has one, the number that it read is held against ours. Some responses are hostile, so it
runs in a process of its own, which is killed after ten seconds. The last-number scorer is lm-eval's for GSM8K ("flexible-extract"),
with the same help.
"""

import argparse
import importlib
import json
import multiprocessing
import re
from collections.abc import Callable
from fractions import Fraction
from multiprocessing.connection import Connection
from typing import Any

import sympy
from quoting import ROOT, quote

from qbench.scoring import judge
from qbench.scoring.extract import committed
from qbench.scoring.tolerance import exact, read_tolerance

CASES = ROOT / "tests" / "scoring" / "shared_cases.jsonl"
TIMEOUT = 10  # seconds for one response

SCORERS = ("qbench", "math-verify", "math-verify behind our extraction", "last number")
MATHEMATICS = ("number", "expression", "interval", "set", "vector", "matrix", "choice")  # what math-verify is for
LAST_NUMBER = re.compile(r"(-?[$0-9.,]{2,})|(-?[0-9]+)")

Case = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description="Our scorers beside others, on the shared cases.")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/scorers.md")
    options = parser.parse_args()
    cases = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
    tables = comparison(cases)
    print(tables)
    if options.write:
        quote("docs/scorers.md", {"comparison": [tables]})


def comparison(cases: list[Case]) -> str:
    """Two Markdown tables: how often each scorer agrees with the verdict written down, and where one does not."""
    verify = MathVerify()
    scorers: dict[str, Callable[[Case], bool | None]] = {
        "qbench": lambda case: judge(case["response"], case["answer"]).correct,
        "math-verify": lambda case: verify(case, case["response"]),
        "math-verify behind our extraction": lambda case: verify(case, _extracted(case)),
        "last number": last_number,
    }
    verdicts = {name: [score(case) for case in cases] for name, score in scorers.items()}
    verify.close()
    right = {
        name: [
            None if verdict is None else verdict == case["correct"] for verdict, case in zip(found, cases, strict=True)
        ]
        for name, found in verdicts.items()
    }
    return f"{_counts(cases, right)}\n\n{_disagreements(cases, right)}"


def last_number(case: Case) -> bool | None:
    """What most harnesses do with a number: the last one in the response, whatever surrounds it."""
    answer = case["answer"]
    if answer["type"] != "number":
        return None
    found = LAST_NUMBER.findall(case["response"])
    text = "".join(found[-1]).replace(",", "").replace("$", "").rstrip(".") if found else ""
    return _accepts(text, answer)


def _accepts(text: str, answer: Case) -> bool:
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        return False
    return bool(read_tolerance(answer).accepts(value, exact(answer["target"])))


def _extracted(case: Case) -> str | None:
    text = committed(case["response"], line_marker=case["answer"]["type"] != "choice").text
    return None if text is None else text if case["answer"]["type"] == "choice" else f"${text.strip('$')}$"


# ---------------------------------------------------------------- math-verify, in a process of its own


class MathVerify:
    """A worker that is killed when a response takes too long, and started again for the next one."""

    def __init__(self) -> None:
        self.process: Any = None
        self.connection: Connection | None = None

    def __call__(self, case: Case, response: str | None) -> bool | None:
        answer = case["answer"]
        if answer["type"] not in MATHEMATICS:
            return None
        if response is None:
            return False
        if self.connection is None:
            self.connection, theirs = multiprocessing.Pipe()
            self.process = multiprocessing.get_context("spawn").Process(target=_work, args=(theirs,), daemon=True)
            self.process.start()
            self.connection.recv()  # it has imported what it needs
        self.connection.send((_golds(answer), list(answer.get("labels", ())), response))
        if not self.connection.poll(TIMEOUT):
            self.close()
            return False
        equal, number = self.connection.recv()
        if not equal and number is not None and answer["type"] == "number" and answer["tolerance"]["mode"] != "exact":
            return _accepts(number, answer)
        return bool(equal)

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
        self.process = self.connection = None


def _work(connection: Connection) -> None:
    # Imported by name: it is an optional dependency without types.
    parse, verify = (getattr(importlib.import_module("math_verify"), name) for name in ("parse", "verify"))
    strings = importlib.import_module("math_verify.parser").StringExtractionConfig
    connection.send("ready")
    while True:
        golds, labels, response = connection.recv()
        config = {"extraction_config": [strings(strings=tuple(labels))]} if labels else {}
        try:
            said = parse(response, **config)
            equal = any(verify(parse(gold, **config), said) for gold in golds)
        except Exception:  # an exception is a verdict too: not equal
            said, equal = [], False
        connection.send((equal, _number_in(said)))


def _number_in(said: list[Any]) -> str | None:
    """The number that was read, as exactly as it was read."""
    for item in said:
        if isinstance(item, sympy.Expr) and item.is_number:
            try:
                return repr(float(item)) if item.has(sympy.Float) else str(sympy.N(item, 30))
            except Exception:  # too large, or complex
                return None
    return None


def _golds(answer: Case) -> list[str]:
    """The target as LaTeX, which is how math-verify likes to be told; a vector also as a column."""
    target = answer["target"]
    match answer["type"]:
        case "choice":
            return [str(target)]
        case "set":
            return [rf"$\{{{', '.join(map(_latex, target))}\}}$"]
        case "vector":
            return [rf"$({', '.join(map(_latex, target))})$", _matrix([[part] for part in target])]
        case "matrix":
            return [_matrix(target)]
        case "interval":
            return [f"${target.replace('∞', chr(92) + 'infty').replace('∪', chr(92) + 'cup ')}$"]
        case _:
            return [f"${_latex(target)}$"]


def _matrix(table: list[list[str]]) -> str:
    rows = r" \\ ".join(" & ".join(map(_latex, row)) for row in table)
    return rf"$\begin{{pmatrix}} {rows} \end{{pmatrix}}$"


def _latex(expression: str) -> str:
    text = expression.replace("^", "**")
    return str(sympy.latex(sympy.sympify(text, locals={"e": sympy.E}, rational=True)))  # ours, never a response


# ---------------------------------------------------------------- tables


def _counts(cases: list[Case], right: dict[str, list[bool | None]]) -> str:
    kinds = sorted({case["answer"]["type"] for case in cases}, key=lambda kind: (kind not in MATHEMATICS, kind))
    lines = [f"| answer type | cases | {' | '.join(SCORERS)} |", f"|---|--:{'|--:' * len(SCORERS)}|"]
    for kind in [*kinds, "all"]:
        chosen = [n for n, case in enumerate(cases) if kind in (case["answer"]["type"], "all")]
        cells = []
        for name in SCORERS:
            found = [right[name][n] for n in chosen if right[name][n] is not None]
            cells.append(f"{sum(map(bool, found))} of {len(found)}" if found else "–")
        lines.append(f"| {kind} | {len(chosen)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _disagreements(cases: list[Case], right: dict[str, list[bool | None]]) -> str:
    sign = {True: "✓", False: "✗", None: "–"}
    lines = [
        f"| case | response | target | is | {' | '.join(SCORERS)} | why |",
        f"|---|---|---|---{'|:-:' * len(SCORERS)}|---|",
    ]
    for n, case in enumerate(cases):
        verdicts = [right[name][n] for name in SCORERS]
        if False in verdicts:
            is_right = "right" if case["correct"] else "wrong"
            why = case["why"].replace("|", "\\|") + (" (convention)" if case["convention"] else "")
            signs = " | ".join(sign[verdict] for verdict in verdicts)
            lines.append(
                f"| {case['id']} | {_code(case['response'])} | {_code(case['answer']['target'])} | {is_right} | {signs} | {why} |"
            )
    return "\n".join(lines)


def _code(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text.replace("\n", " ⏎ ").replace("|", "\\|").replace("`", "ˋ")
    return f"`{text if len(text) <= 60 else text[:57] + '…'}`" if text else "(empty)"


if __name__ == "__main__":
    main()
