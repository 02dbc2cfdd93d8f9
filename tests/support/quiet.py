"""Sockets that only listen, to see that nothing comes; and a system that answers as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from sip_harness.model.entry import Address
from sip_harness.sip.message import Message, build, parse

Answer = Callable[[Message, Address], tuple[int, list[tuple[str, str]]] | None]
"""What a request from there gets: a code and more headers; None for no answer."""


class Ear(asyncio.DatagramProtocol):
    """Keeps what it is sent, and answers requests if it is told how."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.heard: list[Message] = []
        self.datagrams = 0
        self._answer = answer
        self.sdp = b""
        """Body of its 200 to an INVITE; settable."""
        self._news = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.DatagramTransport = transport

    @property
    def address(self) -> Address:
        host, port = self.transport.get_extra_info("sockname")[:2]
        return host, port

    @property
    def methods(self) -> list[str]:
        return [message.method for message in self.heard]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.datagrams += 1
        self._news.set()
        if not data.strip():
            return
        message = parse(data)
        self.heard.append(message)
        found = self._answer(message, addr) if self._answer is not None and message.is_request else None
        if found is not None:
            to = message.get("to") or ""
            to = to if message.to_tag else f"{to};tag=ear"
            copied = [(name, message.get(name) or "") for name in ("Via", "From", "Call-ID", "CSeq")]
            body = self.sdp if message.method == "INVITE" else b""
            described = [("Content-Type", "application/sdp")] if body else []
            headers = [*copied, ("To", to), *found[1], *described]
            self.transport.sendto(build(f"SIP/2.0 {found[0]} Word", headers, body), addr)

    async def pinged(self, times: int) -> None:
        """So many datagrams of whatever kind."""
        async with asyncio.timeout(20):
            while self.datagrams < times:
                self._news.clear()
                await self._news.wait()

    async def until(self, method: str) -> Message:
        """The first request of this method."""
        async with asyncio.timeout(20):
            while (found := next((m for m in self.heard if m.method == method), None)) is None:
                self._news.clear()
                await self._news.wait()
        return found


@asynccontextmanager
async def ear(host: str, answer: Answer | None = None) -> AsyncIterator[Ear]:
    """A listener on a free UDP port of this host."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: Ear(answer), local_addr=(host, 0))
    try:
        yield protocol
    finally:
        transport.close()
