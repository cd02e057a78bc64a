"""What a scorer returns, and how it says no."""

from dataclasses import dataclass, field


class Unreadable(Exception):
    """The committed text is not an answer of the asked form; the message is the verdict's reason.

    A reader raises it, `qbench.scoring.judge` turns it into a verdict. No user sees it.
    """


@dataclass(frozen=True)
class Verdict:
    """How one response was judged."""

    correct: bool
    answered: bool
    """The response committed to an answer, right or wrong. Silence and a wrong answer are different damage."""
    score: float
    """0 to 1: ``float(correct)``, except for rubrics and plans, where it is the mean of the checks or rules."""
    answer: str | None = None
    """What was extracted from the response."""
    reason: str = ""
    """Why, in a word or a short clause: ``match``, ``wrong value``, ``no answer``, ``two answers``."""
    details: dict[str, float] = field(default_factory=dict)
    """Graded damage: how far off, where the first wrong step is, whether the response was cut."""

    @classmethod
    def of(cls, correct: bool, reason: str = "", **details: float) -> "Verdict":
        """The verdict on an answer that could be read."""
        return cls(
            correct, True, float(correct), reason="match" if correct else reason or "wrong value", details=details
        )
