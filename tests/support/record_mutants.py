"""A record with one thing changed that the system did: what was asked of it must no longer hold.

What may change unnoticed is said by `excuse`, as rules of the language: sequences are closed for finals and requests
and open for provisionals that they do not name, and what a message carries matters where the scenario says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from sip_harness.model.entry import Message, Record
from sip_harness.model.pattern import ResponsePattern
from sip_harness.model.scenario import Scenario
from sip_harness.model.wanted import AnyOrder, Conforms, Expected, Sequence
from sip_harness.record.seen import matches
from sip_harness.verdict.causes import Causes
from sip_harness.verdict.traffic import Item, Owner, Traffic, sort_out

_FLAGS = re.IGNORECASE | re.MULTILINE | re.DOTALL
_RESPONSE = {
    "code in class": (r"^SIP/2.0 (\d)\d\d", r"SIP/2.0 \g<1>77"),
    "class": (r"^SIP/2.0 \d\d\d", "SIP/2.0 {class}71"),
    "method": (r"^(CSeq: *\d+) \w+", r"\1 GREET"),
}
_REQUEST = {"method": (r"^\w+(.*?)^(CSeq: *\d+) \w+", r"GREET\1\2 GREET")}
_BOTH = {
    "to tag": (r"^(To:[^\r]*;tag=)", r"\1other"),
    "from tag": (r"^(From:[^\r]*;tag=)", r"\1other"),
    "branch": (r"(branch=z9hG4bK)", r"\1other"),
    "call-id": (r"^(Call-ID: *)", r"\1other"),
    "number": (r"^(CSeq: *)(\d+)", r"\g<1>1\2"),
}
"""Fields of a message and how each is changed: an expression and what stands instead."""


@dataclass(frozen=True)
class Change:
    """One change of a record."""

    kind: str
    item: Item
    record: Record
    other: Item | None = None
    """With which message it has changed places."""
    to: str = ""
    """To which other agent it has come."""


def changes(record: Record) -> Iterator[Change]:
    """Every small change of what reached the agents of a record."""
    items = [i for i in sort_out(record).items if i.seen.received and i.owner in (Owner.CALL, Owner.SYSTEM)]
    for item in items:
        yield from _changes(record, item)
    for agent in {item.seen.agent for item in items}:
        mine = [i for i in items if i.seen.agent == agent]
        for one, other in pairwise(mine):
            yield Change("swap", one, _swapped(record, one.seen.entry, other.seen.entry), other)


def _changes(record: Record, item: Item) -> Iterator[Change]:
    entry, m = item.seen.entry, item.seen.sip
    yield Change("drop", item, _with(record, item, lambda _: []))
    later = int(record.header.policy.prompt * 1e9) + 300_000_000
    yield Change("delay", item, _with(record, item, lambda e: [replace(e, time=e.time + later)]))
    again = _edited(entry, r"(branch=z9hG4bK)", r"\1again")
    if again:
        more = replace(again, time=entry.time + 1_000_000)
        yield Change("duplicate", item, _with(record, item, lambda e: [e, more] if e is entry else [e]))
    for kind, (old, new) in {**_BOTH, **(_REQUEST if m.is_request else _RESPONSE)}.items():
        said = new.replace("{class}", str(m.code // 100 % 6 + 1))
        if _edited(entry, old, said):
            yield Change(kind, item, _with(record, item, lambda e, old=old, said=said: [_edited(e, old, said) or e]))
    for role in record.header.roles:
        if role.kind == "device" and role.name != entry.agent and m.is_request:
            moved = _with(record, item, lambda e, to=role.name: [replace(e, agent=to)])
            yield Change("agent", item, moved, to=role.name)


def _edited(entry: Message, old: str, new: str) -> Message | None:
    """The message with one field changed; None if it has no such field."""
    data, times = re.subn(old.encode(), new.encode(), entry.data, count=1, flags=_FLAGS)
    return replace(entry, data=data) if times else None


def _with(record: Record, item: Item, instead: Callable[[Message], list[Message]]) -> Record:
    """The record with a message and its retransmissions replaced."""
    mine = {id(e) for e in (item.seen.entry, *item.again)}
    parted = [instead(e) if isinstance(e, Message) and id(e) in mine else [e] for e in record.entries]
    return replace(record, entries=tuple(sorted((e for some in parted for e in some), key=lambda e: e.time)))


def _swapped(record: Record, one: Message, other: Message) -> Record:
    placed = {id(one): replace(one, time=other.time), id(other): replace(other, time=one.time)}
    entries = (placed.get(id(e), e) for e in record.entries)
    return replace(record, entries=tuple(sorted(entries, key=lambda e: e.time)))


class Rules:
    """Why a scenario need not notice a change; an empty reason means that it has to."""

    def __init__(self, scenario: Scenario, record: Record) -> None:
        """`scenario` is without alternatives, as of this system."""
        self._scenario = scenario
        self._traffic: Traffic = sort_out(record)
        self._causes = Causes(scenario, record.header, self._traffic)
        self._sequences = [e for e in scenario.expectations if isinstance(e, Sequence)]
        self._conforms = any(isinstance(e, Conforms) for e in scenario.expectations)

    def excuse(self, change: Change) -> str:
        """The rule by which the change is allowed to go unnoticed."""
        item, m = change.item, change.item.seen.sip
        if not self._conforms and not any(s.agent == item.seen.agent for s in self._sequences):
            return "nothing is said of this agent but that it is called"
        if item.owner is Owner.SYSTEM and (not self._named(item) or self._maybe(item)):
            return "the system's own requests need not be named"
        if change.kind in ("drop", "delay", "swap") and m.code in (401, 407) and self._is_answered(item):
            return "a challenge that is answered need not be named"
        if change.kind in ("drop", "delay", "code in class") and self._is_open(item):
            return "provisionals and what follows a request within a call need not be named"
        if change.kind in ("drop", "code in class", "delay") and self._maybe(item):
            return "it may come or not"
        if change.kind == "agent" and self._maybe(item) and self._may_come_to(item, change.to):
            return "it may come to the one or to the other"
        if change.kind == "delay" and any(one.timing for one in self._expecting(item)):
            return "the scenario states a time of its own"
        if change.kind == "delay" and self._causes.of(item) is None:
            return "it waited for a timer, and the scenario says no time"
        if change.kind in ("duplicate", "branch") and item.seen.acks >= 300 and self._has_answered(item):
            return "on a branch of its own an ACK is for the 2xx that the device has sent besides (RFC 3261 13.2.2.4)"
        if change.kind == "duplicate" and 0 < item.seen.acks < 300:
            return "an ACK to a 2xx is made for every 2xx and has a branch of its own each time (RFC 3261 13.2.2.4)"
        if change.kind in ("code in class", "class") and self._will_do(change):
            return "any of several codes is expected, and this is one"
        if change.kind == "swap":
            return self._may_swap(item, change.other)
        return _of_a_request(change) if m.is_request else self._of_a_response(change)

    def _of_a_response(self, change: Change) -> str:
        sources = {e.source for e in self._expecting(change.item)}
        before = [i.seen.sip for i in self._traffic.sent() if i.time <= change.item.time]
        said = {m.to_tag for m in before if not m.is_request}
        of_a_device = change.item.seen.sip.to_tag in said
        if change.kind == "to tag" and (not sources or "" in sources or not of_a_device):
            return "whose response it is is not asked, and what no device has sent is the system's own"
        return ""

    def _will_do(self, change: Change) -> bool:
        m = change.item.seen.sip
        code = m.code // 100 * 100 + 77 if change.kind == "code in class" else (m.code // 100 % 6 + 1) * 100 + 71
        patterns = [e.pattern for e in self._expecting(change.item)]
        return any(isinstance(p, ResponsePattern) and code in p.codes for p in patterns)

    def _may_swap(self, one: Item, other: Item | None) -> str:
        assert other is not None
        if any(self._is_open(i) or self._maybe(i) or i.owner is Owner.SYSTEM for i in (one, other)):
            return "what need not come has no order"
        if one.seen.sip.call_id != other.seen.sip.call_id or self._conforms:
            return "messages of different calls, or of a fork, have no order"
        merged = one.seen.sip, other.seen.sip
        if all(m.is_request and not m.to_tag for m in merged) and merged[0].cseq == merged[1].cseq:
            return "one request that came on two ways"
        if set(map(id, self._expecting(one))) & set(map(id, self._expecting(other))):
            return "any of several codes is expected more than once"
        groups = [i for s in self._sequences if s.agent == one.seen.agent for i in s.items if isinstance(i, AnyOrder)]
        fit = [all(any(matches(e.pattern, i.seen) for e in g.items) for i in (one, other)) for g in groups]
        return "any order" if any(fit) else ""

    def _may_come_to(self, item: Item, agent: str) -> bool:
        return any(one.maybe for one in self._expecting(item, agent))

    def _expecting(self, item: Item, agent: str = "") -> list[Expected]:
        """What is expected that this message can be, at its agent or at another one."""
        mine = [i for s in self._sequences if s.agent == (agent or item.seen.agent) for i in s.items]
        flat = [one for i in mine for one in (i.items if isinstance(i, AnyOrder) else (i,))]
        return [one for one in flat if isinstance(one, Expected) and matches(one.pattern, item.seen)]

    def _named(self, item: Item) -> bool:
        return any(not one.maybe for one in self._expecting(item))

    def _maybe(self, item: Item) -> bool:
        return any(one.maybe for one in self._expecting(item))

    def _is_answered(self, challenge: Item) -> bool:
        """Whether the agent has made its request again with credentials, as it may more than once."""
        own = [i.seen.sip for i in self._traffic.sent() if i.seen.agent == challenge.seen.agent]
        return any(bool(m.get("authorization") or m.get("proxy-authorization")) for m in own)

    def _has_answered(self, ack: Item) -> bool:
        sent = (i.seen.sip for i in self._traffic.sent() if i.seen.agent == ack.seen.agent)
        return any(200 <= m.code < 300 and m.cseq[1] == "INVITE" and m.to_tag == ack.seen.sip.to_tag for m in sent)

    def _is_open(self, item: Item) -> bool:
        m = item.seen.sip
        if m.is_request or self._named(item):
            return False
        return m.code < 200 or (m.code < 300 and m.cseq[1] != "INVITE")


def _of_a_request(change: Change) -> str:
    m, acks = change.item.seen.sip, change.item.seen.acks
    matched = m.method == "CANCEL" or acks >= 300
    if change.kind in ("branch", "number") and not matched and m.method != "ACK":
        return "a proxy makes branches, and the number only has to rise"
    if change.kind == "branch" and 0 < acks < 300:
        return "an ACK to a 2xx is a transaction of its own"
    if change.kind in ("from tag", "call-id") and not m.to_tag and not matched:
        return "what a request carries matters where the scenario says so"
    return ""
