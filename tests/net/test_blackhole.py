"""A port that lets nobody connect and refuses nobody: the handshake of whoever knocks does not come to an end."""

from __future__ import annotations

import select
import socket
import time

import pytest

from sip_harness.net.sockets import MAX_STUFFING, stuff


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_nobody_gets_in_and_nobody_is_refused(host: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.bind((host, 0))
        listening.listen(128)
        filling = stuff(listening)
        assert 0 < len(filling) < MAX_STUFFING
        for _ in range(3):
            with socket.socket(listening.family, socket.SOCK_STREAM) as knocking:
                knocking.setblocking(False)
                knocking.connect_ex(listening.getsockname())
                _, writable, _ = select.select([], [knocking], [], 0.1)
                assert writable == []
        for sock in filling:
            sock.close()


def test_a_port_without_it_lets_in() -> None:
    with socket.socket() as listening, socket.socket() as knocking:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        knocking.settimeout(5)
        begin = time.monotonic()
        knocking.connect(listening.getsockname())
        assert time.monotonic() - begin < 5
