"""Values that name somebody: name-addr or addr-spec with parameters (RFC 3261 20.10, 25.1).

From, To, Contact, Route, Record-Route, Reply-To, Refer-To and the like.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sip_harness.sip.errors import SipError
from sip_harness.sip.uri import ANGLE, OtherUri, Uri, read_uri
from sip_harness.sip.values import (
    MAX_VALUE,
    Params,
    bounded_params,
    delta_seconds,
    first_param,
    param,
    shown,
    unquote,
)

_NAME_ADDR = re.compile(r'[ \t]*+(?:("(?:[^"\\]++|\\.)*+")[ \t]*+|([^"<]*+))<([^<>]*+)>[ \t]*+(;.*)?', re.DOTALL)
_ADDR_SPEC = re.compile(r'([A-Za-z][A-Za-z0-9+.-]*+:[^\s;<>"]++)[ \t]*+(;.*)?', re.DOTALL)
_Q = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


@dataclass(frozen=True, slots=True)
class Address:
    """One name-addr or addr-spec."""

    display: str
    """Display name, quotes and escapes undone; empty if there is none."""
    uri: str
    """The URI as written, without angle brackets; `*` in a Contact that stands for all (RFC 3261 10.2.2)."""
    params: Params = ()
    """What follows the URI: names in lower case, values as written."""
    bracketed: bool = True
    """Whether the URI stood in angle brackets; without them a `;` begins a header parameter (RFC 3261 20.10)."""
    quoted: bool = False
    """Whether the display name stood in quotes."""
    tail: str = ""
    """The parameters as written, with their semicolons."""

    @property
    def tag(self) -> str:
        """The tag; empty if there is none (RFC 3261 19.3)."""
        return self.param("tag") or ""

    @property
    def expires(self) -> int | None:
        """Seconds that this contact is to live, at most 2**32 - 1; None if not given or no number (RFC 3261 20.10)."""
        value = self.param("expires")
        return None if value is None else delta_seconds(value)

    @property
    def q(self) -> float | None:
        """Preference from 0 to 1; None if not given or no qvalue (RFC 3261 20.10, 25.1)."""
        value = self.param("q")
        return float(value) if value is not None and _Q.fullmatch(value) else None

    def param(self, name: str) -> str | None:
        """Value of a header parameter, quotes undone; None if it does not stand there."""
        return param(self.params, name)

    def parsed(self) -> Uri | OtherUri:
        """The URI taken apart. Raises SipError if it is none."""
        return read_uri(self.uri)


def parse_address(text: str) -> Address:
    """Read one element of such a header.

    White space within the angle brackets is forgiven. Raises SipError if there is no URI, a quote or a bracket does
    not end, something else than parameters follows, or a limit of `values` is exceeded.
    """
    if len(text) > MAX_VALUE:
        raise SipError(f"{len(text)} characters: more than the {MAX_VALUE} that are taken apart")
    if match := _NAME_ADDR.fullmatch(text):
        quoted, plain, uri, rest = match.groups()
        display = unquote(quoted) if quoted else plain.strip(" \t")
        return Address(
            display, _some(uri.strip(" \t"), text), bounded_params(rest or ""), True, quoted is not None, rest or ""
        )
    text = text.strip(" \t")
    if text == "*":
        return Address("", "*", bracketed=False)
    if match := _ADDR_SPEC.fullmatch(text):
        return Address("", match[1], bounded_params(match[2] or ""), False, False, match[2] or "")
    raise SipError(f"no address: {shown(text)}")


def tag_of(value: str) -> str:
    """The tag parameter of a From or To value, whatever else is wrong with it; empty if it has none."""
    after = value.rpartition(">")[2] if ">" in value else value.partition(";")[2]
    if '"' in after and (match := ANGLE.match(value)):  # the bracket that was found may have stood in these quotes
        after = match[2]
    return first_param(after, "tag")


def _some(uri: str, text: str) -> str:
    if uri.split() != [uri]:
        raise SipError(f"no URI in {shown(text)}")
    return uri
