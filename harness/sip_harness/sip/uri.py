"""SIP URIs and the header values that carry them (RFC 3261 19.1, 20.10)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from sip_harness.sip.errors import SipError
from sip_harness.sip.values import MAX_PARAMS, MAX_VALUE, QUOTED, Params, bounded_params, shown, split_params

_URI = re.compile(
    r"(?P<scheme>sips?):(?:(?P<user>[^@\s<>:]++)(?::(?P<password>[^@\s<>]*+))?@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<params>(?:;[^;?@\s<>]*+)*+)(?:\?(?P<headers>[^@\s<>]*+))?",
    re.IGNORECASE,
)
_OTHER = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):([!-~\u0080-\U0010ffff]+)")
ANGLE = re.compile(rf'(?:[^"<]++|{QUOTED})*+<([^<>]*)>(.*)', re.DOTALL)
"""What stands in the first angle brackets outside of quotes, and what follows them."""
_ESCAPED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()")
_NEVER_IGNORED = ("transport", "user", "ttl", "method", "maddr")


@dataclass(frozen=True, slots=True)
class Uri:
    """The parts of a SIP or SIPS URI, escapes as written. `str` gives back what was read."""

    scheme: str
    """`sip` or `sips`."""
    user: str
    """Without password; empty if there is none."""
    host: str
    """Lower case; IPv6 in its brackets."""
    port: int | None
    params: Params = ()
    """Names in lower case; the value is empty where there is none."""
    headers: Params = ()
    """Names in lower case; what stands behind the question mark."""
    password: str | None = None
    """None if there is none; it may be empty."""
    text: str = field(default="", compare=False)
    """What was read; empty if the URI was put together by hand."""

    def __str__(self) -> str:
        return self.text or self._composed()

    def has(self, name: str) -> bool:
        """Whether a parameter stands there, as `lr` does."""
        return any(n == name for n, _ in self.params)

    def param(self, name: str) -> str | None:
        """Value of a parameter, as written; None if it does not stand there."""
        return next((value for n, value in self.params if n == name), None)

    def same(self, other: Uri) -> bool:
        """Whether both lead to the same place: scheme, user, host and port (none is taken as 5060)."""
        mine = (self.scheme, self.user, self.password, self.host, self.port or 5060)
        return mine == (other.scheme, other.user, other.password, other.host, other.port or 5060)

    def equivalent(self, other: Uri) -> bool:
        """Equality of RFC 3261 19.1.4. It is not transitive, hence not `==`: what one URI only has may not count."""
        return (
            (self.scheme, self.port, self.host) == (other.scheme, other.port, other.host)
            and _plain(self.user) == _plain(other.user)
            and _plain_or_none(self.password) == _plain_or_none(other.password)
            and _params_agree(_folded(self.params), _folded(other.params))
            and _folded(self.headers) == _folded(other.headers)
        )

    def _composed(self) -> str:
        user = f"{self.user}{'' if self.password is None else f':{self.password}'}@" if self.user else ""
        port = "" if self.port is None else f":{self.port}"
        params = "".join(f";{name}={value}" if value else f";{name}" for name, value in self.params)
        headers = "&".join(f"{name}={value}" for name, value in self.headers)
        return f"{self.scheme}:{user}{self.host}{port}{params}{'?' if headers else ''}{headers}"


@dataclass(frozen=True, slots=True)
class OtherUri:
    """A URI of another scheme (tel, urn, http, ...), not taken apart."""

    scheme: str
    """Lower case."""
    rest: str
    """What stands behind the colon, as written."""
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.text or f"{self.scheme}:{self.rest}"


def parse_uri(text: str) -> Uri:
    """Read a SIP or SIPS URI. Raises SipError if it is none, is too long or has too many parameters."""
    text = text.strip(" \t")
    match = _URI.fullmatch(text) if len(text) <= MAX_VALUE else None
    if match is None:
        raise SipError(f"no SIP URI: {shown(text, 60)}")
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 0 < port < 65536:
        raise SipError(f"port out of range in {shown(text, 60)}")
    return Uri(
        match["scheme"].lower(),
        match["user"] or "",
        _host(match["host"]),
        port,
        bounded_params(match["params"]) if match["params"] else (),
        _headers(match["headers"]) if match["headers"] else (),
        match["password"],
        text,
    )


def read_uri(text: str) -> Uri | OtherUri:
    """Read a URI of any scheme; only sip and sips are taken apart. Raises SipError if it is none."""
    text = text.strip(" \t")
    if text[:4].lower() == "sip:" or text[:5].lower() == "sips:":
        return parse_uri(text)
    match = _OTHER.fullmatch(text) if len(text) <= MAX_VALUE else None
    if match is None or "<" in match[2] or ">" in match[2] or '"' in match[2]:
        raise SipError(f"no URI: {shown(text, 60)}")
    return OtherUri(match[1].lower(), match[2], text)


def unescape(text: str) -> str:
    """Text with its %HH escapes undone; bytes that are no UTF-8 come by `surrogateescape`, other % signs stay."""
    if "%" not in text:
        return text
    return _ESCAPED.sub(lambda m: bytes.fromhex(m[0].replace("%", "")).decode("utf-8", "surrogateescape"), text)


def uri_text(value: str) -> str:
    """The URI in a From, To, Contact, Route or Record-Route value, as written; without angle brackets up to its `;`.

    Takes any text; see `address.parse_address` for a reader that refuses what is none.
    """
    match = ANGLE.match(value)
    return match[1].strip(" \t") if match else value.partition(";")[0].strip(" \t")


def header_params(value: str) -> dict[str, str]:
    """Parameters of such a header value: what follows the URI (RFC 3261 20.10), names in lower case.

    Takes any text; the first of several parameters with the same name counts.
    """
    match = ANGLE.match(value)
    return dict(reversed(split_params(match[2] if match else value.partition(";")[2])))


def _headers(text: str) -> Params:
    pairs = text.split("&")
    if len(pairs) > MAX_PARAMS:
        raise SipError(f"more than the {MAX_PARAMS} headers of a URI that are taken apart")
    return tuple((name.lower(), value) for name, _, value in (pair.partition("=") for pair in pairs) if name)


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            ipaddress.IPv6Address(text[1:-1])
        except ValueError as error:
            raise SipError(f"no IPv6 address: {shown(text, 60)}") from error
    return text.lower()


def _plain(text: str) -> str:
    """Characters of the unreserved set are the same with and without escape (RFC 3261 19.1.4)."""
    if "%" not in text:
        return text
    return _ESCAPED.sub(lambda m: "".join(map(_one, bytes.fromhex(m[0].replace("%", "")))), text)


def _one(byte: int) -> str:
    return chr(byte) if byte in _UNRESERVED else f"%{byte:02X}"


def _plain_or_none(text: str | None) -> str | None:
    return None if text is None else _plain(text)


def _folded(params: Params) -> dict[str, str]:
    return {_plain(name).lower(): _plain(value).lower() for name, value in params}


def _params_agree(mine: dict[str, str], theirs: dict[str, str]) -> bool:
    if any((name in mine) != (name in theirs) for name in _NEVER_IGNORED):
        return False
    return all(theirs[name] == value for name, value in mine.items() if name in theirs)
