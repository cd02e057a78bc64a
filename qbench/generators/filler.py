"""Documents: planted facts in a stream of filler that has no end.

The filler is a small grammar, tasks/facts/filler.csv: sentences by genre and topic with slots, and the words for the slots. It names no
person, number or object that a question asks for, so an answer can come from the planted sentences alone.

A `Document` knows its facts, where each of them stands (as a share of the filler), and the seed of its filler. How much of the filler is
used is decided when it is written, and changes nothing else: the same facts, in the same order and at the same depths, can stand in a
hundred words or in a hundred thousand.
"""

import functools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from qbench.facts import table
from qbench.generators.wording import capitalized

WHOLE = 1000
"""Depths are thousandths of the filler."""
EARLY, MIDDLE, LATE = 100, 500, 900
SENTENCES_PER_PARAGRAPH = 4
STRIDES = (1009, 1213, 1409, 1613, 1811, 2011, 2213, 2411, 2609, 2819)  # primes, larger than any list of words


class Later:
    """Stands for a number of words that is not known yet: each document leaves a mark, and is written when its length is decided."""

    def __init__(self) -> None:
        self.documents: list[Document] = []

    def mark(self, document: "Document") -> str:
        if document not in self.documents:
            self.documents.append(document)
        return f"⟦{self.documents.index(document)}⟧"

    def marked(self, text: str) -> "tuple[str, Document] | None":
        """The mark in a text and the document that left it, or None."""
        found = re.search(r"⟦(\d+)⟧", text)
        return (found[0], self.documents[int(found[1])]) if found else None


Length = int | Later


@dataclass(frozen=True)
class Planted:
    """A text among the filler."""

    text: str
    depth: int
    """Thousandths of the filler in front of it."""
    alone: bool = False
    """On a line of its own, as headings and entries of a list are."""


@dataclass(frozen=True)
class Document:
    """Facts planted in filler; templates write it as ``{{ document }}`` or as one of its variants."""

    planted: tuple[Planted, ...]
    genre: str
    seed: int
    words: Length
    n_needles: int = 1
    """How many of the planted texts, from the first, carry the answer; the variants move these."""

    def __str__(self) -> str:
        if isinstance(self.words, Later):
            return self.words.mark(self)
        return self.filled(self.words - sum(_n_words(planted.text) for planted in self.planted), _n_words)

    @property
    def short(self) -> str:
        """The planted texts alone, without filler."""
        return self.filled(0, _n_words)

    @property
    def early(self) -> "Document":
        return self._with_needles([EARLY] * self.n_needles)

    @property
    def middle(self) -> "Document":
        return self._with_needles([MIDDLE] * self.n_needles)

    @property
    def late(self) -> "Document":
        return self._with_needles([LATE] * self.n_needles)

    @property
    def apart(self) -> "Document":
        """The needles as far from each other as the document is long."""
        steps = max(1, self.n_needles - 1)
        return self._with_needles([EARLY + (LATE - EARLY) * step // steps for step in range(self.n_needles)])

    @property
    def missing(self) -> "Document":
        """The same document without the needles."""
        return replace(self, planted=self.planted[self.n_needles :], n_needles=0)

    def _with_needles(self, depths: Sequence[int]) -> "Document":
        needles = zip(self.planted[: self.n_needles], depths, strict=True)
        moved = tuple(replace(planted, depth=depth) for planted, depth in needles)
        return replace(self, planted=moved + self.planted[self.n_needles :])

    def filled(self, budget: int, cost: Callable[[str], int]) -> str:
        """Write the document with so much filler that its sentences, each with the break in front of it, cost no more than ``budget``."""
        filler = []
        for opens, sentence in sentences(self.genre, self.seed):
            budget -= cost(f"\n{sentence}" if opens else f" {sentence}")
            if budget < 0:
                break
            filler.append((opens, sentence))
        lines: list[list[str]] = [[]]
        waiting = sorted(self.planted, key=lambda planted: planted.depth)[::-1]
        for position, (opens, sentence) in enumerate([*filler, (True, "")]):
            while waiting and waiting[-1].depth * len(filler) // WHOLE <= position:
                planted = waiting.pop()
                if planted.alone:
                    lines += [[planted.text], []]
                else:
                    lines[-1].append(planted.text)
            if opens:
                lines.append([])
            lines[-1].append(sentence)
        return "\n".join(text for line in lines if (text := " ".join(line).strip()))


def plant(
    rng: np.random.Generator,
    facts: Sequence[str],
    genre: str,
    words: Length,
    *,
    in_order: bool = False,
    alone: bool = False,
    n_needles: int = 1,
) -> Document:
    """Plant facts at random depths.

    Args:
        in_order: keep them in the order given; else each stands anywhere.
        alone: each on a line of its own.
        n_needles: how many of them, from the first, carry the answer.
    """
    depths = [int(depth) for depth in rng.integers(WHOLE + 1, size=len(facts))]
    if in_order:
        depths.sort()
    planted = [Planted(fact, depth, alone) for fact, depth in zip(facts, depths, strict=True)]
    return Document(tuple(planted), genre, _seed(rng), words, n_needles)


def plant_sections(
    rng: np.random.Generator, sections: Sequence[tuple[str, Sequence[str]]], genre: str, words: Length
) -> Document:
    """Equally long sections of a heading and its facts, which keep their order."""
    planted = []
    for number, (heading, facts) in enumerate(sections):
        start, end = (WHOLE * n // len(sections) for n in (number, number + 1))
        depths = sorted(int(depth) for depth in rng.integers(start, end, size=len(facts)))
        planted.append(Planted(heading, start, alone=True))
        planted += [Planted(fact, depth) for fact, depth in zip(facts, depths, strict=True)]
    return Document(tuple(planted), genre, _seed(rng), words)


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**62))


def _n_words(text: str) -> int:
    return len(text.split())


# ---------------------------------------------------------------- the filler


def sentences(genre: str, seed: int) -> Iterator[tuple[bool, str]]:
    """The endless filler of one seed: each sentence, and whether it opens a paragraph.

    A paragraph is about one topic, and a topic comes round again only when all have been used. A sentence of the grammar goes through
    all its wordings before one comes back, so that no sentence is repeated in some hundred thousand words.
    """
    topics, leads = _grammar(genre)
    rng = np.random.default_rng(seed)
    draws = iter(rng.integers(2**31, size=2 * sum(map(len, topics.values()))).tolist())
    wordings = [[_wordings(pattern, leads, next(draws), next(draws)) for pattern in topic] for topic in topics.values()]
    while True:
        for topic in rng.permutation(len(wordings)):
            opening, *others = wordings[topic]
            picked = sorted(int(other) for other in rng.permutation(len(others))[: SENTENCES_PER_PARAGRAPH - 1])
            yield True, next(opening)
            for position in picked:
                yield False, next(others[position])


@dataclass(frozen=True)
class _Pattern:
    """A sentence of the grammar, cut at its slots."""

    texts: tuple[str, ...]
    slots: tuple[tuple[str, ...], ...]

    @property
    def n_wordings(self) -> int:
        return math.prod(map(len, self.slots))

    def wording(self, number: int) -> str:
        parts = [self.texts[0]]
        for slot, text in zip(self.slots, self.texts[1:], strict=True):
            number, choice = divmod(number, len(slot))
            parts += [slot[choice], text]
        return "".join(parts)


def _wordings(pattern: _Pattern, leads: tuple[str, ...], start: int, stride: int) -> Iterator[str]:
    """Every wording of a sentence, in an order that two numbers decide; when they are used up, with a lead in front ("As a rule, …").

    A stride that shares no factor with their number visits them all.
    """
    plain, step = pattern.n_wordings, STRIDES[stride % len(STRIDES)]
    while True:
        for turn in range(plain):
            yield capitalized(pattern.wording((start + turn * step) % plain))
        for turn in range(plain * len(leads)):
            number, lead = divmod((start + turn * step) % (plain * len(leads)), len(leads))
            yield f"{leads[lead]} {pattern.wording(number)}"


@functools.cache
def _grammar(genre: str) -> tuple[dict[str, list[_Pattern]], tuple[str, ...]]:
    """The topics of a genre with their sentences, and the genre's leads."""
    slots = {row["topic"]: tuple(row["sentence"].split(" | ")) for row in table("filler") if row["genre"] == "slot"}
    topics: dict[str, list[_Pattern]] = {}
    for row in table("filler"):
        if row["genre"] == genre:
            texts = re.split(r"\{(\w+)\}", row["sentence"][0].lower() + row["sentence"][1:])
            pattern = _Pattern(tuple(texts[::2]), tuple(slots[name] for name in texts[1::2]))
            topics.setdefault(row["topic"], []).append(pattern)
    return topics, slots[f"{genre}_lead"]
