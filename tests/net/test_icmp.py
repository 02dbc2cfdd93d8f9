"""What ICMP says about datagrams that nobody took: told to whoever sent them, and only to sockets that heed it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
from on_loop import on_loop

from sip_harness.model.entry import Address, Malformed, Message
from sip_harness.net import icmp
from sip_harness.net.clock import Clock
from sip_harness.net.icmp import Undelivered, UnderWay
from sip_harness.net.udp import UdpSocket
from sip_harness.sip.message import Message as Sip

LIMIT = 10.0
DATA = b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK%d\r\n\r\n"


class End:
    """A socket, what came in, and what it was told of."""

    def __init__(self, host: str = "127.0.0.1", *, heeds: bool = True) -> None:
        self.entries: list[Message | Malformed] = []
        self.got: list[Sip] = []
        self.lost: list[tuple[int, str]] = []
        self.changed = asyncio.Event()
        self.udp = UdpSocket(
            Clock(asyncio.get_running_loop()),
            (host, 0),
            agent="a",
            record=self.entries.append,
            receive=lambda message, _hop: self._note(self.got, message),
            heeds_icmp=heeds,
        )

    def send(self, number: int, remote: Address, size: int = 0) -> None:
        data = DATA % number + b"x" * size
        self.udp.send(data, remote, "script", on_lost=lambda why: self._note(self.lost, (number, why)))

    def _note(self, where: list, what: object) -> None:  # type: ignore[type-arg]
        where.append(what)
        self.changed.set()

    async def until(self, where: list, count: int) -> None:  # type: ignore[type-arg]
        async with asyncio.timeout(LIMIT):
            while len(where) < count:
                self.changed.clear()
                await self.changed.wait()


@contextlib.asynccontextmanager
async def ends(*ends: End) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for end in ends:
            end.udp.close()


def closed_port(host: str = "127.0.0.1") -> Address:
    """A port that nobody listens at."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        address: Address = sock.getsockname()[:2]
        return address


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("size", [0, 20_000])
def test_who_sent_to_a_closed_port_is_told(host: str, size: int) -> None:
    @on_loop
    async def play() -> None:
        one = End(host)
        async with ends(one):
            nowhere = closed_port(host)
            one.send(1, nowhere, size)
            assert one.lost == []  # never from within the call
            await one.until(one.lost, 1)
            [(number, why)] = one.lost
            assert number == 1
            assert str(nowhere[1]) in why
            assert "refused" in why

    play()


@on_loop
async def test_each_is_told_once_and_of_its_own_datagram() -> None:
    one, other = End(), End()
    async with ends(one, other):
        first, second = closed_port(), closed_port()
        for number, remote in enumerate((first, other.udp.local, second, other.udp.local, first)):
            one.send(number, remote)
        await one.until(one.lost, 3)
        await other.until(other.got, 2)
        assert sorted(number for number, _ in one.lost) == [0, 2, 4]


@on_loop
async def test_an_error_about_one_peer_keeps_nothing_from_another() -> None:
    """The kernel hands a pending error to the next call, whichever that is."""
    one, other = End(), End()
    async with ends(one, other):
        nowhere = closed_port()
        for number in range(50):
            one.send(2 * number, nowhere)
            one.send(2 * number + 1, other.udp.local)
        await other.until(other.got, 50)
        await one.until(one.lost, 50)
        other.udp.send(DATA % 1, one.udp.local, "script")
        await one.until(one.got, 1)
        assert [entry.direction for entry in one.entries if isinstance(entry, Message)].count("sent") == 100


@on_loop
async def test_a_socket_that_does_not_heed_it_hears_nothing() -> None:
    one, other = End(heeds=False), End()
    async with ends(one, other):
        one.send(1, closed_port())
        one.send(2, other.udp.local)
        await other.until(other.got, 1)
        other.udp.send(DATA % 3, one.udp.local, "script")
        await one.until(one.got, 1)
        assert one.lost == []


def test_what_does_not_count_is_not_told() -> None:
    """Time exceeded and source quench (RFC 3261 18.4) have types of their own."""
    assert {(2, 11), (2, 4), (3, 3), (1, 0)}.isdisjoint(icmp._COUNTS)


class TestUnderWay:
    THERE = ("127.0.0.1", 5060)

    def test_the_oldest_that_fits_is_told_first(self) -> None:
        told: list[str] = []
        under_way = UnderWay(lambda: 0.0)
        under_way.add(self.THERE, b"INVITE x", lambda why: told.append(f"first {why}"))
        under_way.add(self.THERE, b"INVITE x", lambda why: told.append(f"again {why}"))
        error = Undelivered(self.THERE, b"INVITE", "refused")
        for _ in range(2):
            tell = under_way.take(error)
            assert tell is not None
            tell(error.why)
        assert under_way.take(error) is None
        assert told == ["first refused", "again refused"]

    @pytest.mark.parametrize(
        ("remote", "quoted"), [(("127.0.0.1", 5061), b"INVITE"), (THERE, b"BYE"), (THERE, b""), (THERE, b"INVITE xyz")]
    )
    def test_what_is_about_something_else_is_nobodys(self, remote: Address, quoted: bytes) -> None:
        under_way = UnderWay(lambda: 0.0)
        under_way.add(self.THERE, b"INVITE x", print)
        assert under_way.take(Undelivered(remote, quoted, "")) is None

    def test_it_forgets(self) -> None:
        now = 0.0
        under_way = UnderWay(lambda: now)
        for number in range(icmp.MAX_REMEMBERED + 1):
            under_way.add(self.THERE, b"%d." % number, print)
        assert under_way.take(Undelivered(self.THERE, b"0.", "")) is None
        assert under_way.take(Undelivered(self.THERE, b"1.", "")) is print
        now = icmp.REMEMBERED + 1
        under_way.add(self.THERE, b"last", print)
        assert under_way.take(Undelivered(self.THERE, b"2.", "")) is None
