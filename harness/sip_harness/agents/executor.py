"""Does what a runner that has died can do no more: sends its last requests, BYE and CANCEL of the calls that were up.

Runs as a process of its own, `python -I -S executor.py`, and reads one JSON object a line from stdin: `{"key": ...,
"data": the request in base64, "by": udp, tcp or tls, "from": host, "to": [host, port], "trust": file, "name": host}`
is a request that is to be sent should the runner end, `{"key": ...}` is to be sent no more. At the end of stdin
whatever is left is sent, each until it is answered or a few seconds have passed.
"""

from __future__ import annotations

import base64
import json
import signal
import socket
import ssl
import sys
from contextlib import suppress

PAUSES = (0.5, 1.0, 2.0)
"""Seconds until an answer is missed, at first and after each time that it is sent again (RFC 3261 17.1.2.2)."""
_ENOUGH = 65_536


def main() -> None:
    """Keep what is said, and carry it out at the end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wills: dict[str, dict[str, object]] = {}
    for line in sys.stdin.buffer:
        if not line.endswith(b"\n"):
            break  # the runner died within this line
        will = json.loads(line)
        wills.pop(will["key"], None)
        if "data" in will:
            wills[will["key"]] = will
    for will in wills.values():
        with suppress(OSError, ssl.SSLError):
            _carry_out(will)


def _carry_out(will: dict[str, object]) -> None:
    data, there = base64.b64decode(str(will["data"])), will["to"]
    assert isinstance(there, list)
    address, here = (str(there[0]), int(there[1])), (str(will["from"]), 0)
    if will["by"] == "udp":
        _by_udp(data, address, here)
        return
    with socket.create_connection(address, PAUSES[-1], here) as sock:
        stream = _secured(sock, will, address[0]) if will["by"] == "tls" else sock
        stream.sendall(data)
        stream.recv(_ENOUGH)


def _by_udp(data: bytes, address: tuple[str, int], here: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind(here)
        for pause in PAUSES:
            sock.settimeout(pause)
            sock.sendto(data, address)
            with suppress(TimeoutError, ConnectionError):
                if sock.recv(_ENOUGH):
                    return


def _secured(sock: socket.socket, will: dict[str, object], host: str) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(will["trust"]) or None)
    return context.wrap_socket(sock, server_hostname=str(will["name"]) or host)


if __name__ == "__main__":
    main()
