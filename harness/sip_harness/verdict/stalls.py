"""When this machine stood still in a run, and how much of a system's lateness that may explain.

A stall is known from where it was noticed: the runner's loop, an agent, a process of the system. The same shortage of
processors may have kept the system waiting as long again at another place, so each stall excuses twice its length.
What it does not excuse remains the system's own.
"""

from __future__ import annotations

from collections.abc import Iterable

from sip_harness.model.entry import Entry, Lag

_DOUBT = 2


class Stalls:
    """The times in which this machine stood still, as intervals that do not overlap; nanoseconds since the epoch."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Of the `Lag` entries of a record."""
        self._spans: list[tuple[int, int]] = []
        for begin, end in sorted((e.time - e.lag, e.time) for e in entries if isinstance(e, Lag)):
            if self._spans and begin <= self._spans[-1][1]:
                self._spans[-1] = (self._spans[-1][0], max(end, self._spans[-1][1]))
            else:
                self._spans.append((begin, end))

    def within(self, begin: int, end: int) -> int:
        """How long it stood still in this time."""
        return sum(self._lengths(begin, end))

    def longest(self, begin: int, end: int) -> int:
        """The longest time for which it stood still without a break."""
        return max(self._lengths(begin, end), default=0)

    def excuse(self, late: float, begin: int, end: int) -> bool:
        """Whether what came at `end`, because of something at `begin`, may be `late` nanoseconds late by them."""
        return 0 < late <= _DOUBT * self.within(begin, end)

    def _lengths(self, begin: int, end: int) -> list[int]:
        clipped = ((max(b, begin), min(e, end)) for b, e in self._spans)
        return [e - b for b, e in clipped if e > b]
