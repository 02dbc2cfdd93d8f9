"""When a message came, held against when it had to come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sip_harness.model.expecting import Timing
from sip_harness.model.pattern import Event
from sip_harness.record.seen import happens
from sip_harness.verdict.case import Case
from sip_harness.verdict.choose import bounds
from sip_harness.verdict.traffic import Item
from sip_harness.verdict.words import duration

DRIFT = 5_000_000_000
"""Nanoseconds for which a system may go on counting ticks that it has missed, before it sets its clock right: every
five seconds in Kamailio (its TIMER_RESYNC_TICKS). A timer that is set meanwhile fires early by all of them."""
PRECISION = 0.010
"""Seconds by which a script may miss its own times where nothing stalls: its waits count from the request, whatever
the steps between have taken. So much earlier than a plain bound is no fault of the system."""


@dataclass(frozen=True, slots=True)
class Untimely:
    """A message at the wrong time."""

    how: Literal["early", "late", "no event"]
    passed: int
    """Nanoseconds since what the time counts from."""
    said: str
    """How late it came and when it was due, in words."""
    starved: bool = False
    """Whether this machine stood still in that time, so that the system cannot be blamed."""


def untimely(case: Case, timing: Timing, time: int) -> Untimely | None:
    """What is wrong with a message at this time (nanoseconds since the epoch), or None."""
    since = None
    if timing.since is not None:
        since = _happened(case, timing.since, time)
        if since is None:
            return Untimely("no event", 0, f"before {timing.since} happened, if it ever did")
    begin = since.time if since else case.begin
    slack = since.seen.entry.slack if since else 0
    # The event is known to lie between `begin` and `begin + slack`: doubts speak for the system.
    most, least = (time - begin) / 1e9, (time - begin - slack) / 1e9
    what = f"after {timing.since}" if timing.since else "into the call"
    if timing.earliest is not None and most + _precision(timing) < (due := bounds(timing.earliest, case.system)[0]):
        said = f"{duration(time - begin)} {what}; {duration(int(due * 1e9))} at the earliest"
        early = int((due - most) * 1e9)
        # A system that had to wait for a processor sets its timers by a clock that is behind.
        starved = timing.earliest.timer != "" and case.stalls.excuse(early, begin - DRIFT, time)
        return Untimely("early", time - begin, said, starved)
    if timing.latest is not None and least > (due := bounds(timing.latest, case.system)[1] + _grace(timing, case)):
        said = f"{duration(time - begin)} {what}; it was due by {duration(int(due * 1e9))}"
        return Untimely("late", time - begin, said, case.stalls.excuse((least - due) * 1e9, begin, time))
    return None


def _precision(timing: Timing) -> float:
    """A timer of the policy has its own tolerance."""
    return PRECISION if timing.earliest is not None and not timing.earliest.timer else 0.0


def _grace(timing: Timing, case: Case) -> float:
    """A moment given as a plain number (`at 2s`) is met by a prompt reaction to it."""
    exact = timing.earliest is not None and timing.earliest == timing.latest and not timing.earliest.timer
    return case.policy.prompt if exact else 0.0


def _happened(case: Case, event: Event, before: int) -> Item | None:
    """The last message before a time with which the event happened."""
    earlier = (item for item in case.traffic.items if item.time <= before and not item.stray)
    found = [item for item in earlier if happens(event, item.seen)]
    return found[-1] if found else None
