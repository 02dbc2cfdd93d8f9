"""A UDP socket for SIP on the event loop: every datagram in or out is recorded, with the kernel's receive time."""

from __future__ import annotations

import socket
import time

from sip_harness.model.entry import Address, Malformed, Origin
from sip_harness.model.entry import Message as MessageEntry
from sip_harness.net.base import Guard, Hop, Receiver, Recorder, SendFailed
from sip_harness.net.clock import Clock
from sip_harness.net.kernel import ANCILLARY_SIZE, ask_for_stamps, stamp_of, warm_up
from sip_harness.sip.message import MAX_MESSAGE, MalformedMessage, parse

BATCH = 64
"""Datagrams read at one wake-up, so that a flood at one socket does not starve the others."""
MAX_MALFORMED = 1000
"""Datagrams that are no SIP which one socket records; further ones are only counted."""
_RECEIVE_BUFFER = 4 << 20


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
    ) -> None:
        """Open and listen; port 0 takes a free one. Raises OSError (port taken), NoKernelTime."""
        warm_up()
        self.keepalives = 0
        """Keep-alive datagrams ignored."""
        self.malformed = 0
        """Datagrams that were no SIP message."""
        self._clock = clock
        self._agent = agent
        self._record = record
        self._receive = receive
        self._guard = guard
        self._buffer = bytearray(MAX_MESSAGE)
        self._sock = _open(bind)
        host, port = self._sock.getsockname()[:2]
        self._local: Address = (host, port)
        clock.loop.add_reader(self._sock.fileno(), self._readable)

    @property
    def local(self) -> Address:
        """Where it is bound."""
        return self._local

    def send(self, data: bytes, remote: Address, origin: Origin) -> None:
        """Send one message; the record gets the time before the call, and how long it took as slack."""
        if self._sock.fileno() < 0:
            raise SendFailed("the socket is closed")
        if self._guard is not None and not self._guard(remote):
            raise SendFailed(f"{remote[0]}:{remote[1]} is no address of the system: nothing is sent there")
        before = time.time_ns()
        try:
            self._sock.sendto(data, remote)
        except (OSError, OverflowError) as error:
            raise SendFailed(f"cannot send {len(data)} bytes to {remote[0]}:{remote[1]}: {error}") from error
        slack = time.time_ns() - before
        self._record(MessageEntry(before, slack, self._agent, "sent", self._local, remote, data, origin))

    def close(self) -> None:
        """Free the port. What was received and not yet read is read and recorded first."""
        if self._sock.fileno() < 0:
            return
        self._clock.loop.remove_reader(self._sock.fileno())
        self._receive = _nobody
        for _ in range(16 * BATCH):
            if not self._read():
                break
        self._sock.close()

    def _readable(self) -> None:
        for _ in range(BATCH):
            if self._sock.fileno() < 0 or not self._read():
                return

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
        self._handle(bytes(memoryview(self._buffer)[:size]), (remote[0], remote[1]), stamped)
        return True

    def _handle(self, data: bytes, remote: Address, stamp: int) -> None:
        if not data.strip(b"\r\n\0"):  # RFC 5626 3.5.1 and what NAT helpers of proxies send
            self.keepalives += 1
            return
        try:
            message = parse(data)
        except MalformedMessage as error:
            self._refuse(data, remote, stamp, str(error))
            return
        self._record(MessageEntry(stamp, 0, self._agent, "received", self._local, remote, data, "system"))
        self._receive(message, Hop(self, remote))

    def _refuse(self, data: bytes, remote: Address, stamp: int, why: str) -> None:
        self.malformed += 1
        if self.malformed == MAX_MALFORMED:
            why += f" (datagram {MAX_MALFORMED} of this kind: further ones are not recorded)"
        if self.malformed <= MAX_MALFORMED:
            self._record(Malformed(stamp, self._agent, self._local, remote, data, why))


def _nobody(_message: object, _hop: object) -> None:
    """Receiver of a closed socket."""


def _open(bind: Address) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        ask_for_stamps(sock)
        sock.bind(bind)
    except OSError:
        sock.close()
        raise
    return sock
