"""Figures as Vega-Lite, made with Altair: a page draws them, and vl-convert makes the PDF and SVG of a paper."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import vl_convert

Spec = dict[str, Any]
Record = dict[str, Any]

INK, NEUTRAL, PAPER = "#1d232b", "#7a828c", "#f5f4f1"
LOSS, GAIN = "#b2352b", "#2466a8"
LINE, BAND = "#b2362c", "#c9685f"
LOSS_MARK, GAIN_MARK = "#a3291f", "#1f5c99"
HEAT = (PAPER, "#f2cf9f", "#e0855a", "#b0342a", "#5c0f1c")
"""From the least to the most, ever further from the page."""
ON_HEAT = "#fdfcfb"
"""Text on the further half of HEAT."""
DARK = {
    INK: "#e4e7eb",
    NEUTRAL: "#98a1ac",
    PAPER: "#262b32",
    LINE: "#ef8a7d",
    BAND: "#d9766b",
    LOSS_MARK: "#f0958a",
    GAIN_MARK: "#86b8ec",
    **dict(zip(HEAT[1:], ("#5a3431", "#a2493a", "#ea8a5e", "#ffe3b3"), strict=True)),
    ON_HEAT: "#241012",
}
"""What a page puts in place of these colors on a dark background. Those of cells stay: their text is white on both."""
LADDER = ((0x33, 0x6F, 0xB5), (0x97, 0x6B, 0xB4), (0xD1, 0x4B, 0x3A))  # from the most to the least precise level
DATA = "data"
NAMED = alt.NamedData(DATA)
PAPER_WIDTH = 420  # of a figure that fills its container on a page


def blank() -> Any:
    """A chart of the data that `specify` sets below it: Altair would check thousands of records one by one."""
    return alt.Chart(NAMED)


def specify(chart: Any, records: Sequence[Record], description: str) -> Spec:
    """The chart as a specification without a background, so that it stands on a light and on a dark page."""
    made: Spec = chart.to_dict(validate=False)  # the tests draw every figure, which says more
    config = {
        "view": {"stroke": None},
        "axis": {"domain": False, "ticks": False, "gridOpacity": 0.5, "labelPadding": 6},
    }
    return {
        **made,
        "datasets": {DATA: list(records)},
        "background": "transparent",
        "config": config,
        "description": description,
    }


def drawn(name: str, spec: Spec) -> dict[str, bytes]:
    """The figure as ``figures/NAME.pdf`` and ``figures/NAME.svg``."""
    if spec.get("width") == "container":
        spec = {**spec, "width": PAPER_WIDTH}
    return {
        f"figures/{name}.pdf": vl_convert.vegalite_to_pdf(spec),
        f"figures/{name}.svg": vl_convert.vegalite_to_svg(spec).encode(),
    }


def gradient(n: int) -> list[str]:
    """n colors along LADDER."""
    colors = []
    for i in range(n):
        place = 2 * i / max(n - 1, 1)
        left = min(int(place), 1)
        mixed = (round(a + (place - left) * (b - a)) for a, b in zip(LADDER[left], LADDER[left + 1], strict=True))
        colors.append("#" + "".join(f"{part:02x}" for part in mixed))
    return colors
