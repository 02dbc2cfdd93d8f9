"""The port of a stream transport: lets connections in, until it is closed, or lets nobody in any more."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

from sip_harness.model.entry import Address
from sip_harness.net.base import Disconnection
from sip_harness.net.clock import Clock
from sip_harness.net.sockets import family_of, stuff

_BACKLOG = 128
_REST = 0.1


class Listener:
    """One listening socket on the event loop."""

    def __init__(self, clock: Clock, bind: Address, on_accept: Callable[[socket.socket, Address], None]) -> None:
        """Listen; port 0 takes a free one. `on_accept` gets every connection that comes in, and from where. Raises
        OSError: port taken."""
        self._clock = clock
        self._on_accept = on_accept
        self._lets_in = True
        self._stuffing: list[socket.socket] = []
        """What keeps the queue of a port full that lets nobody in."""
        self._sock = _listen(bind)
        host, port = self._sock.getsockname()[:2]
        self.local: Address = (host, port)
        """Where it listens."""
        clock.loop.add_reader(self._sock, self._acceptable)

    @property
    def is_open(self) -> bool:
        """Whether the port is held, even if nobody is let in."""
        return self._sock.fileno() >= 0

    def shut(self, kind: Disconnection) -> None:
        """See `StreamTransport.disconnect`; `reset` leaves the port as it is."""
        if kind == "reset":
            return
        self._lets_in = False
        self._clock.loop.remove_reader(self._sock)
        if kind == "close":
            self._sock.close()
        elif kind == "blackhole":
            self._stuffing += stuff(self._sock)

    def close(self) -> None:
        """Free the port. Closing twice does no harm."""
        for sock in self._stuffing:
            sock.close()
        if self.is_open:
            self._clock.loop.remove_reader(self._sock)
            self._sock.close()

    def _acceptable(self) -> None:
        for _ in range(_BACKLOG):
            try:
                sock, remote = self._sock.accept()
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self._rest()
                return
            self._on_accept(sock, remote[:2])

    def _rest(self) -> None:
        """No descriptor is left: let those who knock wait instead of asking for one all the time."""
        self._clock.loop.remove_reader(self._sock)
        self._clock.after(_REST, self._listen_on)

    def _listen_on(self) -> None:
        if self.is_open and self._lets_in:
            self._clock.loop.add_reader(self._sock, self._acceptable)


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
