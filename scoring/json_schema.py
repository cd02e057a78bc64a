"""The part of JSON Schema that rubrics use, and the search for a JSON document in a response.

Read are ``type``, ``required``, ``properties``, ``additionalProperties: false``, ``items``, ``minItems``, ``maxItems``, ``enum``,
``minimum`` and ``maximum``. A keyword beyond these is an error when the bank is read, not a constraint that silently holds.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 50  # of arrays and objects in each other; Python's own reader gives up at its recursion limit

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
KEYWORDS = frozenset(
    str.split("type required properties additionalProperties items minItems maxItems enum minimum maximum")
)
FENCE_OPENS = re.compile(r"```(?:json)?[ \t]*\n", re.IGNORECASE)
FENCE_CLOSES = re.compile(r"\n[ \t]*```")


def check_schema(schema: Any) -> None:
    """Refuse a schema that is not of this part.

    Raises:
        ValueError: naming the keyword.
    """
    if not isinstance(schema, Mapping):
        raise ValueError(f"a schema is a mapping, not {schema!r}")
    if unknown := schema.keys() - KEYWORDS:
        raise ValueError(f"the schema keyword {sorted(unknown)[0]!r} is not supported")
    if schema.get("type", "object") not in TYPES:
        raise ValueError(f"there is no type {schema['type']!r}")
    for inner in (*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])):
        check_schema(inner)


def find_json(text: str) -> tuple[bool, Any]:
    """Return whether a response holds a JSON object or array, and the document: fenced, or from the first bracket to the last."""
    # Two searches: in one expression every fence that opens would look for its end, which takes quadratic time.
    if (opens := FENCE_OPENS.search(text)) and (closes := FENCE_CLOSES.search(text, opens.end() - 1)):
        text = text[opens.end() : closes.start() + 1]
    starts = [position for position in (text.find("{"), text.find("[")) if position >= 0]
    end = max(text.rfind("}"), text.rfind("]"))
    if not starts or end < 0 or _depth(text) > MAX_DEPTH:
        return False, None
    try:
        return True, json.loads(text[min(starts) : end + 1])
    except ValueError:
        return False, None


def is_valid(document: Any, schema: Mapping[str, Any]) -> bool:
    """Hold a document against a schema."""
    if "type" in schema and not _has_type(document, schema["type"]):
        return False
    if "enum" in schema and document not in schema["enum"]:
        return False
    if isinstance(document, int | float) and not isinstance(document, bool):
        return bool(schema.get("minimum", document) <= document <= schema.get("maximum", document))
    if isinstance(document, dict):
        properties = schema.get("properties", {})
        if not set(schema.get("required", ())) <= document.keys():
            return False
        if schema.get("additionalProperties") is False and not document.keys() <= properties.keys():
            return False
        return all(is_valid(document[name], inner) for name, inner in properties.items() if name in document)
    if isinstance(document, list):
        if not schema.get("minItems", 0) <= len(document) <= schema.get("maxItems", len(document)):
            return False
        return all(is_valid(item, schema.get("items", {})) for item in document)
    return True


def _has_type(document: Any, name: str) -> bool:
    if isinstance(document, bool):
        return name == "boolean"
    return isinstance(document, TYPES[name])


def _depth(text: str) -> int:
    depth = deepest = 0
    for sign in text:
        depth += (sign in "[{") - (sign in "]}")
        deepest = max(deepest, depth)
    return deepest
