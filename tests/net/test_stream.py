"""TCP, TLS and WebSocket as one transport: connections, framing, times, bounds, failures."""

from __future__ import annotations

import asyncio
import resource
import socket
import struct
import time
from pathlib import Path

import pytest
from on_loop import on_loop
from streams import HOME, LIMIT, End, Listener, dead_port, ends, options, raw

from sip_harness.model.scenario import Transport
from sip_harness.net import connection, stream
from sip_harness.net.authority import Authority
from sip_harness.net.base import Hop, SendFailed
from sip_harness.net.tls import TlsFiles

KINDS: tuple[Transport, ...] = ("tcp", "tls", "ws", "wss")
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    authority = Authority(tmp_path_factory.mktemp("ca"))
    return TlsFiles(str(authority.certificate), str(authority.issue("agents.pem")))


# --- there and back


@pytest.mark.needs_openssl
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@every_kind
@on_loop
async def test_there_and_back_on_one_connection(kind: Transport, host: str, files: TlsFiles) -> None:
    async with ends(2, kind, bind=(host, 0), tls=files) as (one, two):
        two.react = lambda message, hop: hop.transport.send(options(100 + message.cseq[0]), hop.remote, "protocol")
        for number in range(5):
            one.stream.send(options(number), two.local, "script")
        await two.have(5)
        await one.have(5)
        assert [e.data for e in two.received] == [e.data for e in one.sent] == [options(n) for n in range(5)]
        assert [e.data for e in one.received] == [e.data for e in two.sent] == [options(100 + n) for n in range(5)]
        assert (one.stream.connections, two.stream.connections) == (1, 1)
        assert two.got[0][1] == Hop(two.stream, one.sent[0].local)


@pytest.mark.needs_openssl
@every_kind
@on_loop
async def test_what_is_recorded(kind: Transport, files: TlsFiles) -> None:
    async with ends(2, kind, tls=files) as (one, two):
        one.stream.send(options(1), two.local, "script")
        await two.have(1)
        sent, received = one.sent[0], two.received[0]
        assert (sent.agent, sent.direction, sent.origin, sent.transport) == ("end0", "sent", "script", kind)
        assert (received.agent, received.origin, received.transport) == ("end1", "system", kind)
        assert sent.remote == two.local
        assert sent.local == received.remote != one.local  # a port of its own, not the one that listens
        assert received.local == two.local
        assert (one.stream.name, one.stream.reliable) == (kind.upper(), True)


@pytest.mark.needs_openssl
@every_kind
@on_loop
async def test_a_large_message_arrives_whole(kind: Transport, files: TlsFiles) -> None:
    large = options(1, 65_000)
    async with ends(2, kind, tls=files) as (one, two):
        one.stream.send(large, two.local, "script")
        await two.have(1)
        assert two.received[0].data == large


@every_kind
@pytest.mark.needs_openssl
@on_loop
async def test_bytes_that_are_no_text_are_kept(kind: Transport, files: TlsFiles) -> None:
    odd = b"OPTIONS sip:x SIP/2.0\r\nX: \xff\xfe\r\nl:4\r\n\r\n\x00\xff\r\n"
    async with ends(2, kind, tls=files) as (one, two):
        one.stream.send(odd, two.local, "script")
        await two.have(1)
        assert two.received[0].data == odd


@on_loop
async def test_one_connection_per_peer_in_use_again() -> None:
    async with ends(3) as (one, two, three):
        for number in range(3):
            one.stream.send(options(number), two.local, "script")
            one.stream.send(options(number), three.local, "script")
        await two.have(3)
        await three.have(3)
        assert one.stream.connections == 2
        assert two.stream.connections == three.stream.connections == 1
        assert one.stream.reaches(two.local)
        assert two.stream.reaches(one.sent[0].local)
        assert not two.stream.reaches(one.local)


@on_loop
async def test_reach_connects_ahead() -> None:
    async with ends(2) as (one, two):
        await one.stream.reach(two.local)
        await one.stream.reach(two.local)
        assert one.stream.connections == 1
        one.stream.send(options(1), two.local, "script")
        await two.have(1)


# --- framing


@on_loop
async def test_several_messages_in_one_segment_and_one_in_several() -> None:
    async with ends(1) as (one,), raw(one.local) as peer:
        first, second, third = options(1), options(2, 10), options(3, 5)
        await peer.write(first + second + third[:20])
        await one.have(2)
        await peer.write(third[20:-1])
        assert len(one.received) == 2
        await peer.write(third[-1:])
        await one.have(3)
        assert [e.data for e in one.received] == [first, second, third]


@on_loop
async def test_a_ping_gets_a_pong() -> None:
    async with ends(1) as (one,), raw(one.local) as peer:
        await peer.write(b"\r\n\r\n")
        assert await peer.read(2) == b"\r\n"
        await peer.write(b"\r\n\r\n" + options(1))
        assert await peer.read(2) == b"\r\n"
        await one.have(1)
        assert (one.stream.keepalives, len(one.entries)) == (2, 1)


@on_loop
async def test_a_pong_on_our_own_connection_is_not_answered() -> None:
    async with Listener() as listener, ends(1) as (one,):
        one.stream.send(options(1), listener.address, "script")
        peer = await listener.next()
        await peer.read(len(options(1)))
        await peer.write(b"\r\n", options(2))
        await one.have(1)
        one.stream.send(options(3), listener.address, "script")
        assert await peer.read(len(options(3))) == options(3)
        assert one.stream.keepalives == 1


@pytest.mark.parametrize(
    ("rubbish", "why"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "no start line"),
        (b"\x16\x03\x01\x02\x00 hello", "no start line"),
        (b"OPTIONS sip:x SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n", "no Content-Length"),
        (b"OPTIONS sip:x SIP/2.0\r\nContent-Length: many\r\n\r\n", "Content-Length cannot be read"),
        (b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 70000\r\n\r\n", "65535 bytes"),
        (b"OPTIONS sip:x SIP/2.0\r\n" + b"X: y\r\n" * 12_000, "65535 bytes"),
    ],
)
@on_loop
async def test_rubbish_is_kept_and_ends_the_connection(rubbish: bytes, why: str) -> None:
    async with ends(1) as (one,), raw(one.local) as peer:
        await peer.write(options(1) + rubbish)
        assert await peer.read_to_end() == b""
        assert [e.data for e in one.received] == [options(1)]
        (refused,) = one.rubbish
        assert why in refused.why
        assert rubbish.startswith(refused.data[:100])
        assert (refused.remote, refused.local, refused.agent) == (peer.address, one.local, "end0")
        await one.until(lambda: one.stream.connections == 0)


@on_loop
async def test_a_flood_of_rubbish_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_MALFORMED", 3)
    async with ends(1) as (one,):
        for _ in range(6):
            async with raw(one.local) as peer:
                await peer.write(b"rubbish\r\n")
                await peer.read_to_end()
        assert one.stream.malformed == 6
        assert len(one.rubbish) == 3
        assert "further ones are not recorded" in one.rubbish[-1].why


@pytest.mark.parametrize("ended", ["by the peer", "here"])
@on_loop
async def test_a_message_that_never_ended_is_kept(ended: str) -> None:
    half = options(1, 20)[:-5]
    async with ends(1) as (one,):
        async with raw(one.local) as peer:
            await peer.write(options(0) + half)
            await one.have(1)
            if ended == "here":
                one.stream.disconnect("close")
        await one.until(lambda: one.rubbish)
        [kept] = one.rubbish
        assert (kept.data, kept.remote) == (half, peer.address)
        assert kept.why.startswith("a message that never ended: ")
        assert kept.time >= one.received[0].time
        assert one.stream.connections == 0


# --- times


@pytest.mark.needs_openssl
@every_kind
@on_loop
async def test_a_message_alone_has_its_exact_time(kind: Transport, files: TlsFiles) -> None:
    async with ends(2, kind, tls=files) as (one, two):
        await one.stream.reach(two.local)
        for number in range(50):
            one.stream.send(options(number), two.local, "script")
            await two.have(number + 1)
        for sent, received in zip(one.sent, two.received, strict=True):
            assert received.slack == 0
            assert sent.time <= received.time <= sent.time + sent.slack


@pytest.mark.needs_openssl
@every_kind
@on_loop
async def test_the_time_is_the_arrival_and_not_the_reading(kind: Transport, files: TlsFiles) -> None:
    async with ends(2, kind, tls=files) as (one, two):
        await one.stream.reach(two.local)
        one.stream.send(options(1), two.local, "script")
        after = time.time_ns()
        end = time.monotonic() + 0.05
        while time.monotonic() < end:  # the loop is kept from reading
            pass
        await two.have(1)
        assert one.sent[0].time <= two.received[0].time <= after


@pytest.mark.needs_openssl
@every_kind
@on_loop
async def test_messages_read_together_have_bounds(kind: Transport, files: TlsFiles) -> None:
    async with ends(2, kind, tls=files) as (one, two):
        await one.stream.reach(two.local)
        one.stream.send(options(0), two.local, "script")
        await two.have(1)
        for number in range(1, 8):
            one.stream.send(options(number), two.local, "script")
        await two.have(8)
        pairs = list(zip(one.sent, two.received, strict=True))
    for sent, received in pairs[1:]:
        assert received.time <= sent.time + sent.slack
        assert sent.time <= received.time + received.slack
    assert pairs[-1][1].slack == 0
    # The first of them came after it was sent, and the bounds say so although it was read with the others.
    assert pairs[1][1].time >= pairs[1][0].time
    assert [received.data for _, received in pairs] == [options(n) for n in range(8)]


@on_loop
async def test_what_was_caused_by_a_message_is_never_earlier_than_it() -> None:
    """Echoes that wait in the kernel and are read together lie behind the first message, not before it."""
    async with ends(2) as (one, two):
        two.react = lambda message, hop: hop.transport.send(message.data, hop.remote, "protocol")
        for round_ in range(10):
            await one.stream.reach(two.local)
            for number in range(5):
                one.stream.send(options(10 * round_ + number), two.local, "script")
            await one.have(5 * (round_ + 1))
            first = one.sent[5 * round_].time
            assert all(got.time >= first for got in one.received[5 * round_ :])
        assert any(got.slack for got in one.received), "none were read together"


@on_loop
async def test_a_late_reading_is_reported_as_lag() -> None:
    lags: list[int] = []
    late, sender = End(lags=lags), End()
    try:
        await sender.stream.reach(late.local)
        sender.stream.send(options(1), late.local, "script")
        end = time.monotonic() + 0.06
        while time.monotonic() < end:
            pass
        await late.have(1)
    finally:
        late.stream.close()
        sender.stream.close()
    assert lags
    assert lags[0] >= 50_000_000


# --- sending in odd ways


@pytest.mark.needs_openssl
@pytest.mark.parametrize("pieces", [(1,), (1, 10, 30), (10, 1, 10), (0, 5000)])
@every_kind
@on_loop
async def test_pieces_are_put_together_again(kind: Transport, pieces: tuple[int, ...], files: TlsFiles) -> None:
    async with ends(2, kind, tls=files) as (one, two):
        one.stream.send(options(1, 20), two.local, "script", pieces=pieces)
        one.stream.send(options(2), two.local, "script")
        await two.have(2)
        assert [e.data for e in two.received] == [options(1, 20), options(2)]
        assert [e.data for e in one.sent] == [options(1, 20), options(2)]


@on_loop
async def test_each_piece_is_a_segment_of_its_own() -> None:
    async with Listener() as listener, ends(1) as (one,):
        message = options(1, 20)
        one.stream.send(message, listener.address, "script", pieces=(1, 10))
        peer = await listener.next()
        got = [await asyncio.wait_for(peer.reader.read(1000), LIMIT) for _ in range(3)]
        assert got == [message[:1], message[1:10], message[10:]]
        await one.until(lambda: one.sent)
        assert one.sent[0].slack >= 2 * 0.02 * 1e9 * 0.9  # recorded once, from its first byte to its last


@on_loop
async def test_the_other_port_is_a_connection_that_nobody_knows() -> None:
    async with ends(2) as (one, two):
        one.stream.send(options(1), two.local, "script")
        one.stream.send(options(2), two.local, "script", port="other")
        one.stream.send(options(3), two.local, "script")
        one.stream.send(options(4), two.local, "script", port="elsewhere")
        await two.have(4)
        by_number = {e.data: e.remote for e in two.received}
        assert by_number[options(1)] == by_number[options(3)] != by_number[options(2)]
        assert by_number[options(4)][0] == "127.0.0.2"
        assert one.stream.connections == 3


@on_loop
async def test_a_peer_that_does_not_read_gets_it_later() -> None:
    total = 300
    async with ends(1) as (one,):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            listener.bind(HOME)
            listener.listen()
            await one.stream.reach(listener.getsockname())
            peer, _ = listener.accept()
            with peer:
                for number in range(total):
                    one.stream.send(options(number, 10_000), listener.getsockname(), "script")
                left = len(one.sent)
                assert left < total
                got = bytearray()
                loop = asyncio.get_running_loop()
                peer.setblocking(False)
                wanted = b"".join(options(n, 10_000) for n in range(total))
                while len(got) < len(wanted):
                    got += await asyncio.wait_for(loop.sock_recv(peer, 65_536), LIMIT)
                assert bytes(got) == wanted
                await one.until(lambda: len(one.sent) == total)
        slow = max(one.sent, key=lambda e: e.slack)
        assert slow.slack > 0
        assert [e.data for e in one.sent] == [options(n, 10_000) for n in range(total)]


@on_loop
async def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_UNSENT", 100_000)
    async with ends(1) as (one,):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            listener.bind(HOME)
            listener.listen()
            await one.stream.reach(listener.getsockname())

            def send_many() -> None:
                for number in range(10_000):
                    one.stream.send(options(number, 10_000), listener.getsockname(), "script")

            with pytest.raises(SendFailed, match="does not read"):
                send_many()


# --- failures


@on_loop
async def test_nobody_listens() -> None:
    async with ends(1) as (one,):
        with dead_port() as nobody:
            one.stream.send(options(1), nobody, "script", on_lost=one.on_lost)
            assert one.lost == []  # never from within
            await one.until(lambda: one.lost)
            assert one.lost == [f"connection to 127.0.0.1:{nobody[1]}: Connection refused"]
            assert one.entries == []
            assert not one.stream.reaches(nobody)
            with pytest.raises(SendFailed, match="Connection refused"):
                await one.stream.reach(nobody)


@on_loop
async def test_a_peer_that_never_shakes_hands_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PATIENCE", 0.1)
    async with Listener() as listener, ends(1, "ws") as (one,):
        one.stream.send(options(1), listener.address, "script", on_lost=one.on_lost)
        await one.until(lambda: one.lost)
        assert one.lost == [f"connection to 127.0.0.1:{listener.address[1]}: not ready within 0.1 s"]


@on_loop
async def test_a_reset_tells_who_has_had_no_answer() -> None:
    async with Listener() as listener, ends(1) as (one,):
        one.stream.send(options(1), listener.address, "script", on_lost=one.on_lost)
        peer = await listener.next()
        await peer.read(len(options(1)))
        await peer.write(options(2))
        await one.have(1)
        second: list[str] = []
        one.stream.send(options(3), listener.address, "script", on_lost=second.append)
        await peer.read(len(options(3)))
        peer.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.writer.transport.abort()
        await one.until(lambda: second)
        assert second == [f"connection to 127.0.0.1:{listener.address[1]}: Connection reset by peer"]
        assert one.lost == []  # the first was proved to have arrived by what came back


@on_loop
async def test_a_regular_end_tells_nobody_and_the_next_message_connects_anew() -> None:
    async with Listener() as listener, ends(1) as (one,):
        one.stream.send(options(1), listener.address, "script", on_lost=one.on_lost)
        peer = await listener.next()
        await peer.read(len(options(1)))
        peer.writer.close()
        await one.until(lambda: not one.stream.reaches(listener.address))
        one.stream.send(options(2), listener.address, "script", on_lost=one.on_lost)
        assert await (await listener.next()).read(len(options(2))) == options(2)
        assert one.lost == []


@pytest.mark.parametrize("remote", [("127.0.0.1", 70_000), ("name.test", 5060), ("::1", 5060), ("127.0.0.1", -1)])
@on_loop
async def test_an_address_that_is_none_is_refused_at_once(remote: tuple[str, int]) -> None:
    async with ends(1) as (one,):
        with pytest.raises(SendFailed, match="cannot connect to"):
            one.stream.send(options(1), remote, "script")
        assert one.stream.connections == 0


@on_loop
async def test_the_guard_stands_before_the_socket() -> None:
    async with ends(2, guard=lambda _address: False) as (one, two):
        with pytest.raises(SendFailed, match=r"127\.0\.0\.1:\d+ is no address of the system"):
            one.stream.send(options(1), two.local, "script")
        with pytest.raises(SendFailed, match="no address of the system"):
            await one.stream.reach(two.local)
        assert (one.entries, one.stream.connections) == ([], 0)


@on_loop
async def test_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_CONNECTIONS", 2)
    async with ends(4) as (one, two, three, four):
        for end in (two, three):
            await end.stream.reach(one.local)
        await one.until(lambda: one.stream.connections == 2)
        async with raw(one.local) as peer:
            assert await peer.read_to_end() == b""
        assert one.stream.refused == 1
        with pytest.raises(SendFailed, match="there are 2 already"):
            one.stream.send(options(1), four.local, "script")


@on_loop
async def test_without_descriptors_who_knocks_has_to_wait() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with ends(1) as (one,):
        with socket.socket() as peer:
            resource.setrlimit(resource.RLIMIT_NOFILE, (peer.fileno() + 1, hard))
            try:
                peer.setblocking(False)
                await asyncio.get_running_loop().sock_connect(peer, one.local)
                before = time.process_time()
                await asyncio.sleep(0.3)
                assert one.stream.connections == 0
                assert time.process_time() - before < 0.2
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            await one.until(lambda: one.stream.connections == 1)
            await asyncio.get_running_loop().sock_sendall(peer, options(1))
            await one.have(1)


@on_loop
async def test_a_taken_port_is_an_error() -> None:
    async with ends(1) as (one,):
        with pytest.raises(OSError, match="in use"):
            End(bind=one.local)


# --- broken on purpose


@on_loop
async def test_close_ends_regularly_and_lets_nobody_in() -> None:
    async with ends(1) as (one,), raw(one.local) as peer:
        await peer.write(options(1))
        await one.have(1)
        one.stream.disconnect("close")
        assert await peer.read_to_end() == b""
        assert one.stream.disconnected == "close"
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*one.local)
        with pytest.raises(SendFailed, match="closed"):
            one.stream.send(options(1), peer.address, "script")


@on_loop
async def test_close_with_one_peer_leaves_the_port_open() -> None:
    async with ends(1) as (one,), raw(one.local) as peer, raw(one.local) as other:
        await peer.write(options(1))
        await other.write(options(2))
        await one.have(2)
        one.stream.disconnect("close", peer.address)
        assert await peer.read_to_end() == b""
        assert one.stream.disconnected is None
        await other.write(options(3))
        async with raw(one.local) as third:
            await third.write(options(4))
            await one.have(4)
        with pytest.raises(SendFailed, match="no connection with"):
            one.stream.disconnect("reset", peer.address)


@on_loop
async def test_reset_is_seen_as_a_reset() -> None:
    async with ends(1) as (one,), raw(one.local) as peer:
        await peer.write(options(1))
        await one.have(1)
        one.stream.disconnect("reset")
        with pytest.raises(ConnectionResetError):
            await peer.read_to_end()
        async with raw(one.local) as again:
            await again.write(options(2))
            await one.have(2)


@on_loop
async def test_half_open_stays_and_reads_no_more() -> None:
    async with ends(1) as (one,), raw(one.local) as peer:
        await peer.write(options(1))
        await one.have(1)
        one.stream.disconnect("half-open")
        await peer.write(options(2))
        one.stream.send(options(3), peer.address, "script")
        assert await peer.read(len(options(3))) == options(3)
        async with raw(one.local) as other:  # the kernel answers, nobody else does
            await other.write(options(4))
            await asyncio.sleep(0.05)
        assert [e.data for e in one.received] == [options(1)]


@on_loop
async def test_what_arrived_before_an_end_is_recorded_and_concerns_nobody() -> None:
    async with ends(1) as (one,), raw(one.local) as peer:
        await peer.write(options(1))
        await one.have(1)
        await peer.write(options(2))
        end = time.monotonic() + LIMIT
        while not _readable(one.local, peer.address) and time.monotonic() < end:
            pass
        one.stream.close()
        assert [e.data for e in one.received] == [options(1), options(2)]
        assert len(one.got) == 1
        assert await peer.read_to_end() == b""


@on_loop
async def test_closing_frees_the_port_and_may_be_repeated() -> None:
    async with ends(1) as (one,):
        one.stream.close()
        one.stream.close()
        again = End(bind=one.local)
        again.stream.close()


@on_loop
async def test_a_receiver_that_breaks_the_connection_gets_nothing_more_of_it() -> None:
    async with ends(1) as (one,), raw(one.local) as peer:
        one.react = lambda _message, hop: one.stream.disconnect("reset", hop.remote)
        await peer.write(options(1) + options(2))
        with pytest.raises(ConnectionResetError):
            await peer.read_to_end()
        assert len(one.got) == 1
        assert [e.data for e in one.received] == [options(1), options(2)]


def _readable(local: tuple[str, int], remote: tuple[str, int]) -> bool:
    """Whether the kernel has bytes for the socket between these two that nobody has read."""
    mine, theirs = (f"{address[1]:04X}" for address in (local, remote))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    return any(r[1].endswith(mine) and r[2].endswith(theirs) and int(r[4].partition(":")[2], 16) for r in rows[1:])
