"""A longer text, counted: the words, sentences, paragraphs and syllables that rubrics ask about."""

import re
import unicodedata
from functools import cached_property

MAX_TEXT = 10_000  # characters of a response that are looked at; about 1,700 words

WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+|(?<=\d)[.,]\d+)*")
PARAGRAPH_BREAK = re.compile(r"\n[ \t]*\n\s*")
SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]+[\"')\]*_]*(?=\s|$)")  # the lookbehind keeps a thousand dots linear
ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|vs|etc|e\.g|i\.e|no|fig|approx|[a-z])|^\s*\d{1,3})\.$", re.IGNORECASE
)
VOWELS = re.compile(r"[aeiouyáàâäéèêëíîïóôöúûü]+")
TYPOGRAPHY = str.maketrans({**dict.fromkeys("‘’ʼ", "'"), **dict.fromkeys("“”„«»", '"'), **dict.fromkeys("‐‑", "-")})


class Prose:
    """A text and its parts, each counted when first asked for."""

    def __init__(self, text: str) -> None:
        self.text = unicodedata.normalize("NFC", text[:MAX_TEXT]).translate(TYPOGRAPHY).strip()

    @cached_property
    def folded(self) -> str:
        """Case-folded, on single spaces: what phrases are searched in."""
        return fold(self.text)

    @cached_property
    def words(self) -> list[str]:
        """Case-folded words; ``don't``, ``well-known`` and ``1,200`` are one each."""
        return WORD.findall(self.folded)

    @cached_property
    def lines(self) -> list[str]:
        """Lines that are not blank."""
        return [line.strip() for line in self.text.split("\n") if line.strip()]

    @cached_property
    def paragraphs(self) -> list[str]:
        """Blocks between blank lines; the stanzas of a poem."""
        return [block for block in PARAGRAPH_BREAK.split(self.text) if block.strip()]

    @cached_property
    def sentences(self) -> list[str]:
        """Sentences with a word in them. A line end closes a sentence where the next line is a list item or a new paragraph."""
        return [sentence for block in self.paragraphs for line in block.split("\n") for sentence in _sentences(line)]


def _sentences(line: str) -> list[str]:
    found, start = [], 0
    for end in SENTENCE_END.finditer(line):
        if not ABBREVIATION.search(line[max(start, end.end() - 10) : end.end()]):
            found.append(line[start : end.end()])
            start = end.end()
    found.append(line[start:])
    return [sentence.strip() for sentence in found if WORD.search(sentence)]


def fold(text: str) -> str:
    """One spelling for searching: composed, straight quotes, case-folded, single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).translate(TYPOGRAPHY).casefold().split())


def unaccented(text: str) -> str:
    """Folded, and without accents: é is an e."""
    return "".join(sign for sign in unicodedata.normalize("NFD", fold(text)) if not unicodedata.combining(sign))


def phrase_pattern(phrase: str) -> str:
    """A pattern for a phrase in folded text: whole words, singular or with a plain plural or genitive -s; signs such as $ as they are."""
    words = fold(phrase)
    before = r"(?<!\w)" if words[:1].isalnum() else ""
    behind = r"(?:e?s|'s)?(?!\w)" if words[-1:].isalnum() else ""
    return before + re.escape(words) + behind


def syllables(line: str) -> int:
    """Estimate spoken syllables: groups of vowels, without a silent final e. Right for about nine in ten English words."""
    return sum(_word_syllables(word) for word in WORD.findall(line.casefold()))


def _word_syllables(word: str) -> int:
    groups = len(VOWELS.findall(word))
    if word.endswith("e") and not word.endswith(("le", "ee", "ye")) and groups > 1:
        groups -= 1
    if (
        word.endswith(("es", "ed"))
        and not word.endswith(("ses", "ces", "ges", "zes", "xes", "shes", "ches", "ted", "ded"))
        and groups > 1
    ):
        groups -= 1
    return max(groups, 1)
