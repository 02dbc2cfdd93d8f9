"""Session timers of a system in a captured call (RFC 4028)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from sip_harness.capture.story import Story

_PASSED_ON = 2_000_000_000
"""Nanoseconds within which a request that the system sent is one that it got."""


@dataclass(frozen=True, slots=True)
class SessionTimers:
    """What the system did with session timers (RFC 4028)."""

    at_work: bool
    """Whether it has timers of its own: it offered one that nobody had asked for, or refreshed a session by itself."""
    seen: bool
    """Whether such a timer has run: for a refresh, or for the end of the call."""


def session_timers(story: Story) -> SessionTimers:
    """What is seen of them in a call."""
    requests = [s for leg in story.legs for s in leg.said if s.sip.is_request]
    mine = [s for s in requests if s.by_system]
    theirs = [s for s in requests if not s.by_system]
    offers = any(s.sip.get("session-expires") for s in mine) and not any(s.sip.get("session-expires") for s in theirs)
    sent = sorted(s.time for s in theirs if s.is_request_within("UPDATE", "INVITE"))
    refreshes = [s for s in mine if s.is_request_within("UPDATE", "INVITE") and s.sip.get("session-expires")]
    alone = any(not _follows(s.time, sent) for s in refreshes)
    answers = [s.sip for leg in story.legs for s in leg.said if not s.by_system and s.is_final]
    agreed = any(m.get("session-expires") for m in answers)
    ended = any(s.sip.method == "BYE" for s in mine) and not any(s.sip.method == "BYE" for s in theirs)
    return SessionTimers(offers or alone, alone or (agreed and ended))


def _follows(time: int, sent: Sequence[int]) -> bool:
    """Whether the last of these times was just before."""
    place = bisect_right(sent, time)
    return bool(place) and time - sent[place - 1] < _PASSED_ON
