"""Short texts: ``{type: text, target: "Zürich", aliases: ["Turicum"], strip_accents: true}``.

The whole committed text must be the target (or an alias), apart from case, quotes, an article, the full stop, a lead-in ("It is …") and
a reason behind "because". A target inside a longer text is not found: "It is not Paris" contains Paris.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qbench.errors import AnswerSpecError
from qbench.scoring.extract import Committed, committed, undress, without_reason
from qbench.scoring.verdict import Verdict

FIELDS = ("aliases", "strip_accents")

TYPOGRAPHY = str.maketrans(
    {**dict.fromkeys("‘’ʼ′", "'"), **dict.fromkeys("“”„«»", '"'), **dict.fromkeys("‐‑–—−", "-"), "_": " "}
)
LEAD_IN = re.compile(r"(?:it|this|that|he|she|they|the(?: [^\s.!?]+){1,6}?) (?:is|was|are|were|equals) |it's ")
ARTICLE = re.compile(r"(?:a|an|the) (?=\S)")
EDGES = " \t\n.,;:!\"'()[]*`"


@dataclass(frozen=True)
class Spec:
    """The texts that are right, normalized."""

    accepted: frozenset[str]
    strip_accents: bool


def read_spec(answer: Mapping[str, Any]) -> Spec:
    """Read an answer spec of this type.

    Raises:
        AnswerSpecError: the target is no text or has no letter or digit in it.
    """
    strip_accents = bool(answer.get("strip_accents", False))
    texts = [answer.get("target"), *(answer.get("aliases") or [])]
    accepted = frozenset(normal(text, strip_accents=strip_accents) if isinstance(text, str) else "" for text in texts)
    if "" in accepted:
        raise AnswerSpecError(f"The targets of a text answer must be texts with a letter or digit, not {texts}.")
    return Spec(accepted, strip_accents)


def extract(response: str, spec: Spec) -> Committed:
    """Return the text behind the last marker, or the last line."""
    return committed(response)


def parse(found: Committed, spec: Spec) -> set[str]:
    """Return the text with and without its lead-in."""
    whole = _folded(found.text or "", spec.strip_accents)
    lead = LEAD_IN.match(whole)
    said = whole[lead.end() :] if lead else whole
    return {_without_article(whole), _without_article(without_reason(said).strip(EDGES))}


def compare(texts: set[str], spec: Spec) -> Verdict:
    """Accept if one of them is the target."""
    return Verdict.of(not spec.accepted.isdisjoint(texts))


def normal(text: str, *, strip_accents: bool = False) -> str:
    """One spelling of a short text: composed, case-folded, straight quotes, single spaces, no article in front, nothing at the edges."""
    return _without_article(_folded(text, strip_accents))


def _folded(text: str, strip_accents: bool) -> str:
    text = unicodedata.normalize("NFC", undress(text)).translate(TYPOGRAPHY).casefold()
    if strip_accents:
        text = "".join(sign for sign in unicodedata.normalize("NFD", text) if not unicodedata.combining(sign))
    return " ".join(text.split()).strip(EDGES)


def _without_article(text: str) -> str:
    return ARTICLE.sub("", text, count=1) if ARTICLE.match(text) else text
