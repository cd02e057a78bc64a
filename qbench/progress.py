"""The bar on standard error that every long command shows."""

import math
import sys
from typing import Any

from tqdm import tqdm


class Progress(tqdm):  # type: ignore[misc]
    """A bar that waits on a terminal, and counts wherever it is.

    While a model is loaded there is nothing to count: a terminal is told that much, and a file nothing, so that an error that comes then
    stands alone. From `begin` on, the bar is shown and stays.

    Args:
        unit: what is counted.
        shown: False for no bar at all.
    """

    def __init__(self, unit: str, *, shown: bool) -> None:
        waits: dict[str, Any] = {"leave": False, "delay": 0 if sys.stderr.isatty() else math.inf}
        super().__init__(desc="loading", disable=not shown, unit=unit, dynamic_ncols=True, file=sys.stderr, **waits)

    def begin(self, total: int) -> None:
        """Count to a new total."""
        self.leave, self.delay = True, 0
        self.reset(total=total)

    def end(self, sentence: str) -> None:
        """Say why there is nothing to count, where the bar would be."""
        shown = not self.disable
        self.close()
        if shown:
            print(f"qbench: {sentence}", file=sys.stderr)
