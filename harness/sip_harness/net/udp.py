"""A UDP socket for SIP on the event loop: every datagram in or out is recorded, with the kernel's receive time."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Sequence
from contextlib import suppress

from sip_harness.model.entry import Address, Origin
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
from sip_harness.net.icmp import UnderWay, ask_for_errors, errors_of
from sip_harness.net.kernel import ANCILLARY_SIZE, ask_for_stamps, stamp_of, warm_up
from sip_harness.net.recording import Recording
from sip_harness.net.silence import silence_of
from sip_harness.net.sockets import family_of, other_host
from sip_harness.sip.message import MAX_MESSAGE, MalformedMessage, parse

BATCH = 64
"""Datagrams read at one wake-up, so that a flood at one socket does not starve the others."""
MAX_MALFORMED = 1_000_000
"""Datagrams that are no SIP which one socket records; further ones are only counted."""
PING = b"\r\n\r\n"
_RECEIVE_BUFFER = 4 << 20
_OF_ICMP = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENOPROTOOPT, errno.EPROTO)
_PENDING_ERRORS = 3
"""How often a send is tried again that an error about an earlier one has kept from being done."""


class UdpSocket:
    """One bound UDP socket; implements `net.base.Transport`."""

    name = "UDP"
    reliable = False

    def __init__(
        self,
        clock: Clock,
        bind: Address,
        *,
        agent: str,
        record: Recorder,
        receive: Receiver,
        guard: Guard | None = None,
        vet: Vet | None = None,
        heeds_icmp: bool = False,
    ) -> None:
        """Open and listen; port 0 takes a free one. With `heeds_icmp` a datagram that ICMP reports undelivered is lost
        with a word to `on_lost`: systems want to know (RFC 3261 18.4), agents only observe. Raises OSError (port
        taken), NoKernelTime."""
        warm_up()
        self.disconnected: Disconnection | None = None
        self.keepalives = 0
        """Keep-alive datagrams ignored."""
        self._clock = clock
        self._agent = agent
        self._record = record
        self._recording = Recording(agent, record, "udp", most=MAX_MALFORMED, unit="datagram")
        self._receive = receive
        self.public = ""
        self._guard = guard
        self._vet = vet
        self._others: dict[str, UdpSocket] = {}
        self._silence = silence_of(clock.loop)
        self._buffer = bytearray(MAX_MESSAGE)
        self._under_way = UnderWay(clock.now) if heeds_icmp else None
        self._sock = _open(bind, heeds_icmp=heeds_icmp)
        host, port = self._sock.getsockname()[:2]
        self._local: Address = (host, port)
        clock.loop.add_reader(self._sock.fileno(), self._readable)

    @property
    def local(self) -> Address:
        """Where it is bound."""
        return self._local

    @property
    def malformed(self) -> int:
        """Datagrams that were no SIP message."""
        return self._recording.malformed

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
        """Send one message; the record gets the time before the call, and how long it took as slack.

        A datagram that is lost on its way is lost without a word, but see `heeds_icmp`.
        """
        if self._sock.fileno() < 0:
            raise SendFailed("the socket is closed")
        self._check(data, remote)
        if pieces:
            raise SendFailed("UDP sends a message whole: it has no pieces")
        if port != "own":
            host = self._local[0] if port == "other" else other_host(self._local[0])
            self._open_other(host).send(data, remote, origin)
            return
        before = time.time_ns()
        self._silence.look()
        try:
            self._send(data, remote)
        except (OSError, OverflowError) as error:
            raise SendFailed(f"cannot send {len(data)} bytes to {host_port(remote)}: {error}") from error
        slack = time.time_ns() - before
        if self._under_way is not None and on_lost is not None:
            self._under_way.add(remote, data, on_lost)
        self._recording.sent(before, slack, self._local, remote, data, origin)

    def _send(self, data: bytes, remote: Address) -> None:
        """An ICMP error about something sent before says nothing about this datagram: then again."""
        for _ in range(_PENDING_ERRORS if self._under_way is not None else 0):
            try:
                self._sock.sendto(data, remote)
            except OSError as error:
                if error.errno not in _OF_ICMP:
                    raise
            else:
                return
        self._sock.sendto(data, remote)

    def reaches(self, remote: Address) -> bool:
        """Always: there is nothing to connect."""
        return True

    def allows(self, remote: Address) -> bool:
        """Whether the guard lets anything be sent there."""
        return self._guard is None or self._guard(remote)

    def ping(self, remote: Address) -> None:
        """Keep the way through a NAT open (RFC 5626 4.4.1's double CRLF, which servers ignore on UDP): no message."""
        if self.allows(remote) and self._sock.fileno() >= 0:
            with suppress(OSError):
                self._sock.sendto(PING, remote)

    def _check(self, data: bytes, remote: Address) -> None:
        if not self.allows(remote):
            raise SendFailed(f"{host_port(remote)} is no address of the system: nothing is sent there")
        if self._vet is not None and (why := self._vet(data, remote[0])):
            raise SendFailed(why)

    def disconnect(self, kind: Disconnection, remote: Address | None = None) -> None:
        """`close` frees the port: what comes next is answered by ICMP. `half-open` keeps it and reads no more."""
        if kind in ("reset", "blackhole") or remote is not None:
            raise SendFailed("UDP has no connection to reset" if kind == "reset" else "UDP has no connections")
        self.disconnected = kind
        if kind == "close":
            self.close()
        elif self._sock.fileno() >= 0:
            self._clock.loop.remove_reader(self._sock.fileno())

    def close(self) -> None:
        """Free the port. What was received and not yet read is read and recorded first."""
        for other in self._others.values():
            other.close()
        if self._sock.fileno() < 0:
            return
        self._clock.loop.remove_reader(self._sock.fileno())
        self._receive = nobody
        unread = 0 if self.disconnected == "half-open" else 16 * BATCH
        for _ in range(unread):
            if not self._read():
                break
        self._sock.close()

    def _open_other(self, host: str) -> UdpSocket:
        """A second socket, on a port that nobody has been told of."""
        if host not in self._others:
            try:
                self._others[host] = UdpSocket(
                    self._clock,
                    (host, 0),
                    agent=self._agent,
                    record=self._record,
                    receive=self._receive,
                    guard=self._guard,
                    vet=self._vet,
                )
            except OSError as error:
                raise SendFailed(f"no other port on {host}: {error}") from error
        return self._others[host]

    def _readable(self) -> None:
        self._silence.look()
        self._hear_errors()
        for _ in range(BATCH):
            if self._sock.fileno() < 0 or not self._read():
                return

    def _hear_errors(self) -> None:
        if self._under_way is None:
            return
        for error in errors_of(self._sock):
            if (tell := self._under_way.take(error)) is not None:
                self._clock.loop.call_soon(tell, error.why)

    def _read(self) -> bool:
        """Read and handle one datagram; False if there is none."""
        try:
            size, ancillary, _, remote = self._sock.recvmsg_into([self._buffer], ANCILLARY_SIZE)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:  # an ICMP error about something sent before; it says nothing about what is to be read
            return True
        now = time.time_ns()
        stamp = stamp_of(ancillary)
        stamped = now if stamp is None else stamp
        self._clock.late((now - stamped) / 1e9)
        self._handle(bytes(memoryview(self._buffer)[:size]), remote[:2], stamped)
        return True

    def _handle(self, data: bytes, remote: Address, stamp: int) -> None:
        if not data.strip(b"\r\n\0"):  # RFC 5626 3.5.1 and what NAT helpers of proxies send
            self.keepalives += 1
            return
        try:
            message = parse(data)
        except MalformedMessage as error:
            self._recording.garbage(stamp, self._local, remote, data, str(error))
            return
        self._recording.received(stamp, 0, self._local, remote, data)
        self._receive(message, Hop(self, remote))


def _open(bind: Address, *, heeds_icmp: bool) -> socket.socket:
    sock = socket.socket(family_of(bind[0]), socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        ask_for_stamps(sock)
        if heeds_icmp:
            ask_for_errors(sock)
        sock.bind(bind)
    except OSError:
        sock.close()
        raise
    return sock
