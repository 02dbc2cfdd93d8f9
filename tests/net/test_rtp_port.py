"""RTP ports: a pair, kernel receive times, bounds, the guard."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from on_loop import on_loop

from sip_harness.model.entry import Address
from sip_harness.net import rtp
from sip_harness.net.base import SendFailed
from sip_harness.net.clock import Clock
from sip_harness.net.rtp import RtpPort
from sip_harness.sip.rtp import MAX_PACKET

LIMIT = 10.0
HOST = "127.0.0.1"


class End:
    """An RTP port with what came to it."""

    def __init__(self, clock: Clock, guard: Callable[[Address], bool] | None = None) -> None:
        self.got: list[tuple[bytes, Address, int]] = []
        self.changed = asyncio.Event()
        self.port = RtpPort(clock, HOST, self._receive, guard)

    def _receive(self, data: bytes, remote: Address, at: int) -> None:
        self.got.append((data, remote, at))
        self.changed.set()

    async def have(self, count: int) -> None:
        async with asyncio.timeout(LIMIT):
            while len(self.got) < count:
                self.changed.clear()
                await self.changed.wait()


@contextlib.asynccontextmanager
async def ends(count: int, guard: Callable[[Address], bool] | None = None) -> AsyncIterator[list[End]]:
    clock = Clock(asyncio.get_running_loop())
    opened = [End(clock, guard) for _ in range(count)]
    try:
        yield opened
    finally:
        for end in opened:
            end.port.close()


@contextlib.contextmanager
def raw_socket() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        yield sock


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((HOST, port))
        except OSError:
            return False
        return True


@on_loop
async def test_rtp_is_even_and_rtcp_beside_it() -> None:
    async with ends(20) as opened:
        ports = [end.port.local[1] for end in opened]
        assert [port % 2 for port in ports] == [0] * 20
        assert len(set(ports)) == 20
        assert not any(is_free(port) or is_free(port + 1) for port in ports)
    assert all(is_free(port) and is_free(port + 1) for port in ports)


@on_loop
async def test_times_lie_around_the_sending_and_not_at_the_reading() -> None:
    async with ends(2) as (one, two):
        before = one.port.send(b"packet", two.port.local)
        after = time.time_ns()
        end = time.monotonic() + 0.03
        while time.monotonic() < end:  # the loop is kept from reading
            pass
        await two.have(1)
        [(data, remote, at)] = two.got
        assert (data, remote) == (b"packet", one.port.local)
        assert before <= at <= after


@on_loop
async def test_what_is_longer_than_a_packet_is_seen_to_be_so() -> None:
    async with ends(1) as (one,):
        with raw_socket() as sock:
            sock.sendto(bytes(60_000), one.port.local)
        await one.have(1)
        assert len(one.got[0][0]) == MAX_PACKET + 1


@on_loop
async def test_rtcp_is_drained_and_counted() -> None:
    async with ends(1) as (one,):
        with raw_socket() as sock:
            for _ in range(10):
                sock.sendto(b"\x80\xc8" + bytes(26), (HOST, one.port.local[1] + 1))
            sock.sendto(b"rtp", one.port.local)
        async with asyncio.timeout(LIMIT):
            while one.port.reports < 10:
                await asyncio.sleep(0)
        await one.have(1)
        assert [data for data, _, _ in one.got] == [b"rtp"]


@on_loop
async def test_closing_reads_what_has_come_and_twice_does_no_harm() -> None:
    async with ends(2) as (one, two):
        for _ in range(5):
            one.port.send(b"last", two.port.local)
        two.port.close()
        two.port.close()
        assert len(two.got) == 5
        with pytest.raises(SendFailed, match="closed"):
            two.port.send(b"x", one.port.local)


@on_loop
async def test_the_guard_refuses() -> None:
    async with ends(1, guard=lambda address: address[1] == 9) as (one,):
        with pytest.raises(SendFailed, match=r"127\.0\.0\.1:7 is no address of the system"):
            one.port.send(b"x", (HOST, 7))


@on_loop
async def test_nobody_there_does_not_stop_the_sending() -> None:
    async with ends(1) as (one,):
        with raw_socket() as sock:
            gone = sock.getsockname()
        for _ in range(5):
            one.port.send(b"x", gone)
            await asyncio.sleep(0)


@pytest.mark.parametrize("remote", [("127.0.0.1", 70_000), ("999.1.1.1", 7)])
@on_loop
async def test_an_impossible_address_is_refused(remote: Address) -> None:
    async with ends(1) as (one,):
        with pytest.raises(SendFailed, match="cannot send RTP"):
            one.port.send(b"x", remote)


@on_loop
async def test_no_pair_is_an_error_and_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[socket.socket] = []

    def odd_one_is_taken(host: str, port: int) -> socket.socket:
        if port:
            raise OSError("taken")
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((host, port))
        opened.append(sock)
        return sock

    monkeypatch.setattr(rtp, "_open", odd_one_is_taken)
    with pytest.raises(OSError, match="no two free ports"):
        RtpPort(Clock(asyncio.get_running_loop()), HOST, lambda *_: None)
    assert opened
    assert all(sock.fileno() < 0 for sock in opened)
