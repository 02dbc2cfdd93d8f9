"""Scalars and waits of a scenario that is made from a capture, and what has to stay in the capture."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sip_harness.model.pattern import seconds

LONGEST = 1.0
"""Seconds to which waits are shortened unless exact times are asked for."""
WIDEST = 120
"""Characters of a line beyond which it is cut where that can be done."""
SHORTEST = 0.02
"""Seconds: what comes sooner comes at once."""
_NAMES = re.compile(
    r"(?i)\b(?:sips?|tel):|@|\b\d{1,3}(?:\.\d{1,3}){3}\b|\[[0-9a-f:]*:[0-9a-f:.]*\]|\d(?:[ ()/-]?\d){6}"
)
"""A URI, an address, or a number of seven digits and more."""
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/+-]*(?<! )")
_ESCAPES = {"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "~", "to", "from", "or"})


Part = tuple[str, "str | list[str]"]
"""A key of a mapping, and its value as YAML: a list item by item, anything else in flow style."""


def flow(parts: Sequence[Part]) -> str:
    """A mapping in flow style."""
    return f"{{{', '.join(f'{key}: {_flow(value)}' for key, value in parts)}}}"


def _flow(value: str | list[str]) -> str:
    return value if isinstance(value, str) else f"[{', '.join(value)}]"


def laid_out(head: str, parts: Sequence[Part], indent: int) -> list[str]:
    """A mapping behind a head, in one line if that is short enough, else key by key and item by item. `indent` is where
    its keys stand then; behind a dash the first one stands in the line of the dash."""
    if len(line := f"{head} {flow(parts)}") <= WIDEST:
        return [line]
    lines = [] if head.endswith("-") else [head]
    for number, (key, value) in enumerate(parts):
        start = f"{head} {key}:" if head.endswith("-") and not number else f"{'':{indent}}{key}:"
        if isinstance(value, str) or len(f"{start} {_flow(value)}") <= WIDEST:
            lines.append(f"{start} {_flow(value)}")
        else:
            lines += [start, *(f"{'':{indent}}  - {item}" for item in value)]
    return lines


@dataclass
class Times:
    """How long waits are made."""

    exact: bool = False
    shortened: bool = field(default=False, init=False)
    """Whether some wait was."""

    def wait(self, nanoseconds: int, *, exact: bool = False) -> str:
        """A duration in words; empty for what is no wait at all. One that is `exact` is not shortened."""
        length = nanoseconds / 1e9
        if length < SHORTEST:
            return ""
        if not (self.exact or exact) and length > LONGEST:
            self.shortened = True
            length = LONGEST
        return seconds(round(length, 2))


def names_somebody(text: str) -> bool:
    """Whether a text holds what has to stay in the capture: a number, an address, a user."""
    return bool(_NAMES.search(text))


def visible(text: str) -> str:
    """A text that can stand on a terminal and in a comment."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def quoted(text: str) -> str:
    """A text as a scalar of YAML, in any place."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    if '"' in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    return '"' + "".join(_escaped(char) for char in text) + '"'


def _escaped(char: str) -> str:
    if (short := _ESCAPES.get(char)) is not None:
        return short
    return char if char.isprintable() else f"\\U{ord(char):08x}"


def sayable(text: str) -> bool:
    """Whether a text can stand in a scenario: bytes that are no UTF-8 cannot, nor a NUL."""
    return not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text)


def refusal(what: str, text: str) -> str:
    """Why a text is not repeated, `what` being its name; empty if it is."""
    if not sayable(text):
        return f"{what}: it is no text"
    return f"{what}: it names somebody" if names_somebody(text) else ""
