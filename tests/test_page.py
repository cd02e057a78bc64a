"""The HTML page as a reader gets it: in headless Chromium, from a file, without a network."""

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from browsing import complaints, until
from handmade import bank_item, sample, write_plan, write_run, write_sweep
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import Select

from qbench.report import read_table, report
from qbench.report.browser import MAX_BYTES, cut, pack
from qbench.report.findings import findings
from qbench.report.page import render
from qbench.report.table import ItemRow, Table

N_RESAMPLES = 499
HOSTILE = [
    "<script>window.pwned = 1</script>",
    "</script><script>window.pwned = 2</script>",
    "<img src=x onerror='window.pwned = 3'>",
    "=cmd|' /C calc'!A0",
    "$x^2$ and \\(y\\) and {{ 7 * 7 }} and <!-- <b>bold</b>",
    "\u2028 and \x00 and \U0001f600",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of two categories and a foreign task, and one whose every text is hostile."""
    folder = tmp_path_factory.mktemp("pages")
    write_sweep(folder / "nano")
    report(folder / "nano", formats=["html"], by="difficulty", n_resamples=499)
    items = [
        bank_item(HOSTILE[i % 2], "one", f"t{i % 4}", i, question=HOSTILE[i % 5], target=HOSTILE[i % 3])
        for i in range(40)
    ]
    for level in ("fp16", "q2"):
        samples = [
            sample(item, i, float(level == "fp16" or i % 3 > 0), response=HOSTILE[i % 6])
            for i, item in enumerate(items)
        ]
        write_run(folder / "hostile" / level, {"t": samples})
    write_plan(folder / "hostile", ["fp16", "q2"], ["t"], model=HOSTILE[1])
    report(folder / "hostile", formats=["html"], by="question", n_resamples=499)
    return folder


def show(chromium: WebDriver, folder: Path, name: str, *, theme: str = "light") -> WebDriver:
    """Open a page and wait until it has drawn everything and unpacked the items."""
    feature = {"name": "prefers-color-scheme", "value": theme}
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    chromium.get((folder / name / "report" / "report.html").as_uri())
    until(lambda: chromium.execute_script("return document.body.dataset.theme") == theme)
    until(lambda: " items" in status(chromium))
    return chromium


def status(chromium: WebDriver) -> str:
    return chromium.find_element(By.ID, "status").text


def choose(chromium: WebDriver, id: str, value: str) -> None:
    Select(chromium.find_element(By.ID, id)).select_by_value(value)


def open_item(chromium: WebDriver, number: int = 0) -> list[str]:
    """Open an item; the texts of its question, target and responses, as a reader sees them."""
    item = chromium.find_elements(By.CSS_SELECTOR, ".item")[number]
    item.find_element(By.TAG_NAME, "summary").click()
    until(lambda: item.find_elements(By.CSS_SELECTOR, ".body"))
    return [found.get_property("textContent") for found in item.find_elements(By.CSS_SELECTOR, ".verbatim")]  # type: ignore[misc]


# ---------------------------------------------------------------- in the browser


def test_it_draws_every_figure_without_a_complaint(chromium: WebDriver, folder: Path) -> None:
    page = show(chromium, folder, "nano")
    drawn = {
        place.get_attribute("data-chart") for place in page.find_elements(By.CSS_SELECTOR, "[data-chart]:has(svg)")
    }
    assert drawn == {"heatmap", "curves", "difficulty", "pareto", "forest"}
    assert len(page.find_elements(By.CSS_SELECTOR, ".panels svg")) == 4
    labels = page.find_elements(By.CSS_SELECTOR, "[role=graphics-document]")
    assert any("Heatmap" in str(label.get_attribute("aria-label")) for label in labels)
    assert complaints(page) == []


def test_the_forest_follows_its_menus(chromium: WebDriver, folder: Path) -> None:
    page = show(chromium, folder, "nano")

    def shown() -> str:
        return str(page.execute_script("return document.querySelector('[data-chart=forest] svg')?.textContent"))

    def points() -> str:
        return str(page.execute_script("return document.querySelector('[data-chart=forest] .mark-symbol')?.innerHTML"))

    assert all(f"{subcategory}: template0" in shown() for subcategory in ("one", "two", "three"))
    before = points()
    choose(page, "forest-level", "q8")
    until(lambda: points() != before)
    before = points()
    choose(page, "forest-category", "numerical")
    until(lambda: points() != before)


def test_items_are_filtered_searched_and_paged(chromium: WebDriver, folder: Path) -> None:
    page = show(chromium, folder, "nano")
    assert status(page) == "420 of 420 items"
    assert len(page.find_elements(By.CSS_SELECTOR, ".item")) == 20
    page.find_element(By.ID, "next").click()
    assert page.find_element(By.ID, "place").text == "page 2 of 21"
    choose(page, "category", "numerical")
    assert status(page) == "180 of 420 items"
    assert page.find_element(By.ID, "place").text == "page 1 of 9"
    choose(page, "template", "template2")
    assert status(page) == "36 of 420 items"
    table = read_table(folder / "nano", n_resamples=N_RESAMPLES)
    q2 = 1 + table.compared.index("q2")
    worse = [
        item
        for item in table.items
        if (item.category, item.template) == ("numerical", "template2") and item.scores[q2] < item.scores[0]
    ]
    choose(page, "change", "worse")
    assert status(page) == f"{len(worse)} of 420 items"
    choose(page, "change", "better")
    assert status(page) == "0 of 420 items"
    for menu in ("change", "category", "template"):
        choose(page, menu, "")
    page.find_element(By.ID, "search").send_keys("how many are 17")
    until(lambda: status(page) == "1 of 420 items")
    assert complaints(page) == []


def test_an_item_shows_both_responses_and_every_score(chromium: WebDriver, folder: Path) -> None:
    page = show(chromium, folder, "nano")
    choose(page, "order", "asked")
    choose(page, "level", "q4")
    question, target, baseline, level = open_item(page)
    assert (question, target, baseline, level) == ("What is 0?", "0", "fp16", "q4")
    item = read_table(folder / "nano", n_resamples=N_RESAMPLES).items[0]
    strip = page.find_element(By.CSS_SELECTOR, ".item .strip").text
    names = ("fp16", "fp16-repeat", "q8", "q4", "q2")
    assert strip.split() == [
        word for name, score in zip(names, item.scores, strict=True) for word in (name, f"{score:g}")
    ]


def test_the_keyboard_opens_an_item(chromium: WebDriver, folder: Path) -> None:
    page = show(chromium, folder, "nano")
    page.find_element(By.CSS_SELECTOR, ".item summary").send_keys("\ue007")
    until(lambda: page.find_elements(By.CSS_SELECTOR, ".item .body"))


def test_hostile_text_is_text(chromium: WebDriver, folder: Path) -> None:
    page = show(chromium, folder, "hostile")
    choose(page, "order", "asked")
    found = [open_item(page, number) for number in range(6)]
    for number, (question, target, baseline, _) in enumerate(found):
        assert (question, target) == (HOSTILE[number % 5], HOSTILE[number % 3])
        assert baseline == HOSTILE[number % 6]
    assert page.execute_script("return window.pwned ?? null") is None
    assert page.find_elements(By.CSS_SELECTOR, "main img, main b:not(.legend b)") == []
    assert HOSTILE[1] in page.find_element(By.TAG_NAME, "h1").text
    assert HOSTILE[1] in page.title
    assert complaints(page) == []


def test_its_own_policy_stops_a_script_that_is_not_its_own(chromium: WebDriver, folder: Path) -> None:
    page = show(chromium, folder, "nano")
    page.execute_script(
        "const made = document.createElement('script'); made.textContent = 'window.pwned = 4'; document.body.append(made);"
        "const image = document.createElement('img'); image.src = 'https://example.org/x.png'; document.body.append(image);"
    )
    assert page.execute_script("return window.pwned ?? null") is None
    assert any("Content Security Policy" in entry["message"] for entry in complaints(page))


def test_a_dark_theme_is_dark(chromium: WebDriver, folder: Path) -> None:
    def background(page: WebDriver) -> list[int]:
        color = page.execute_script("return getComputedStyle(document.body).backgroundColor")
        return [int(part) for part in re.findall(r"\d+", color)[:3]]

    assert min(background(show(chromium, folder, "nano"))) > 200
    page = show(chromium, folder, "nano", theme="dark")
    assert max(background(page)) < 60
    label = "return getComputedStyle(document.querySelector('[data-chart=pareto] .role-axis-label text')).fill"
    dark = page.execute_script(label)
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "light"}]}
    )
    until(lambda: page.execute_script("return document.body.dataset.theme") == "light")  # drawn again
    assert page.execute_script(label) != dark
    assert complaints(page) == []


def test_a_phone_scrolls_down_only(chromium: WebDriver, folder: Path) -> None:
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        for name in ("nano", "hostile"):
            page = show(chromium, folder, name)
            open_item(page)
            assert page.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]") == [390, 390]
            heatmap = page.find_element(By.CSS_SELECTOR, "[data-chart=heatmap]")
            assert heatmap.size["width"] > 200
    finally:
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


# ---------------------------------------------------------------- without one


@pytest.fixture(scope="module")
def table(folder: Path) -> Table:
    return read_table(folder / "nano", n_resamples=N_RESAMPLES)


def test_it_refers_to_nothing_outside(folder: Path) -> None:
    page = (folder / "nano" / "report" / "report.html").read_text(encoding="utf-8")
    assert "default-src &#39;none&#39;" in page
    page = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=[\"'](?!data:)", page)
    assert "demonstration model" in page


def test_the_bundle_of_vega_is_kept_and_the_page_is_the_same(
    table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = render(table)
    (kept,) = tmp_path.glob("qbench/vega-*.js")
    assert kept.read_text(encoding="utf-8") in made
    assert render(table) == made
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))  # nothing can be kept there
    assert render(table) == made


def test_findings_have_intervals(table: Table) -> None:
    found = findings(table)
    assert [sentence.split(":")[0].split(" ")[0] for sentence in found] == ["The", "What", "The", "The"]
    for sentence in found:
        numbers = re.findall(r"−?\+?\d+\.\d(?! *%? *points?)", re.sub(r"\[[^\]]*\]", "", sentence))
        assert sentence.count("[") >= len(numbers)
        assert not re.search(r"\d\.\d (?:points|%)(?! \[)", sentence)


def test_what_breaks_first_is_a_category_with_its_ranks(table: Table) -> None:
    (first,) = (sentence for sentence in findings(table) if sentence.startswith("What breaks first"))
    assert re.search(r"q4 is the first level .* (numerical|logic)( the most)?: −.* the data allow it", first)


def test_without_a_difference_the_page_says_so(tmp_path: Path) -> None:
    items = [bank_item("logic", "deduction", "only", i) for i in range(10)]
    for level in ("fp16", "q2"):
        write_run(tmp_path / level, {"t": [sample(item, i, None if i == 0 else 1.0) for i, item in enumerate(items)]})
    write_plan(tmp_path, ["fp16", "q2"], ["t"])
    table = read_table(tmp_path, n_resamples=N_RESAMPLES)
    assert findings(table)[0].startswith("No interval for logic: with one template in each subcategory")
    page = render(table)
    assert '<div class="chart" data-chart="heatmap"' not in page
    assert "NaN" not in page.split('<script type="text/plain"')[0]


def test_a_long_text_loses_its_middle() -> None:
    assert cut("short", 10) == "short"
    assert cut("a" * 600 + "b" * 700, 900) == "a" * 600 + " [… 400 characters left out …] " + "b" * 300


def test_what_does_not_fit_is_left_out_and_said(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    from qbench.report import browser

    texts = [
        tuple("".join(chr(33 + (i * 7919 + j * j) % 90) for j in range(3000)) + level for level in "abcde")
        for i in range(420)
    ]
    items = tuple(replace(item, responses=text) for item, text in zip(table.items, texts, strict=True))
    large = replace(table, items=items)
    assert len(pack(large).data) <= MAX_BYTES
    monkeypatch.setattr(browser, "MAX_BYTES", 10_000)
    packed = pack(large)
    assert len(packed.data) <= 10_000
    assert packed.longest == browser.LENGTHS[-1]
    assert packed.n_items + packed.n_left_out == 420
    assert packed.n_left_out > 0
    assert f"{packed.n_left_out} that flipped least" in render(large)


def test_a_missing_score_is_no_flip() -> None:
    item = ItemRow("a", "t", "c", "t", 1.0, {}, (1.0, math.nan, 0.0), ("", "", ""))
    assert item.n_flips == 1
