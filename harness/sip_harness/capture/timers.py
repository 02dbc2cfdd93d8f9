"""Session timers of a system in a captured call (RFC 4028)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from sip_harness.capture.legs import Said
from sip_harness.capture.story import Story

_MUST_BE_REFRESHED = 0.45
"""Part of a session after which it is due to be refreshed: half of it, not to the millisecond."""
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
    byes = [s.time for s in mine if s.sip.method == "BYE"]
    ended = byes and not any(s.sip.method == "BYE" for s in theirs) and _has_expired(story, min(byes))
    return SessionTimers(offers or alone, alone or bool(ended))


def _has_expired(story: Story, end: int) -> bool:
    """Whether the last session that an agent agreed to was over, or to be refreshed, by that time (RFC 4028 10)."""
    agreed = [(s.time, found) for leg in story.legs for s in leg.said if (found := _agreed(s)) and s.time < end]
    if not agreed:
        return False
    time, lifetime = max(agreed)
    return end - time >= lifetime * _MUST_BE_REFRESHED * 1e9


def _agreed(said: Said) -> int:
    """Seconds of the session to which an agent agrees with this response; 0: none."""
    accepts = not said.by_system and 200 <= said.sip.code < 300
    found = re.match(r"\s*(\d{1,9})", said.sip.get("session-expires") or "") if accepts else None
    return int(found[1]) if found else 0


def _follows(time: int, sent: Sequence[int]) -> bool:
    """Whether the last of these times was just before."""
    place = bisect_right(sent, time)
    return bool(place) and time - sent[place - 1] < _PASSED_ON
