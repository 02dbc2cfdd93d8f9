"""Receive times from the Linux kernel: switched on and proved to be on.

A datagram is stamped when it enters the receiving stack, with the real-time clock (SO_TIMESTAMPNS). The kernel begins
to stamp only some time after the first socket has asked for it; until then a datagram gets the time of its *reading*,
which may be much later. So one socket of the process asks ahead and stays open.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass

SO_TIMESTAMPNS = 35  # <asm-generic/socket.h>; also the type of the ancillary message
_TIMESPEC = struct.Struct("@qq") if struct.calcsize("@l") == 8 else struct.Struct("@ll")
ANCILLARY_SIZE = socket.CMSG_SPACE(_TIMESPEC.size)
_LIMIT = 2.0
_keeper: list[socket.socket] = []


class NoKernelTime(OSError):
    """This kernel gives no true receive times."""


def ask_for_stamps(sock: socket.socket) -> None:
    """Make the kernel hand over the receive time of every datagram of this socket. Raises NoKernelTime."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    except OSError as error:
        raise NoKernelTime(f"the kernel refuses receive time stamps: {error.strerror}") from error


def stamp_of(ancillary: Iterable[tuple[int, int, bytes]]) -> int | None:
    """The receive time in what came along with a datagram, nanoseconds since the epoch; None if there is none."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) >= _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return None


@dataclass(frozen=True, slots=True)
class Probe:
    """One datagram that this process sent to itself; all times in nanoseconds since the epoch."""

    before: int
    """Before the call that sent it."""
    after: int
    """After that call."""
    stamp: int
    """The kernel's receive time."""
    read: int
    """When reading began: a stamp that is not before it is not a receive time."""


def warm_up() -> None:
    """Return once the kernel truly stamps what this process receives, and keep it so until the process ends.

    Takes microseconds where stamping is already on, some milliseconds at the first time. Raises NoKernelTime if it
    does not come on within two seconds.
    """
    if _keeper:
        return
    sock = loop_socket()
    end = time.monotonic() + _LIMIT
    while not _is_true(probe(sock)):
        if time.monotonic() > end:
            sock.close()
            raise NoKernelTime(f"the kernel gave no true receive time within {_LIMIT:g} s")
        os.sched_yield()
    _keeper.append(sock)


def probe(sock: socket.socket) -> Probe:
    """Send one datagram through a socket that is connected to itself. Raises NoKernelTime if it carries no stamp."""
    before = time.time_ns()
    sock.send(b"probe")
    after = time.time_ns()
    read = time.time_ns()
    _, ancillary, _, _ = sock.recvmsg(16, ANCILLARY_SIZE)
    stamp = stamp_of(ancillary)
    if stamp is None:
        raise NoKernelTime("the kernel handed a datagram over without its receive time")
    return Probe(before, after, stamp, read)


def _is_true(found: Probe) -> bool:
    return found.stamp <= found.read


def loop_socket() -> socket.socket:
    """A stamping socket connected to itself: nobody else's datagrams come in."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.bind(("127.0.0.1", 0))
        sock.connect(sock.getsockname())
        sock.settimeout(_LIMIT)
        ask_for_stamps(sock)
    except OSError:
        sock.close()
        raise
    return sock
