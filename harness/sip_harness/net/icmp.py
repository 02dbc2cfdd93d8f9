"""What ICMP says about datagrams that could not be delivered (RFC 3261 18.4), by Linux's IP_RECVERR.

The kernel keeps the error with the beginning of the datagram that it is about, so it can be told which one was lost.
"""

from __future__ import annotations

import os
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sip_harness.model.entry import Address
from sip_harness.net.base import OnLost, host_port

REMEMBERED = 5.0
"""Seconds after which no error about a datagram is expected any more."""
MAX_REMEMBERED = 1000
"""Datagrams of one socket that are remembered; of more under way the oldest are lost without a word."""
_BATCH = 64
_IP_RECVERR, _IPV6_RECVERR = 11, 25  # <linux/in.h>, <linux/in6.h>; also the types of the ancillary message
_ERROR = struct.Struct("=IBBBBII")  # struct sock_extended_err of <linux/errqueue.h>
_ROOM = socket.CMSG_SPACE(_ERROR.size + 28) + socket.CMSG_SPACE(16)  # with the sender's address; a time stamp
_QUOTED = 2048
# Origin and type of what counts: destination unreachable and parameter problem. Time exceeded and source quench are to
# be ignored (RFC 3261 18.4).
_COUNTS = {(2, 3), (2, 12), (3, 1), (3, 4)}


@dataclass(frozen=True, slots=True)
class Undelivered:
    """One ICMP error."""

    remote: Address
    """Where the datagram was sent to."""
    quoted: bytes
    """How it began."""
    why: str


def ask_for_errors(sock: socket.socket) -> None:
    """Have the kernel keep ICMP errors for `errors_of`. From then on any call may raise one instead of working."""
    v6 = sock.family == socket.AF_INET6
    sock.setsockopt(*((socket.IPPROTO_IPV6, _IPV6_RECVERR) if v6 else (socket.IPPROTO_IP, _IP_RECVERR)), 1)


def errors_of(sock: socket.socket) -> list[Undelivered]:
    """What the kernel has kept, oldest first; at most so many as are read at one wake-up."""
    found = []
    for _ in range(_BATCH):
        try:
            quoted, ancillary, _, remote = sock.recvmsg(_QUOTED, _ROOM, socket.MSG_ERRQUEUE)
        except OSError:
            break
        for level, kind, data in ancillary:
            if (level, kind) in ((socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)):
                number, origin, of_type, *_ = _ERROR.unpack_from(data)
                if (origin, of_type) in _COUNTS:
                    address: Address = remote[:2]
                    found.append(Undelivered(address, quoted, f"{host_port(address)}: {os.strerror(number)}"))
    return found


class UnderWay:
    """Datagrams that an error may still come back for, and who wants to hear of it."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` in seconds of any monotonic clock."""
        self._now = now
        self._sent: deque[tuple[float, Address, bytes, OnLost]] = deque(maxlen=MAX_REMEMBERED)

    def add(self, remote: Address, data: bytes, on_lost: OnLost) -> None:
        """A datagram was sent."""
        now = self._now()
        while self._sent and self._sent[0][0] < now - REMEMBERED:
            self._sent.popleft()
        self._sent.append((now, remote, data, on_lost))

    def take(self, error: Undelivered) -> OnLost | None:
        """Who is to be told: whoever sent the oldest datagram that this can be about. Each is told once."""
        for entry in self._sent:
            _, remote, data, on_lost = entry
            if error.quoted and remote == error.remote and data.startswith(error.quoted):
                self._sent.remove(entry)
                return on_lost
        return None
