"""JSON Schema of scenario files and of profiles, for editors: from the models, with the texts of the reference.

It is as strict as a schema can be that knows nothing of names: shapes, keys, codes, steps. What it refuses the harness
refuses too, with the exception of code names in capitals. Placeholders of a matrix may stand for every value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from sip_harness.language.answers import STEPS
from sip_harness.language.entries import PARTS, Entries
from sip_harness.language.entries.profile import PROFILES
from sip_harness.language.fields import MAX_ID
from sip_harness.language.part import Part
from sip_harness.language.placeholders import VARIABLE
from sip_harness.language.profile_schema import BuiltInDoc, ProfileDoc
from sip_harness.language.schema import ScenarioDoc
from sip_harness.sip.codes import NAMES

Schema: TypeAlias = dict[str, Any]

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The one that editors know best; nothing newer is needed."""
_PROFILES = ProfileDoc.__module__
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
_MISSING_NOTHING = (("targets", "calls", "devices"), ("targets", "calls", "carriers"), ("watch",), ("include",))
"""Keys of which a scenario needs some: all of one of these."""
_CODE = f"([1-6][0-9][0-9]|{'|'.join(NAMES)})"
_DURATION = r"[0-9]*\.?[0-9]+(ms|s|m)"
_HOLE = rf"\{{{VARIABLE}\}}"
_KIND = rf"{_CODE}|[1-6](xx|[0-9]x)|policy\.\S+|[A-Z][A-Z-]*"
"""What an expected message begins with."""
_EVENT = r"[A-Za-z0-9][A-Za-z0-9-]*\s+(sends|gets)\s+\S.*"


def scenario_schema() -> Schema:
    """The schema of a whole scenario file."""
    root, parts = _whole(ScenarioDoc, PARTS)
    _required(root)
    return {"$schema": DIALECT, "title": "A scenario of sip-harness", **root, "$defs": {**_forms(), **parts}}


def profile_schema() -> Schema:
    """The schema of a whole profile: of a system that is there, or of a built-in one with settings of its own."""
    there, parts = _whole(ProfileDoc, PROFILES)
    built_in, more = _whole(BuiltInDoc, PROFILES)
    parts |= {ProfileDoc.__name__: there, BuiltInDoc.__name__: built_in, **more}
    return {
        "$schema": DIALECT,
        "title": "A system of sip-harness",
        "type": "object",
        "if": {"required": ["builtin"]},
        "then": {"$ref": f"#/$defs/{BuiltInDoc.__name__}"},
        "else": {"$ref": f"#/$defs/{ProfileDoc.__name__}"},
        "$defs": {**_forms(), "placeholder": False, **parts},
    }


def _whole(root: type[Part], entries: Mapping[str, Entries]) -> tuple[Schema, dict[str, Schema]]:
    """The schemas of a document and of its parts."""
    raw = root.model_json_schema()
    found = {one.__name__: one for one in _below(Part) if _of_profiles(one) == _of_profiles(root)}
    parts = {name: _part(found[name], part, entries[name]) for name, part in raw.pop("$defs", {}).items()}
    return _part(root, raw, entries[root.__name__]), parts


def _of_profiles(part: type[Part]) -> bool:
    """Both kinds of documents have parts of the same name."""
    return part.__module__ == _PROFILES


_WHOLE = ("silence", "hang up", "no 100", "again", "close", "reset", "unregister", "forward back")
"""Steps that are these words and nothing else."""


def _forms() -> dict[str, Schema]:
    """What texts of a known form look like. Numbers are no text to an editor: 486 is one."""
    numbers: Schema = {"type": "integer", "minimum": 100, "maximum": 699}
    words = "|".join(re.escape(word) for word in STEPS if word not in ("wait", "after"))
    timed = rf"wait\s+{_DURATION}\s*|after\s+({_DURATION}\s+)?{_EVENT}"
    return {
        "placeholder": _PLACEHOLDER,
        "code": {"pattern": rf"^\s*{_CODE}(\s+to\s+\S+)?\s*$|\{{{VARIABLE}\}}"},
        "step": {
            "anyOf": [
                {"enum": [*NAMES, *(w for w in STEPS if w in _WHOLE)]},
                {"type": "string", "pattern": rf"^\s*(({_CODE}|{words})(\s.*)?|{timed})$"},
                numbers,
            ]
        },
        "id": {"type": ["string", "number"], "pattern": rf"^[A-Za-z0-9][A-Za-z0-9.-]{{0,{MAX_ID - 1}}}$|{_HOLE}"},
        "name": {"type": ["string", "number"], "pattern": rf"^\s*[A-Za-z0-9][A-Za-z0-9-]*\s*$|{_HOLE}"},
        "message": {
            "anyOf": [
                {"type": "string", "pattern": rf"^\s*((maybe|should)\s+)?({_KIND})(\s.*)?$|{_HOLE}"},
                numbers,
            ]
        },
        "failover": {"type": "string", "pattern": r"^\s*policy\.failover\s+has\s+\S+\s*$"},
        "fate": {"type": "string", "pattern": r"^\s*(never|reached(\s.*)?)\s*$"},
        "heard": {"type": "string", "pattern": r"^\s*(tone|silence|nothing)(\s.*)?$"},
        "listening": {
            "type": "string",
            "pattern": r"^\s*((udp|tcp|tls):)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}\s*$",
        },
        "address": {"type": "string", "pattern": r"^\s*(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?\s*$"},
        "secret": {"type": "string", "pattern": r"^\$[A-Za-z_][A-Za-z0-9_]*$"},
        "duration": {"type": "string", "pattern": rf"^\s*{_DURATION}\s*$"},
        "event": {"type": "string", "pattern": rf"^\s*{_EVENT}$"},
        "trigger": {
            "type": "string",
            "pattern": rf"^\s*((after\s+)?{_DURATION}|({_DURATION}\s+)?after\s+{_EVENT})\s*$",
        },
    }


def _part(part: type[Part], raw: Schema, entries: Entries) -> Schema:
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
    root["anyOf"] = [{"required": [*keys]} for keys in _MISSING_NOTHING]
