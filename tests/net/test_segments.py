"""However a stream is cut into segments, the same messages come out at the other end."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import LIMIT, End

from sip_harness.net.codec import Broken, Plain

PING = b"\r\n\r\n"
names = st.sampled_from([b"OPTIONS", b"INVITE", b"X"])
bodies = st.binary(max_size=60) | st.sampled_from([b"", b"\r\n", b"\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n"])
line_ends = st.sampled_from([b"\r\n", b"\n"])


def message(name: bytes, body: bytes, end: bytes, compact: bool) -> bytes:
    length = (b"l: %d" if compact else b"Content-Length:  %d") % len(body)
    return end.join([name + b" sip:x SIP/2.0", b"CSeq: 1 " + name, length, b"", b""]) + body


messages = st.builds(message, names, bodies, line_ends, st.booleans())
streams = st.lists(messages | st.just(PING), min_size=1, max_size=8)
cuts = st.lists(st.integers(0, 1200), max_size=20)


def cut(data: bytes, at: Sequence[int]) -> list[bytes]:
    """The data in pieces, none of them empty."""
    places = sorted({0, len(data), *(a for a in at if a < len(data))})
    return [data[begin:end] for begin, end in itertools.pairwise(places)]


@given(streams, cuts)
def test_in_the_codec(items: list[bytes], at: list[int]) -> None:
    codec, got, pongs = Plain(opened=False), [], b""
    for piece in cut(b"".join(items), at):
        got += [item for item in codec.feed(piece) if item]
        pongs += codec.outgoing()
    assert got == [item for item in items if item != PING]
    assert pongs == b"\r\n" * items.count(PING)


@given(streams, cuts)
def test_a_piece_that_ends_with_a_message_is_known_as_such(items: list[bytes], at: list[int]) -> None:
    """Only then is the time of the piece the time of the message."""
    codec, ends, done = Plain(opened=False), set(), 0
    for item in items:
        done += len(item)
        if item != PING:
            ends.add(done)
    position = 0
    for piece in cut(b"".join(items), at):
        codec.feed(piece)
        position += len(piece)
        assert not codec.whole or position in ends
        assert codec.whole or position not in ends


@given(st.lists(messages, min_size=1, max_size=4), st.binary(min_size=1, max_size=20), cuts)
def test_what_came_before_rubbish_is_kept(items: list[bytes], rubbish: bytes, at: list[int]) -> None:
    codec, got = Plain(opened=True), []
    whole = b"".join(items)

    def feed() -> None:
        for piece in cut(whole + b"\0" + rubbish, at):
            got.extend(codec.feed(piece))

    with pytest.raises(Broken, match="no start line") as caught:
        feed()
    assert [*got, *caught.value.read] == items
    assert caught.value.rest.startswith(b"\0")


@settings(max_examples=60, deadline=None)
@given(streams, cuts)
def test_from_socket_to_socket(items: list[bytes], at: list[int]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        end = End()
        try:
            with socket.create_connection(end.local) as peer:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peer.setblocking(False)
                for piece in cut(b"".join(items), at):
                    await loop.sock_sendall(peer, piece)
                    await asyncio.sleep(0)
                wanted = [item for item in items if item != PING]
                await end.have(len(wanted))
                await end.until(lambda: end.stream.keepalives == items.count(PING))
                pongs = b""
                while len(pongs) < 2 * items.count(PING):
                    pongs += await asyncio.wait_for(loop.sock_recv(peer, 100), LIMIT)
            assert [e.data for e in end.received] == wanted
            assert [m.data for m, _ in end.got] == wanted
            assert end.rubbish == []
            times = [(e.time, e.time + e.slack) for e in end.received]
            assert times == sorted(times)
        finally:
            end.stream.close()

    asyncio.run(main())
