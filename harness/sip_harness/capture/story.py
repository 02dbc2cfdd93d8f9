"""The calls in a capture: who called through the system, whom the system tried, and what everybody said.

A capture shows addresses. Which of them is the system is either told or found: the one that gets INVITEs and sends
some. Where nobody does both, whoever sends INVITEs is the system, and its caller is not in the picture: so it is with
a capture taken between a PBX and its carrier.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from sip_harness.capture.packets import BadCapture, Packet
from sip_harness.model.entry import Address
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message, parse
from sip_harness.sip.uri import Uri, parse_uri, read_uri, uri_text
from sip_harness.sip.values import elements, first_element
from sip_harness.sip.via import parse_via

_TOGETHER = 150_000_000
"""Nanoseconds within which INVITEs that nobody has ended before are one fork."""
_SAME = 5_000_000
"""Nanoseconds within which the same bytes on the same way are one message that was captured on two interfaces."""
_NEXT = 60_000_000_000
"""Nanoseconds after which another INVITE to the same number is another call, where the caller is not seen."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message between the system and somebody."""

    packet: Packet
    sip: Message
    by_system: bool
    within: bool = False
    """Whether it belongs to a request within the dialog: a re-INVITE, for example."""

    @property
    def answers(self) -> bool:
        """Whether it is a response to an INVITE that began a call."""
        return not self.sip.is_request and self.sip.cseq[1] == "INVITE" and not self.within

    @property
    def is_final(self) -> bool:
        """Whether it is a final one of those."""
        return self.answers and self.sip.code >= 200

    @property
    def begins(self) -> bool:
        """Whether it is an INVITE that begins a call."""
        return self.sip.method == "INVITE" and not self.sip.to_tag

    @property
    def time(self) -> int:
        """Nanoseconds since the epoch."""
        return self.packet.time


@dataclass(slots=True)
class Leg:
    """The system and one other in one call: what they said to each other."""

    peer: Address
    incoming: bool
    """Whether the other one has called the system."""
    call_id: str
    said: list[Said] = field(default_factory=list)
    """Retransmissions left out."""
    everything: list[Said] = field(default_factory=list)
    """Retransmissions and all."""

    @property
    def invite(self) -> Said:
        """The INVITE that began it."""
        return self.said[0]

    @property
    def attempts(self) -> list[list[Said]]:
        """What was said from each INVITE outside of a dialog up to the next one. One that comes again with credentials
        begins no attempt of its own."""
        found: list[list[Said]] = []
        for one in self.said:
            if (one.begins and not _has_credentials(one.sip)) or not found:
                found.append([])
            found[-1].append(one)
        return found


@dataclass(frozen=True, slots=True)
class Story:
    """One call through the system."""

    caller: Leg | None
    """None where the capture does not show the caller."""
    tried: tuple[Leg, ...]
    """Whom the system called, in the order in which it did."""
    registered: frozenset[Address] = frozenset()
    """Who has registered with the system, before or after."""

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


@dataclass(frozen=True, slots=True)
class Node:
    """A host, or one port of it where the system and others share a host."""

    host: str
    port: int = 0

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host and self.port else self.host
        return f"{host}:{self.port}" if self.port else host

    def has(self, address: Address) -> bool:
        """Whether this address is its."""
        return address[0] == self.host and self.port in (0, address[1])


def stories(packets: Sequence[Packet], systems: Sequence[Node] = ()) -> list[Story]:
    """All calls through the system, in the order in which they began; `systems` are all addresses that it has.

    Raises BadCapture where nobody is called in it, or where it has to be told who the system is.
    """
    parsed = _by_their_own_names(list(_parsed(packets)))
    edges = [(p, m) for p, m in parsed if m.method == "INVITE" and not m.to_tag]
    if not edges:
        raise BadCapture("nobody is called in it: there is no INVITE outside of a dialog")
    nodes = tuple(systems) or (_system(edges),)
    legs = _legs(parsed, nodes)
    if not legs:
        there = ", ".join(dict.fromkeys(shown(a) for p, _ in edges for a in (p.source, p.target)))
        raise BadCapture(f"no call through {' or '.join(map(str, nodes))}; INVITEs were seen between {there}")
    registered = _registered(parsed, nodes)
    return [replace(story, registered=registered) for story in _told(legs)]


def _registered(parsed: Iterable[tuple[Packet, Message]], nodes: Sequence[Node]) -> frozenset[Address]:
    """Where the system got REGISTER from, and what that named as contacts."""
    found: set[Address] = set()
    for packet, m in parsed:
        if m.method == "REGISTER" and any(node.has(packet.target) for node in nodes):
            found.add(packet.source)
            for value in (element for field in m.all("contact") for element in elements(field)):
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
        f"which of {', '.join(map(str, found))} is the system? Each {what}. Say `--at {found[0]}` (all its addresses, "
        "if it has several)"
    )


def _node(address: Address, *, by_port: bool) -> Node:
    return Node(address[0], address[1] if by_port else 0)


def _legs(parsed: Iterable[tuple[Packet, Message]], nodes: Sequence[Node]) -> list[Leg]:
    """What was said, by Call-ID, other side and direction."""
    legs: dict[tuple[object, ...], Leg] = {}
    known: dict[tuple[object, ...], Leg] = {}
    seen: set[tuple[object, ...]] = set()
    copies: dict[tuple[object, ...], int] = {}
    inner: set[tuple[str, str]] = set()
    for packet, m in parsed:
        by_system = any(node.has(packet.source) for node in nodes)
        to_system = any(node.has(packet.target) for node in nodes)
        if by_system == to_system:  # neither, or the system with itself
            continue
        peer = packet.target if by_system else packet.source
        if packet.time - copies.get((packet.data, by_system, peer), -_SAME) < _SAME:
            continue
        copies[packet.data, by_system, peer] = packet.time
        leg = _leg_of(m, peer, known)
        if leg is None and m.method == "INVITE" and not m.to_tag:
            leg = legs.setdefault((m.call_id, peer, not by_system), Leg(peer, not by_system, m.call_id))
        if leg is None:
            continue
        if m.is_request:
            known[m.call_id, m.branch, m.cseq[0]] = leg
        known.setdefault((m.call_id, *peer), leg)
        known.setdefault((m.call_id, peer[0]), leg)
        within = bool(m.to_tag) if m.is_request else (m.call_id, m.branch) in inner
        if m.is_request and m.to_tag:
            inner.add((m.call_id, m.branch))
        said = Said(packet, m, by_system, within)
        leg.everything.append(said)
        key = (m.call_id, m.from_tag, m.cseq, m.branch, m.method or m.code, m.to_tag, by_system, peer[0])
        if key not in seen:
            seen.add(key)
            leg.said.append(said)
    return list(legs.values())


def _leg_of(m: Message, peer: Address, known: dict[tuple[object, ...], Leg]) -> Leg | None:
    """The leg that a message belongs to: that of its transaction, or of its dialog."""
    if (leg := known.get((m.call_id, m.branch, m.cseq[0]))) is not None and (not m.is_request or m.method != "INVITE"):
        return leg
    if m.method == "INVITE" and not m.to_tag:
        return None
    return known.get((m.call_id, *peer)) or known.get((m.call_id, peer[0]))


def _told(legs: Sequence[Leg]) -> list[Story]:
    """Each call with the legs that it led to: those with its Call-ID, else those to its number while it lasted."""
    callers = [leg for leg in legs if leg.incoming]
    tried = [leg for leg in legs if not leg.incoming]
    if not callers:
        return _without_callers(tried)
    led: dict[int, list[Leg]] = {id(caller): [] for caller in callers}
    for leg in tried:
        if (caller := _caller_of(leg, callers)) is not None:
            led[id(caller)].append(leg)
    return [Story(caller, tuple(led[id(caller)])) for caller in callers]


def _caller_of(leg: Leg, callers: Sequence[Leg]) -> Leg | None:
    for caller in callers:
        if caller.call_id == leg.call_id:
            return caller
    before = [c for c in callers if c.invite.time <= leg.invite.time and not _over(c, leg.invite.time)]
    same = [c for c in before if _same_number(c.invite.sip, leg.invite.sip)]
    found = same or before
    return found[-1] if found else None


def _without_callers(tried: Sequence[Leg]) -> list[Story]:
    calls: list[list[Leg]] = []
    for leg in tried:
        for call in reversed(calls):
            close = leg.invite.time - call[-1].said[-1].time < _NEXT
            if call[0].call_id == leg.call_id or (close and _same_number(call[0].invite.sip, leg.invite.sip)):
                call.append(leg)
                break
        else:
            calls.append([leg])
    return [Story(None, tuple(call)) for call in calls]


def _same_number(one: Message, other: Message) -> bool:
    """Whether both go to the same number, whatever prefix a carrier wants before it."""
    here, there = (user_of(m.uri).lstrip("+") for m in (one, other))
    return bool(here and there) and (here.endswith(there) or there.endswith(here))


def _over(leg: Leg, time: int) -> bool:
    """Whether a leg had a final response to its INVITE before that time; a challenge that was met is none."""
    again = [s.time for s in leg.said if s.begins]
    return any(s.time < time and s.is_final and not (s.sip.code in (401, 407) and again[-1] > s.time) for s in leg.said)


def _ended(group: Sequence[Leg], leg: Leg) -> bool:
    """Whether all of a group were over before this leg began."""
    return all(_over(one, leg.invite.time) for one in group)


def _has_credentials(m: Message) -> bool:
    return bool(m.get("authorization") or m.get("proxy-authorization"))


def is_met(one: Said, said: Iterable[Said]) -> bool:
    """Whether it is a challenge to which an INVITE came again, from whoever was asked."""
    again = any(s.sip.method == "INVITE" and s.by_system != one.by_system and s.time > one.time for s in said)
    return one.is_final and one.sip.code in (401, 407) and again


def user_of(uri: str) -> str:
    """The number or name that a URI dials; empty if it cannot be read."""
    try:
        parsed = read_uri(uri)
    except SipError:
        return ""
    return (parsed.user if isinstance(parsed, Uri) else parsed.rest).partition(";")[0]


def shown(address: Address) -> str:
    """An address as people write it."""
    return str(Node(*address))
