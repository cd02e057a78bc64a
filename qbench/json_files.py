"""JSON files of ours: frozen dataclasses say what a file holds, and what is read is checked against them once.

Who holds such an object may trust every type in it. What is not known is null in the file and NaN here, never zero.
"""

import functools
import json
import math
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

LARGEST = 2**63  # no count of ours is near it, and a whole number that no float can hold raises where it is divided
WORDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    dict: "an object",
    tuple: "a list",
    types.NoneType: "null",
}


def read_object(path: Path, **options: Any) -> dict[str, Any]:
    """The JSON object in a file, with its ``schema_version``; the options are those of `json.loads`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else; the message says what, without a codec's own words.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"), **options)
    except FileNotFoundError:
        raise
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON from line {error.lineno}, column {error.colno} on") from None
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text") from None
    except OSError as error:
        raise ValueError(str(error.strerror)) from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(content, dict) or "schema_version" not in content:
        raise ValueError("it has no schema_version")
    return content


def to_json(value: Any) -> Any:
    """JSON has no NaN: what is missing becomes null."""
    if is_dataclass(value):
        return {own.name: to_json(getattr(value, own.name)) for own in fields(value)}
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {key: to_json(entry) for key, entry in value.items()}
        case list() | tuple():
            return [to_json(entry) for entry in value]
        case _:
            return value


def from_json(kind: Any, value: Any, where: str, *, partial: bool = False) -> Any:
    """Make what the annotations say of what the file holds.

    Args:
        kind: a dataclass, or what one of its fields is annotated with.
        value: as `json.loads` has it.
        where: the place in the file, for messages; empty for all of it.
        partial: whether an object may have fields that are not known, and lack those that have a default: for files that another version
            of qbench, or another program, may have written.

    Raises:
        ValueError: it is something else; the message names the place.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    read = functools.partial(from_json, partial=partial)
    if is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
        own = _fields(kind)
        if not partial and value.keys() != own.keys():
            raise ValueError(f"{where or 'the file'} must have {', '.join(own)} and nothing else")
        if lacking := [name for name, (_, is_needed) in own.items() if is_needed and name not in value]:
            raise ValueError(f"{where or 'the file'} lacks {', '.join(lacking)}")
        found = {name: read(hint, value[name], _at(where, name)) for name, (hint, _) in own.items() if name in value}
        return kind(**found)
    if origin is types.UnionType:
        kinds = [own_kind for own_kind in arguments if own_kind is not types.NoneType]
        if value is None and len(kinds) < len(arguments):
            return None
        if len(kinds) == 1:
            return read(kinds[0], value, where)
        if type(value) in kinds:
            return value
    if origin is dict and isinstance(value, dict):
        return {key: read(arguments[1], entry, _at(where, key)) for key, entry in value.items()}
    if origin is tuple and isinstance(value, list):
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) == len(value):
            entries = zip(kinds, value, strict=True)
            return tuple(read(own_kind, entry, f"{where}[{i}]") for i, (own_kind, entry) in enumerate(entries))
    if kind is float and value is None:
        return math.nan
    if kind is float and type(value) in (int, float):
        if abs(value) > sys.float_info.max:
            raise ValueError(f"{where} is beyond all numbers")
        return float(value)
    if kind is int and type(value) is int and abs(value) <= LARGEST:
        return value
    if kind is Any or (type(value) is kind and kind not in (float, int)):
        return value
    raise ValueError(f"{where or 'the file'} must be {_in_words(kind)}, not {json.dumps(value)[:40]}")


@functools.cache
def _fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    """What each field of a dataclass is annotated with, and whether it has no default."""
    hints = typing.get_type_hints(kind)
    return {
        own.name: (hints[own.name], own.default is MISSING and own.default_factory is MISSING) for own in fields(kind)
    }


def _at(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _in_words(kind: Any) -> str:
    origin, arguments = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin is types.UnionType:
        return " or ".join(map(_in_words, arguments))
    if origin is tuple and arguments[-1] is not Ellipsis:
        return f"a list of {len(arguments)}"
    return WORDS.get(origin, "an object")
