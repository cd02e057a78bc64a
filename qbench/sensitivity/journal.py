"""What is finished of a profile that is still being made: a line for each piece, so that a killed command goes on where it was."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from qbench.errors import ProfileError


class Journal:
    """Finished pieces of work, in a file that only grows.

    What a piece gives back is always what stands in the file, also when it was just made: a profile that was interrupted and one that was
    not are made of the same numbers.

    Args:
        path: of the file; its folder is made.
        plan: what is being made, and of what.
        option: of the command, that says where.

    Raises:
        ProfileError: the file belongs to another plan, or cannot be written.
    """

    def __init__(self, path: Path, plan: Mapping[str, Any], *, option: str = "--out") -> None:
        self.path = path
        self._finished: dict[str, Any] = {}
        header = json.loads(json.dumps(plan))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = _whole_lines(path)
            if lines and lines[0] != header:
                changed = sorted(key for key in header.keys() | lines[0].keys() if header.get(key) != lines[0].get(key))
                raise ProfileError(
                    f"{path} is the unfinished work of another command (it differs in {', '.join(changed)}). Repeat that command, choose "
                    f"another {option}, or delete the file."
                )
            for key, value in lines[1:]:
                self._finished[key] = value
            if not lines:
                self._append(header)
        except OSError as error:
            raise ProfileError(f"{path} cannot be written ({error.strerror}). Choose another {option}.") from None

    def once(self, key: str, make: Callable[..., Any], *arguments: Any) -> Any:
        """Return what this piece gave when it was made, now or before an interruption; it must be JSON."""
        if key not in self._finished:
            self._finished[key] = json.loads(self._append([key, make(*arguments)]))[1]
        return self._finished[key]

    def _append(self, content: Any) -> str:
        text = json.dumps(content)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        return text

    def remove(self) -> None:
        self.path.unlink()


def _whole_lines(path: Path) -> list[Any]:
    """The lines of the file; a last one that was cut by a kill is taken off the file."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    try:
        lines = [json.loads(line) for line in whole.splitlines()]
        if not all(isinstance(line, dict) if i == 0 else _is_piece(line) for i, line in enumerate(lines)):
            raise ValueError("a line of another kind")
    except ValueError as error:
        raise ProfileError(f"{path} is damaged ({error}). Delete it, and begin again.") from None
    return lines


def _is_piece(line: Any) -> bool:
    """Whether it is a key and what the piece gave."""
    return isinstance(line, list) and len(line) == 2 and isinstance(line[0], str)
