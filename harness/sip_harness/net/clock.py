"""Time: the one place where anything is scheduled on the event loop, and how far its clocks can be trusted."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Iterable

from sip_harness.net.kernel import Probe, loop_socket, probe, warm_up

NOTABLE_LAG = 0.020
"""Seconds by which the loop may be late before it is recorded."""

LagSink = Callable[[int], None]
"""Takes how late the loop was, nanoseconds."""


class Timer:
    """Something scheduled; cancel it or forget it."""

    __slots__ = ("_handle", "when")

    def __init__(self, handle: asyncio.TimerHandle, when: float) -> None:
        self._handle = handle
        self.when = when

    def cancel(self) -> None:
        """Do not call. Harmless after the call."""
        self._handle.cancel()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called, before or after the time."""
        return self._handle.cancelled()


class Clock:
    """Monotonic seconds of the running loop, and callbacks at given times."""

    def __init__(self, loop: asyncio.AbstractEventLoop, on_lag: LagSink | None = None) -> None:
        self._loop = loop
        self._on_lag = on_lag
        self._reported = loop.time()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop whose time this is."""
        return self._loop

    def now(self) -> float:
        """Seconds on the loop's own clock."""
        return self._loop.time()

    def at(self, when: float, call: Callable[[], None]) -> Timer:
        """Call at this time, or as soon after as the loop can."""
        return Timer(self._loop.call_at(when, self._fire, when, call), when)

    def after(self, delay: float, call: Callable[[], None]) -> Timer:
        """Call after so many seconds."""
        return self.at(self.now() + delay, call)

    def late(self, lag: float) -> None:
        """Tell that the loop came this late (seconds) to something; one stall is reported once."""
        now = self.now()
        if lag > NOTABLE_LAG and now - lag >= self._reported:
            self._reported = now
            if self._on_lag is not None:
                self._on_lag(round(lag * 1e9))

    def _fire(self, when: float, call: Callable[[], None]) -> None:
        self.late(self.now() - when)
        call()


def clock_offset() -> int:
    """Real-time clock minus monotonic clock, nanoseconds.

    It stays the same as long as nobody steps the real-time clock (slewing moves both alike): compare it before and
    after a run. The tightest of a few readings is taken, so it repeats to well under a millisecond.
    """
    readings = []
    for _ in range(5):
        before = time.monotonic_ns()
        real = time.time_ns()
        after = time.monotonic_ns()
        readings.append((after - before, real - (before + after) // 2))
    return min(readings)[1]


def measure_uncertainty(rounds: int = 200) -> int:
    """How close two events may be before their order says nothing, in nanoseconds; takes some milliseconds.

    The record gives a sent message the time just before the send call and a received one the kernel's stamp. So the
    uncertainty is what typically lies between the two for one and the same datagram, plus the worst distance by which
    a stamp was ever found outside the call that caused it (clocks of several processors), and never 0.
    """
    warm_up()
    with loop_socket() as sock:
        return uncertainty_of([probe(sock) for _ in range(rounds)])


def uncertainty_of(probes: Iterable[Probe]) -> int:
    """The figure of `measure_uncertainty` from its probes; at least one is needed."""
    taken = list(probes)
    typical = statistics.median(p.stamp - p.before for p in taken)
    outside = max(max(p.before - p.stamp, p.stamp - p.after, 0) for p in taken)
    return max(round(typical), 1) + outside
