"""What the system and each other one said in a capture, message by message, and in which dialog.

Addresses alone do not tell: a carrier is a cluster whose hosts share a call, and a phone may speak from another port.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sip_harness.capture.packets import Packet
from sip_harness.model.entry import Address
from sip_harness.sip.errors import SipError
from sip_harness.sip.message import Message
from sip_harness.sip.uri import Uri, read_uri

_SAME = 5_000_000
"""Nanoseconds within which the same bytes on the same way are one message that was captured on two interfaces."""


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

    def is_request_within(self, *methods: str) -> bool:
        """Whether it is a request within the dialog, with one of these methods."""
        return self.within and self.sip.method in methods

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
            begins = one.begins and one.by_system != self.incoming
            if (begins and not has_credentials(one.sip)) or not found:
                found.append([])
            found[-1].append(one)
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


def legs_of(parsed: Iterable[tuple[Packet, Message]], nodes: Sequence[Node]) -> tuple[list[Leg], dict[str, set[str]]]:
    """What was said, by Call-ID, other side and direction; and the methods that went past the system, by Call-ID."""
    known = _Known()
    seen: set[tuple[object, ...]] = set()
    copies: dict[tuple[object, ...], int] = {}
    past: dict[str, set[str]] = {}
    for packet, m in parsed:
        by_system = any(node.has(packet.source) for node in nodes)
        to_system = any(node.has(packet.target) for node in nodes)
        if by_system == to_system:  # neither, or the system with itself
            if m.is_request and m.to_tag and not by_system:
                past.setdefault(m.call_id, set()).add(m.method)
            continue
        peer = packet.target if by_system else packet.source
        if packet.time - copies.get((packet.data, by_system, peer), -_SAME) < _SAME:
            continue
        copies[packet.data, by_system, peer] = packet.time
        leg = known.leg(m, peer, by_system=by_system)
        if leg is None:
            continue
        said = Said(packet, m, by_system, known.is_within(m))
        leg.everything.append(said)
        key = (m.call_id, m.from_tag, m.cseq, m.branch, m.method or m.code, m.to_tag, by_system, id(leg), _news(m))
        if key not in seen:
            seen.add(key)
            leg.said.append(said)
    return list(known.legs.values()), past


def _news(m: Message) -> tuple[str, bool]:
    """What a provisional may say that one like it before has not: another number (RFC 3262 3), a session at last."""
    return (m.get("rseq") or "", bool(m.body)) if 100 < m.code < 200 else ("", False)


class _Known:
    """Legs, and what a message of each can be known by."""

    def __init__(self) -> None:
        self.legs: dict[tuple[object, ...], Leg] = {}
        self._by: dict[tuple[object, ...], Leg] = {}
        self._inner: set[tuple[str, str]] = set()
        self._tags: dict[int, set[str]] = {}

    def leg(self, m: Message, peer: Address, *, by_system: bool) -> Leg | None:
        """The leg that a message belongs to, which it may begin: that of its transaction, or of its dialog."""
        leg = self._by.get((m.call_id, m.branch, m.cseq[0]))
        if leg is None or m.method == "INVITE":
            leg = None
            if m.method == "INVITE" and not m.to_tag:
                leg = self.legs.setdefault((m.call_id, peer, not by_system), Leg(peer, not by_system, m.call_id))
            theirs = m.to_tag if m.is_request == by_system else m.from_tag
            leg = leg or self._by.get((m.call_id, *peer)) or self._by.get((m.call_id, theirs, "tag"))
            leg = leg or self._at(m.call_id, peer[0], theirs)
        if leg is not None:
            self._learn(leg, m, peer, by_system=by_system)
        return leg

    def _at(self, call_id: str, host: str, tag: str) -> Leg | None:
        """The leg with this host, unless he who speaks there has shown another tag: two may share an address."""
        leg = self._by.get((call_id, host))
        shown_tags = self._tags.get(id(leg), set())
        return None if tag and shown_tags and tag not in shown_tags else leg

    def _learn(self, leg: Leg, m: Message, peer: Address, *, by_system: bool) -> None:
        if m.is_request:
            self._by[m.call_id, m.branch, m.cseq[0]] = leg
        self._by.setdefault((m.call_id, *peer), leg)
        self._by.setdefault((m.call_id, peer[0]), leg)
        if not by_system and (tag := m.from_tag if m.is_request else m.to_tag):  # its own, wherever it speaks from
            self._by.setdefault((m.call_id, tag, "tag"), leg)
            self._tags.setdefault(id(leg), set()).add(tag)

    def is_within(self, m: Message) -> bool:
        """Whether a message belongs to a request within a dialog."""
        if m.is_request and m.to_tag and m.method != "ACK":
            self._inner.add((m.call_id, m.branch))
        return bool(m.to_tag) if m.is_request else (m.call_id, m.branch) in self._inner


def has_credentials(m: Message) -> bool:
    """Whether a request proves who makes it."""
    return bool(m.get("authorization") or m.get("proxy-authorization"))


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


def unmet(said: Sequence[Said]) -> list[Said]:
    """The final responses to INVITEs that begin a call, but for challenges to which an INVITE came again from whoever
    was asked."""
    last: dict[bool, int] = {}
    for one in said:
        if one.sip.method == "INVITE":
            last[one.by_system] = one.time
    return [s for s in said if s.is_final and not (s.sip.code in (401, 407) and last.get(not s.by_system, 0) > s.time)]
