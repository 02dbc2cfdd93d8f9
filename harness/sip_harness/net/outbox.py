"""What waits to be written to a stream socket: in order, in pieces where wanted, recorded when it is out."""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sip_harness.model.entry import Origin
from sip_harness.net.base import OnLost
from sip_harness.net.clock import Clock, Timer
from sip_harness.net.silence import silence_of

PIECE_GAP = 0.02
"""Seconds between the pieces of a message: long enough for the peer to read each by itself."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message on its way out."""

    data: bytes
    origin: Origin
    pieces: Sequence[int] = ()
    on_lost: OnLost | None = None


@dataclass(slots=True)
class _Write:
    data: memoryview
    message: Outgoing | None
    """The message that these bytes belong to; None for what is none."""
    first: bool
    last: bool
    """Whether they are its first and its last ones."""


class Outbox:
    """Writes to a connected, non-blocking socket as fast as the peer takes it."""

    def __init__(
        self,
        clock: Clock,
        sock: socket.socket,
        on_sent: Callable[[Outgoing, int, int], None],
        on_error: Callable[[OSError], None],
    ) -> None:
        """`on_sent` gets a message, the time before its first write and how long the writing took (nanoseconds)."""
        self.unsent = 0
        """Bytes that wait."""
        self._clock = clock
        self._sock = sock
        self._on_sent = on_sent
        self._on_error = on_error
        self._writes: deque[_Write] = deque()
        self._waits = False
        self._pause: Timer | None = None
        self._begun = 0
        self._silence = silence_of(clock.loop)

    def put(self, parts: Sequence[bytes], message: Outgoing | None = None) -> None:
        """Take bytes, and write what can be written now; several parts with a short time between them."""
        for index, part in enumerate(parts):
            self._writes.append(_Write(memoryview(part), message, index == 0, index == len(parts) - 1))
            self.unsent += len(part)
        if not self._waits and self._pause is None:
            self._flush()

    def stop(self) -> list[Outgoing]:
        """Write no more; the messages that are not out, in order."""
        if self._waits:
            self._clock.loop.remove_writer(self._sock)
            self._waits = False
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        left = [write.message for write in self._writes if write.last and write.message is not None]
        self._writes.clear()
        self.unsent = 0
        return left

    def _flush(self) -> None:
        self._pause = None
        while self._writes:
            write = self._writes[0]
            if not self._write(write):
                return
            self._writes.popleft()
            if write.last and write.message is not None:
                self._on_sent(write.message, self._begun, time.time_ns() - self._begun)
            elif write.message is not None:
                self._pause = self._clock.after(PIECE_GAP, self._flush)
                return

    def _write(self, write: _Write) -> bool:
        """Write bytes; False if some are left, or the socket is broken."""
        if write.first:
            write.first = False
            self._begun = time.time_ns()
            self._silence.look()
        try:
            taken = self._sock.send(write.data)
        except (BlockingIOError, InterruptedError):
            taken = 0
        except OSError as error:
            self._on_error(error)
            return False
        write.data = write.data[taken:]
        self.unsent -= taken
        self._wait(len(write.data) > 0)
        return not write.data

    def _wait(self, needed: bool) -> None:
        """Go on when the peer has taken what is under way."""
        if needed and not self._waits:
            self._clock.loop.add_writer(self._sock, self._flush)
        elif self._waits and not needed:
            self._clock.loop.remove_writer(self._sock)
        self._waits = needed
