"""UDP sockets: kernel receive times, recording, bounds, the guard."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from on_loop import on_loop

from sip_harness.model.entry import Address, Malformed
from sip_harness.model.entry import Message as MessageEntry
from sip_harness.net import udp
from sip_harness.net.base import Hop, SendFailed
from sip_harness.net.clock import Clock
from sip_harness.net.sockets import other_host
from sip_harness.net.udp import UdpSocket
from sip_harness.sip.message import Message

LIMIT = 10.0
HOME = ("127.0.0.1", 0)


def datagram(number: int, size: int = 0) -> bytes:
    return f"OPTIONS sip:x SIP/2.0\r\nCSeq: {number} OPTIONS\r\n\r\n{'x' * size}".encode()


class End:
    """A UdpSocket with what came through it."""

    def __init__(self, clock: Clock, name: str, guard: Callable[[Address], bool] | None = None) -> None:
        self.entries: list[MessageEntry | Malformed] = []
        self.got: list[tuple[Message, Hop]] = []
        self.changed = asyncio.Event()
        self.udp = UdpSocket(clock, HOME, agent=name, record=self.entries.append, receive=self._receive, guard=guard)

    def _receive(self, message: Message, hop: Hop) -> None:
        self.got.append((message, hop))
        self.changed.set()

    async def have(self, count: int) -> None:
        async with asyncio.timeout(LIMIT):
            while len(self.got) < count:
                self.changed.clear()
                await self.changed.wait()

    @property
    def received(self) -> list[MessageEntry]:
        return [e for e in self.entries if isinstance(e, MessageEntry) and e.direction == "received"]

    @property
    def sent(self) -> list[MessageEntry]:
        return [e for e in self.entries if isinstance(e, MessageEntry) and e.direction == "sent"]


@contextlib.asynccontextmanager
async def ends(count: int, guard: Callable[[Address], bool] | None = None) -> AsyncIterator[list[End]]:
    clock = Clock(asyncio.get_running_loop())
    opened = [End(clock, f"end{i}", guard) for i in range(count)]
    try:
        yield opened
    finally:
        for end in opened:
            end.udp.close()


@contextlib.contextmanager
def raw_socket() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(HOME)
        yield sock


@on_loop
async def test_order_by_stamp_is_the_order_of_sending() -> None:
    total = 2000
    async with ends(3) as (one, two, sender):
        for number in range(total):
            sender.udp.send(datagram(number), (one if number % 2 else two).udp.local, "script")
            if number % 50 == 0:
                await asyncio.sleep(0)
        await one.have(total // 2)
        await two.have(total // 2)
        arrived = sorted([*one.received, *two.received], key=lambda e: e.time)
    assert [e.data for e in arrived] == [datagram(n) for n in range(total)]
    assert len({e.time for e in arrived}) == total


@on_loop
async def test_stamps_lie_within_their_sending() -> None:
    async with ends(2) as (one, two):
        for number in range(200):
            one.udp.send(datagram(number), two.udp.local, "script")
        await two.have(200)
        pairs = list(zip(one.sent, two.received, strict=True))
    for sent, received in pairs:
        assert sent.data == received.data
        assert sent.slack > 0
        assert received.slack == 0
        assert sent.time <= received.time <= sent.time + sent.slack


@on_loop
async def test_a_stamp_is_the_arrival_and_not_the_reading() -> None:
    async with ends(2) as (one, two):
        one.udp.send(datagram(0), two.udp.local, "script")
        sent = time.time_ns()
        end = time.monotonic() + 0.05
        while time.monotonic() < end:  # the loop is kept from reading
            pass
        busy = time.time_ns()
        await two.have(1)
        assert two.received[0].time < sent < busy


@on_loop
async def test_what_is_recorded() -> None:
    async with ends(2) as (one, two):
        one.udp.send(datagram(1), two.udp.local, "protocol")
        await two.have(1)
        sent, received = one.sent[0], two.received[0]
        assert (sent.agent, sent.local, sent.remote, sent.origin) == ("end0", one.udp.local, two.udp.local, "protocol")
        assert (received.agent, received.local, received.remote) == ("end1", two.udp.local, one.udp.local)
        assert (received.origin, received.transport) == ("system", "udp")
        message, hop = two.got[0]
        assert message.data == datagram(1)
        assert hop == Hop(two.udp, one.udp.local)


@on_loop
async def test_bytes_are_kept_exactly_up_to_the_largest_datagram() -> None:
    async with ends(2) as (one, two):
        head = len(datagram(1))
        large = datagram(1, 65_507 - head)
        odd = b"\r\n\r\nsip/2.0  200  \xff\x00ok\n v : x\nl:9\n\nbody\r\n\x00"
        one.udp.send(large, two.udp.local, "script")
        one.udp.send(odd, two.udp.local, "script")
        one.udp.send(datagram(2), two.udp.local, "script")
        await two.have(3)
        kept = [e.data for e in two.entries]
    assert kept == [large, odd, datagram(2)]


@on_loop
async def test_what_is_no_sip_is_kept_with_its_reason() -> None:
    async with ends(2) as (one, two):
        one.udp.send(b"\x16\x03\x01 hello", two.udp.local, "script")
        one.udp.send(datagram(1), two.udp.local, "script")
        await two.have(1)
    refused, message = two.entries
    assert isinstance(refused, Malformed)
    assert refused.data == b"\x16\x03\x01 hello"
    assert "no SIP start line" in refused.why
    assert refused.remote == one.udp.local
    assert refused.time < message.time
    assert len(two.got) == 1


@on_loop
async def test_keep_alives_are_counted_and_not_recorded() -> None:
    async with ends(1) as (one,):
        with raw_socket() as peer:
            for ping in (b"", b"\r\n\r\n", b"\r\n", b"\0\0\0\0"):
                peer.sendto(ping, one.udp.local)
            peer.sendto(datagram(1), one.udp.local)
            await one.have(1)
    assert one.udp.keepalives == 4
    assert len(one.entries) == 1


@on_loop
async def test_a_flood_of_rubbish_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "MAX_MALFORMED", 3)
    async with ends(2) as (one, two):
        for _ in range(10):
            one.udp.send(b"rubbish", two.udp.local, "script")
        one.udp.send(datagram(1), two.udp.local, "script")
        await two.have(1)
    refused = [e for e in two.entries if isinstance(e, Malformed)]
    assert len(refused) == 3
    assert "further ones are not recorded" in refused[-1].why
    assert two.udp.malformed == 10


@on_loop
async def test_one_wake_up_reads_many_but_not_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "BATCH", 4)
    seen: list[int] = []
    async with ends(2) as (one, two):
        for number in range(10):
            one.udp.send(datagram(number), two.udp.local, "script")
        loop = asyncio.get_running_loop()

        def look() -> None:
            seen.append(len(two.got))
            if len(two.got) < 10:
                loop.call_soon(look)

        loop.call_soon(look)
        await two.have(10)
    steps = {after - before for before, after in zip([0, *seen], [*seen, 10], strict=True)}
    assert max(steps) == 4


@on_loop
async def test_the_guard_stands_before_the_socket() -> None:
    async with ends(2, guard=lambda address: False) as (one, two):
        with pytest.raises(SendFailed, match=r"127\.0\.0\.1:\d+ is no address of the system"):
            one.udp.send(datagram(1), two.udp.local, "script")
        assert one.entries == []


@pytest.mark.parametrize(
    ("size", "remote"), [(70_000, ("127.0.0.1", 9)), (1, ("127.0.0.1", 0)), (1, ("127.0.0.1", 70_000))]
)
@on_loop
async def test_what_cannot_be_sent_is_not_recorded(size: int, remote: Address) -> None:
    async with ends(1) as (one,):
        with pytest.raises(SendFailed, match=f"cannot send {size} bytes to 127.0.0.1:{remote[1]}"):
            one.udp.send(b"x" * size, remote, "script")
        assert one.entries == []


@on_loop
async def test_closing_records_what_had_arrived_and_frees_the_port() -> None:
    async with ends(2) as (one, two):
        one.udp.send(datagram(1), two.udp.local, "script")
        two.udp.close()
        two.udp.close()
        assert [e.data for e in two.received] == [datagram(1)]
        assert two.got == []
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as same:
            same.bind(two.udp.local)
        with pytest.raises(SendFailed, match="closed"):
            two.udp.send(datagram(1), one.udp.local, "script")


@on_loop
async def test_a_taken_port_is_an_error_and_leaks_nothing() -> None:
    clock = Clock(asyncio.get_running_loop())
    with raw_socket() as taken, pytest.raises(OSError, match="in use"):
        UdpSocket(clock, taken.getsockname(), agent="a", record=lambda e: None, receive=lambda m, h: None)


@on_loop
async def test_a_late_reading_is_reported_as_lag() -> None:
    lags: list[int] = []
    loop = asyncio.get_running_loop()
    clock = Clock(loop, lags.append)
    end = End(clock, "late")
    try:
        end.udp.send(datagram(1), end.udp.local, "script")
        stop = loop.time() + 0.06
        while loop.time() < stop:  # the loop is held up
            pass
        await end.have(1)
    finally:
        end.udp.close()
    assert len(lags) == 1
    assert lags[0] >= 50_000_000


@on_loop
async def test_by_ipv6() -> None:
    clock = Clock(asyncio.get_running_loop())
    got: list[MessageEntry | Malformed] = []
    changed = asyncio.Event()
    one = UdpSocket(clock, ("::1", 0), agent="one", record=got.append, receive=lambda _m, _h: changed.set())
    try:
        assert one.local[0] == "::1"
        one.send(datagram(1), one.local, "script")
        async with asyncio.timeout(LIMIT):
            await changed.wait()
        assert [(e.local, e.remote) for e in got] == [(one.local, one.local)] * 2
        with pytest.raises(SendFailed, match=r"cannot send 1 bytes to \[::1\]:0"):
            one.send(b"x", ("::1", 0), "script")
    finally:
        one.close()


@on_loop
async def test_the_other_port_is_its_own_and_hears_as_well() -> None:
    async with ends(2) as (one, two):
        one.udp.send(datagram(1), two.udp.local, "script")
        one.udp.send(datagram(2), two.udp.local, "script", port="other")
        one.udp.send(datagram(3), two.udp.local, "script", port="other")
        await two.have(3)
        own, other, again = (e.remote for e in two.received)
        assert own == one.udp.local
        assert other == again != own
        assert [e.local for e in one.sent] == [own, other, other]
        two.udp.send(datagram(4), other, "script")
        await one.have(1)
        assert (one.received[0].local, one.got[0][1].transport.local) == (other, other)
        one.udp.close()
        for port in (own, other):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as same:
                same.bind(port)


@on_loop
async def test_disconnect_close_frees_the_port_so_that_icmp_answers() -> None:
    async with ends(1) as (one,):
        one.udp.disconnect("close")
        assert one.udp.disconnected == "close"
        with raw_socket() as peer:
            peer.connect(one.udp.local)
            peer.settimeout(LIMIT)
            peer.send(datagram(1))
            with pytest.raises(ConnectionRefusedError):
                peer.recv(10)
        with pytest.raises(SendFailed, match="closed"):
            one.udp.send(datagram(1), one.udp.local, "script")


@on_loop
async def test_half_open_keeps_the_port_and_reads_no_more() -> None:
    async with ends(2) as (one, two):
        one.udp.disconnect("half-open")
        two.udp.send(datagram(1), one.udp.local, "script")
        one.udp.send(datagram(2), two.udp.local, "script")
        await two.have(1)
        await asyncio.sleep(0.02)
        one.udp.close()
        assert one.received == []


@on_loop
async def test_what_udp_has_not_is_refused() -> None:
    async with ends(1) as (one,):
        with pytest.raises(SendFailed, match="no connection to reset"):
            one.udp.disconnect("reset")
        with pytest.raises(SendFailed, match="no connections"):
            one.udp.disconnect("close", ("127.0.0.1", 9))
        with pytest.raises(SendFailed, match="no pieces"):
            one.udp.send(datagram(1), one.udp.local, "script", pieces=(1,))
        assert one.udp.disconnected is None
        assert one.udp.reaches(("127.0.0.1", 9))
        with pytest.raises(OSError, match=r"name\.test is no IP address"):
            UdpSocket(Clock(asyncio.get_running_loop()), ("name.test", 0), agent="a", record=print, receive=print)


@on_loop
async def test_another_address_of_loopback() -> None:
    async with ends(2) as (one, two):
        one.udp.send(datagram(1), two.udp.local, "script", port="elsewhere")
        await two.have(1)
        assert two.received[0].remote == one.sent[0].local
        assert one.sent[0].local[0] == "127.0.0.2"


def test_other_hosts() -> None:
    assert [other_host(host) for host in ("127.0.0.1", "127.1.2.254")] == ["127.0.0.2", "127.1.2.253"]
    for host in ("::1", "192.0.2.1"):
        with pytest.raises(SendFailed, match=f"there is no other address beside {host}"):
            other_host(host)
