"""Header fields: how a head is cut into them, and what their names mean (RFC 3261 7.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from sip_harness.sip.values import TOKEN

# RFC 3261 7.3.3 and the IANA header registry.
COMPACT = {
    "i": "call-id", "m": "contact", "e": "content-encoding", "l": "content-length", "c": "content-type",
    "f": "from", "s": "subject", "k": "supported", "t": "to", "v": "via", "o": "event", "u": "allow-events",
    "r": "refer-to", "b": "referred-by", "x": "session-expires", "d": "request-disposition",
    "a": "accept-contact", "j": "reject-contact", "y": "identity", "n": "identity-info",
}  # fmt: skip

# fmt: off
_USUAL = (
    "Accept", "Accept-Contact", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow", "Allow-Events",
    "Authentication-Info", "Authorization", "Call-ID", "Call-Info", "Contact", "Content-Disposition",
    "Content-Encoding", "Content-Language", "Content-Length", "Content-Type", "CSeq", "Date", "Diversion",
    "Error-Info", "Event", "Expires", "From", "Geolocation", "History-Info", "Identity", "Identity-Info",
    "In-Reply-To", "Join", "Max-Forwards", "MIME-Version", "Min-Expires", "Min-SE", "Organization",
    "P-Access-Network-Info", "P-Asserted-Identity", "P-Charging-Vector", "P-Early-Media", "P-Preferred-Identity",
    "Path", "Priority", "Privacy", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Require", "RAck", "Reason",
    "Record-Route", "Recv-Info", "Refer-Sub", "Refer-To", "Referred-By", "Reject-Contact", "Remote-Party-ID",
    "Replaces", "Reply-To", "Request-Disposition", "Require", "Retry-After", "Route", "RSeq", "Security-Client",
    "Security-Server", "Security-Verify", "Server", "Service-Route", "Session-Expires", "SIP-ETag", "SIP-If-Match",
    "Subject", "Subscription-State", "Supported", "Timestamp", "To", "Unsupported", "User-Agent", "Via", "Warning",
    "WWW-Authenticate",
)
# fmt: on

KNOWN: dict[str, str] = {
    spelling: COMPACT.get(name.lower(), name.lower())
    for name in (*_USUAL, *COMPACT)
    for spelling in (name, name.lower(), name.upper(), name.title())
}
"""Canonical names of the usual headers by their usual spellings; a shortcut for `canonical`."""
WRITTEN: dict[str, str] = {name.lower(): name for name in _USUAL}
"""How RFCs write the usual headers, by canonical name."""

_NAME = re.compile(TOKEN)


class Field(NamedTuple):
    """One header field as it stood on the wire."""

    name: str
    """Name as written, perhaps in compact form."""
    value: str
    """Value with folding undone (RFC 3261 7.3.1) and outer white space removed."""

    @property
    def key(self) -> str:
        """Canonical lower-case name, compact forms expanded."""
        return canonical(self.name)


def canonical(name: str) -> str:
    """Lower-case name, compact form expanded (RFC 3261 7.3.3)."""
    known = KNOWN.get(name)
    if known is not None:
        return known
    low = name.lower() if name.isascii() else name  # the Kelvin sign in lower case is a plain k
    return COMPACT.get(low, low)


def written(key: str) -> str:
    """A canonical name as RFCs write it."""
    return WRITTEN.get(key, key)


def is_token(name: str) -> bool:
    """Whether a header may have this name (RFC 3261 25.1)."""
    return _NAME.fullmatch(name) is not None


def cut_fields(lines: Iterable[str]) -> tuple[list[Field], list[str]]:
    """Header fields out of the lines of a head, in order; and the lines that belong to none.

    A line that begins with white space goes on with the one before (RFC 3261 7.3.1); each fold reads as one space.
    """
    cut: list[tuple[str, list[str]]] = []
    odd: list[str] = []
    last = odd
    for line in lines:
        if line[:1] in (" ", "\t"):
            last.append(line.strip(" \t"))
            continue
        name, colon, value = line.partition(":")
        name = name.rstrip(" \t")
        if colon and name.split() == [name]:
            last = [value.strip(" \t")]
            cut.append((name, last))
        elif line:
            last = odd
            odd.append(line)
    return [Field(name, " ".join(filter(None, parts))) for name, parts in cut], odd


def index(lines: list[str]) -> dict[str, list[str]]:
    """Values by canonical name, in order. The same as from `cut_fields`, but quick where nothing is unusual."""
    values: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        key = KNOWN.get(name)
        if key is None or not colon:
            if not colon or not is_token(name):
                return _index_of(cut_fields(lines)[0])
            key = canonical(name)
        if key in values:
            values[key].append(value.strip(" \t"))
        else:
            values[key] = [value.strip(" \t")]
    return values


def _index_of(fields: Iterable[Field]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for field in fields:
        values.setdefault(field.key, []).append(field.value)
    return values
