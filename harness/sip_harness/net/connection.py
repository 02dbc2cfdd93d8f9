"""One stream connection on the event loop: messages in with the kernel's receive times, messages out in order.

The kernel stamps TCP segments as it does datagrams, and a read hands over the stamp of the last segment that it took
bytes from. So a message that ends with what was read has its exact time, also under TLS and WebSocket, whose bytes are
read the same way. A message with others behind it in one read came at some moment since the reader was last known to
be drained: it gets that moment as its time, and what is left up to the stamp as slack.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Literal, Protocol

from sip_harness.model.entry import Address
from sip_harness.net.base import OnLost, SendFailed, host_port
from sip_harness.net.clock import Clock, Timer
from sip_harness.net.codec import Broken
from sip_harness.net.kernel import ANCILLARY_SIZE, ask_for_stamps, stamp_of
from sip_harness.net.outbox import Outbox, Outgoing
from sip_harness.net.pipe import Pipe
from sip_harness.net.silence import silence_of
from sip_harness.sip.framing import KeepAlive

MAX_UNSENT = 4 << 20
"""Bytes that wait on one connection for a peer that does not read."""
PATIENCE = 5.0
"""Seconds that a connection may take until messages can be sent on it."""
BATCH = 16
"""Reads at one wake-up, so that one peer does not starve the others."""
_CHUNK = 65_536
_UNPROVEN = 1000
_LINGER_NOT = b"\x01\0\0\0\0\0\0\0"  # struct linger {1, 0}: close() resets

State = Literal["connecting", "shaking", "open", "closed"]
MakePipe = Callable[[], Pipe]


class Owner(Protocol):
    """Who has connections; told what becomes of them. None of these may raise."""

    def on_message(self, connection: Connection, data: bytes, at: int, slack: int) -> None:
        """A message came; one of nothing but line ends is a keep-alive."""

    def on_garbage(self, connection: Connection, data: bytes, at: int, why: str) -> None:
        """What came is nothing that this transport can read."""

    def on_sent(self, connection: Connection, message: Outgoing, at: int, slack: int) -> None:
        """The last byte of a message was handed to the kernel."""

    def on_closed(self, connection: Connection) -> None:
        """It is over. Once."""


class Connection:
    """A stream socket, connected or on its way to be."""

    def __init__(self, clock: Clock, sock: socket.socket, remote: Address, owner: Owner, make_pipe: MakePipe) -> None:
        """Takes the socket over. Follow with `connect` or, for an accepted one, `begin`. Raises OSError."""
        self.remote = remote
        self.state: State = "connecting"
        self._clock = clock
        self._sock = sock
        self._owner = owner
        self._make_pipe = make_pipe
        self._opened = False
        self._pipe: Pipe | None = None
        self._outbox = Outbox(clock, sock, self._sent, self._failed)
        self._waiting: deque[Outgoing] = deque()
        self._unproven: deque[OnLost] = deque(maxlen=_UNPROVEN)
        self._watchers: list[Callable[[str], None]] = []
        self._patience: Timer | None = None
        self._silence = silence_of(clock.loop)
        self._known = time.time_ns()
        self._last = self._known
        self._deaf = False
        self.wanted = True
        """Whether what is received concerns anybody; once it is to be closed it is only recorded."""
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ask_for_stamps(sock)

    @property
    def local(self) -> Address:
        """Our address of this connection."""
        return self._local

    def connect(self) -> None:
        """Begin to connect; what is sent meanwhile waits. What goes wrong is told later, to those who wait."""
        self._opened = True
        error = self._sock.connect_ex(self.remote)
        self._local: Address = self._sock.getsockname()[:2]
        self._patience = self._clock.after(PATIENCE, self._too_long)
        if error in (0, errno.EINPROGRESS):
            self._clock.loop.add_writer(self._sock, self._connected)
        else:
            self._clock.loop.call_soon(self._end, f"{self._where}: {os.strerror(error)}")

    def begin(self) -> None:
        """It is connected: read, and shake hands where that is the way."""
        self._local = self._sock.getsockname()[:2]
        self.state = "shaking"
        try:
            self._pipe = self._make_pipe()
        except (Broken, OSError) as error:
            self._end(f"{self._where}: {error}")
            return
        self._clock.loop.add_reader(self._sock, self._readable)
        self._silence.enter(self._sock.fileno())
        if self._patience is None:
            self._patience = self._clock.after(PATIENCE, self._too_long)
        self._go_on(self._pipe)

    def send(self, message: Outgoing) -> None:
        """Send a message, or keep it until that is possible. Raises SendFailed if too much waits already."""
        waiting = self._outbox.unsent + sum(len(m.data) for m in self._waiting)
        if waiting + len(message.data) > MAX_UNSENT:
            raise SendFailed(f"{self._where} does not read: {waiting} bytes wait already")
        if self.state == "open" and self._pipe is not None:
            self._write(self._pipe, message)
        else:
            self._waiting.append(message)

    def ping(self) -> None:
        """Send a keep-alive (RFC 5626 4.4.1), which is no message; nothing if there is something on its way already."""
        if self.state == "open" and self._pipe is not None and not (self._outbox.unsent or self._waiting):
            with suppress(Broken):
                self._outbox.put(self._pipe.wrap(KeepAlive.PING.value))

    def watch(self, watcher: Callable[[str], None]) -> None:
        """Tell when messages can be sent (with an empty text), or why that will never be."""
        if self.state == "open":
            watcher("")
        else:
            self._watchers.append(watcher)

    def close(self) -> None:
        """A regular end: what was received is still read and recorded, nothing waits any longer."""
        if self.state != "closed":
            self.wanted = False
            for _ in range(BATCH):
                if self._pipe is None or self._deaf or not self._read():
                    break
            self._say_last(lambda pipe: pipe.end())
            self._end("the connection was closed here")

    def reset(self) -> None:
        """End with RST, as of a process that died."""
        if self.state != "closed":
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            self._end("the connection was reset here")

    def deafen(self) -> None:
        """Stay open and never read again."""
        self._deaf = True
        self._clock.loop.remove_reader(self._sock)

    @property
    def _where(self) -> str:
        return f"connection {'to' if self._opened else 'from'} {host_port(self.remote)}"

    def _connected(self) -> None:
        self._clock.loop.remove_writer(self._sock)
        error = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._end(f"{self._where}: {os.strerror(error)}")
        else:
            self.begin()

    def _too_long(self) -> None:
        self._patience = None
        if self.state in ("connecting", "shaking"):
            self._end(f"{self._where}: not ready within {PATIENCE:g} s")

    def _readable(self) -> None:
        self._silence.look()
        for _ in range(BATCH):
            if self.state == "closed" or self._deaf or not self._read():
                return

    def _read(self) -> bool:
        """Read once; False if there is nothing (more)."""
        before = time.time_ns()
        try:
            data, ancillary, _, _ = self._sock.recvmsg(_CHUNK, ANCILLARY_SIZE)
        except (BlockingIOError, InterruptedError):
            self._known = before
            self._silence.drained(self._sock.fileno())
            return False
        except OSError as error:
            self._failed(error)
            return False
        if not data:
            self._end(f"{self._where}: closed by the peer")
            return False
        now = time.time_ns()
        stamp = stamp_of(ancillary) or now
        self._clock.late((now - stamp) / 1e9)
        self._take(data, stamp)
        return self.state != "closed"

    def _take(self, data: bytes, stamp: int) -> None:
        """Bytes that the kernel had at this time, and not before it was known to have none."""
        assert self._pipe is not None
        self._last = stamp
        self._unproven.clear()
        floor = min(max(self._known, self._silence.until(self._sock.fileno())), stamp)
        self._known = max(stamp, self._known)
        broken: Broken | None = None
        try:
            messages = self._pipe.feed(data)
        except Broken as error:
            messages, broken = list(error.read), error
        for index, message in enumerate(messages):
            exact = broken is None and index == len(messages) - 1 and self._pipe.whole
            at = stamp if exact else floor
            self._owner.on_message(self, message, at, stamp - at)
        if self.state == "closed":
            return
        if broken is None:
            self._go_on(self._pipe)
        else:
            self._give_up(broken, stamp)

    def _give_up(self, broken: Broken, stamp: int) -> None:
        if broken.rest and not (self._opened and self.state == "shaking"):
            self._owner.on_garbage(self, broken.rest, stamp, broken.why)
        self._say_last(lambda pipe: pipe.last_words())
        self._end(f"{self._where}: {broken}")

    def _go_on(self, pipe: Pipe) -> None:
        """Say what has to be said, and send what waits once that is possible."""
        try:
            if said := pipe.outgoing():
                self._outbox.put([said])
        except Broken as error:
            self._give_up(error, time.time_ns())
            return
        if self.state == "shaking" and pipe.ready:
            self._open(pipe)
        if pipe.over and self.state != "closed":
            self._say_last(lambda pipe: pipe.end())
            self._end(f"{self._where}: closed by the peer")

    def _open(self, pipe: Pipe) -> None:
        self.state = "open"
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            watcher("")
        while self._waiting and self.state == "open":
            self._write(pipe, self._waiting.popleft())

    def _write(self, pipe: Pipe, message: Outgoing) -> None:
        try:
            parts = pipe.wrap(message.data, message.pieces)
        except Broken as error:
            self._waiting.append(message)
            self._clock.loop.call_soon(self._end, f"{self._where}: {error}")
            return
        self._outbox.put(parts, message)

    def _sent(self, message: Outgoing, at: int, slack: int) -> None:
        if message.on_lost is not None:
            self._unproven.append(message.on_lost)
        self._owner.on_sent(self, message, at, slack)

    def _failed(self, error: OSError) -> None:
        """It broke: whether what was sent since the peer last said something has arrived is not known."""
        self._end(f"{self._where}: {error.strerror or error}", tuple(self._unproven))

    def _say_last(self, words: Callable[[Pipe], bytes]) -> None:
        """Say something before the end, as far as it can be said at once."""
        if self._pipe is None or self._outbox.unsent:
            return
        with suppress(OSError, Broken):
            if said := words(self._pipe):
                self._sock.send(said)

    def _end(self, why: str, unproven: Iterable[OnLost] = ()) -> None:
        if self.state == "closed":
            return
        self.state = "closed"
        self.wanted = False
        if self._patience is not None:
            self._patience.cancel()
        left = [*self._outbox.stop(), *self._waiting]
        self._waiting.clear()
        self._clock.loop.remove_reader(self._sock)
        self._clock.loop.remove_writer(self._sock)
        if self._pipe is not None:
            self._silence.leave(self._sock.fileno())
            if (half := self._pipe.rest).strip():
                self._owner.on_garbage(self, half, self._last, f"a message that never ended: {why}")
        self._sock.close()
        self._owner.on_closed(self)
        for tell in [*unproven, *(m.on_lost for m in left if m.on_lost is not None), *self._watchers]:
            self._clock.loop.call_soon(tell, why)
