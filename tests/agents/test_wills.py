"""What is sent for a process that died, and that nothing is for one that ended in order."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sip_harness.agents import executor

SCRIPT = Path(executor.__file__)
LIMIT = 20.0


def will(key: str, data: bytes, to: tuple[str, int], by: str = "udp", **more: Any) -> bytes:
    told = {"key": key, "data": base64.b64encode(data).decode(), "by": by, "from": "127.0.0.1", "to": list(to)}
    return json.dumps({**told, "trust": "", "name": "", **more}).encode() + b"\n"


def carried_out(*lines: bytes) -> None:
    done = subprocess.run([sys.executable, "-I", "-S", SCRIPT], input=b"".join(lines), timeout=60, check=False)
    assert done.returncode == 0


@pytest.fixture
def peer() -> Any:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(LIMIT)
        yield sock


def waiting(sock: socket.socket) -> list[bytes]:
    found = []
    sock.setblocking(False)
    try:
        while True:
            found.append(sock.recv(1000))
    except BlockingIOError:
        return found


def test_what_is_left_is_sent_and_what_was_revoked_is_not(peer: socket.socket) -> None:
    here = peer.getsockname()
    revoked, newer = json.dumps({"key": "a"}).encode() + b"\n", will("b", b"BYE 2", here)
    carried_out(will("a", b"BYE a", here), will("b", b"BYE 1", here), revoked, newer)
    assert set(waiting(peer)) == {b"BYE 2"}


def test_nothing_is_sent_where_all_is_in_order(peer: socket.socket) -> None:
    carried_out(will("a", b"BYE", peer.getsockname()), json.dumps({"key": "a"}).encode() + b"\n")
    assert waiting(peer) == []


def test_a_line_that_was_cut_by_the_end_does_not_count(peer: socket.socket) -> None:
    here = peer.getsockname()
    carried_out(will("a", b"BYE a", here), will("b", b"BYE b", here)[:-5])
    assert set(waiting(peer)) == {b"BYE a"}


def test_it_is_sent_again_until_it_is_answered(peer: socket.socket) -> None:
    process = subprocess.Popen([sys.executable, "-I", "-S", SCRIPT], stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(will("a", b"BYE", peer.getsockname()))
    process.stdin.close()
    assert peer.recvfrom(100)[0] == b"BYE"
    again, source = peer.recvfrom(100)
    assert again == b"BYE"
    peer.sendto(b"SIP/2.0 200 OK", source)
    assert process.wait(LIMIT) == 0
    assert waiting(peer) == []


def test_one_that_cannot_be_sent_keeps_no_other_back(peer: socket.socket) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        closed = sock.getsockname()
        carried_out(will("a", b"BYE a", closed, "tcp"), will("b", b"BYE b", peer.getsockname()))
    assert set(waiting(peer)) == {b"BYE b"}


def test_by_tcp_it_goes_on_a_connection_of_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(LIMIT)
        process = subprocess.Popen([sys.executable, "-I", "-S", SCRIPT], stdin=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(will("a", b"BYE", server.getsockname(), "tcp"))
        process.stdin.close()
        connection, _ = server.accept()
        with connection:
            assert connection.recv(100) == b"BYE"
            connection.sendall(b"SIP/2.0 200 OK\r\n\r\n")
            assert process.wait(LIMIT) == 0
