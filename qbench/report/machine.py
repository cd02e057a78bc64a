"""The report as JSON: the whole table, field by field, with null where a number is missing; and the JSON Schema that describes it."""

import ast
import dataclasses
import inspect
import itertools
import json
import math
import textwrap
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from qbench.report.table import Table
from qbench.stats import Flips, Interval

SCHEMA_VERSION = 3
SCHEMA_FILE = "report.schema.json"
PROPERTIES = {
    Interval: ("low", "high"),
    Flips: ("worse", "better", "exact_p", "mid_p"),
}  # where they are not the fields


def render(table: Table) -> dict[str, bytes]:
    """Return the JSON and its schema. The items are not in it: the samples files of the run have them."""
    content = {"$schema": SCHEMA_FILE, "schema_version": SCHEMA_VERSION, **_plain(dataclasses.replace(table, items=()))}
    del content["items"]
    # A line for each part: to be read in pieces, and much faster than to indent everything.
    lines = ",\n".join(f"{json.dumps(name)}: {_line(part)}" for name, part in content.items())
    described = json.dumps(schema(), ensure_ascii=False, indent=1)
    return {"report.json": f"{{\n{lines}\n}}\n".encode(), SCHEMA_FILE: f"{described}\n".encode()}


def _line(part: Any) -> str:
    return json.dumps(part, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """Dataclasses as objects, NaN and infinity as null."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Interval() | Flips():
            return {name: _plain(getattr(value, name)) for name in PROPERTIES[type(value)]}
        case dict():
            return {name: _plain(entry) for name, entry in value.items()}
        case tuple() | list():
            return [_plain(entry) for entry in value]
        case _ if dataclasses.is_dataclass(value):
            return {entry.name: _plain(getattr(value, entry.name)) for entry in dataclasses.fields(value)}
        case _:
            return value


# ---------------------------------------------------------------- the schema, read off the dataclasses


def schema() -> dict[str, Any]:
    """Return the JSON Schema of report.json, with the dataclasses' own words as descriptions."""
    definitions: dict[str, Any] = {}
    described = _object(Table, definitions, without="items")
    described["properties"] = {
        "$schema": {"const": SCHEMA_FILE},
        "schema_version": {"const": SCHEMA_VERSION},
        **described["properties"],
    }
    described["required"] = list(described["properties"])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **described, "$defs": definitions}


def _object(kind: type, definitions: dict[str, Any], without: str = "") -> dict[str, Any]:
    hints = {name: hint for name, hint in typing.get_type_hints(kind).items() if name != without}
    if kind is Flips:
        hints |= dict.fromkeys(("exact_p", "mid_p"), float)
    words = _words(kind)
    properties = {
        name: {**_described(hint, definitions), **({"description": words[name]} if name in words else {})}
        for name, hint in hints.items()
    }
    return {
        "type": "object",
        "description": " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split()),
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _described(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return {}
    if origin in (types.UnionType, typing.Union):
        return {"anyOf": [_described(argument, definitions) for argument in arguments]}
    if origin is tuple:
        return {"type": "array", "items": _described(arguments[0], definitions)}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _described(arguments[1], definitions)}
    if hint in PLAIN:
        return dict(PLAIN[hint])
    if issubclass(hint, StrEnum):
        return {"enum": list(hint)}
    if hint.__name__ not in definitions:
        definitions[hint.__name__] = {}  # so that a type in itself ends
        definitions[hint.__name__] = _object(hint, definitions)
    return {"$ref": f"#/$defs/{hint.__name__}"}


PLAIN: dict[Any, dict[str, Any]] = {
    float: {"type": ["number", "null"]},
    int: {"type": "integer"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
}


def _words(kind: type) -> dict[str, str]:
    """The text below each field of a class."""
    body = typing.cast("ast.ClassDef", ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]).body
    words = {}
    for field, below in itertools.pairwise(body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str() as text)):
                words[name] = " ".join(text.split())
    return words
