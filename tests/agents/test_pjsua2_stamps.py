"""Receive times of a socket that somebody else reads."""

from __future__ import annotations

import os
import socket
import time

import pytest

from sip_harness.agents.pjsua2 import stamps


def loop_socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.connect(made.getsockname())
    made.settimeout(5)
    return made


def test_the_stamp_is_the_time_of_arrival_not_of_reading() -> None:
    with stamps.keep_stamping(), loop_socket() as sock:
        stamps.stamp(sock.fileno())
        before = time.time_ns()
        sock.send(b"one")
        after = time.time_ns()
        while time.time_ns() < after + 20_000_000:
            pass
        sock.recv(10)
        found = stamps.stamp(sock.fileno())
        assert found is not None
        assert before <= found <= after


def test_the_stamp_is_that_of_the_last_datagram_read() -> None:
    with stamps.keep_stamping(), loop_socket() as sock:
        stamps.stamp(sock.fileno())
        times = []
        for _ in range(3):
            sock.send(b"x")
        for _ in range(3):
            sock.recv(10)
            times.append(stamps.stamp(sock.fileno()))
        found = [t for t in times if t is not None]
        assert len(found) == 3
        assert found == sorted(found)
        assert len(set(found)) == 3


def test_a_socket_that_never_read_anything_has_no_stamp() -> None:
    with loop_socket() as sock:
        assert stamps.stamp(sock.fileno()) is None


def test_what_is_no_socket_has_no_stamp() -> None:
    with open(__file__) as file:  # noqa: PTH123 - a file descriptor is wanted
        assert stamps.stamp(file.fileno()) is None


def test_a_bound_socket_is_found_by_its_port() -> None:
    with loop_socket() as sock, loop_socket() as other:
        assert stamps.udp_fd(sock.getsockname()[1]) == sock.fileno()
        assert stamps.udp_fd(other.getsockname()[1]) == other.fileno()


def test_looking_for_a_port_leaves_nothing_open() -> None:
    with loop_socket() as sock, socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
        tcp.bind(("127.0.0.1", 0))
        tcp_port = tcp.getsockname()[1]
        before = open_fds()
        stamps.udp_fd(sock.getsockname()[1])
        with pytest.raises(OSError, match="no socket of this process"):
            stamps.udp_fd(1)
        if tcp_port != sock.getsockname()[1]:
            with pytest.raises(OSError, match="bound to UDP port"):
                stamps.udp_fd(tcp_port)
        assert open_fds() == before


def open_fds() -> set[int]:
    found = set()
    for fd in range(min(os.sysconf("SC_OPEN_MAX"), 4096)):
        try:
            os.fstat(fd)
        except OSError:
            continue
        found.add(fd)
    return found


def test_a_kernel_that_never_stamps_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps, "_LIMIT", 0.05)
    monkeypatch.setattr(stamps, "stamp", lambda _fd: time.time_ns())
    with pytest.raises(stamps.NoStamps, match=r"none within 0\.05 s"):
        stamps.keep_stamping()
    monkeypatch.setattr(stamps, "stamp", lambda _fd: None)
    with pytest.raises(stamps.NoStamps):
        stamps.keep_stamping()
