"""The calls in a capture: who called through the system, whom the system tried, and what everybody said.

A capture shows addresses. Which of them is the system is either told or found: the one that gets INVITEs and sends
some. Where nobody does both, whoever sends INVITEs is the system, and its caller is not in the picture: so it is with
a capture taken between a PBX and its carrier.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sip_harness.capture.legs import Leg, Node, legs_of, shown, unmet, user_of
from sip_harness.capture.packets import BadCapture, Packet
from sip_harness.model.entry import Address
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message, parse
from sip_harness.sip.uri import parse_uri, uri_text
from sip_harness.sip.values import first_element, split_list
from sip_harness.sip.via import parse_via

_TOGETHER = 150_000_000
"""Nanoseconds within which INVITEs that nobody has ended before are one fork."""
_NEVER = 1 << 63
MOST_LEGS = 200
"""Legs to which one call leads that are looked at."""
_MOST_NAMED = 20
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
    parsed = _by_their_own_names(list(_parsed(packets)))
    edges = [(p, m) for p, m in parsed if m.method == "INVITE" and not m.to_tag]
    if not edges:
        raise BadCapture(f"nobody is called in it: there is no INVITE outside of a dialog{_in_the_middle(parsed)}")
    nodes = tuple(systems) or (_system(edges),)
    legs, past = legs_of(parsed, nodes)
    if not legs:
        there = _listed(dict.fromkeys(shown(a) for p, _ in edges for a in (p.source, p.target)))
        raise BadCapture(f"no call through {' or '.join(map(str, nodes))}; INVITEs were seen between {there}")
    registered = _registered(parsed, nodes)
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


def _listed(names: Iterable[str]) -> str:
    """Names with commas between, the first few of many."""
    each = list(names)
    return ", ".join(each[:_MOST_NAMED]) + (f" and {len(each) - _MOST_NAMED} more" if len(each) > _MOST_NAMED else "")


def _registered(parsed: Iterable[tuple[Packet, Message]], nodes: Sequence[Node]) -> frozenset[Address]:
    """Where the system got REGISTER from, and what that named as contacts."""
    found: set[Address] = set()
    for packet, m in parsed:
        if m.method == "REGISTER" and any(node.has(packet.target) for node in nodes):
            found.add(packet.source)
            for value in (element for field in m.all("contact") for element in split_list(field)):
                try:
                    uri = parse_uri(uri_text(value))
                except SipError:
                    continue
                found.add((uri.host.strip("[]"), uri.port or 5060))
    return frozenset(found)


def _parsed(packets: Iterable[Packet]) -> Iterable[tuple[Packet, Message]]:
    for packet in packets:
        try:
            yield packet, parse(packet.data)
        except SipError:
            continue


def _by_their_own_names(parsed: list[tuple[Packet, Message]]) -> list[tuple[Packet, Message]]:
    """Whoever opens a connection does so from a port that says nothing of him: his Via says where he is."""
    names: dict[Address, Address] = {}
    for packet, m in parsed:
        via = parse_via(first_element(m.get("via") or "")) if m.is_request and packet.transport != "udp" else None
        if via is not None and via.host.strip("[]") == packet.source[0]:
            names.setdefault(packet.source, (packet.source[0], via.port))
    if not names:
        return parsed
    return [
        (replace(p, source=names.get(p.source, p.source), target=names.get(p.target, p.target)), m) for p, m in parsed
    ]


def _system(edges: Sequence[tuple[Packet, Message]]) -> Node:
    """Who gets INVITEs and sends some: if several do, as phones that call one another, the one without whom none was
    sent. Else who sends them."""
    by_port = any(p.source[0] == p.target[0] for p, _ in edges)
    sources = dict.fromkeys(_node(p.source, by_port=by_port) for p, _ in edges)
    targets = dict.fromkeys(_node(p.target, by_port=by_port) for p, _ in edges)
    both = [node for node in sources if node in targets]
    always = [node for node in both if all(node.has(p.source) or node.has(p.target) for p, _ in edges)]
    found = always or both or list(sources)
    if len(found) == 1:
        return found[0]
    what = "is called and calls" if both else "calls, and nobody of them is called"
    raise BadCapture(
        f"which of {_listed(map(str, found))} is the system? Each {what}. Say `--at {found[0]}` (all its addresses, "
        "if it has several)"
    )


def _node(address: Address, *, by_port: bool) -> Node:
    return Node(address[0], address[1] if by_port else 0)


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
