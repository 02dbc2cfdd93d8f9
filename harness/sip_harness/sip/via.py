"""The topmost Via of a request: who sent it, where its responses go (RFC 3261 18.2, RFC 3581)."""

from __future__ import annotations

import re
from typing import NamedTuple

from sip_harness.sip.message import split_list

DEFAULT_PORT = 5060
_VIA = re.compile(
    r"\s*SIP\s*/\s*[\d.]+\s*/\s*(\w+)\s+(\[[0-9A-Fa-f:.]+\]|[^\s:;,\[\]]+)(?:\s*:\s*(\d{1,5}))?", re.IGNORECASE
)
_RPORT = re.compile(r";\s*rport\s*(=\s*\d*)?\s*(?=;|$)", re.IGNORECASE)
_RECEIVED = re.compile(r";\s*received\s*=\s*[^;,\s]*", re.IGNORECASE)


class SentBy(NamedTuple):
    """Transport (upper case), host (lower case) and port of a Via element."""

    transport: str
    host: str
    port: int


def parse_via(via: str) -> SentBy | None:
    """Read one Via element; None if it cannot be read."""
    match = _VIA.match(via)
    if match is None:
        return None
    port = int(match[3]) if match[3] else (5061 if match[1].upper() in {"TLS", "WSS"} else DEFAULT_PORT)
    return SentBy(match[1].upper(), match[2].lower(), port) if 0 < port < 65536 else None


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
