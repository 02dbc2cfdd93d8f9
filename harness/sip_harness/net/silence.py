"""Since when a socket can have had something to read: moments at which it is known to have had nothing.

All streams of an event loop are looked at together just before anything is sent and whenever something is read. So
what the system does because of a message is never taken for earlier than that message, however late it is read.
"""

from __future__ import annotations

import asyncio
import select
import time
import weakref

_of_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Silence] = weakref.WeakKeyDictionary()


class Silence:
    """Which streams of one loop had nothing to read, and when."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._streams = 0
        self._looked = 0
        self._spoken: dict[int, int] = {}
        """When streams that have something to read were last seen without."""

    def enter(self, fd: int) -> None:
        """Look at this stream as well."""
        self._poll.register(fd, select.EPOLLIN)
        self._streams += 1
        self._spoken.pop(fd, None)

    def leave(self, fd: int) -> None:
        """Look at it no more; to be called before it is closed."""
        self._poll.unregister(fd)
        self._streams -= 1
        self._spoken.pop(fd, None)

    def look(self) -> None:
        """See who has nothing to read just now."""
        if not self._streams:
            return
        now = time.time_ns()
        for fd, _ in self._poll.poll(0):
            self._spoken.setdefault(fd, self._looked)
        self._looked = now

    def drained(self, fd: int) -> None:
        """Everything that this stream had was read."""
        self._spoken.pop(fd, None)

    def until(self, fd: int) -> int:
        """When it last had nothing to read, nanoseconds since the epoch: what is there now came later. 0: not known."""
        return self._spoken.get(fd, self._looked)


def silence_of(loop: asyncio.AbstractEventLoop) -> Silence:
    """What all sockets of this loop share."""
    found = _of_loops.get(loop)
    if found is None:
        found = _of_loops[loop] = Silence()
    return found
