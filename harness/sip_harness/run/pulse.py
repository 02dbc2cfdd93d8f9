"""Whether this machine lets the runner, and the system that it has started, run when they want to.

A verdict about time needs to know: where a processor is missing, a system is late that has done nothing wrong. The
pulse beats on the event loop and notices each beat that comes late; for processes of the system it reads from the
kernel how long they were ready to run and had to wait.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress

from sip_harness.model.entry import Lag
from sip_harness.verdict.moments import DRIFT

BEAT = 0.02
"""Seconds between two beats."""
NOTABLE = 0.02
"""Seconds of waiting, in a beat or added up over beats that follow each other, that are told."""
MEMORY = DRIFT
"""Nanoseconds for which what was told is told to those who begin to watch, too: the system may still be behind."""
_TRIFLE = 0.002
"""Waiting per beat that nothing can be blamed on: it ends what is added up."""

Sink = Callable[[Lag], None]


class Waits:
    """How long some processes were ready to run and did not get a processor (Linux: /proc/PID/schedstat)."""

    def __init__(self, pids: Iterable[int]) -> None:
        """Watch them from now on. Those that have ended, and all where the kernel does not tell, count as never kept
        waiting."""
        self._files: list[int] = []
        for pid in pids:
            with suppress(OSError):
                self._files.append(os.open(f"/proc/{pid}/schedstat", os.O_RDONLY | os.O_CLOEXEC))
        self._before = [self._read(file) for file in self._files]

    def longest(self) -> float:
        """Seconds that the worst of them has waited since this was asked last."""
        now = [self._read(file) for file in self._files]
        grown = [max(0, new - old) for new, old in zip(now, self._before, strict=True)]
        self._before = now
        return max(grown, default=0) / 1e9

    def close(self) -> None:
        """Watch nothing more."""
        for file in self._files:
            os.close(file)
        self._files, self._before = [], []

    @staticmethod
    def _read(file: int) -> int:
        with suppress(OSError, IndexError, ValueError):  # it has ended
            return int(os.pread(file, 100, 0).split()[1])
        return 0


class _Sum:
    """Waiting that is added up over beats until it is worth telling."""

    def __init__(self) -> None:
        self._waited = 0.0

    def add(self, waited: float) -> float:
        """Seconds to tell, or 0."""
        self._waited = self._waited + waited if waited > _TRIFLE else 0.0
        if self._waited < NOTABLE:
            return 0.0
        told, self._waited = self._waited, 0.0
        return told


class Pulse:
    """Tells every run that watches when this machine stood still."""

    def __init__(self, processes: Iterable[int] = ()) -> None:
        """Begin to beat on the running loop; `processes` are those of the system on this machine."""
        self._loop = asyncio.get_running_loop()
        self._waits = Waits(processes)
        self._own, self._systems = _Sum(), _Sum()
        self._sinks: list[Sink] = []
        self._recent: deque[Lag] = deque()
        self._due = self._loop.time() + BEAT
        self._timer = self._loop.call_at(self._due, self._beat)

    def watch(self, sink: Sink) -> Callable[[], None]:
        """Tell this one of every stall, of the latest that were before at once, until the returned function is
        called."""
        self._forget(time.time_ns())
        for lag in self._recent:
            sink(lag)
        self._sinks.append(sink)
        return lambda: self._sinks.remove(sink)

    def _forget(self, now: int) -> None:
        while self._recent and self._recent[0].time < now - MEMORY:
            self._recent.popleft()

    def close(self) -> None:
        """Beat no more."""
        self._recent.clear()
        self._timer.cancel()
        self._waits.close()

    def _beat(self) -> None:
        late = self._loop.time() - self._due
        told = max(self._own.add(late), self._systems.add(self._waits.longest()))
        if told:
            lag = Lag(time.time_ns(), "", round(told * 1e9))
            self._forget(lag.time)
            self._recent.append(lag)
            for sink in tuple(self._sinks):
                sink(lag)
        self._due = self._loop.time() + BEAT
        self._timer = self._loop.call_at(self._due, self._beat)
