"""A page: one HTML file that needs no network, with tables as HTML and figures as Vega-Lite. What all pages of qbench have in common.

Text from models and files enters in two ways, and as text in both: through Jinja's escaping, and as JSON that the scripts of the page
hand on as data. The page's own policy lets it run the scripts it was made with, by their hashes, and load nothing at all.
"""

import base64
import contextlib
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import vl_convert

from qbench.errors import RunError
from qbench.pages.figures import DARK, DATA, Record, Spec
from qbench.records import write_atomically

Options = Sequence[tuple[str, str]]
"""Of a menu: values and what they are called."""


@dataclass(frozen=True)
class Entry:
    """One cell of a table on the page: a value, its interval below it, and a tone."""

    text: str
    below: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Grid:
    """A table on the page."""

    head: Sequence[str]
    rows: Sequence[Sequence[Entry]]
    about: str
    """Its accessible name."""
    is_text: bool = False
    is_named: bool = False
    """Whether its name stands above it, where the heading does not say as much: on which probe it is, for one."""


@dataclass(frozen=True)
class Menu:
    """What a reader chooses in a figure: a value of one of its parameters, or of a field of its records by the same name."""

    param: str
    name: str
    options: Options
    chosen: str = ""

    @property
    def says(self) -> str:
        """What the chosen option is called, before a reader chooses."""
        return dict(self.options)[self.chosen or self.options[0][0]]


@dataclass(frozen=True)
class Part:
    """A section: words, a figure and tables under a heading."""

    id: str
    title: str
    text: str = ""
    figure: str = ""
    """Name among the figures that are given to `render`; one that is not drawn leaves its place out."""
    shape: str = ""
    """How wide the figure stands: as its column, ``narrow``, ``natural`` (as drawn; a small screen scrolls), or a list of them as small
    ``panels``, ``wide panels`` or ``natural panels``."""
    menus: Sequence[Menu] = ()
    grids: Sequence[Grid] = ()
    folded: Sequence[Grid] = ()
    """Tables that are shown on request, since a figure says the same."""
    legend: Options = ()
    """Signs and what they mean."""
    notes: Sequence[str] = ()
    """Sentences below it all."""


def render(
    specs: Mapping[str, Spec | list[Spec]],
    *,
    template: str = "",
    style: str = "",
    scripts: Sequence[str] = (),
    **content: Any,
) -> str:
    """Return the page.

    Args:
        specs: the figures by name; a list of them makes small panels.
        template: what fills the blocks of page.html, which see ``content``.
        style: CSS beside page.css.
        scripts: JavaScript beside that of the figures.
        content: what page.html names: title, kicker, notice, glances, findings, parts, method, provenance.
    """
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.DictLoader({"page.html": source("page.html")}),
    )
    environment.filters["unbroken"] = _unbroken
    every = [_vega(), source("figures.js"), *scripts]
    drawn = {name: [*map(_packed, spec)] if isinstance(spec, list) else _packed(spec) for name, spec in specs.items()}
    return environment.from_string(template or '{% extends "page.html" %}').render(
        **content,
        style=source("page.css") + style,
        charts=_json({"specs": drawn, "dark": DARK}),
        scripts=every,
        policy=_policy(every),
    )


def source(name: str, package: str = "qbench.pages") -> str:
    """The text of a file that a page is made of."""
    return files(package).joinpath(name).read_text(encoding="utf-8")


def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script in which nothing ends the script.

    vl-convert takes seconds to bundle what never changes with its version, so the bundle is kept in the user's cache.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    kept = Path(caches, "qbench", f"vega-{version('vl-convert-python')}.js")
    if kept.is_file():
        return kept.read_bytes().decode()
    bundle = vl_convert.javascript_bundle(None)  # type: ignore[arg-type]  # as its documentation has it
    script = re.sub("<(?=/script|!--)", r"\\x3c", bundle, flags=re.IGNORECASE)
    if kept.is_absolute():  # without a home it is not
        with contextlib.suppress(RunError):  # what cannot be kept is made every time
            write_atomically(kept, script.encode())
    return script


def _packed(spec: Spec) -> Spec:
    """A figure whose records are columns, in which each text stands once."""
    return {**spec, "datasets": {DATA: _columns(spec["datasets"][DATA])}}


def _columns(records: Sequence[Record]) -> dict[str, Any]:
    names = dict.fromkeys(name for record in records for name in record)
    columns: dict[str, Any] = {}
    for name in names:
        values = [record.get(name) for record in records]
        if any(isinstance(value, str) for value in values):
            places = {value: place for place, value in enumerate(dict.fromkeys(values))}
            columns[name] = {"of": list(places), "at": [places[value] for value in values]}
        else:
            columns[name] = {"at": values}
    return {"length": len(records), "columns": columns}


def _unbroken(text: str) -> str:
    """No line ends inside an interval or in front of a unit."""
    joined = re.sub(r"\[[^\]]*\]", lambda interval: interval[0].replace(" ", "\u00a0"), text)
    return re.sub(r"(?<=\d) (?=%|points|\[)", "\u00a0", joined)


def _json(content: Any) -> str:
    """JSON that cannot end the element it stands in."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _policy(scripts: Sequence[str]) -> str:
    """Run these scripts and nothing else; load nothing."""
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
