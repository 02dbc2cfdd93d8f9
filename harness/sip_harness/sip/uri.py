"""SIP URIs and the header values that carry them (RFC 3261 19.1, 20.10), as far as routing and contacts need them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sip_harness.sip.errors import SipError

_URI = re.compile(
    r"(?P<scheme>sips?):(?:(?P<user>[^@\s<>]*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:;?@<>\[\],]+)(?::(?P<port>\d{1,5}))?"
    r"(?P<params>(?:;[^;?\s<>]*)*)(?:\?[^\s<>]*)?$",
    re.IGNORECASE,
)
_ANGLE = re.compile(r"(?:[^\"<]|\"(?:[^\"\\]|\\.)*\")*<([^<>]*)>(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Uri:
    """The parts of a SIP or SIPS URI."""

    scheme: str
    user: str
    """With password, if any; empty if there is none."""
    host: str
    """Lower case; IPv6 in its brackets."""
    port: int | None
    params: tuple[tuple[str, str], ...] = ()
    """Names in lower case; the value is empty where there is none."""

    def has(self, name: str) -> bool:
        """Whether a parameter stands there, as `lr` does."""
        return any(n == name for n, _ in self.params)

    def same(self, other: Uri) -> bool:
        """Whether both name the same contact: scheme, user, host and port (the default port counts as written)."""
        mine = (self.scheme, self.user, self.host, self.port or 5060)
        return mine == (other.scheme, other.user, other.host, other.port or 5060)


def parse_uri(text: str) -> Uri:
    """Read a URI. Raises SipError if it is no SIP URI."""
    match = _URI.match(text.strip())
    if match is None:
        raise SipError(f"no SIP URI: {text[:60]!r}")
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 0 < port < 65536:
        raise SipError(f"port out of range in {text[:60]!r}")
    return Uri(match["scheme"].lower(), match["user"] or "", match["host"].lower(), port, _params(match["params"]))


def uri_text(value: str) -> str:
    """The URI in a From, To, Contact, Route or Record-Route value, as written; without angle brackets up to its `;`."""
    match = _ANGLE.match(value)
    return match[1].strip() if match else value.partition(";")[0].strip()


def header_params(value: str) -> dict[str, str]:
    """Parameters of such a header value: what follows the URI (RFC 3261 20.10), names in lower case."""
    match = _ANGLE.match(value)
    return dict(_params(match[2] if match else value.partition(";")[2]))


def _params(text: str) -> tuple[tuple[str, str], ...]:
    found = []
    for part in text.split(";"):
        name, _, value = part.partition("=")
        if name.strip():
            found.append((name.strip().lower(), value.strip()))
    return tuple(found)
