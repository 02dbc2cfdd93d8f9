"""A pair of UDP ports for RTP and RTCP: every datagram comes with the kernel's receive time (RFC 3550 11)."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress

from sip_harness.model.entry import Address
from sip_harness.net.base import Guard, SendFailed
from sip_harness.net.clock import Clock
from sip_harness.net.kernel import ANCILLARY_SIZE, ask_for_stamps, stamp_of, warm_up
from sip_harness.sip.rtp import MAX_PACKET

BATCH = 64
"""Datagrams read at one wake-up, so that a flood at one port does not starve the others."""
_RECEIVE_BUFFER = 1 << 20
_TRIES = 100

RtpReceiver = Callable[[bytes, Address, int], None]
"""Takes the bytes of a datagram, where it came from and its receive time in nanoseconds since the epoch."""


class RtpPort:
    """An even port for RTP and the odd one after it for RTCP, on one host."""

    def __init__(self, clock: Clock, host: str, receive: RtpReceiver, guard: Guard | None = None) -> None:
        """Open free ports and listen. Raises OSError, NoKernelTime."""
        warm_up()
        self.reports = 0
        """RTCP datagrams that came; nobody reads them, but nobody must get an ICMP error for them either."""
        self._clock = clock
        self._receive = receive
        self._guard = guard
        self._buffer = bytearray(MAX_PACKET + 1)  # one more: what is longer must be seen to be so
        self._rtp, self._rtcp = _pair(host)
        bound = self._rtp.getsockname()
        self.local: Address = (bound[0], bound[1])
        """Where RTP is expected."""
        clock.loop.add_reader(self._rtp.fileno(), self._readable)
        clock.loop.add_reader(self._rtcp.fileno(), self._drain)

    def send(self, data: bytes, remote: Address) -> int:
        """Send one packet; the time just before the call, nanoseconds since the epoch. Raises SendFailed."""
        if self._rtp.fileno() < 0:
            raise SendFailed("the RTP port is closed")
        if self._guard is not None and not self._guard(remote):
            raise SendFailed(f"{remote[0]}:{remote[1]} is no address of the system: no RTP is sent there")
        before = time.time_ns()
        try:
            self._rtp.sendto(data, remote)
        except ConnectionRefusedError:  # an ICMP error about a packet before; this one says nothing yet
            with suppress(OSError):
                self._rtp.sendto(data, remote)
        except (OSError, OverflowError) as error:
            raise SendFailed(f"cannot send RTP to {remote[0]}:{remote[1]}: {error}") from error
        return before

    def close(self) -> None:
        """Free the ports. What was received and not yet read is read first. Closing twice does no harm."""
        if self._rtp.fileno() < 0:
            return
        self._clock.loop.remove_reader(self._rtp.fileno())
        self._clock.loop.remove_reader(self._rtcp.fileno())
        for _ in range(16 * BATCH):
            if not self._read():
                break
        self._rtp.close()
        self._rtcp.close()

    def _readable(self) -> None:
        for _ in range(BATCH):
            if self._rtp.fileno() < 0 or not self._read():
                return

    def _read(self) -> bool:
        """Read one datagram and hand it on; False if there is none."""
        try:
            size, ancillary, _, remote = self._rtp.recvmsg_into([self._buffer], ANCILLARY_SIZE)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:  # an ICMP error about something sent before
            return True
        stamp = stamp_of(ancillary)
        data = bytes(memoryview(self._buffer)[:size])
        self._receive(data, (remote[0], remote[1]), time.time_ns() if stamp is None else stamp)
        return True

    def _drain(self) -> None:
        with suppress(OSError):
            for _ in range(BATCH):
                self._rtcp.recv_into(self._buffer)
                self.reports += 1


def _pair(host: str) -> tuple[socket.socket, socket.socket]:
    """Two sockets on an even port and the one after it. Raises OSError if none are found."""
    for _ in range(_TRIES):
        first = _open(host, 0)
        port = first.getsockname()[1]
        try:
            second = _open(host, port ^ 1)
        except OSError:
            first.close()
            continue
        return (second, first) if port & 1 else (first, second)
    raise OSError(f"no two free ports beside each other on {host} in {_TRIES} tries")


def _open(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        ask_for_stamps(sock)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock
