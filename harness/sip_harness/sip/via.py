"""Via: who sent a message, where its responses go (RFC 3261 18.2, 20.42, RFC 3581)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from sip_harness.sip.errors import SipError
from sip_harness.sip.fields import Field
from sip_harness.sip.values import MAX_VALUE, TOKEN, Params, bounded_params, param, shown, split_list

DEFAULT_PORT = 5060
_SECURE = frozenset({"TLS", "WSS", "TLS-SCTP"})
_HEAD = (
    rf"[ \t]*+({TOKEN})[ \t]*+/[ \t]*+({TOKEN})[ \t]*+/[ \t]*+({TOKEN})[ \t]++"
    r"(\[[0-9A-Fa-f:.]+\]|[^\s:;,\[\]]+)[ \t]*+(?::[ \t]*+([0-9]{1,5})(?![0-9])[ \t]*+)?"
)
_START = re.compile(_HEAD)
_WHOLE = re.compile(rf"{_HEAD}(;.*)?", re.DOTALL)
_RPORT = re.compile(r";[ \t]*+rport[ \t]*+(?:=[ \t]*+[0-9]*+[ \t]*+)?(?=;|$)", re.IGNORECASE)
_RECEIVED = re.compile(r";[ \t]*+received[ \t]*+=[ \t]*+[^;,\s]*+", re.IGNORECASE)


class SentBy(NamedTuple):
    """Transport (upper case), host (lower case) and port of a Via element."""

    transport: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Via:
    """One Via element, all of it."""

    protocol: str
    """`SIP`, as written."""
    version: str
    """`2.0`."""
    transport: str
    """Upper case: UDP, TCP, TLS, SCTP, WS, or whatever stood there."""
    host: str
    """Lower case; IPv6 in its brackets."""
    port: int | None
    """None if there is none; see `sent_by` for the default."""
    params: Params = ()
    """Names in lower case, values as written."""
    tail: str = ""
    """The parameters as written, with their semicolons."""

    @property
    def sent_by(self) -> SentBy:
        """With the default port of the transport (RFC 3261 18.2.2)."""
        return SentBy(self.transport, self.host, self.port or _default_port(self.transport))

    @property
    def branch(self) -> str:
        """Empty if there is none."""
        return self.param("branch") or ""

    @property
    def received(self) -> str:
        """Address that the server before us saw; empty if it added none."""
        return self.param("received") or ""

    @property
    def rport(self) -> int | None:
        """Port that the server before us saw: None without such a parameter, 0 where it is asked for (RFC 3581 3)."""
        value = self.param("rport")
        if value is None:
            return None
        return int(value) if value.isascii() and value.isdecimal() and len(value) <= 5 else 0

    def param(self, name: str) -> str | None:
        """Value of a parameter, quotes undone; None if it does not stand there."""
        return param(self.params, name)


def read_via(text: str) -> Via:
    """Read one Via element, all of it. Raises SipError with the reason if it is none."""
    match = _WHOLE.fullmatch(text) if len(text) <= MAX_VALUE else None
    if match is None:
        raise SipError(f"no Via: {shown(text)}")
    protocol, version, transport, host, port, params = match.groups()
    if port is not None and not 0 < int(port) < 65536:
        raise SipError(f"port out of range in Via {shown(text)}")
    number = int(port) if port else None
    return Via(protocol, version, transport.upper(), host.lower(), number, bounded_params(params or ""), params or "")


@lru_cache(maxsize=64)  # whoever handles a message asks for its topmost Via again
def parse_via(via: str) -> SentBy | None:
    """Protocol, transport and sent-by of one Via element; None if they cannot be read. Parameters do not count."""
    match = _START.match(via)
    if match is None or match[1].upper() != "SIP":
        return None
    port = int(match[5]) if match[5] else _default_port(match[3].upper())
    return SentBy(match[3].upper(), match[4].lower(), port) if 0 < port < 65536 else None


def sent_by(via: str) -> str:
    """`host:port` of a Via element for comparing; what cannot be read stands for itself."""
    parsed = parse_via(via)
    return f"{parsed.host}:{parsed.port}" if parsed else via


def with_source(value: str, host: str, port: int) -> str:
    """A Via value as a server hands it on: the top element says where the request really came from.

    `received` is added where the host differs or the client asked for `rport` (RFC 3261 18.2.1, RFC 3581 4).
    """
    elements = split_list(value)
    if not elements:
        return value
    top, parsed = elements[0], parse_via(elements[0])
    wants_port = _RPORT.search(top) is not None
    if parsed is None or not (wants_port or parsed.host.strip("[]") != host):
        return value
    top = _RPORT.sub(f";rport={port}", _RECEIVED.sub("", top), count=1) + f";received={host}"
    return ", ".join([top, *elements[1:]])


def response_address(via: str, host: str, port: int) -> tuple[str, int]:
    """Where the response to a request goes that came by UDP from this host and port (RFC 3261 18.2.2, RFC 3581 4).

    Always the host that sent it: a `maddr` or a foreign sent-by is not followed, so that nobody can aim our responses
    at a third party.
    """
    if _RPORT.search(via):
        return host, port
    parsed = parse_via(via)
    return host, parsed.port if parsed else port


def reflexive(via: str) -> tuple[str, int] | None:
    """Where the server that answers has seen the sender of the request, by the Via that it gives back (RFC 3581 4, RFC
    3261 18.2.1): `received` and `rport`, each the sent-by where it is missing. None if it has not said."""
    try:
        read = read_via(via)
    except SipError:
        return None
    host, port = read.received.strip("[]").lower(), read.rport or 0
    if not (host or port) or port > 65535:
        return None
    return host or read.host.strip("[]"), port or read.sent_by.port


def _default_port(transport: str) -> int:
    return 5061 if transport in _SECURE else DEFAULT_PORT


def without_topmost(fields: Iterable[Field]) -> Iterator[tuple[Field, str]]:
    """The fields of a response as it goes further, without the topmost Via (RFC 3261 16.7 step 3), each with its
    value."""
    topmost = True
    for field in fields:
        value = field.value
        if field.key == "via" and topmost:
            topmost, rest = False, split_list(value)[1:]
            if not rest:
                continue
            value = ", ".join(rest)
        yield field, value
