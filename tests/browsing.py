"""What tests of a page in Chromium have in common, beside the fixture of that name."""

import time
from collections.abc import Callable
from typing import Any

from selenium.webdriver.remote.webdriver import WebDriver


def until(condition: Callable[[], Any], seconds: float = 120) -> Any:
    """Wait for something to be true, and return it."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return found


def complaints(chromium: WebDriver) -> list[dict[str, Any]]:
    return list(chromium.get_log("browser"))  # type: ignore[attr-defined]
