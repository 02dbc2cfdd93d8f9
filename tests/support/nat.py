"""A NAT on loopback, by UDP and TCP: whoever is behind it knows the system by its inner address, and the system sees
whoever is behind it at its outer one, at a port of its own for each. It forgets when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from sip_harness.model.entry import Address

INNER, OUTER = "127.0.0.3", "127.0.0.4"


class _Outside(asyncio.DatagramProtocol):
    """What one inner address has outside."""

    def __init__(self, nat: Nat, inner: Address) -> None:
        self._nat = nat
        self._inner = inner

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.DatagramTransport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if addr[:2] == self._nat.system:
            self._nat.inside.sendto(data, self._inner)


class Nat(asyncio.DatagramProtocol):
    """Symmetric: what comes in from anybody else than the system is dropped."""

    def __init__(self, system: Address) -> None:
        self.system = system
        self.forgotten = 0
        self._ways: dict[Address, asyncio.Future[_Outside]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    def connection_made(self, transport: Any) -> None:
        self.inside: asyncio.DatagramTransport = transport

    @property
    def address(self) -> Address:
        """Where those behind it find the system."""
        host, port = self.inside.get_extra_info("sockname")[:2]
        return host, port

    @property
    def outside(self) -> set[Address]:
        """Where those behind it are seen by UDP."""
        ways = (way.result() for way in self._ways.values() if way.done())
        return {way.transport.get_extra_info("sockname")[:2] for way in ways}

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self._do(self._carry(data, addr[:2]))

    def forget(self) -> None:
        """Lose every way, as after a long silence or a new address of the line."""
        for way in self._ways.values():
            way.result().transport.close()
        self._ways.clear()
        self.cut()
        self.forgotten += 1

    def cut(self) -> None:
        """Break every TCP connection."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self) -> None:
        """Carry connections as well, at the same port."""
        self._server = await asyncio.start_server(self._accept, *self.address)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self.forget()
        self.inside.close()
        if self._server is not None:
            self._server.close()

    def _do(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, data: bytes, inner: Address) -> None:
        if inner not in self._ways:
            loop = asyncio.get_running_loop()
            self._ways[inner] = loop.create_future()
            _, way = await loop.create_datagram_endpoint(lambda: _Outside(self, inner), local_addr=(OUTER, 0))
            self._ways[inner].set_result(way)
        (await self._ways[inner]).transport.sendto(data, self.system)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, thither = await asyncio.open_connection(*self.system, local_addr=(OUTER, 0))
        self._writers |= {writer, thither}
        await asyncio.gather(_pump(reader, thither), _pump(there, writer))
        self._writers -= {writer, thither}


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def nat(system: Address) -> AsyncIterator[Nat]:
    """A NAT in front of the system that listens there, at the same port: some answer to the port in a Via."""
    loop = asyncio.get_running_loop()
    _, made = await loop.create_datagram_endpoint(lambda: Nat(system), local_addr=(INNER, system[1]))
    await made.serve()
    try:
        yield made
    finally:
        made.close()
