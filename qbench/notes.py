"""What happened while prompts were answered, and what becomes of those that were not."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lm_eval.api.instance import Instance

from qbench.decoding import Decoded
from qbench.errors import ModelError

log = logging.getLogger(__name__)

NAN_LOGITS = "NaN logits"


@dataclass(frozen=True)
class Note:
    """What happened while one prompt was answered, beside the response itself."""

    n_tokens: int = 0
    accepted: int = 0
    """Tokens of the draft that this level would have written too."""
    truncated: bool = False
    """Cut off at the limit of new tokens."""
    failed: str = ""
    """Why there is no response: NaN logits, or a prompt that the model's window cannot hold."""

    @classmethod
    def of(cls, decoded: Decoded) -> "Note":
        return cls(
            n_tokens=len(decoded.tokens),
            accepted=decoded.accepted,
            truncated=not decoded.stopped and not decoded.failed,
            failed=NAN_LOGITS if decoded.failed else "",
        )

    @classmethod
    def too_long(cls, n_prompt: int, n_new: int, window: int) -> "Note":
        return cls(
            failed=f"not applicable: a prompt of {n_prompt} tokens and up to {n_new} new ones exceed the window of {window}"
        )


def report_failures(requests: Sequence[Instance], notes: Mapping[str, Note], level: str, remedy: str) -> None:
    """Warn of requests that did not fit, where nothing records them.

    Args:
        requests: what was asked.
        notes: what happened, by prompt.
        level: name of the level, for the message.
        remedy: what to do about NaN, ``Try dtype=float32`` for example.

    Raises:
        ModelError: logits were NaN, which lm-eval would count as wrong answers.
    """
    reasons = [note.failed for request in requests if (note := notes.get(request.args[0])) and note.failed]
    if NAN_LOGITS in reasons:
        raise ModelError(
            f"At level {level}, {reasons.count(NAN_LOGITS)} of {len(requests)} prompts gave logits that are not numbers, and lm_eval "
            f"would count them as wrong. {remedy}, or run qbench sweep, which records them as failed."
        )
    if reasons:
        log.warning(
            "%d of %d prompts are too long for this model and were left out (%s)",
            len(reasons),
            len(requests),
            reasons[0],
        )
