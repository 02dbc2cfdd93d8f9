"""JSON Schema of scenario files, for editors: from the models, with the texts of the reference.

It is as strict as a schema can be that knows nothing of names: shapes, keys, codes, steps. What it refuses the harness
refuses too, with the exception of code names in capitals. Placeholders of a matrix may stand for every value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from sip_harness.language.answers import STEPS
from sip_harness.language.entries import PARTS, Entries
from sip_harness.language.part import Part
from sip_harness.language.placeholders import VARIABLE
from sip_harness.language.schema import ScenarioDoc
from sip_harness.sip.codes import NAMES

Schema: TypeAlias = dict[str, Any]

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The one that editors know best; nothing newer is needed."""
_OF_ONE_KEY = {"ResponseDoc", "RequestDoc", "MoreDoc"}
_SCALAR: Schema = {"type": ["string", "number", "boolean"]}
_PLACEHOLDER: Schema = {
    "anyOf": [
        {"type": "string", "pattern": rf"\{{{VARIABLE}\}}"},
        {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": {"type": "null"}},
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "patternProperties": {rf"^by\s+{VARIABLE}$": {"type": "object", "minProperties": 1}},
            "additionalProperties": False,
        },
    ]
}
_ANY_CASE: Schema = {"$ref": "#/$defs/placeholder"}
_CODE = f"([1-6][0-9][0-9]|{'|'.join(NAMES)})"
_DURATION = r"[0-9]*\.?[0-9]+(ms|s|m)"
_EVENT = r"[A-Za-z0-9][A-Za-z0-9-]*\s+(sends|gets)\s+\S.*"


def scenario_schema() -> Schema:
    """The schema of a whole scenario file."""
    raw = ScenarioDoc.model_json_schema()
    parts = raw.pop("$defs")
    parts = {name: _part(name, part) for name, part in parts.items()}
    root = _part(ScenarioDoc.__name__, raw)
    _required(root)
    return {"$schema": DIALECT, "title": "A scenario of sip-harness", **root, "$defs": {**_forms(), **parts}}


def _forms() -> dict[str, Schema]:
    """What texts of a known form look like. Numbers are no text to an editor: 486 is one."""
    numbers: Schema = {"type": "integer", "minimum": 100, "maximum": 699}
    words = "|".join(map(re.escape, STEPS))
    return {
        "placeholder": _PLACEHOLDER,
        "code": {"pattern": rf"^\s*{_CODE}(\s+to\s+\S+)?\s*$|\{{{VARIABLE}\}}"},
        "step": {
            "anyOf": [
                {
                    "enum": [
                        *NAMES,
                        *(w for w in STEPS if w in ("silence", "hang up", "no 100", "again", "close", "reset")),
                    ]
                },
                {"type": "string", "pattern": rf"^\s*({_CODE}|{words})(\s.*)?$"},
                numbers,
            ]
        },
        "fate": {"type": "string", "pattern": r"^\s*(never|reached(\s.*)?)\s*$"},
        "heard": {"type": "string", "pattern": r"^\s*(tone|silence|nothing)(\s.*)?$"},
        "duration": {"type": "string", "pattern": rf"^\s*{_DURATION}\s*$"},
        "event": {"type": "string", "pattern": rf"^\s*{_EVENT}$"},
        "trigger": {
            "type": "string",
            "pattern": rf"^\s*((after\s+)?{_DURATION}|({_DURATION}\s+)?after\s+{_EVENT})\s*$",
        },
    }


def _part(name: str, raw: Schema) -> Schema:
    entries: Entries = PARTS[name]
    part = next(one for one in _below(Part) if one.__name__ == name)
    properties = {key: _property(key, one, entries, part) for key, one in raw["properties"].items()}
    result = {
        "type": "object",
        "description": raw.get("description", ""),
        "properties": properties,
        "additionalProperties": False,
    }
    return {**result, "required": raw["required"]} if "required" in raw else result


def _below(part: type[Part]) -> Iterator[type[Part]]:
    for one in part.__subclasses__():
        yield one
        yield from _below(one)


def _property(key: str, raw: Schema, entries: Entries, part: type[Part]) -> Schema:
    entry = entries[key]
    options = [one for one in _options(_value(raw)) if key not in part.filled or one != {"type": "null"}]
    told = {
        "description": entry.text,
        "markdownDescription": f"{entry.text}\n\n```yaml\n{entry.example}\n```",
    }
    return {**told, **_any(*options, _ANY_CASE)}


def _value(raw: Schema) -> Schema:
    """A schema of pydantic in plainer terms."""
    if "$ref" in raw:
        return {"$ref": raw["$ref"]}
    if options := raw.get("anyOf") or raw.get("oneOf"):
        return _any(*map(_value, options))
    if "enum" in raw or "const" in raw:
        return {"enum": raw.get("enum", [raw.get("const")])}
    if raw.get("type") == "string":
        return {"$ref": f"#/$defs/{raw['format']}"} if raw.get("format") else dict(_SCALAR)
    if raw.get("type") == "array":
        return {"type": "array", "items": _any(_value(raw.get("items", {})), _ANY_CASE)}
    if raw.get("type") == "object":
        return _mapping(raw)
    return {key: value for key, value in raw.items() if key == "type"}


def _any(*schemas: Schema) -> Schema:
    return {"anyOf": [one for schema in schemas for one in _options(schema)]}


def _options(schema: Schema) -> list[Schema]:
    """The alternatives of a schema that has no more to say, else the schema itself."""
    return list(schema["anyOf"]) if list(schema) == ["anyOf"] else [schema]


def _mapping(raw: Schema) -> Schema:
    below = raw["additionalProperties"] if isinstance(raw.get("additionalProperties"), dict) else {}
    result: Schema = {"type": "object"}
    if below:
        result["additionalProperties"] = _any(_value(below), _ANY_CASE)
    names = raw.get("propertyNames", {})
    if "enum" in names:
        result["propertyNames"] = {"enum": names["enum"]}
    elif names.get("format"):
        result["propertyNames"] = {"$ref": f"#/$defs/{names['format']}"}
    if _OF_ONE_KEY & {one.get("$ref", "").rpartition("/")[2] for one in _options(_value(below))}:
        result |= {"minProperties": 1, "maxProperties": 1}
    return result


def _required(root: Schema) -> None:
    """Whatever a piece may bring is not missing in the file that includes it."""
    root["anyOf"] = [{"required": [*keys]} for keys in (("targets", "calls"), ("watch",), ("include",))]
