"""Response codes by number and by name.

A code is written as its number or as the registry's phrase in kebab-case: `486` or `busy-here`. Numbers that no list
knows are codes all the same: a receiver takes them as the x00 of their class, 1xx as 183 (RFC 3261 8.1.3.2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

from sip_harness.sip.code_table import ROWS
from sip_harness.sip.code_table.row import Code, Ends, Failover, Origin
from sip_harness.sip.errors import SipError

__all__ = [
    "CODES",
    "NAMES",
    "Code",
    "Ends",
    "Failover",
    "Origin",
    "UnknownCode",
    "class_rule",
    "default_body",
    "default_headers",
    "lookup",
    "phrase",
]

CODES: Mapping[int, Code] = MappingProxyType({row.code: row for row in sorted(ROWS, key=lambda row: row.code)})
"""Every code of the table by number, in order."""

NAMES: Mapping[str, Code] = MappingProxyType({c.name: c for row in CODES.values() for c in (row, *row.variants)})
"""Every code and every variant by name."""

_MAX_WORD = 64
_CLASS_NAMES = {
    1: "Unknown Provisional",
    2: "Unknown Success",
    3: "Unknown Redirect",
    4: "Unknown Client Failure",
    5: "Unknown Server Failure",
    6: "Unknown Global Failure",
}
_CLASS_RULES = {
    1: "forwarded upstream at once, To-tag untouched, Timer C restarted (RFC 3261 16.7 steps 2, 5, 6)",
    2: "to an INVITE forwarded at once, always; the other branches are cancelled (RFC 3261 16.7 steps 5, 10)",
    3: "kept, unless the proxy recurses; chosen over 4xx and 5xx (RFC 3261 16.7 steps 4, 6)",
    4: "kept while other branches are open; candidate for the best response (RFC 3261 16.7 step 6)",
    5: "kept; a candidate only where no lower class has come (RFC 3261 16.7 step 6)",
    6: "cancels all other branches, opens no new one, chosen over everything but 2xx (RFC 3261 16.7 steps 5, 6)",
}


class UnknownCode(SipError):
    """A word that is neither a code from 100 to 699 nor the name of one."""

    def __init__(self, word: str | int, suggestions: tuple[str, ...] = ()) -> None:
        super().__init__(word, suggestions)
        self.word = word
        """The word as it was given."""
        self.suggestions = suggestions
        """Numbers or names that may have been meant, best first."""

    def __str__(self) -> str:
        shown = str(self.word)
        shown = shown if len(shown) <= _MAX_WORD else f"{shown[:_MAX_WORD]}…"
        hint = f"; did you mean {' or '.join(self.suggestions)}?" if self.suggestions else ""
        return f"no response code {ascii(shown) if not shown.isprintable() else repr(shown)}{hint}"


def lookup(word: str | int) -> Code:
    """The code of this number or name, letter case aside; the name of a variant gives the variant.

    A number from 100 to 699 that is not in the table gives a code of its class (RFC 3261 8.1.3.2). Raises UnknownCode.
    """
    text = str(word)
    if named := NAMES.get(text.lower()):
        return named
    if re.fullmatch(r"[1-6][0-9]{2}", text):
        return CODES.get(int(text)) or _unlisted(int(text))
    raise UnknownCode(word, _suggestions(text[:_MAX_WORD].lower()))


def phrase(code: int) -> str:
    """Reason phrase for a code from 100 to 699, never empty. Raises UnknownCode for any other number."""
    return lookup(code).phrase


def default_headers(code: int, host: str) -> tuple[tuple[str, str], ...]:
    """Headers that a response with this code has to carry beyond what any stack adds, with valid values.

    The caller leaves out those that the author gave. `host` is where the responder is, `127.0.0.1` or `host:port`; it
    stands in Contact URIs, and without its port as realm. Nonces are fresh on each call; everything else is constant
    and needs no secrecy. Raises UnknownCode, or SipError for a `host` that is none.
    """
    return lookup(code).default_headers(host)


def default_body(code: int) -> tuple[str, bytes]:
    """Content type and bytes of a body that this code has to carry; ("", b"") if none. SDP is not meant here.

    The type is not among `default_headers`: it belongs to the body and changes with it. Raises UnknownCode.
    """
    row = lookup(code)
    return row.body_type, row.body.encode()


def class_rule(code: int) -> str:
    """What a forking proxy does with a response of this code's class, with the steps of RFC 3261 16.7."""
    return _CLASS_RULES[lookup(code).code // 100]


def _unlisted(code: int) -> Code:
    family = code // 100
    like = 183 if family == 1 else family * 100
    return Code(
        code,
        _CLASS_NAMES[family],
        str(code),
        "RFC 3261 8.1.3.2",
        "any",
        f"in no registry: to be taken as {like}",
        origin="unknown",
        failover="depends",
        failover_note=f"as {like}",
    )


def _suggestions(word: str) -> tuple[str, ...]:
    known = [*NAMES, *map(str, CODES)]
    close = get_close_matches(word, known, n=3, cutoff=0.65)
    parts = [name for name in NAMES if word and word in name.split("-")]
    return tuple(dict.fromkeys([*close, *parts]))[:5]
