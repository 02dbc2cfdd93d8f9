"""Keyword settings of a system's class from their texts in a profile."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Mapping
from dataclasses import is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from sip_harness.systems.names import UnknownName

_TIME = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


def types_of(kind: type[object], without: Collection[str]) -> dict[str, object]:
    """Types of the keywords that a class takes, by name."""
    names = [name for name in inspect.signature(kind).parameters if name not in without]
    hints = get_type_hints(kind if is_dataclass(kind) else vars(kind)["__init__"])
    return {name: hints[name] for name in names}


def read_settings(given: Mapping[str, str], known: Mapping[str, object]) -> dict[str, Any]:
    """Values for keywords of these types; a name may be written with dashes.

    Raises UnknownName for what is no keyword, ValueError for a value that does not fit.
    """
    found: dict[str, Any] = {}
    for written, text in given.items():
        name = re.sub(r"[ -]", "_", written)
        if name not in known:
            raise UnknownName("setting", written, [one.replace("_", "-") for one in known])
        found[name] = _value(written, text, known[name])
    return found


def _value(name: str, text: str, hint: object) -> object:
    """The text as what the class wants: times with a unit become seconds."""
    time = _TIME.fullmatch(text)
    if hint is bool and text in ("yes", "no"):
        return text == "yes"
    if hint is float and time is not None:
        return float(time[1]) * _UNITS[time[2]]
    if hint is int and text.isascii() and text.isdigit():
        return int(text)
    if hint is str:
        return text
    if get_origin(hint) is Literal:
        words = get_args(hint)
        if text in words:
            return text
        raise UnknownName(f"{name}", text, words)
    wanted = {bool: "yes or no", float: "a time, as 500ms or 2s", int: "a whole number"}
    if isinstance(hint, type) and hint in wanted:
        raise ValueError(f"setting {name} is {text!r}: it takes {wanted[hint]}")
    raise ValueError(f"setting {name} cannot be made in a profile")
