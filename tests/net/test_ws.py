"""SIP over WebSocket, with the sockets of the `websockets` package as the other side."""

from __future__ import annotations

import asyncio
import importlib.util

import pytest
from on_loop import on_loop
from streams import LIMIT, End, Listener, ends, options, raw
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from sip_harness.model.entry import Address
from sip_harness.net import ws

SIP = Subprotocol("sip")


def url(address: Address) -> str:
    return f"ws://{address[0]}:{address[1]}/"


@on_loop
async def test_a_client_of_the_package_is_served() -> None:
    async with ends(1, "ws") as (one,):
        one.react = lambda message, hop: hop.transport.send(options(9), hop.remote, "script")
        async with connect(url(one.local), subprotocols=[SIP]) as client:
            assert client.subprotocol == "sip"
            for text in (True, False):
                await client.send(options(1).decode() if text else options(1))
                assert await asyncio.wait_for(client.recv(), LIMIT) == options(9).decode()
            await client.send([options(2)[:5], options(2)[5:]])  # fragments
            await asyncio.wait_for(client.recv(), LIMIT)
            await asyncio.wait_for(await client.ping(), LIMIT)
        assert [e.data for e in one.received] == [options(1), options(1), options(2)]
        await one.until(lambda: one.stream.connections == 0)


@on_loop
async def test_a_server_of_the_package_is_spoken_to() -> None:
    got: asyncio.Queue[str | bytes] = asyncio.Queue()

    async def handle(server: ServerConnection) -> None:
        async for message in server:
            got.put_nowait(message)
            await server.send(options(7, 300).decode())

    async with serve(handle, "127.0.0.1", 0, subprotocols=[SIP]) as server, ends(1, "ws") as (one,):
        address = server.sockets[0].getsockname()
        binary = options(2).replace(b"sip:x", b"sip:\xff")
        one.stream.send(options(1), address, "script", pieces=(3,))
        one.stream.send(binary, address, "script")
        assert await asyncio.wait_for(got.get(), LIMIT) == options(1).decode()
        assert await asyncio.wait_for(got.get(), LIMIT) == binary
        await one.have(2)
        assert one.received[0].data == options(7, 300)


@on_loop
async def test_a_client_without_the_subprotocol_is_refused() -> None:
    async with ends(1, "ws") as (one,):
        for offered in (None, [Subprotocol("xmpp")]):
            with pytest.raises(InvalidStatus, match="HTTP 400"):
                await connect(url(one.local), subprotocols=offered)
        await one.until(lambda: len(one.rubbish) == 2)
        assert all("subprotocol" in entry.why for entry in one.rubbish)


@on_loop
async def test_a_server_without_the_subprotocol_is_refused() -> None:
    async def handle(server: ServerConnection) -> None:
        await server.wait_closed()

    async with serve(handle, "127.0.0.1", 0) as server, ends(1, "ws") as (one,):
        one.stream.send(options(1), server.sockets[0].getsockname(), "script", on_lost=one.on_lost)
        await one.until(lambda: one.lost)
        assert one.lost[0].endswith("WebSocket: the server does not speak the subprotocol sip")
        assert one.entries == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP 404"),
        (b"SIP/2.0 400 What\r\n\r\n", "did not receive a valid HTTP response"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "Connection"),
    ],
)
@on_loop
async def test_a_peer_that_speaks_no_websocket(answer: bytes, why: str) -> None:
    async with Listener() as listener, ends(1, "ws") as (one,):
        one.stream.send(options(1), listener.address, "script", on_lost=one.on_lost)
        peer = await listener.next()
        await peer.write(answer)
        await one.until(lambda: one.lost)
        assert why in one.lost[0]


@on_loop
async def test_plain_sip_on_a_websocket_port_is_kept_and_refused() -> None:
    async with ends(1, "ws") as (one,), raw(one.local) as peer:
        await peer.write(options(1))
        await peer.read_to_end()
        await one.until(lambda: one.rubbish)
        assert one.rubbish[0].data == options(1)
        assert one.rubbish[0].why.startswith("WebSocket: ")


@on_loop
async def test_a_frame_that_is_no_sip_ends_the_connection() -> None:
    async with ends(1, "ws") as (one,), connect(url(one.local), subprotocols=[SIP]) as client:
        await client.send("hello")
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(client.recv(), LIMIT)
        assert one.rubbish[0].data == b"hello"


HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
)


def frame(data: bytes, first: int = 0x81) -> bytes:
    """A masked frame of a client; the mask is of zeros, so that the data stay as they are."""
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return bytes([first]) + size + bytes(4) + data


PING, BEGIN, GO_ON = 0x89, 0x01, 0x00


@on_loop
@pytest.mark.parametrize(
    ("whole", "half"),
    [
        (b"", HANDSHAKE[:40]),
        (HANDSHAKE, b"\x81"),
        (HANDSHAKE, frame(options(1))[:3]),
        (HANDSHAKE, frame(options(1))[:-1]),
        (HANDSHAKE + frame(options(1)) + frame(b"", PING), frame(options(2))[:60]),
        (HANDSHAKE + frame(options(1)), frame(b"OPTI", BEGIN)),
        (
            HANDSHAKE + frame(b"OPT", BEGIN) + frame(options(1)[3:], 0x80),
            frame(b"I", BEGIN) + frame(b"N", GO_ON) + b"\x80",
        ),
        (HANDSHAKE, frame(b"O", BEGIN) + frame(b"", PING) + frame(options(1)[1:], 0x80)[:-2]),
    ],
)
async def test_half_a_handshake_and_half_a_message_are_kept(whole: bytes, half: bytes) -> None:
    async with ends(1, "ws") as (one,):
        async with raw(one.local) as peer:
            for byte in whole + half:
                peer.writer.write(bytes([byte]))
                await peer.writer.drain()
        await one.until(lambda: bool(one.rubbish))
        [kept] = one.rubbish
        assert kept.data == half
        assert kept.why.startswith("a message that never ended: ")
        assert [e.data for e in one.received] == ([options(1)] if len(whole) > len(HANDSHAKE) else [])


@on_loop
async def test_nothing_is_left_of_what_was_whole() -> None:
    async with ends(1, "ws") as (one,):
        async with raw(one.local) as peer:
            peer.writer.write(HANDSHAKE + frame(options(1)) + frame(b"", PING) + frame(options(2, 300)))
            await asyncio.wait_for(peer.reader.readuntil(b"\r\n\r\n"), LIMIT)
            await one.have(2)
        await one.until(lambda: one.stream.connections == 0)
        assert one.rubbish == []


@on_loop
async def test_an_empty_frame_is_a_keep_alive() -> None:
    async with ends(1, "ws") as (one,), connect(url(one.local), subprotocols=[SIP]) as client:
        await client.send("\r\n\r\n")
        await client.send(options(1).decode())
        await one.have(1)
        assert (one.stream.keepalives, len(one.entries)) == (1, 1)


@on_loop
async def test_a_message_that_is_too_large_ends_the_connection() -> None:
    async with ends(1, "ws") as (one,), connect(url(one.local), subprotocols=[SIP]) as client:
        await client.send("x" * 70_000)
        with pytest.raises(ConnectionClosed) as caught:
            await asyncio.wait_for(client.recv(), LIMIT)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1009
        await one.until(lambda: not one.stream.connections)
        assert len(one.rubbish) == 1


@on_loop
async def test_without_the_package_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "websockets" else find(name))
    with pytest.raises(ws.NoWebSocket, match=r"websockets is not installed: pip install 'sip-harness\[ws\]'"):
        End("ws")
