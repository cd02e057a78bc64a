"""What can go wrong, as a tree.

    QBenchError
      ├─ BankError            the question bank, or a bank of somebody's own
      │    ├─ TemplateError       a template that cannot be read or drawn from
      │    └─ AnswerSpecError     an answer that no scorer knows how to judge
      ├─ LevelError           a level that does not exist or was not applied
      │    └─ MixError            a layer-wise mix that cannot be read or matches nothing
      ├─ ModelError           a model that cannot be loaded, or computes NaN
      ├─ RunError             a folder of results that cannot be read or continued
      │    └─ SamplesError        a samples file that is cut, altered or of another schema
      ├─ ProfileError         a sensitivity profile that cannot be read, continued or asked for this
      ├─ AllocationError      a budget or a limit that no mix can keep
      └─ PairingError         two runs that must not be compared

A message is one or two sentences: what happened, what was expected, what to do. The command line prints it without a traceback
and exits with status 2. Everything that is not a ``QBenchError`` is a bug, and crashes loudly.
"""

import difflib
from collections.abc import Iterable


class QBenchError(Exception):
    """Base of every error that qbench raises on purpose."""


class BankError(QBenchError):
    """The question bank cannot be read."""


class TemplateError(BankError):
    """A template cannot be read, or an item cannot be drawn from it."""


class AnswerSpecError(BankError):
    """An answer specification has a field or a value that no scorer knows."""


class LevelError(QBenchError):
    """A level does not exist, or was not applied to the model."""


class MixError(LevelError):
    """A mix cannot be read, or one of its rules matches no module."""


class ModelError(QBenchError):
    """A model cannot be loaded, or computes values that are not numbers."""


class RunError(QBenchError):
    """A folder of results cannot be read, or belongs to another bank or plan."""


class SamplesError(RunError):
    """A samples file is cut short, was altered, or has another schema."""


class ProfileError(QBenchError):
    """A sensitivity profile cannot be read, belongs to another plan, or does not hold what is asked of it."""


class AllocationError(QBenchError):
    """A budget or a limit that no mix can keep, or that is no number; says what can be reached."""


class PairingError(QBenchError):
    """Two runs do not answer the same questions and must not be compared."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean q4?"`` for the closest known name, or an empty string."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]}?" if close else ""
