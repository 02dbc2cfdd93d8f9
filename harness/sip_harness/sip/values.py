"""Header values taken apart: lists, parameters, quoted strings, comments (RFC 3261 7.3.1, 25.1).

The functions here take any text and never raise unless they say so. Each reads its text once from left to right, so
that nobody can make them slow: the regular expressions are possessive and have an answer for quotes that do not end.
"""

from __future__ import annotations

import re

from sip_harness.sip.errors import SipError

MAX_VALUE = 16_384
"""Characters of a header value beyond which no view takes it apart."""
MAX_ELEMENTS = 256
"""Elements of a list beyond which no view takes it apart."""
MAX_PARAMS = 128
"""Parameters of one element beyond which no view takes it apart."""
MAX_DELTA = 2**32 - 1
"""The largest number of seconds that a header may carry (RFC 3261 20.19)."""

TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]+"  # noqa: S105 (no password)
"""What a method, a header name or most parameter values are made of (RFC 3261 25.1)."""
QUOTED = r'"(?:[^"\\]++|\\.|\\\Z)*+"?'
"""A quoted string; one that has no end goes on to the end of the text."""

_TOKEN = re.compile(TOKEN)
_ELEMENT = re.compile(rf'(?:[^",<]++|{QUOTED}|<[^>]*+>?)++', re.DOTALL)
_PARAM = re.compile(rf'(?:[^";]++|{QUOTED})++', re.DOTALL)
WELL_FORMED_PARAMS = re.compile(
    rf'(?:[ \t]*+;[ \t]*+{TOKEN}[ \t]*+(?:=[ \t]*+(?:[A-Za-z0-9\-.!%*_+`\'~:\[\]]++|"(?:[^"\\]++|\\.)*+")[ \t]*+)?)*+',
    re.DOTALL,
)
"""Parameters with nothing missing: `*(SEMI generic-param)` (RFC 3261 25.1)."""
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)

Params = tuple[tuple[str, str], ...]
"""Parameters in their order: names in lower case, values as written, empty where there is none."""


def split_list(value: str) -> list[str]:
    """Cut a comma-separated header value; commas in quotes and angle brackets do not count (RFC 3261 7.3.1).

    Empty elements are left out. Parentheses do not group: they may stand in a URI, and no list of RFC 3261 has
    comments.
    """
    if "," not in value:
        whole = value.strip(" \t")
        return [whole] if whole else []
    parts = _ELEMENT.findall(value) if '"' in value or "<" in value else value.split(",")
    return [p for part in parts if (p := part.strip(" \t"))]


def first_element(value: str) -> str:
    """The first element of a comma-separated header value; empty if it has none."""
    if "," not in value:
        return value.strip(" \t")
    for match in _ELEMENT.finditer(value):
        if element := match[0].strip(" \t"):
            return element
    return ""


def elements(value: str) -> list[str]:
    """As `split_list`, for views. Raises SipError for what is too long or has too many elements."""
    if len(value) > MAX_VALUE:
        raise SipError(f"{len(value)} characters: more than the {MAX_VALUE} that are taken apart")
    found = split_list(value)
    if len(found) > MAX_ELEMENTS:
        raise SipError(f"{len(found)} elements: more than the {MAX_ELEMENTS} that are taken apart")
    return found


def split_params(text: str) -> Params:
    """Parameters separated by semicolons, quotes respected; a leading semicolon and empty ones do not count.

    A text of more than `MAX_VALUE` characters is not taken apart: it has none.
    """
    if len(text) > MAX_VALUE:
        return ()
    pieces = _PARAM.findall(text) if '"' in text else text.split(";")
    found = []
    for piece in pieces:
        name, _, value = piece.partition("=")
        if name := name.strip(" \t"):
            found.append((name.lower(), value.strip(" \t")))
    return tuple(found)


def bounded_params(text: str) -> Params:
    """As `split_params`, for views. Raises SipError if there are too many."""
    if text.count(";") > MAX_PARAMS:
        raise SipError(f"more than the {MAX_PARAMS} parameters that are taken apart")
    return split_params(text)


def param(params: Params, name: str) -> str | None:
    """Value of the first parameter with this lower-case name, quotes undone; None if there is none."""
    return next((unquote(value) for n, value in params if n == name), None)


def first_param(text: str, name: str) -> str:
    """Value of the first parameter with this lower-case name in a text of parameters; empty if there is none.

    For tags and branches, which are tokens and asked for with every message: what stands behind the token is cut off.
    """
    if not text:
        return ""
    if '"' not in text:
        at = text.find(f"{name}=")
        if at == 0 or (at > 0 and text[at - 1] == ";"):
            value = text[at + len(name) + 1 :].partition(";")[0]
            if value.isalnum() or _TOKEN.fullmatch(value):
                return value
    words = (param(split_params(text), name) or "").replace(",", " ").split(None, 1)
    return words[0] if words else ""


def unquote(text: str) -> str:
    """The content of a quoted string, escapes undone; anything else as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return _ESCAPE.sub(r"\1", text[1:-1])


def without_comments(text: str) -> str:
    """Text without its comments, which nest (RFC 3261 25.1): `120 (lunch);duration=60` gives `120 ;duration=60`.

    Only for headers that have comments (Retry-After, Server, User-Agent). A comment without end goes to the end.
    """
    if "(" not in text:
        return text
    kept: list[str] = []
    depth, quoted, escaped = 0, False, False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = quoted or depth > 0
        elif char == '"' and not depth:
            quoted = not quoted
        elif char == "(" and not quoted:
            depth += 1
        elif char == ")" and depth:
            depth -= 1
            continue
        if not depth:
            kept.append(char)
    return "".join(kept).strip(" \t")


def delta_seconds(text: str) -> int | None:
    """A number of seconds (RFC 3261 20.19), cut to `MAX_DELTA`; None if it is no number."""
    text = text.strip(" \t")
    if not text.isdecimal() or not text.isascii():
        return None
    return min(int(text), MAX_DELTA) if len(text) <= 10 else MAX_DELTA if text.strip("0") else 0


def exceeds(digits: str, most: int) -> bool:
    """Whether a number of any length is more than `most`; for text that holds digits only."""
    digits = digits.lstrip("0")
    return len(digits) > len(str(most)) or int(digits or 0) > most


def shown(text: str, length: int = 40) -> str:
    """Text from outside as part of a message of ours: short, in quotes, printable ASCII."""
    cut = text if len(text) <= length else f"{text[:length]}..."
    return ascii(cut)
