"""`{by code: {503: [500], 6xx: [...], other: [...]}}`: what differs between the cases of a matrix, where it differs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sip_harness.language.diagnostics import Diagnostic, guess, quoted
from sip_harness.language.source import Map, Node, Seq, Spot, Text
from sip_harness.sip.codes import CODES, NAMES

OTHER = "other"
_BY = re.compile(r"by\s+(\S+)")
_CODE = re.compile(r"[1-6][0-9][0-9]")


@dataclass(frozen=True)
class Choice:
    """A mapping from the values of a variable to what stands there for each."""

    variable: str
    at: Spot
    options: Map

    def pick(self, value: Node) -> str | None:
        """The key for a value: itself, its class or `other`, the narrowest that is there. None if there is none."""
        if isinstance(value, Text):
            same = same_code(value)
            for key in self.options:
                if same_code(key) == same:
                    return key
            if _CODE.fullmatch(same) and f"{same[0]}xx" in self.options:
                return f"{same[0]}xx"
        return OTHER if OTHER in self.options else None


def choice(node: Node) -> Choice | None:
    """The choice that a value is, if it is one."""
    if not isinstance(node, Map) or len(node) != 1:
        return None
    ((key, options),) = node.items()
    found = _BY.fullmatch(key)
    return Choice(found[1], node.keys_at[key], options) if found and isinstance(options, Map) else None


def same_code(text: str) -> str:
    """What two texts have in common that mean the same code: `busy-here` and `486`."""
    row = NAMES.get(text)
    return str(row.code) if row is not None and CODES.get(row.code) is row else str(text)


def unknown(one: Choice, known: Mapping[str, object]) -> Diagnostic:
    """The mistake of a choice by what is no variable."""
    return one.at.mistake(f"unknown variable {quoted(one.variable)}", guess(one.variable, known)).diagnostic


def missing(one: Choice, value: Node) -> Diagnostic:
    """The mistake of a choice that says nothing of a value."""
    shown = quoted(value) if isinstance(value, Text) else "a value that is no text"
    hint = "add 'other: ...' for all that are not named"
    return one.at.mistake(f"this choice says nothing of {shown}", hint).diagnostic


def idle(node: Node, taken: set[tuple[int, str]]) -> Iterator[Diagnostic]:
    """Options in this tree that no case has taken; one is taken as the identity of its mapping and its key."""
    if one := choice(node):
        for key in one.options:
            if key != OTHER and (id(one.options), key) not in taken:
                hint = f"no case has this value of {quoted(one.variable)}, or each has a choice of its own"
                yield one.options.keys_at[key].mistake(f"{quoted(key)} is never chosen", hint).diagnostic
    if isinstance(node, (Map, Seq)):
        for value in node.values() if isinstance(node, Map) else node:
            yield from idle(value, taken)
