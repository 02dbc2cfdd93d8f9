"""Kernel receive times for a socket that somebody else reads (Linux).

pjsip reads its socket itself, so the time cannot come along with the datagram; but the kernel remembers it for the last
datagram that was read (ioctl SIOCGSTAMPNS). The kernel begins to stamp only some time after the first socket of
the machine has asked for it, and until then the answer is the time of reading. So one socket asks ahead and stays open.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import struct
import time

SIOCGSTAMPNS = 0x8907
SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")
_LIMIT = 1.0


class NoStamps(OSError):
    """The kernel gives no receive times here."""


def stamp(fd: int) -> int | None:
    """Receive time of the datagram that was last read from this socket, nanoseconds since the epoch; None if the
    kernel has none. The first question to a socket switches stamping on for it."""
    try:
        seconds, rest = _TIMESPEC.unpack(fcntl.ioctl(fd, SIOCGSTAMPNS, bytes(_TIMESPEC.size)))
    except OSError:
        return None
    return int(seconds) * 1_000_000_000 + int(rest)


def udp_fd(port: int) -> int:
    """The file descriptor of this process's UDP socket that is bound to `port`. Raises OSError if there is none."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers are wanted
        if _udp_port(int(name)) == port:
            return int(name)
    raise OSError(f"no socket of this process is bound to UDP port {port}")


def _udp_port(fd: int) -> int:
    """The UDP port of a file descriptor; 0 if it is nothing of the kind."""
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return 0
        # A socket object closes its descriptor, so it gets one of its own.
        with socket.socket(fileno=os.dup(fd)) as sock:
            is_udp = sock.type == socket.SOCK_DGRAM and sock.family == socket.AF_INET
            return int(sock.getsockname()[1]) if is_udp else 0
    except OSError:
        return 0


def keep_stamping() -> socket.socket:
    """Wait until the kernel truly stamps what arrives; it goes on as long as the returned socket is open.

    Raises NoStamps if it has not begun within a second.
    """
    keeper = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        keeper.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            probe.connect(probe.getsockname())
            probe.settimeout(_LIMIT)
            stamp(probe.fileno())
            _wait_for_truth(probe)
    except OSError as error:
        keeper.close()
        raise NoStamps(f"the kernel gives no receive times: {error}") from error
    return keeper


def _wait_for_truth(probe: socket.socket) -> None:
    end = time.monotonic() + _LIMIT
    while True:
        probe.send(b"probe")
        sent = time.time_ns()
        probe.recv(16)
        arrived = stamp(probe.fileno())
        # A stamp that was made up on reading is later than the end of the sending.
        if arrived is not None and arrived <= sent:
            return
        if time.monotonic() > end:
            raise OSError(f"none within {_LIMIT:g} s")
        os.sched_yield()
