"""The calls in a capture: who called through the system, whom the system tried, and what everybody said."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sip_harness.capture.legs import Leg, Node, legs_of, shown, unmet, user_of
from sip_harness.capture.packets import BadCapture, Packet
from sip_harness.capture.whereabouts import listed, messages, registered_with, system_of
from sip_harness.model.entry import Address
from sip_harness.sip.message import Message

_TOGETHER = 150_000_000
"""Nanoseconds within which INVITEs that nobody has ended before are one fork."""
_NEVER = 1 << 63
MOST_LEGS = 200
"""Legs to which one call leads that are looked at."""
_LOOK_BACK = 500
"""Calls among which the one is looked for that a leg belongs to."""
_NEXT = 60_000_000_000
"""Nanoseconds after which another INVITE to the same number is another call, where the caller is not seen."""


@dataclass(frozen=True, slots=True)
class Story:
    """One call through the system."""

    caller: Leg | None
    """None where the capture does not show the caller."""
    tried: tuple[Leg, ...]
    """Whom the system called, in the order in which it did."""
    registered: frozenset[Address] = frozenset()
    """Who has registered with the system, before or after."""
    past: frozenset[str] = frozenset()
    """Methods of requests of this call that did not go through the system."""
    alone: int = 0
    """How many calls nobody has asked the system for, that it began while this one was up."""
    more: int = 0
    """How many legs are left out because they are too many."""

    @property
    def legs(self) -> tuple[Leg, ...]:
        """All of it, the caller first."""
        return self.tried if self.caller is None else (self.caller, *self.tried)

    @property
    def begin(self) -> int:
        """When it began, nanoseconds since the epoch."""
        return min(leg.invite.time for leg in self.legs)

    @property
    def number(self) -> str:
        """What was dialled."""
        return user_of(self.legs[0].invite.sip.uri)

    @property
    def groups(self) -> list[list[Leg]]:
        """Whom the system tried at once, group by group."""
        found: list[list[Leg]] = []
        for leg in self.tried:
            if found and leg.invite.time - found[-1][0].invite.time < _TOGETHER and not _ended(found[-1], leg):
                found[-1].append(leg)
            else:
                found.append([leg])
        return found


def stories(packets: Sequence[Packet], systems: Sequence[Node] = ()) -> list[Story]:
    """All calls through the system, in the order in which they began; `systems` are all addresses that it has.

    Raises BadCapture where nobody is called in it, or where it has to be told who the system is.
    """
    parsed = messages(packets)
    edges = [(p, m) for p, m in parsed if m.method == "INVITE" and not m.to_tag]
    if not edges:
        raise BadCapture(f"nobody is called in it: there is no INVITE outside of a dialog{_in_the_middle(parsed)}")
    nodes = tuple(systems) or (system_of(edges),)
    legs, past = legs_of(parsed, nodes)
    if not legs:
        there = listed(dict.fromkeys(shown(a) for p, _ in edges for a in (p.source, p.target)))
        raise BadCapture(f"no call through {' or '.join(map(str, nodes))}; INVITEs were seen between {there}")
    registered = registered_with(parsed, nodes)
    return [
        replace(
            story, registered=registered, past=frozenset(m for leg in story.legs for m in past.get(leg.call_id, ()))
        )
        for story in _told(legs)
    ]


def _in_the_middle(parsed: Sequence[tuple[Packet, Message]]) -> str:
    """What a capture that begins in the middle of calls shows of them, in words; empty if it shows none."""
    calls = {
        m.call_id for _, m in parsed if m.is_request and m.to_tag and m.method in ("INVITE", "ACK", "BYE", "UPDATE")
    }
    return f"; it begins in the middle of {len(calls)} call{'s' if len(calls) > 1 else ''}" if calls else ""


def _told(legs: Sequence[Leg]) -> list[Story]:
    """Each call with the legs that it led to: those with its Call-ID, else those to its number while it lasted."""
    callers = [leg for leg in legs if leg.incoming]
    tried = [leg for leg in legs if not leg.incoming]
    if not callers:
        return _without_callers(tried)
    led: dict[int, list[Leg]] = {id(caller): [] for caller in callers}
    alone: list[int] = []
    search = _Callers(callers)
    for leg in tried:
        if (caller := search.of(leg)) is None:
            alone.append(leg.invite.time)
        else:
            led[id(caller)].append(leg)
    return [
        Story(
            caller,
            tuple(led[id(caller)][:MOST_LEGS]),
            alone=bisect_right(alone, caller.said[-1].time) - bisect_left(alone, caller.invite.time),
            more=max(len(led[id(caller)]) - MOST_LEGS, 0),
        )
        for caller in callers
    ]


class _Callers:
    """Finds whose call the system passes on, leg by leg in the order of their times."""

    def __init__(self, callers: Sequence[Leg]) -> None:
        self._by_call_id: dict[str, Leg] = {}
        for caller in callers:
            self._by_call_id.setdefault(caller.call_id, caller)
        self._to_come = deque(callers)
        self._open: deque[tuple[int, str, Leg]] = deque(maxlen=_LOOK_BACK)
        """Until when, to which number and who, the last one first."""

    def of(self, leg: Leg) -> Leg | None:
        """The caller with its Call-ID, else the last one who still waits, of those who have dialled its number if there
        are any."""
        if (caller := self._by_call_id.get(leg.call_id)) is not None:
            return caller
        time, number = leg.invite.time, user_of(leg.invite.sip.uri)
        while self._to_come and self._to_come[0].invite.time <= time:
            caller = self._to_come.popleft()
            end = min((s.time for s in unmet(caller.said)), default=_NEVER)
            self._open.appendleft((end, user_of(caller.invite.sip.uri), caller))
        waiting = [(dialled, caller) for end, dialled, caller in self._open if end >= time]
        same = (caller for dialled, caller in waiting if _same_number(dialled, number))
        return next(same, waiting[0][1] if waiting else None)


def _without_callers(tried: Sequence[Leg]) -> list[Story]:
    calls: list[list[Leg]] = []
    by_call_id: dict[str, list[Leg]] = {}
    recent: deque[tuple[str, list[Leg]]] = deque(maxlen=_LOOK_BACK)
    for leg in tried:
        number = user_of(leg.invite.sip.uri)
        close = (
            one for dialled, one in recent
            if leg.invite.time - one[-1].said[-1].time < _NEXT and _same_number(dialled, number)
        )  # fmt: skip
        call = by_call_id.get(leg.call_id) or next(close, None)
        if call is None:
            call = []
            calls.append(call)
            recent.appendleft((number, call))
        by_call_id.setdefault(leg.call_id, call)
        call.append(leg)
    return [Story(None, tuple(call[:MOST_LEGS]), more=max(len(call) - MOST_LEGS, 0)) for call in calls]


def _same_number(one: str, other: str) -> bool:
    """Whether both are the same number, whatever prefix a carrier wants before it."""
    here, there = one.lstrip("+"), other.lstrip("+")
    return bool(here and there) and (here.endswith(there) or there.endswith(here))


def _ended(group: Sequence[Leg], leg: Leg) -> bool:
    """Whether all of a group were over before this leg began; a challenge that was met ends nothing."""
    return all(any(s.time < leg.invite.time for s in unmet(one.said)) for one in group)
