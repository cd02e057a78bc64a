"""How generators write sentences."""

NUMBERS = ("none", "one", "two", "three", "four", "five", "six")


def capitalized(text: str) -> str:
    """The text with a capital in front; what follows stays as it is."""
    return text[0].upper() + text[1:]


def letter(position: int) -> str:
    return chr(ord("A") + position)
