"""SIP over TCP, TLS and WebSocket: one transport that listens and connects (RFC 3261 18, RFC 7118)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence

from sip_harness.model.entry import Address, Origin
from sip_harness.model.scenario import Transport as TransportName
from sip_harness.net.base import (
    Disconnection,
    Guard,
    Hop,
    OnLost,
    Port,
    Receiver,
    Recorder,
    SendFailed,
    Vet,
    host_port,
    nobody,
)
from sip_harness.net.clock import Clock
from sip_harness.net.codec import Codec, Plain
from sip_harness.net.connection import Connection
from sip_harness.net.kernel import warm_up
from sip_harness.net.listener import Listener
from sip_harness.net.outbox import Outgoing
from sip_harness.net.pipe import Pipe
from sip_harness.net.recording import Recording
from sip_harness.net.sockets import family_of, other_host
from sip_harness.net.tls import Tls, TlsFiles, client_context, server_context
from sip_harness.net.ws import WebSocket, require_websockets
from sip_harness.sip.message import MalformedMessage, parse

MAX_CONNECTIONS = 1000
"""Connections of one transport at one time; further ones are closed as they come."""
MAX_MALFORMED = 1000
"""Pieces of rubbish that one transport records; further ones are only counted."""


class StreamTransport:
    """One listening address and all its connections; implements `net.base.Transport`."""

    reliable = True

    def __init__(
        self,
        clock: Clock,
        bind: Address,
        kind: TransportName,
        *,
        agent: str,
        record: Recorder,
        receive: Receiver,
        guard: Guard | None = None,
        vet: Vet | None = None,
        tls: TlsFiles | None = None,
        codec: type[Plain] = Plain,
    ) -> None:
        """Listen; port 0 takes a free one. `kind` is `tcp`, `tls`, `ws` or `wss`; `tls` belongs to two of them. `codec`
        is for systems that do not cut a stream as they should.

        Raises OSError: port taken, a certificate that cannot be read or made, no websockets package.
        """
        warm_up()
        self.name = kind.upper()
        self.disconnected: Disconnection | None = None
        self.keepalives = 0
        """Keep-alives of peers, answered where they have to be."""
        self.on_cut: Callable[[Address], None] | None = None
        """Told that the connection with a peer is gone, unless by `close`; settable."""
        self.refused = 0
        """Connections that were one too many."""
        self._kind = kind
        self._codec = codec
        self._clock = clock
        self._recording = Recording(agent, record, kind, most=MAX_MALFORMED, unit="number")
        self._receive = receive
        self.public = ""
        self._guard = guard
        self._vet = vet
        self._files = (tls or TlsFiles()) if kind in ("tls", "wss") else None
        self._contexts = (client_context(self._files), server_context(self._files)) if self._files else None
        if kind in ("ws", "wss"):
            require_websockets()
        self._connections: set[Connection] = set()
        self._known: dict[Address, Connection] = {}
        self._port = Listener(clock, bind, self._accept)

    @property
    def local(self) -> Address:
        """Where it listens."""
        return self._port.local

    @property
    def malformed(self) -> int:
        """How often a peer sent what is no SIP."""
        return self._recording.malformed

    @property
    def connections(self) -> int:
        """How many there are."""
        return len(self._connections)

    def send(
        self,
        data: bytes,
        remote: Address,
        origin: Origin,
        *,
        pieces: Sequence[int] = (),
        port: Port = "own",
        on_lost: OnLost | None = None,
    ) -> None:
        """Send one message on the connection with that peer, or on a new one.

        The record gets the time before the first write, and how long it took until the kernel had all of it as slack.
        """
        connection = self._known.get(remote) if port == "own" else None
        self._check(remote)
        if self._vet is not None and (why := self._vet(data, remote[0])):
            raise SendFailed(why)
        if connection is None:
            host = other_host(self._port.local[0]) if port == "elsewhere" else self._port.local[0]
            connection = self._connect(remote, host, known=port == "own")
        connection.send(Outgoing(data, origin, pieces, on_lost))

    def reaches(self, remote: Address) -> bool:
        """Whether there is a connection with that peer."""
        return remote in self._known

    def allows(self, remote: Address) -> bool:
        """Whether the guard lets anything be sent there."""
        return self._guard is None or self._guard(remote)

    def ping(self, remote: Address) -> None:
        """Send a double CRLF on the connection with that peer, if there is one; a server that knows it answers with one
        CRLF (RFC 5626 4.4.1)."""
        if (connection := self._known.get(remote)) is not None and self.allows(remote):
            connection.ping()

    async def reach(self, remote: Address) -> None:
        """Connect, all handshakes included, if there is no connection yet. Raises SendFailed with the reason."""
        self._check(remote)
        connection = self._known.get(remote) or self._connect(remote, self._port.local[0], known=True)
        ready: asyncio.Future[str] = self._clock.loop.create_future()
        connection.watch(lambda why: None if ready.done() else ready.set_result(why))
        if why := await ready:
            raise SendFailed(why)

    def disconnect(self, kind: Disconnection, remote: Address | None = None) -> None:
        """`close` ends connections regularly, `reset` with RST, `half-open` leaves them open and unread.

        Without `remote` all of them, and with `close` and `half-open` the port as well: nobody is let in any more.
        `blackhole` ends them regularly, and what knocks at the port from then on is neither let in nor refused.
        """
        chosen = [c for c in self._connections if remote in (None, c.remote)]
        if remote is not None and not chosen:
            raise SendFailed(f"there is no connection with {host_port(remote)} to {kind}")
        if remote is None:
            self.disconnected = kind
            self._port.shut(kind)
        for connection in chosen:
            ends = {"reset": connection.reset, "half-open": connection.deafen}
            ends.get(kind, connection.close)()

    def close(self) -> None:
        """Free the port and end all connections. What was received and not yet read is read and recorded first."""
        self._port.close()
        self._receive = nobody
        for connection in list(self._connections):
            connection.close()

    def on_message(self, connection: Connection, data: bytes, at: int, slack: int) -> None:
        """From a connection: a message, or a keep-alive."""
        if not data.strip(b"\r\n\0"):
            self.keepalives += 1
            return
        try:
            message = parse(data)
        except MalformedMessage as error:
            self.on_garbage(connection, data, at, str(error))
            connection.close()
            return
        self._recording.received(at, slack, connection.local, connection.remote, data)
        if connection.wanted:
            self._receive(message, Hop(self, connection.remote))

    def on_garbage(self, connection: Connection, data: bytes, at: int, why: str) -> None:
        """From a connection: what came is no SIP."""
        self._recording.garbage(at, connection.local, connection.remote, data, why)

    def on_sent(self, connection: Connection, message: Outgoing, at: int, slack: int) -> None:
        """From a connection: a message is out."""
        self._recording.sent(at, slack, connection.local, connection.remote, message.data, message.origin)

    def on_closed(self, connection: Connection) -> None:
        """From a connection: it is over."""
        self._connections.discard(connection)
        if self._known.get(connection.remote) is connection:
            del self._known[connection.remote]
            if self.on_cut is not None and self._port.is_open:
                self._clock.loop.call_soon(self.on_cut, connection.remote)

    def _check(self, remote: Address) -> None:
        if not self._port.is_open:
            raise SendFailed("the port is closed")
        if not self.allows(remote):
            raise SendFailed(f"{host_port(remote)} is no address of the system: nothing is sent there")

    def _connect(self, remote: Address, host: str, *, known: bool) -> Connection:
        if len(self._connections) >= MAX_CONNECTIONS:
            raise SendFailed(f"no connection to {host_port(remote)}: there are {MAX_CONNECTIONS} already")
        sock: socket.socket | None = None
        try:
            sock = socket.socket(family_of(remote[0]), socket.SOCK_STREAM)
            connection = Connection(self._clock, sock, remote, self, lambda: self._pipe(remote, server=False))
            sock.bind((host, 0))
            connection.connect()
        except (OSError, OverflowError) as error:
            if sock is not None:
                sock.close()
            raise SendFailed(f"cannot connect to {host_port(remote)}: {error}") from error
        self._connections.add(connection)
        if known:
            self._known[remote] = connection
        return connection

    def _accept(self, sock: socket.socket, remote: Address) -> None:
        if len(self._connections) >= MAX_CONNECTIONS:
            self.refused += 1
            sock.close()
            return
        try:
            connection = Connection(self._clock, sock, remote, self, lambda: self._pipe(remote, server=True))
        except OSError:  # gone already
            sock.close()
            return
        self._connections.add(connection)
        self._known[remote] = connection
        connection.begin()

    def _pipe(self, remote: Address, *, server: bool) -> Pipe:
        tls: Tls | None = None
        if self._contexts is not None and self._files is not None:
            name = "" if server else self._files.name or remote[0]
            tls = Tls(self._contexts[server], server=server, name=name)
        codec: Codec = self._codec(opened=not server)
        if self._kind in ("ws", "wss"):
            codec = WebSocket(server=server, remote=remote, secure=self._kind == "wss")
        return Pipe(tls, codec)
