"""The clock of a system in this process, which must not take its own standing still for the silence of others."""

from __future__ import annotations

from collections.abc import Callable

from sip_harness.net.clock import Clock, Timer

PASSES = 5
"""Of the event loop, from when a timer is due until it counts: an agent in this process takes two to read a request
and to answer it, the system one more to read that."""


class PatientClock(Clock):
    """Timers fire as soon as all has been read, and answered and read again, that the loop was too late for.

    The phones are in the same process: when that stands still, they answer late and every timer is due at once.
    """

    def at(self, when: float, call: Callable[[], None]) -> Timer:
        """Call at this time, a few passes of the loop later than `Clock` would."""
        timer: Timer

        def due(passes: int = 0) -> None:
            if timer.cancelled:
                return
            if passes < PASSES:
                self.loop.call_soon(due, passes + 1)
            else:
                call()

        timer = super().at(when, due)
        return timer
