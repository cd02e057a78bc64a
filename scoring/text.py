"""Short texts: ``{type: text, target: "Zürich", aliases: ["Turicum"], strip_accents: true}``.

The whole committed text must be the target (or an alias), apart from case, quotes, an article, the full stop, a lead-in ("It is …") and
a reason or a remark behind it ("Paris, which is in France", "Bag D (97/175)"). A target inside a longer text is not found: "It is not
Paris" contains Paris.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qbench.errors import AnswerSpecError
from qbench.scoring.extract import BULLET, Committed, committed, undress, without_reason
from qbench.scoring.tolerance import texts
from qbench.scoring.verdict import Verdict

FIELDS = ("aliases", "strip_accents")

TYPOGRAPHY = str.maketrans(
    {**dict.fromkeys("‘’ʼ′", "'"), **dict.fromkeys("“”„«»", '"'), **dict.fromkeys("‐‑–—−", "-"), "_": " "}
)
LEAD_IN = re.compile(
    r"(?:(?:it|this|that|he|she|they|(?:the|this|that|my|his|her|its|their)(?: [^\s.!?]+){1,6}?)"
    r" (?:is|was|are|were|equals|(?:would|must|should) be)|it's):? "
)
REMARK = re.compile(
    r"(?P<text>.*?)(?P<remark>(?:[.!;] (?:it|this|that|he|she|they|these|i)|,? ?\(\w+|, (?:which|who)) \w.*)"
)
FIGURES = re.compile(
    r"(?P<text>[^\d()]+?)(?P<remark>,? ?\((?=[^()]*\d)[^()]{1,80}\)?)"
)  # Bag D (97/175); 5:30 (6:15) is two
COMPETES = re.compile(r"\b(?:or|and|not|no|nor|but|maybe|perhaps|possibly|actually|instead|rather|wrong|wait|\w+n't)\b")
ARTICLE = re.compile(r"(?:a|an|the) (?=\S)")
STROKES = str.maketrans({**dict(zip("łøđħıðŧ", "lodhidt", strict=True)), "æ": "ae", "œ": "oe", "þ": "th"})
EDGES = ' \t\n.,;:!"()[]*`'


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
    targets = [answer.get("target"), *texts(answer, "aliases")]
    accepted = frozenset(normal(text, strip_accents=strip_accents) if isinstance(text, str) else "" for text in targets)
    if "" in accepted:
        raise AnswerSpecError(f"The targets of a text answer must be texts with a letter or digit, not {targets}.")
    return Spec(accepted, strip_accents)


def extract(response: str, spec: Spec) -> Committed:
    """Return the text behind the last marker, or the last line."""
    return committed(response)


def parse(found: Committed, spec: Spec) -> set[str]:
    """Return the text with and without its lead-in."""
    whole = _folded(found.text or "", spec.strip_accents)
    lead = LEAD_IN.match(whole)
    said = whole[lead.end() :] if lead else whole
    texts = {_without_article(whole), _without_article(_trimmed(without_reason(said)))}
    for behind in (REMARK, FIGURES) if found.marked else ():
        remark = behind.fullmatch(said)
        if remark and not COMPETES.search(remark["remark"]):
            texts.add(_without_article(_trimmed(remark["text"])))
    return texts


def compare(texts: set[str], spec: Spec) -> Verdict:
    """Accept if one of them is the target."""
    return Verdict.of(not spec.accepted.isdisjoint(texts))


def normal(text: str, *, strip_accents: bool = False) -> str:
    """One spelling of a short text: composed, case-folded, straight quotes, single spaces, no article in front, nothing at the edges."""
    return _without_article(_folded(text, strip_accents))


def _folded(text: str, strip_accents: bool) -> str:
    text = unicodedata.normalize("NFC", undress(text)).translate(TYPOGRAPHY).casefold()
    if bullet := BULLET.match(text):
        text = text[bullet.end() :]
    if strip_accents:
        text = unicodedata.normalize("NFD", text.translate(STROKES))
        text = "".join(sign for sign in text if not unicodedata.combining(sign))
    return _trimmed(" ".join(text.split()))


def _trimmed(text: str) -> str:
    """Without punctuation around it; a single quote goes with its partner only, since its' is not its."""
    while True:
        before, text = text, text.strip(EDGES)
        if len(text) > 1 and text[0] == text[-1] == "'":
            text = text[1:-1]
        if text == before:
            return text


def _without_article(text: str) -> str:
    return ARTICLE.sub("", text, count=1) if ARTICLE.match(text) else text
