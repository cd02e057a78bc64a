"""How generators write sentences."""

from collections.abc import Sequence

NUMBERS = ("none", "one", "two", "three", "four", "five", "six")


def capitalized(text: str) -> str:
    """The text with a capital in front; what follows stays as it is."""
    return text[0].upper() + text[1:]


def listed(words: Sequence[str], last: str = "and") -> str:
    """The words with commas between them, and ``last`` in front of the last."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def letter(position: int) -> str:
    return chr(ord("A") + position)
