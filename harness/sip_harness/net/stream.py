"""SIP over TCP, TLS and WebSocket: one transport that listens and connects (RFC 3261 18, RFC 7118)."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence

from sip_harness.model.entry import Address, Malformed, Origin
from sip_harness.model.entry import Message as MessageEntry
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
)
from sip_harness.net.clock import Clock
from sip_harness.net.codec import Codec, Plain
from sip_harness.net.connection import Connection
from sip_harness.net.kernel import warm_up
from sip_harness.net.outbox import Outgoing
from sip_harness.net.pipe import Pipe
from sip_harness.net.sockets import family_of, other_host, stuff
from sip_harness.net.tls import Tls, TlsFiles, client_context, server_context
from sip_harness.net.ws import WebSocket, require_websockets
from sip_harness.sip.message import MalformedMessage, parse

MAX_CONNECTIONS = 1000
"""Connections of one transport at one time; further ones are closed as they come."""
MAX_MALFORMED = 1000
"""Pieces of rubbish that one transport records; further ones are only counted."""
_BACKLOG = 128
_REST = 0.1


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
        self.malformed = 0
        """How often a peer sent what is no SIP."""
        self.on_cut: Callable[[Address], None] | None = None
        """Told that the connection with a peer is gone, unless by `close`; settable."""
        self.refused = 0
        """Connections that were one too many."""
        self._kind = kind
        self._codec = codec
        self._clock = clock
        self._agent = agent
        self._record = record
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
        self._stuffing: list[socket.socket] = []
        """What keeps the queue of a port full that lets nobody in."""
        self._sock = _listen(bind)
        host, port = self._sock.getsockname()[:2]
        self._local: Address = (host, port)
        clock.loop.add_reader(self._sock, self._acceptable)

    @property
    def local(self) -> Address:
        """Where it listens."""
        return self._local

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
            host = other_host(self._local[0]) if port == "elsewhere" else self._local[0]
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
        connection = self._known.get(remote) or self._connect(remote, self._local[0], known=True)
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
            if kind != "reset":
                self._clock.loop.remove_reader(self._sock)
            if kind == "close":
                self._sock.close()
            elif kind == "blackhole":
                self._stuffing += stuff(self._sock)
        for connection in chosen:
            ends = {"reset": connection.reset, "half-open": connection.deafen}
            ends.get(kind, connection.close)()

    def close(self) -> None:
        """Free the port and end all connections. What was received and not yet read is read and recorded first."""
        for sock in self._stuffing:
            sock.close()
        if self._sock.fileno() >= 0:
            self._clock.loop.remove_reader(self._sock)
            self._sock.close()
        self._receive = _nobody
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
        self._record(
            MessageEntry(
                at, slack, self._agent, "received", connection.local, connection.remote, data, "system", self._kind
            )
        )
        if connection.wanted:
            self._receive(message, Hop(self, connection.remote))

    def on_garbage(self, connection: Connection, data: bytes, at: int, why: str) -> None:
        """From a connection: what came is no SIP."""
        self.malformed += 1
        if self.malformed == MAX_MALFORMED:
            why += f" (number {MAX_MALFORMED} of this kind: further ones are not recorded)"
        if self.malformed <= MAX_MALFORMED:
            self._record(Malformed(at, self._agent, connection.local, connection.remote, data, why))

    def on_sent(self, connection: Connection, message: Outgoing, at: int, slack: int) -> None:
        """From a connection: a message is out."""
        self._record(
            MessageEntry(
                at,
                slack,
                self._agent,
                "sent",
                connection.local,
                connection.remote,
                message.data,
                message.origin,
                self._kind,
            )
        )

    def on_closed(self, connection: Connection) -> None:
        """From a connection: it is over."""
        self._connections.discard(connection)
        if self._known.get(connection.remote) is connection:
            del self._known[connection.remote]
            if self.on_cut is not None and self._sock.fileno() >= 0:
                self._clock.loop.call_soon(self.on_cut, connection.remote)

    def _check(self, remote: Address) -> None:
        if self._sock.fileno() < 0:
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

    def _acceptable(self) -> None:
        for _ in range(_BACKLOG):
            try:
                sock, remote = self._sock.accept()
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self._rest()
                return
            self._accept(sock, remote[:2])

    def _rest(self) -> None:
        """No descriptor is left: let those who knock wait instead of asking for one all the time."""
        self._clock.loop.remove_reader(self._sock)
        self._clock.after(_REST, self._listen_on)

    def _listen_on(self) -> None:
        if self._sock.fileno() >= 0 and self.disconnected not in ("half-open", "blackhole"):
            self._clock.loop.add_reader(self._sock, self._acceptable)

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


def _nobody(_message: object, _hop: object) -> None:
    """Receiver of a closed transport."""


def _listen(bind: Address) -> socket.socket:
    sock = socket.socket(family_of(bind[0]), socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.bind(bind)
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
