"""Media of a call: packets on time without drift, what arrives told apart by source, bounds."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from on_loop import on_loop

from sip_harness.endpoint import media as media_module
from sip_harness.endpoint.media import DISCARD, Destination, Emit, Media, destination
from sip_harness.endpoint.player import MAX_CATCH_UP, PERIOD
from sip_harness.model import entry
from sip_harness.model.entry import Address, Malformed
from sip_harness.net.clock import Clock
from sip_harness.sip import g711, rtp, sdp
from sip_harness.sip.rtp import Packet

LIMIT = 20.0
HOST = "127.0.0.1"


class Line:
    """One end of the line: its media and what it recorded."""

    def __init__(self, name: str, guard: Callable[[Address], bool] | None = None) -> None:
        self.entries: list[entry.Media | Malformed] = []
        self.unsent: list[str] = []
        self.clock = Clock(asyncio.get_running_loop())
        emit: Emit = self.entries.append
        self.media = Media(self.clock, HOST, name, emit, call_id="call-1", guard=guard, on_unsent=self.unsent.append)

    @property
    def address(self) -> Address:
        return HOST, self.media.port

    def streams(self, *, ended: bool) -> list[entry.Media]:
        return [e for e in self.entries if isinstance(e, entry.Media) and e.ended == ended]


@contextlib.asynccontextmanager
async def lines(*names: str) -> AsyncIterator[list[Line]]:
    opened = [Line(name) for name in names]
    try:
        yield opened
    finally:
        for line in opened:
            line.media.close()


@contextlib.contextmanager
def raw_socket() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        sock.setblocking(False)
        yield sock


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not check():
            await asyncio.sleep(0.002)


async def heard(line: Line, packets: int, stream: int = 0) -> None:
    """Wait until a stream has so many packets."""
    await until(lambda: len(line.media.heard) > stream and line.media.heard[stream].packets >= packets)


def packet(number: int, *, ssrc: int = 1, kind: int = 0, payload: bytes = b"") -> bytes:
    return rtp.build(Packet(kind, number, number * g711.FRAME, ssrc, payload))


@pytest.mark.parametrize("kind", ["tone", "silence"])
@pytest.mark.parametrize("payload_type", [0, 8])
@on_loop
async def test_what_is_played_is_heard(kind: g711.Sound, payload_type: int) -> None:
    async with lines("desk", "alice") as (desk, alice):
        desk.media.play(kind, alice.address, payload_type)
        await heard(alice, 6)
        desk.media.stop()
        alice.media.close()
        [begin], [end] = alice.streams(ended=False), alice.streams(ended=True)
        [sent] = desk.streams(ended=True)
    assert (end.direction, end.level, end.payload_types, end.lost) == ("received", kind, (payload_type,), 0)
    assert (end.remote, end.local, end.agent) == (desk.address, alice.address, "alice")
    assert (sent.direction, sent.level, sent.ssrc, sent.remote) == ("sent", kind, end.ssrc, alice.address)
    assert (begin.packets, begin.ended, begin.first, begin.time) == (1, False, end.first, end.first)
    assert sent.packets >= end.packets >= 6
    assert sent.first <= end.first <= end.last == end.time


@on_loop
async def test_the_first_packet_leaves_at_once() -> None:
    async with lines("desk", "alice") as (desk, alice):
        before = time.time_ns()
        desk.media.play("tone", alice.address)
        after = time.time_ns()
        [begin] = desk.streams(ended=False)
        assert before <= begin.first <= after


@on_loop
async def test_packets_do_not_drift() -> None:
    with raw_socket() as sock:
        async with lines("desk") as [desk]:
            begin = desk.clock.now()
            desk.media.play("tone", sock.getsockname())
            await asyncio.sleep(10.5 * PERIOD)
            packets = round((desk.clock.now() - begin) // PERIOD) + 1
            desk.media.stop()
            [sent] = desk.streams(ended=True)
        got = [rtp.parse(sock.recv(2000)) for _ in range(sent.packets)]
    assert packets - 1 <= sent.packets <= packets
    assert [(p.sequence - got[0].sequence) & 0xFFFF for p in got] == list(range(len(got)))
    assert [(p.timestamp - got[0].timestamp) & 0xFFFFFFFF for p in got] == [n * g711.FRAME for n in range(len(got))]
    assert [p.marker for p in got] == [True] + [False] * (len(got) - 1)


@on_loop
async def test_after_a_stall_it_catches_up_boundedly() -> None:
    stalled = 30
    with raw_socket() as sock:
        async with lines("desk") as [desk]:
            desk.media.play("tone", sock.getsockname())
            first = rtp.parse(sock.recv(2000))
            end = time.monotonic() + stalled * PERIOD
            while time.monotonic() < end:  # the loop does not run
                pass
            got: list[Packet] = []
            async with asyncio.timeout(LIMIT):
                while not got:
                    await asyncio.sleep(0)
                    got = read_all(sock)
            desk.media.stop()
    assert 1 <= len(got) <= MAX_CATCH_UP
    assert got[0].marker
    assert (got[0].sequence - first.sequence) & 0xFFFF == 1
    assert (got[0].timestamp - first.timestamp) & 0xFFFFFFFF >= (stalled - MAX_CATCH_UP - 1) * g711.FRAME


def read_all(sock: socket.socket) -> list[Packet]:
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(rtp.parse(sock.recv(2000)))
    return found


@on_loop
async def test_two_sources_are_two_streams_of_their_dialogs() -> None:
    async with lines("desk", "mobile", "alice") as (desk, mobile, alice):
        alice.media.names(desk.address, "a", "desk-tag")
        alice.media.names(mobile.address, "a", "mobile-tag")
        desk.media.play("tone", alice.address)
        mobile.media.play("silence", alice.address, 8)
        await heard(alice, 3, 0)
        await heard(alice, 3, 1)
        alice.media.close()
        found = {e.remote_tag: e for e in alice.streams(ended=True)}
    assert {tag: e.level for tag, e in found.items()} == {"desk-tag": "tone", "mobile-tag": "silence"}
    assert found["desk-tag"].ssrc != found["mobile-tag"].ssrc
    assert {(e.call_id, e.local_tag) for e in found.values()} == {("call-1", "a")}


@on_loop
async def test_one_address_with_two_sources_is_two_streams() -> None:
    with raw_socket() as sock:
        async with lines("alice") as [alice]:
            for number in range(4):
                sock.sendto(packet(number, ssrc=1), alice.address)
                sock.sendto(packet(number * 3, ssrc=2, kind=101), alice.address)
            sock.sendto(packet(4, ssrc=1, kind=8), alice.address)
            await heard(alice, 5)
    one, two = alice.streams(ended=True)
    assert (one.ssrc, one.packets, one.lost, one.payload_types) == (1, 5, 0, (0, 8))
    assert (two.ssrc, two.packets, two.lost, two.payload_types, two.level) == (2, 4, 6, (101,), "")
    assert (one.local_tag, one.remote_tag) == ("", "")


@on_loop
async def test_playing_something_else_ends_the_stream_before() -> None:
    async with lines("desk", "alice") as (desk, alice):
        desk.media.play("tone", alice.address)
        desk.media.play("silence", alice.address)
        desk.media.stop()
        desk.media.stop()
        assert [e.level for e in desk.streams(ended=True)] == ["tone", "silence"]
        assert len({e.ssrc for e in desk.streams(ended=True)}) == 2


@on_loop
async def test_nothing_is_sent_after_stop_or_close() -> None:
    with raw_socket() as sock:
        async with lines("desk") as [desk]:
            desk.media.play("tone", sock.getsockname())
            desk.media.close()
            desk.media.close()
            desk.media.play("tone", sock.getsockname())
            await asyncio.sleep(3 * PERIOD)
            [sent] = desk.streams(ended=True)
            assert len(read_all(sock)) == sent.packets == 1


@on_loop
async def test_what_came_just_before_the_end_counts() -> None:
    async with lines("alice") as [alice]:
        with raw_socket() as sock:
            for number in range(8):
                sock.sendto(packet(number), alice.address)
        alice.media.close()
        [end] = alice.streams(ended=True)
        assert end.packets == 8
        assert alice.media.heard == (end,)


@on_loop
async def test_the_guard_is_told_of_and_nothing_is_sent() -> None:
    line = Line("desk", guard=lambda _address: False)
    with raw_socket() as sock:
        line.media.play("tone", sock.getsockname())
        line.media.close()
        assert read_all(sock) == []
    assert line.entries == []
    assert len(line.unsent) == 1
    assert "is no address of the system" in line.unsent[0]


@on_loop
async def test_no_rtp_is_recorded_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_module, "MAX_MALFORMED", 5)
    async with lines("alice") as [alice]:
        with raw_socket() as sock:
            for _ in range(9):
                sock.sendto(b"INVITE sip:x SIP/2.0\r\n\r\n", alice.address)
            sock.sendto(b"\x80\xc8" + bytes(26), alice.address)  # RTCP is no mistake
        await until(lambda: alice.media.ignored == 10)
        assert all(isinstance(e, Malformed) and e.why.startswith("no RTP: version 1") for e in alice.entries)
        assert len(alice.entries) == 5


@on_loop
async def test_a_flood_of_sources_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_module, "MAX_STREAMS", 10)
    async with lines("alice") as [alice]:
        with raw_socket() as sock:
            for ssrc in range(100):
                sock.sendto(packet(1, ssrc=ssrc), alice.address)
        await until(lambda: alice.media.ignored == 90)
        assert len(alice.media.heard) == 10
        for port in range(100):
            alice.media.names((HOST, port), "a", "b")
        assert len(alice.media._dialogs) == 10


def test_where_an_sdp_wants_audio() -> None:
    body = sdp.offer(HOST, 4000, session_id=1)
    assert destination(body) == Destination((HOST, 4000), 0, "PCMU")
    alaw = body.replace(b"RTP/AVP 0 8 101", b"RTP/AVP 18 97 0").replace(b"rtpmap:8 ", b"rtpmap:97 ")
    assert destination(alaw) == Destination((HOST, 4000), 97, "PCMA")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no SDP at all",
        sdp.offer(HOST, 0, session_id=1),
        sdp.offer(HOST, DISCARD, session_id=1),
        sdp.offer("0.0.0.0", 4000, session_id=1),
        sdp.offer("media.example.com", 4000, session_id=1),
        sdp.offer(HOST, 4000, session_id=1, direction="sendonly"),
        sdp.offer(HOST, 4000, session_id=1, direction="inactive"),
        sdp.offer(HOST, 4000, session_id=1).replace(b"RTP/AVP", b"RTP/SAVP"),
        sdp.offer(HOST, 4000, session_id=1).replace(b"audio", b"video"),
        b"v=0\r\no=- 1 1 IN IP4 x\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n",
    ],
)
def test_where_an_sdp_wants_none(body: bytes) -> None:
    assert destination(body) is None
