"""Stream transports and raw peers: what came through them, and events to wait for."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator

from sip_harness.model.entry import Address, Malformed
from sip_harness.model.entry import Message as MessageEntry
from sip_harness.model.scenario import Transport
from sip_harness.net.base import Hop
from sip_harness.net.clock import Clock
from sip_harness.net.stream import StreamTransport
from sip_harness.net.tls import TlsFiles
from sip_harness.sip.message import Message

LIMIT = 20.0
HOME: Address = ("127.0.0.1", 0)


def options(number: int, size: int = 0, *, via: str = "") -> bytes:
    """A message with a number and a body of so many bytes."""
    head = f"OPTIONS sip:x SIP/2.0\r\n{via}CSeq: {number} OPTIONS\r\nContent-Length: {size}\r\n\r\n"
    return head.encode() + bytes(ord("a") + n % 26 for n in range(size))


class End:
    """A stream transport with all that it recorded and received."""

    def __init__(
        self,
        kind: Transport = "tcp",
        name: str = "end",
        *,
        bind: Address = HOME,
        tls: TlsFiles | None = None,
        guard: Callable[[Address], bool] | None = None,
        lags: list[int] | None = None,
    ) -> None:
        self.entries: list[MessageEntry | Malformed] = []
        self.got: list[tuple[Message, Hop]] = []
        self.lost: list[str] = []
        self.react: Callable[[Message, Hop], None] = lambda _message, _hop: None
        self._changed = asyncio.Event()
        self.stream = StreamTransport(
            Clock(asyncio.get_running_loop(), lags.append if lags is not None else None),
            bind, kind, agent=name, record=self._record, receive=self._receive, guard=guard, tls=tls,
        )  # fmt: skip

    def _record(self, entry: MessageEntry | Malformed) -> None:
        self.entries.append(entry)
        self._changed.set()

    def _receive(self, message: Message, hop: Hop) -> None:
        self.got.append((message, hop))
        self.react(message, hop)
        self._changed.set()

    def on_lost(self, why: str) -> None:
        self.lost.append(why)
        self._changed.set()

    async def until(self, check: Callable[[], object]) -> None:
        """Wait until something recorded, received or lost makes this true; or time, where nothing else tells."""
        async with asyncio.timeout(LIMIT):
            while not check():
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.005):
                        await self._changed.wait()

    async def have(self, count: int) -> None:
        await self.until(lambda: len(self.received) >= count)

    @property
    def local(self) -> Address:
        return self.stream.local

    @property
    def received(self) -> list[MessageEntry]:
        return [e for e in self.entries if isinstance(e, MessageEntry) and e.direction == "received"]

    @property
    def sent(self) -> list[MessageEntry]:
        return [e for e in self.entries if isinstance(e, MessageEntry) and e.direction == "sent"]

    @property
    def rubbish(self) -> list[Malformed]:
        return [e for e in self.entries if isinstance(e, Malformed)]


@contextlib.asynccontextmanager
async def ends(
    count: int,
    kind: Transport = "tcp",
    *,
    bind: Address = HOME,
    tls: TlsFiles | None = None,
    guard: Callable[[Address], bool] | None = None,
) -> AsyncIterator[list[End]]:
    """So many transports, closed at the end."""
    opened = [End(kind, f"end{i}", bind=bind, tls=tls, guard=guard) for i in range(count)]
    try:
        yield opened
    finally:
        for end in opened:
            end.stream.close()


class Raw:
    """A plain TCP connection whose every byte is the test's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.address: Address = writer.get_extra_info("sockname")[:2]

    async def write(self, *pieces: bytes) -> None:
        """Write pieces, each a segment of its own."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def read(self, count: int) -> bytes:
        async with asyncio.timeout(LIMIT):
            return await self.reader.readexactly(count)

    async def read_to_end(self) -> bytes:
        async with asyncio.timeout(LIMIT):
            return await self.reader.read()


@contextlib.asynccontextmanager
async def raw(remote: Address) -> AsyncIterator[Raw]:
    """Connect to a transport with nothing but TCP."""
    reader, writer = await asyncio.open_connection(*remote)
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


class Listener:
    """A plain TCP listener; connections are the test's."""

    def __init__(self, backlog: int = 16) -> None:
        self.accepted: asyncio.Queue[Raw] = asyncio.Queue()
        self._backlog = backlog

    async def __aenter__(self) -> Listener:
        self._server = await asyncio.start_server(self._take, *HOME, backlog=self._backlog)
        self.address: Address = self._server.sockets[0].getsockname()[:2]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._server.close()
        while not self.accepted.empty():
            self.accepted.get_nowait().writer.close()

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted.put_nowait(Raw(reader, writer))

    async def next(self) -> Raw:
        async with asyncio.timeout(LIMIT):
            return await self.accepted.get()


@contextlib.contextmanager
def dead_port() -> Iterator[Address]:
    """An address where nobody listens and nobody can: bound, not listening."""
    with socket.socket() as sock:
        sock.bind(HOME)
        yield sock.getsockname()
