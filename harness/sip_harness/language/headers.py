"""Headers, reason phrases and bodies that authors give: nothing may break out of its line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sip_harness.language.diagnostics import quoted
from sip_harness.language.source import Text
from sip_harness.sip.message import COMPACT

_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")  # RFC 3261 25.1
_MEDIA = re.compile(rf"{_TOKEN.pattern}/{_TOKEN.pattern}\s*(;[ -~]*)?")
_BREAKS = re.compile(r"[\r\n\0]")
_NAMES = {"\r": "carriage return", "\n": "line feed", "\0": "NUL"}
MAX_LINE = 8000
"""Characters of one header value or reason phrase."""
MAX_BODY = 60_000
"""Bytes of a body: a message has to fit into a datagram."""


@dataclass(frozen=True, slots=True)
class Headers:
    """What an author gave for the headers of a message."""

    given: tuple[tuple[str, str], ...] = ()
    """In the order of writing, a list as a repeated header."""
    omit: frozenset[str] = frozenset()
    """Canonical lower-case names of those that are left out (written as null)."""

    @property
    def decided(self) -> frozenset[str]:
        """Canonical names of all headers that the author gave or left out."""
        return self.omit | {canonical(name) for name, _ in self.given}


def collect(headers: Mapping[Text, tuple[Text, ...] | None]) -> Headers:
    """Put the headers of a mapping together. Raises Mistake if one stands twice, in whatever form."""
    seen: dict[str, Text] = {}
    for name in headers:
        if (first := seen.setdefault(canonical(name), name)) is not name:
            same = "" if first.lower() == name.lower() else f" ({first} is the same header)"
            raise name.all.mistake(f"header {quoted(name)} stands twice{same}", "give a list of values to repeat it")
    given = tuple((str(name), str(value)) for name, values in headers.items() for value in values or ())
    return Headers(given, frozenset(canonical(name) for name, values in headers.items() if values is None))


def canonical(name: str) -> str:
    """Lower-case name, compact form expanded (RFC 3261 7.3.3)."""
    return COMPACT.get(name.lower(), name.lower())


def header_name(text: Text) -> Text:
    """A header name: a token of RFC 3261 25.1. Raises Mistake at the first character that cannot stand in one."""
    if not text:
        raise text.all.mistake("a header needs a name")
    match = _TOKEN.match(text)
    at = match.end() if match else 0
    if at < len(text):
        hint = "leave the colon out" if text[at] == ":" else "letters, digits and -.!%*_+`'~"
        raise text.spot(at, at + 1).mistake(f"{quoted(text[at])} cannot stand in a header name", hint)
    return text


def one_line(text: Text, what: str) -> Text:
    """Text for a start line or header. Raises Mistake if it would end that line."""
    if broken := _BREAKS.search(text):
        hint = "use '>-' or quotes for a long text" if broken[0] == "\n" else ""
        spot = text.spot(broken.start(), broken.end())
        raise spot.mistake(f"{what} must not contain a {_NAMES[broken[0]]}", hint)
    if len(text) > MAX_LINE:
        raise text.all.mistake(f"{what} is longer than {MAX_LINE} characters")
    return text


def media_type(text: Text) -> Text:
    """A content type (RFC 3261 20.15). Raises Mistake."""
    if not _MEDIA.fullmatch(text):
        raise text.all.mistake(f"{quoted(text)} is no content type", "write it like text/plain")
    return text


def tag_text(text: Text) -> Text:
    """A tag: a token of RFC 3261 25.1. Raises Mistake."""
    if not text:
        raise text.all.mistake("an empty tag", "write none for a response without a tag")
    if not _TOKEN.fullmatch(text):
        hint = "for what is no tag, put the whole message into a file and write 'bytes FILE'"
        raise text.all.mistake(f"{quoted(text)} is no tag: letters, digits and -.!%*_+`'~ only", hint)
    return text


def body_text(text: Text) -> Text:
    """A body, kept exactly as it is. Raises Mistake if no message could carry it."""
    if len(text.encode()) > MAX_BODY:
        raise text.all.mistake(f"a body has at most {MAX_BODY} bytes")
    return text
