"""Scorers: a response and an answer spec become a verdict.

    judge("The answer is 3/4.", {"type": "number", "target": "0.75", "tolerance": {"mode": "exact"}})

Every answer type is one file with three verbs. `extract` finds the text that the response commits to, `parse` reads it, `compare` holds
it against the spec; a disputed verdict can be traced to one of the three. Model text is hostile input: nothing here hands it to
``eval``, ``sympify`` or ``parse_expr``, every regular expression is linear, every parser has caps.

`process_results` and `choice_results` are what the tasks' YAML files name.
"""

import functools
import json
import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol

import numpy as np

from qbench.errors import AnswerSpecError, did_you_mean
from qbench.scoring.degeneration import damage
from qbench.scoring.degeneration import degeneration as measure
from qbench.scoring.extract import Committed
from qbench.scoring.verdict import Unreadable, Verdict

__all__ = [
    "FAILED",
    "TYPES",
    "Verdict",
    "check_spec",
    "choice_results",
    "declinable_choice_results",
    "judge",
    "mean_where_asked",
    "process_results",
]

FAILED = "\x00qbench:failed:"
"""How a response begins that the machine, not the model, failed to give. Its metrics are missing, never zero."""

TYPES = {
    "abstain": "qbench.scoring.abstain",
    "boolean": "qbench.scoring.boolean",
    "choice": "qbench.scoring.choice",
    "expression": "qbench.scoring.expression",
    "interval": "qbench.scoring.interval",
    "matrix": "qbench.scoring.matrix",
    "number": "qbench.scoring.number",
    "plan": "qbench.scoring.plan",
    "rubric": "qbench.scoring.rubric",
    "set": "qbench.scoring.sets",
    "text": "qbench.scoring.text",
    "trace": "qbench.scoring.trace",
    "vector": "qbench.scoring.vector",
}
CUT = ("truncated reasoning", "cut off")  # reasons for no answer that a larger token limit might have prevented
COMMON_FIELDS = ("type", "target", "tolerance")


class Scorer(Protocol):
    """What a module in TYPES offers. ``Spec`` stands for the type of its own that it reads a spec into."""

    FIELDS: tuple[str, ...]

    def read_spec(self, answer: Mapping[str, Any]) -> Any: ...
    def extract(self, response: str, spec: Any) -> Committed: ...
    def parse(self, found: Committed, spec: Any) -> Any: ...
    def compare(self, value: Any, spec: Any) -> Verdict: ...


def judge(response: str, answer: Mapping[str, Any]) -> Verdict:
    """Judge one response.

    Raises:
        AnswerSpecError: the spec cannot be read. No response raises anything.
    """
    return _judge(response, *_read(answer))


def check_spec(answer: Mapping[str, Any]) -> None:
    """Check a spec as the bank does: like `judge`, and a field that no scorer reads is an error too.

    `judge` ignores unknown fields, so that samples of a newer bank can still be judged.

    Raises:
        AnswerSpecError: naming the field.
    """
    scorer, _ = _read(answer)
    known = (*COMMON_FIELDS, *scorer.FIELDS)
    for name in answer:
        if name not in known:
            raise AnswerSpecError(
                f"An answer of type {answer['type']} has no field {name!r}.{did_you_mean(str(name), known)}"
            )


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """Judge one generated response; lm-eval calls this for every document.

    ``matching_digits`` is graded damage on a scale of 0 to 15: the correct leading digits of a number, 15 times the score of any other
    answer. ``degeneration`` says how far the text of the response has fallen apart, whatever it answers: 0 for a whole text, 1 for a ruin.
    """
    response = results[0]
    if response.startswith(FAILED):
        return dict.fromkeys(("score", "answered", "matching_digits", "degeneration"), math.nan)
    verdict = _judge(response, *_read_json(doc["answer"]))
    digits = verdict.details.get("matching_digits", 15 * verdict.score)
    return {
        "score": verdict.score,
        "answered": float(verdict.answered),
        "matching_digits": digits,
        "degeneration": damage(measure(response)),
    }


def choice_results(doc: Mapping[str, Any], results: Sequence[tuple[float, bool]]) -> dict[str, float]:
    """Judge one forced choice from the log-likelihoods of its choices.

    ``margin`` is the target's log-likelihood minus the best other one, in nats; a tie is no choice, so it scores 0. The softmax over
    the choices gives ``confidence``, the probability of the choice made, for calibration, and ``brier``, the sum of squared differences
    from the truth, 0 to 2 (Brier 1950, eq. 2). A choice that declines to answer, where the item has one, is not ``answered``.
    ``score_norm`` decides by log-likelihood per byte instead, as lm-eval's ``acc_norm`` does, for choices of unequal length.
    """
    likelihoods = np.array([likelihood for likelihood, _ in results], dtype=float)
    if np.isnan(likelihoods).any() or not np.isfinite(likelihoods).any():
        return dict.fromkeys(("score", "score_norm", "answered", "margin", "brier", "confidence"), math.nan)
    target = int(doc["target_index"])
    margin = float(likelihoods[target] - np.delete(likelihoods, target).max())
    probabilities = np.exp(likelihoods - likelihoods.max())
    probabilities /= probabilities.sum()
    truth = np.arange(len(likelihoods)) == target
    per_byte = likelihoods / [len(choice.encode()) for choice in doc["choices"]]
    return {
        "score": float(margin > 0),
        "score_norm": float(per_byte[target] > np.delete(per_byte, target).max()),
        "answered": float(np.argmax(likelihoods) != doc.get("declining_index", -1)),
        "margin": margin,
        "brier": float(np.square(probabilities - truth).sum()),
        "confidence": float(probabilities.max()),
    }


def declinable_choice_results(doc: Mapping[str, Any], results: Sequence[tuple[float, bool]]) -> dict[str, float]:
    """Like `choice_results`, with ``hallucinated``: 1 where a question about what does not exist was answered with something else than
    that, 0 where it was declined, and missing for every other question.
    """
    metrics = choice_results(doc, results)
    unanswerable = doc["declining_index"] == doc["target_index"]
    return {**metrics, "hallucinated": metrics["answered"] if unanswerable else math.nan}


def mean_where_asked(values: Sequence[float]) -> float:
    """The mean over the items that a metric exists for, as lm-eval's aggregation for ``hallucinated``."""
    asked = [value for value in values if not math.isnan(value)]
    return sum(asked) / len(asked) if asked else math.nan


# ---------------------------------------------------------------- from a spec to its scorer


def _read(answer: Mapping[str, Any]) -> tuple[Scorer, Any]:
    kind = answer.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        raise AnswerSpecError(
            f"No answer has the type {kind!r}.{did_you_mean(str(kind), TYPES)} Known: {', '.join(TYPES)}."
        )
    scorer: Scorer = import_module(TYPES[kind])
    return scorer, scorer.read_spec(answer)


@functools.lru_cache(maxsize=4096)
def _read_json(answer: str) -> tuple[Scorer, Any]:
    """Specs are read once: a sweep judges the same items at every level."""
    return _read(json.loads(answer))


def _judge(response: str, scorer: Scorer, spec: Any) -> Verdict:
    found = scorer.extract(response, spec)
    if found.text is None:
        return Verdict(
            False, False, 0.0, reason=found.reason, details={"truncated": 1.0} if found.reason in CUT else {}
        )
    try:
        value = scorer.parse(found, spec)
    except Unreadable as refusal:
        # An unmarked last line that is no answer was never offered as one.
        if not found.marked:
            return Verdict(False, False, 0.0, reason="no answer")
        return Verdict(False, True, 0.0, answer=found.text, reason=str(refusal))
    verdict = scorer.compare(value, spec)
    return Verdict(verdict.correct, verdict.answered, verdict.score, found.text, verdict.reason, verdict.details)
